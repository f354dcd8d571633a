"""`earmark index`: add files and folders of music to the catalog."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.apps.cli.failures import DONE, INTERRUPTED, PARTLY
from earmark.apps.cli.options import add_catalog, add_longest, add_output, catalog_path, count
from earmark.apps.cli.output import Output
from earmark.apps.text import amount, clock
from earmark.fingerprints import DEFAULT, DESCRIPTIONS, NAMES, SETTINGS
from earmark.text import escaped

if TYPE_CHECKING:
    from earmark import Progress
    from earmark.types import AddReport

MODEL_SUFFIX = ".onnx"
LONGEST_SECONDS = 86_400  # ExtractLimits.longest_seconds, which is not imported for a page of help
KINDS = "\n".join(f"  {name:8} {description}" for name, description in DESCRIPTIONS.items())
EPILOGUE = f"""\
Run it again and only what is new or changed is done; Ctrl-C keeps what is done.

Fingerprinters:
{KINDS}

The index is both, auto, linear, lsh, hashcode, pq or hnsw for vectors, postings for landmarks. All options of a new
catalog are written in it: leave them out afterwards.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="audio or video files, and folders with such in them")
    add_catalog(parser)
    parser.add_argument("--workers", type=count, metavar="N", help="files to decode at a time (default: one a core)")
    add_longest(parser, LONGEST_SECONDS)
    made = parser.add_argument_group("how a new catalog is made")
    made.add_argument(
        "--fingerprinter", metavar="NAME", help=f"how sound becomes features: {' or '.join(NAMES)} (default: {DEFAULT})"
    )
    for setting in {one.flag: one for one in SETTINGS}.values():
        makers = " and ".join(one.fingerprinter for one in SETTINGS if one.flag == setting.flag)
        kind: dict[str, Any] = {"dest": setting.name, "help": f"of {makers}: {setting.help}"}
        action = "store_false" if setting.flag.startswith("--no-") else "store_true"
        kind |= {"action": action, "default": None} if setting.is_switch else {"metavar": setting.name.upper()}
        made.add_argument(setting.flag, **kind)
    made.add_argument(
        "--index", metavar="NAME", help="what looks features up (default: both, auto without peaks; postings)"
    )
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Add the files and say what became of them; exit status 1 when some failed."""
    import earmark

    output = Output.of(options)
    kind = {"fingerprinter": options.fingerprinter, "index": options.index, **preset_of(options)}
    limits = earmark.ExtractLimits(longest_seconds=options.longest or LONGEST_SECONDS)
    began = time.perf_counter()
    with earmark.open(catalog_path(options), limits=limits, **kind) as catalog, watching(output) as progress:
        report = catalog.add(options.paths, workers=options.workers, progress=progress)
    show(output, report, time.perf_counter() - began)
    if report.interrupted:
        output.remark("earmark: interrupted; what was added is kept: run the same command again to go on")
        return INTERRUPTED
    return PARTLY if report.failed else DONE


def preset_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of a fingerprinter that were given; a model's file by its whole path, as it is kept."""
    given = {name: getattr(options, name) for name in dict.fromkeys(one.name for one in SETTINGS)}
    if options.model and Path(options.model).suffix == MODEL_SUFFIX:
        given["model"] = str(Path(options.model).resolve())
    return {name: value for name, value in given.items() if value is not None}


@contextlib.contextmanager
def watching(output: Output) -> Iterator[Callable[[Progress], None] | None]:
    """Give what is to be called after each file: a progress bar, lines of --verbose, or nothing."""
    if output.verbose:
        yield lambda progress: output.remark(line(progress))
    elif output.interactive:
        with bar() as advance:
            yield advance
    else:
        yield None


def line(progress: Progress) -> str:
    """Return what became of one file."""
    reason = f": {progress.reason}" if progress.reason else ""
    return f"{progress.done}/{progress.total} {progress.outcome} {progress.path}{reason}"


@contextlib.contextmanager
def bar() -> Iterator[Callable[[Progress], None]]:
    """Draw a progress bar with hours of audio a second and the time that is left, by files."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    began = time.perf_counter()
    with Bar(*columns, console=Console(stderr=True), transient=True) as drawing:
        task = drawing.add_task("looking", total=None, speed="")

        def advance(progress: Progress) -> None:
            hours = progress.seconds_done / 3600
            speed = f"{hours:.1f} h, {hours / (time.perf_counter() - began):.3f} h/s"
            name = escaped(Path(progress.path).name)
            drawing.update(task, completed=progress.done, total=progress.total, speed=speed, description=name)

        yield advance


def show(output: Output, report: AddReport, elapsed: float) -> None:
    """Print what became of all files."""
    from earmark.apps.records import track_record

    for status, tracks in (("added", report.added), ("updated", report.updated)):
        for track in tracks:
            output.record({"status": status, "track": track_record(track)})
    for path in report.unchanged:
        output.record({"status": "unchanged", "path": path})
    for path, reason in report.failed:
        output.record({"status": "failed", "path": path, "reason": reason})
        if not output.json:
            output.remark(f"failed: {path}: {reason}")
    seconds = sum(track.seconds for track in (*report.added, *report.updated))
    counts = {name: len(getattr(report, name)) for name in ("added", "updated", "unchanged", "failed")}
    ending = "interrupted" if report.interrupted else "done"
    output.record({"status": ending, **counts, "seconds": seconds, "elapsed": elapsed})
    output.line(summary(counts, seconds, elapsed))


def summary(counts: dict[str, int], seconds: float, elapsed: float) -> str:
    """Return one line about a run."""
    parts = [amount(counts["added"], "track") + " added"]
    parts += [f"{counts[name]:,} {name}" for name in ("updated", "unchanged", "failed") if counts[name]]
    audio = f"; {clock(seconds)} of audio in {elapsed:.1f} s" if seconds else ""
    return ", ".join(parts) + audio
