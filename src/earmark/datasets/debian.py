"""Freely licensed music, noise and speech from Debian's packages: fetched by anyone, without an account or root.

`debian.toml` names the packages. Each is downloaded with apt-get, which checks its signature and checksum, and its
audio is taken out with dpkg-deb; nothing is installed. A folder then holds

    music/ noise/ speech/               the files
    music.csv noise.csv speech.csv      the manifests
    licences/<package>.txt              each package's copyright file: who made what, under which licence
    packages.csv                        what was taken: kind, package, version, files, SHA-256 of the package

and `packages/`, or any folder of one's own, the packages. A second run fetches nothing; a run that was broken off goes
on at the package it had not finished.
"""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import IO

from earmark.datasets.manifest import Item, digest_of, read_manifest, write_manifest
from earmark.datasets.probe import Probe, Prober
from earmark.errors import EarmarkError, MediaError, OptionError

KINDS = ("music", "noise", "speech")
SMALLEST_BYTES = 6_000  # below it a file is a click of a menu
SMALLEST_ARCHIVE_BYTES = 1_000_000
_AUDIO = re.compile(r"\.(ogg|oga|opus|mp3|flac|m4a|wav)$", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(zip|pk3|pk4)$", re.IGNORECASE)
_PREFIX = re.compile(r"^usr/share/(games/)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is taken of one kind."""

    packages: tuple[str, ...]
    shortest_seconds: float
    longest_seconds: float
    named_music: frozenset[str] = frozenset()  # packages of which only files called music are
    without_music: bool = False

    def by_name(self, package: str, name: str) -> bool:
        """Whether a file may be of this kind, by its name."""
        if self.without_music and "music" in name.lower():
            return False
        return package not in self.named_music or "music" in name

    def by_length(self, found: Probe) -> bool:
        """Whether a file is of this kind, by its length."""
        return self.shortest_seconds <= found.seconds <= self.longest_seconds


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was taken in."""

    kind: str
    package: str
    version: str
    files: str
    sha256: str


def recipe() -> dict[str, Wanted]:
    """Return what is fetched, by kind."""
    text = resources.files(__package__).joinpath("debian.toml").read_text(encoding="utf-8")
    return {
        kind: Wanted(
            packages=tuple(table.pop("packages")), named_music=frozenset(table.pop("named_music", ())), **table
        )
        for kind, table in tomllib.loads(text).items()
    }


def fetch(
    folder: Path,
    *,
    wanted: dict[str, Wanted] | None = None,
    packages: Path | None = None,
    progress: Callable[[str, str, int], object] | None = None,
) -> dict[str, tuple[Item, ...]]:
    """Fetch what is wanted (all of `recipe()`) and return it by kind; the group of a recording is its package.

    `packages` is where packages are kept. `progress(kind, package, files)` is called after each. A file that another
    of its kind equals to the last bit is left out, as is one that cannot be decoded. Raises EarmarkError when a package
    cannot be had.
    """
    kept = packages or folder / "packages"
    for made in (folder, kept):
        made.mkdir(parents=True, exist_ok=True)
    with Prober() as prober:
        collector = _Collector(folder, kept, prober)
        for kind, what in (wanted or recipe()).items():
            for package in what.packages:
                if not collector.has(kind, package):
                    count = collector.take(kind, package, what)
                    if progress is not None:
                        progress(kind, package, count)
        return {kind: tuple(collector.recordings(kind)) for kind in wanted or recipe()}


class _Collector:
    """The folder as it grows, a package at a time."""

    def __init__(self, folder: Path, kept: Path, prober: Prober) -> None:
        self._folder, self._kept, self._prober = folder, kept, prober
        self._taken = _read_taken(folder / "packages.csv")

    def has(self, kind: str, package: str) -> bool:
        return any((one.kind, one.package) == (kind, package) for one in self._taken)

    def recordings(self, kind: str) -> list[Item]:
        manifest = self._folder / f"{kind}.csv"
        return list(read_manifest(manifest)) if manifest.exists() else []

    def take(self, kind: str, package: str, wanted: Wanted) -> int:
        """Take one package in, and return how many files it gave."""
        archive = self._downloaded(package)
        before = [one for one in self.recordings(kind) if one.group != package]  # of a run that was broken off
        known = {one.sha256 for one in before}
        target = self._folder / kind
        target.mkdir(exist_ok=True)
        fresh: list[Item] = []
        for name, content in audio_members(archive):
            if name.endswith("/copyright"):
                self._keep_licence(package, content)
                continue
            digest = hashlib.sha256(content).hexdigest()
            if digest in known or len(content) < SMALLEST_BYTES or not wanted.by_name(package, name):
                continue
            path = _free_name(target, package, name, digest, fresh)
            path.write_bytes(content)
            found = self._probed(path, wanted)
            if found is None:
                path.unlink()
                continue
            known.add(digest)
            track = f"{package}/{path.stem.removeprefix(f'{package}__')}"
            fresh.append(Item(track, path, found.seconds, package, found.title, found.artist, digest))
        write_manifest(self._folder / f"{kind}.csv", [*before, *fresh])
        version = archive.stem.split("_")[1].replace("%3a", ":")
        self._taken.append(Package(kind, package, version, str(len(fresh)), digest_of(archive)))
        _write_taken(self._folder / "packages.csv", self._taken)
        return len(fresh)

    def _probed(self, path: Path, wanted: Wanted) -> Probe | None:
        try:
            found = self._prober(path)
        except MediaError:
            return None
        return found if wanted.by_length(found) else None

    def _keep_licence(self, package: str, content: bytes) -> None:
        (self._folder / "licences").mkdir(exist_ok=True)
        (self._folder / "licences" / f"{package}.txt").write_bytes(content)

    def _downloaded(self, package: str) -> Path:
        """Return the package's file, downloaded when it is not there; half a file is never there."""
        found = sorted(self._kept.glob(f"{package}_*.deb"))
        if found:
            return found[-1]
        with tempfile.TemporaryDirectory(dir=self._kept, prefix="part-") as part:
            _run(["apt-get", "download", "-qq", package], folder=Path(part))
            (arrived,) = Path(part).glob("*.deb")
            return arrived.rename(self._kept / arrived.name)


def audio_members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of a package's audio files, those in its zip-like archives too, and its copyright file.

    Raises EarmarkError when the package is damaged.
    """
    command = [_program("dpkg-deb"), "--fsys-tarfile", str(archive)]
    with tempfile.TemporaryFile() as remarks:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=remarks)
        try:
            with process, tarfile.open(fileobj=process.stdout, mode="r|") as tar:
                for member in tar:
                    file = tar.extractfile(member) if member.isfile() else None
                    if file is not None:
                        yield from _members_of(member.name.removeprefix("./"), member.size, file)
        except (tarfile.TarError, zipfile.BadZipFile) as error:
            raise EarmarkError(f"{archive} is damaged ({error}); delete it and run again") from error
        finally:
            process.kill()
        if process.returncode > 0:
            remarks.seek(0)
            said = remarks.read().decode("utf-8", "replace").strip()
            raise EarmarkError(f"{archive} is damaged ({said}); delete it and run again")


def _members_of(name: str, size: int, file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    if _AUDIO.search(name) or name.endswith("/copyright"):
        yield name, file.read()
    elif _ARCHIVE.search(name) and size > SMALLEST_ARCHIVE_BYTES:
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(file, spool)
            with zipfile.ZipFile(spool) as inner:
                for info in inner.infolist():
                    if _AUDIO.search(info.filename):
                        yield info.filename, inner.read(info)


def _free_name(target: Path, package: str, name: str, digest: str, fresh: Sequence[Item]) -> Path:
    """Return where a file goes: its path in the package as one name, and its digest where two archives share one."""
    flat = Path(_PREFIX.sub("", name).replace("/", "__").replace(" ", "_"))
    path = target / f"{package}__{flat}"
    if any(one.path == path for one in fresh):
        return target / f"{package}__{flat.stem}-{digest[:8]}{flat.suffix}"
    return path


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise OptionError(f"{name} is not on this machine; fetch the corpus on Debian, or a system made from it")
    return found


def _run(command: list[str], *, folder: Path) -> None:
    _program(command[0])
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise EarmarkError(
            f"`{' '.join(command)}` failed: {said}; let the sources of apt name Debian 12, and run again"
        )


def _read_taken(path: Path) -> list[Package]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [Package(**row) for row in csv.DictReader(file)]


def _write_taken(path: Path, taken: Sequence[Package]) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Package)])
        writer.writerows(astuple(one) for one in taken)
    part.replace(path)
