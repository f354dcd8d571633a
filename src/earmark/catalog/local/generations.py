"""Published indexes: named arrays in `generations/000012/`, made visible by one rename of `CURRENT`.

A generation is written whole, synced file by file and folder by folder, and only then named by `CURRENT`, so that a
crash at any call leaves the old generation or the new one (as Lucene publishes a `segments_N`). Published files are
never changed, only unlinked, so a reader that has mapped them keeps them; damaged ones are moved to `quarantine/`.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.catalog.local.durable import DurableFiles
from earmark.errors import CatalogDamaged, CatalogError, CatalogTooNew

FORMAT = 1  # version of the manifest
CHECKED_ON_OPEN_BYTES = 64 * 1024 * 1024  # bytes of a file whose SHA-256 is checked on opening (0.1 s); all in verify

_CHUNK_BYTES = 1 << 20  # bytes read or written together
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_POINTER = re.compile(r"(?P<number>[0-9]{6,}) (?P<digest>[0-9a-f]{64})\n")  # content of CURRENT
_OPEN_ATTEMPTS = 5  # times that CURRENT is read when a writer publishes meanwhile


class ArrayFile(msgspec.Struct, frozen=True):
    """One array of an index, as it is on disk."""

    name: str
    bytes: int
    sha256: str
    dtype: str
    shape: tuple[int, ...]


class Manifest(msgspec.Struct, frozen=True):
    """What a generation holds, and up to where it follows the store."""

    format: int
    generation: int
    spec: str
    index: str
    last_track: int  # every track up to this number is in the index, unless it was removed
    last_removal: int  # removals up to this sequence number are done
    files: tuple[ArrayFile, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """A published index, its arrays memory-mapped."""

    manifest: Manifest
    arrays: Mapping[str, NDArray[Any]]


class Generations:
    """The published indexes of the catalog in `folder`."""

    def __init__(self, folder: Path, files: DurableFiles | None = None) -> None:
        self._folder = folder
        self._root = folder / "generations"
        self._current = folder / "CURRENT"
        self._scratch = folder / "CURRENT.tmp"
        self._files = files if files is not None else DurableFiles()

    def load(self) -> Generation | None:
        """Return the current generation, or None when there is none; raises CatalogDamaged naming the file."""
        for attempt in range(_OPEN_ATTEMPTS):
            try:
                manifest = self._read_manifest()
                if manifest is None:
                    return None
                path = self._path(manifest.generation)
                return Generation(manifest, {entry.name: _load_array(path, entry) for entry in manifest.files})
            except FileNotFoundError as error:  # a writer has just published the next one: look again
                if attempt + 1 == _OPEN_ATTEMPTS:
                    raise CatalogDamaged(
                        f"{error.filename} is missing; earmark rebuild makes the index again"
                    ) from error
            except (OSError, ValueError) as error:
                raise CatalogDamaged(f"{self._root}: {error}; earmark rebuild makes the index again") from error
        raise AssertionError("unreachable")

    def current(self) -> tuple[int, int]:
        """Return what tells the present `CURRENT` from any other: its inode and its time of change; zeros for none."""
        try:
            status = self._current.stat()
        except OSError:
            return 0, 0
        return status.st_ino, status.st_mtime_ns

    def publish(
        self, arrays: Mapping[str, NDArray[Any]], *, spec: str, index: str, last_track: int, last_removal: int
    ) -> Manifest:
        """Make `arrays` the current generation, durably, and unlink the one before it.

        An array whose name the current generation has too is linked, not written: the name stands for the content.
        """
        previous = self._read_manifest_or_none()
        number = max([0, *self._numbers()]) + 1
        scratch = self._root / f"{number:06d}.tmp"
        self._files.make_folder(self._root)
        self._files.make_folder(scratch)
        entries = tuple(self._keep(scratch, name, array, previous) for name, array in arrays.items())
        manifest = Manifest(FORMAT, number, spec, index, last_track, last_removal, entries)
        packed = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        self._files.write(scratch / "manifest.json", [packed])
        self._files.sync_folder(scratch)
        self._files.replace(scratch, self._path(number))
        self._files.sync_folder(self._root)
        if self._scratch.exists():
            self._files.remove(self._scratch)
        self._files.write(self._scratch, [f"{number:06d} {hashlib.sha256(packed).hexdigest()}\n".encode()])
        self._files.replace(self._scratch, self._current)
        self._files.sync_folder(self._folder)
        self.sweep()
        return manifest

    def sweep(self) -> None:
        """Unlink what no reader can come to: leftovers of crashes and generations that were replaced."""
        try:
            manifest = self._read_manifest()
        except (OSError, ValueError, CatalogError):
            return  # a damaged CURRENT: the generation that it named is kept until it is in quarantine
        keep = "" if manifest is None else f"{manifest.generation:06d}"
        if self._root.is_dir():
            for path in sorted(self._root.iterdir()):
                if path.name != keep:
                    self._files.remove_folder(path)
        if self._scratch.exists():
            self._files.remove(self._scratch)

    def quarantine(self) -> Path:
        """Move everything that is published aside, and return where to; the index is then made again."""
        target = self._folder / "quarantine"
        self._files.make_folder(target)
        target = target / f"{max([0, *(int(path.name) for path in target.iterdir() if path.name.isdecimal())]) + 1:06d}"
        self._files.make_folder(target)
        if self._current.exists():
            self._files.replace(self._current, target / "CURRENT")
        for path in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            self._files.replace(path, target / path.name)
        self._files.sync_folder(self._folder)
        return target

    def problems(self) -> list[str]:
        """Read every byte of the current generation and return what does not hold."""
        try:
            manifest = self._read_manifest()
            if manifest is None:
                return []
            path = self._path(manifest.generation)
            return [problem for entry in manifest.files if (problem := _check(path, entry, math.inf))]
        except (OSError, ValueError, CatalogError) as error:
            return [str(error)]

    def copy(self, target: Path) -> None:
        """Copy the current generation into the catalog folder `target`, which has none."""
        manifest = self._read_manifest()
        if manifest is None:
            return
        folder = target / "generations" / f"{manifest.generation:06d}"
        self._files.make_folder(folder.parent)
        self._files.make_folder(folder)
        for name in [*(f"{entry.name}.npy" for entry in manifest.files), "manifest.json"]:
            with (self._path(manifest.generation) / name).open("rb") as source:
                self._files.write(folder / name, iter(lambda: source.read(_CHUNK_BYTES), b""))
        self._files.write(target / "CURRENT", [self._current.read_bytes()])
        for path in (folder, folder.parent, target):
            self._files.sync_folder(path)

    def bytes(self) -> int:
        """Return how much disk the current generation takes."""
        manifest = self._read_manifest_or_none()
        return 0 if manifest is None else sum(entry.bytes for entry in manifest.files)

    def _path(self, number: int) -> Path:
        return self._root / f"{number:06d}"

    def _numbers(self) -> list[int]:
        names = [path.name.removesuffix(".tmp") for path in self._root.iterdir()] if self._root.is_dir() else []
        return [int(name) for name in names if name.isdecimal()]

    def _read_manifest(self) -> Manifest | None:
        try:
            pointer = self._current.read_text()
        except FileNotFoundError:
            return None
        words = _POINTER.fullmatch(pointer)
        if words is None:
            raise CatalogDamaged(f"{self._current} is damaged; earmark rebuild makes the index again")
        path = self._path(int(words["number"])) / "manifest.json"
        packed = path.read_bytes()
        if hashlib.sha256(packed).hexdigest() != words["digest"]:
            raise CatalogDamaged(f"{path} is damaged; earmark rebuild makes the index again")
        manifest = msgspec.json.decode(packed, type=Manifest)
        if manifest.format > FORMAT:
            raise CatalogTooNew(
                f"{path} has format {manifest.format}, this earmark reads {FORMAT}; use a newer earmark"
            )
        return manifest

    def _read_manifest_or_none(self) -> Manifest | None:
        try:
            return self._read_manifest()
        except (OSError, ValueError, CatalogDamaged):
            return None

    def _keep(self, folder: Path, name: str, array: NDArray[Any], previous: Manifest | None) -> ArrayFile:
        if not _SAFE_NAME.fullmatch(name):
            raise CatalogError(f"{name!r} cannot name an array; use letters, digits, '_', '-' and '.'")
        if previous is not None:
            old = self._path(previous.generation) / f"{name}.npy"
            for entry in previous.files:
                if entry.name == name and old.exists() and self._files.link(old, folder / old.name):
                    return entry
        digest, size = hashlib.sha256(), 0

        def parts() -> Iterator[bytes | memoryview]:
            nonlocal size
            for part in _npy_parts(array):
                digest.update(part)
                size += len(part)
                yield part

        self._files.write(folder / f"{name}.npy", parts())
        return ArrayFile(name, size, digest.hexdigest(), array.dtype.str, array.shape)


def is_on_network(path: Path) -> str:
    """Return the kind of network file system that `path` is on, or '': locks may not hold there."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    here, best, kind = os.fspath(path.resolve()), "", ""
    for fields in (line.split() for line in lines):
        mount, separator = fields[4], fields.index("-")
        inside = here == mount or here.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, fields[separator + 1]
    return kind if re.match(r"nfs|cifs|smb|fuse|9p|afs|ceph|glusterfs", kind) else ""


