"""`earmark doctor`: is this installation sound, and the catalog?"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from earmark.apps.cli.failures import CATALOG, DONE, PARTLY, describe
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount, clock
from earmark.errors import CatalogNotFound, EarmarkError
from earmark.fingerprints import shown

OK, NOTE, BAD = "ok", "note", "bad"
TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"  # ONNX Runtime looks at this variable once, when it is imported

# SQLite's list of ways to corrupt a database: two connections that write and checkpoint at once could damage a database
# in WAL mode, from 3.7.0 until 3.51.3 mended it.
WAL_RESET_FIRST, WAL_RESET_MENDED = (3, 7, 0), (3, 51, 3)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    subject: str
    state: str
    detail: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print the findings; exit status 1 when something of the installation is bad, 4 when the catalog is."""
    output = Output.of(options)
    installation = [look() for look in (program, python, sqlite, numpy, ffmpeg, networks, plots, decoding, sandbox)]
    catalog = contents(catalog_path(options))
    for finding in (*installation, catalog):
        output.record({"subject": finding.subject, "state": finding.state, "detail": finding.detail})
        output.entry(f"{finding.state:5} {finding.subject:10}", finding.detail)
    if catalog.state == BAD:
        return CATALOG
    return PARTLY if any(finding.state == BAD for finding in installation) else DONE


def program() -> Finding:
    """Look at earmark itself."""
    import earmark

    return Finding("earmark", OK, f"{earmark.__version__} at {Path(earmark.__file__).parent}")


def python() -> Finding:
    """Look at Python and the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    machine = f"{platform.system()} {platform.machine()}, {amount(cores, 'core')}"
    return Finding("python", OK, f"{platform.python_version()} at {sys.executable}; {machine}")


def sqlite() -> Finding:
    """Look at SQLite."""
    import sqlite3

    version = sqlite3.sqlite_version
    if not WAL_RESET_FIRST <= sqlite3.sqlite_version_info < WAL_RESET_MENDED:
        return Finding("sqlite", OK, version)
    return Finding(
        "sqlite",
        NOTE,
        f"{version} has the WAL-reset bug, which needs two writers at once; earmark lets in one, so it is safe: "
        "do not write to catalog.db with other programs",
    )


def numpy() -> Finding:
    """Look at what computes."""
    return versions("numpy", "numpy", "scipy", "soxr")


def networks() -> Finding:
    """Look at what runs a learned fingerprint, and what searches many of them."""
    finding = versions("networks", "onnxruntime", "faiss")
    if finding.state != OK:
        return finding
    if os.environ.get(TELEMETRY_OFF) != "1":
        return Finding("networks", BAD, f"{finding.detail}; {TELEMETRY_OFF} is not 1: it may send what it runs")
    return Finding("networks", OK, f"{finding.detail}; telemetry is off")


def plots() -> Finding:
    """Look at what draws; it is an extra."""
    from earmark.evaluation.canvas import keep_to_temporary_files

    keep_to_temporary_files()
    finding = versions("plots", "matplotlib")
    if finding.state == BAD:
        return Finding("plots", NOTE, "not installed; pip install 'earmark[plot]' brings what `earmark plot` needs")
    return finding


def versions(subject: str, *names: str) -> Finding:
    """Look whether modules can be imported, and which they are."""
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.import_module(name).__version__}")
        except (ImportError, AttributeError) as error:
            return Finding(subject, BAD, f"{name}: {error}; install earmark again")
    return Finding(subject, OK, ", ".join(found))


def ffmpeg() -> Finding:
    """Look at the decoders."""
    try:
        import av
    except ImportError as error:
        return Finding("ffmpeg", BAD, f"{error}; install earmark again")
    libraries = ", ".join(f"{name} {'.'.join(map(str, parts))}" for name, parts in av.library_versions.items())
    return Finding("ffmpeg", OK, f"{av.ffmpeg_version_info} in av {av.__version__}: {libraries}")


def decoding() -> Finding:
    """Decode a bundled piece as files of strangers are decoded: in a child process with limits."""
    import earmark
    from earmark.apps.demo import excerpts

    path = excerpts()[0]
    try:
        seconds = earmark.fingerprint(path).seconds
    except (EarmarkError, OSError) as error:
        return Finding("decoding", BAD, f"a bundled file cannot be decoded in a child process: {describe(error)}")
    return Finding("decoding", OK, f"a child process with limits decoded {seconds:.1f} s of {path.name}")


def sandbox() -> Finding:
    """Try in a child process what one that a hostile file has taken over would try."""
    from earmark.apps.demo import excerpts
    from earmark.sandbox.attempts import ATTEMPTS, TASK
    from earmark.sandbox.process import Sandbox

    try:
        with excerpts()[0].open("rb") as file, Sandbox(TASK) as child:
            holding, allowed = child.held_by(), child.call(file, {})["allowed"]
    except (EarmarkError, OSError) as error:
        return Finding("sandbox", BAD, f"no child process can be started: {describe(error)}")
    if not allowed:
        return Finding("sandbox", OK, f"{' and '.join(holding)}: a child process could not {', '.join(ATTEMPTS)}")
    held = " and ".join(holding) or "neither Landlock nor seccomp is there"
    return Finding("sandbox", NOTE, f"{held}; only limits bind a child process, which could {', '.join(allowed)}")


def contents(path: Path) -> Finding:
    """Look into a catalog."""
    import earmark

    try:
        with earmark.open(path, create=False, read_only=True) as catalog:
            information = catalog.info()
    except CatalogNotFound:
        return Finding("catalog", NOTE, f"none at {path}; `earmark index FOLDER` makes it")
    except EarmarkError as error:
        return Finding("catalog", BAD, describe(error))
    held = f"{path}: {amount(information['tracks'], 'track')}, {clock(information['seconds'])} of audio"
    problems = information["problems"]
    if problems:
        return Finding("catalog", BAD, f"{held}; {'; '.join(problems)}; run `earmark verify`")
    return Finding("catalog", OK, f"{held}, {shown(information['fingerprinter'])}")
