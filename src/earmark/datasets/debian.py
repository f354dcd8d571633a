"""Freely licensed music, noise and speech from Debian's packages, which need neither an account nor root.

`debian.toml` names the packages; apt-get downloads and checks them, dpkg-deb extracts their audio, nothing is
installed. A folder gets music/, noise/, speech/ and a manifest of each (music.csv), licences/<package>.txt and
packages.csv (kind, package, version, files, SHA-256). An interrupted run goes on at the package it had not finished.
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

from earmark.atomic import written_beside
from earmark.datasets.manifest import Item, digest_of, read_manifest, write_manifest
from earmark.datasets.probe import Probe, Prober
from earmark.errors import EarmarkError, MediaError, OptionError

KINDS = ("music", "noise", "speech")
SMALLEST_BYTES = 6_000  # bytes; smaller files are clicks of menus
SMALLEST_ARCHIVE_BYTES = 1_000_000  # bytes; smaller archives have no music
_AUDIO = re.compile(r"\.(ogg|oga|opus|mp3|flac|m4a|wav)$", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(zip|pk3|pk4)$", re.IGNORECASE)
_PREFIX = re.compile(r"^usr/share/(games/)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The packages and files of one kind."""

    packages: tuple[str, ...]
    shortest_seconds: float
    longest_seconds: float
    named_music: frozenset[str] = frozenset()  # packages of which only files with music in their names count
    without_music: bool = False

    def by_name(self, package: str, name: str) -> bool:
        """Return whether a file may be of this kind, by its name."""
        if self.without_music and "music" in name.lower():
            return False
        return package not in self.named_music or "music" in name

    def by_length(self, found: Probe) -> bool:
        """Return whether a file is of this kind, by its length."""
        return self.shortest_seconds <= found.seconds <= self.longest_seconds


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was extracted, as a row of packages.csv."""

    kind: str
    package: str
    version: str
    files: str
    sha256: str


def recipe() -> dict[str, Wanted]:
    """Return the packages and files of each kind, from debian.toml."""
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
    """Fetch what is `wanted` (default: `recipe()`) and return it by kind; the group of an item is its package.

    `packages` is the folder of packages. `progress(kind, package, files)` is called after each package. Duplicates
    within a kind and files that cannot be decoded are left out. Raises EarmarkError when a package cannot be fetched.
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
    """The folder, to which packages are added one at a time."""

    def __init__(self, folder: Path, kept: Path, prober: Prober) -> None:
        self._folder, self._kept, self._prober = folder, kept, prober
        self._taken = _read_taken(folder / "packages.csv")

    def has(self, kind: str, package: str) -> bool:
        return any((one.kind, one.package) == (kind, package) for one in self._taken)

    def recordings(self, kind: str) -> list[Item]:
        manifest = self._folder / f"{kind}.csv"
        return list(read_manifest(manifest)) if manifest.exists() else []

    def take(self, kind: str, package: str, wanted: Wanted) -> int:
        """Extract one package, and return how many files it gave."""
        archive = self._downloaded(package)
        before = [one for one in self.recordings(kind) if one.group != package]  # an interrupted run left some
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
        """Return the package's file, downloaded unless it is there; it is never there in part."""
        found = sorted(self._kept.glob(f"{package}_*.deb"))
        if found:
            return found[-1]
        with tempfile.TemporaryDirectory(dir=self._kept, prefix="part-") as part:
            _run(["apt-get", "download", "-qq", package], folder=Path(part))
            (arrived,) = Path(part).glob("*.deb")
            return arrived.rename(self._kept / arrived.name)


def audio_members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of a package's audio files, also inside of zip archives, and of its copyright file.

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
    """Return a file's path: its path in the package as one name, with its digest if another file has that name."""
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
    with written_beside(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Package)])
        writer.writerows(astuple(one) for one in taken)