def _npy_parts(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """Yield an array in the .npy format 1.0, without a copy of it as a whole."""
    array = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    yield header.getvalue()
    whole = array.reshape(-1).view(np.uint8).data
    for start in range(0, len(whole), _CHUNK_BYTES):
        yield whole[start : start + _CHUNK_BYTES]


def _load_array(folder: Path, entry: ArrayFile) -> NDArray[Any]:
    path = folder / f"{entry.name}.npy"
    if problem := _check(folder, entry, CHECKED_ON_OPEN_BYTES):
        raise CatalogDamaged(problem)
    mode: Any = "r" if math.prod(entry.shape) else None  # an empty file part cannot be mapped
    array: NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
    if array.dtype.str != entry.dtype or array.shape != tuple(entry.shape):
        raise CatalogDamaged(f"{path} is damaged: its header says {array.dtype} {array.shape}")
    return array.view(np.ndarray)


def _check(folder: Path, entry: ArrayFile, read_up_to: float) -> str:
    """Return what is wrong with a file, or ''; the size comes first, because mapping a short file ends in SIGBUS."""
    path = folder / f"{entry.name}.npy"
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size != entry.bytes:
            return f"{path} is damaged: {size} bytes, not {entry.bytes}; earmark rebuild makes the index again"
        if size <= read_up_to and hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
            return f"{path} is damaged: its checksum does not hold; earmark rebuild makes the index again"
    return ""
