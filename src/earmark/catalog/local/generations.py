"""Published indexes: named arrays in `generations/000012/`, made visible by one rename of `CURRENT`.

A generation is written whole, synced file by file and folder by folder, and only then named by `CURRENT`, so that a
crash at any call leaves the old generation or the new one (as Lucene publishes a `segments_N`). Published files are
never changed, only unlinked, so a reader that has mapped them keeps them; damaged ones are moved to `quarantine/`.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import accumulate, count
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
from numpy.typing import NDArray

from earmark.catalog.local.array_file import (
    CHUNK_BYTES,
    SAFE_NAME,
    ArrayFile,
    check_array,
    is_array_name,
    load_array,
    npy_parts,
)
from earmark.catalog.local.directory import Directory
from earmark.catalog.local.durable import DurableFiles
from earmark.errors import CatalogDamaged, CatalogError, CatalogTooNew
from earmark.schema import prepared

FORMAT = 1  # version of the manifest
CHECKED_ON_OPEN_BYTES = 64 * 1024 * 1024  # bytes whose SHA-256 is checked on opening (0.1 s), small files first
ROOT, CURRENT, SCRATCH, MANIFEST = "generations", "CURRENT", "CURRENT.tmp", "manifest.json"
QUARANTINE = "quarantine"

_NAME = re.compile(r"(?P<number>[0-9]{6,18})(\.tmp)?")  # name of a generation's folder
_POINTER = re.compile(rb"(?P<number>[0-9]{6,18}) (?P<digest>[0-9a-f]{64})\n")  # content of CURRENT
_MOST_POINTER_BYTES = 1 << 10
_MOST_MANIFEST_BYTES = 1 << 27  # bytes; half a million hours of audio have some 40 MB
_ATTEMPTS = 5  # times that a generation is looked for when a writer publishes meanwhile

Result = TypeVar("Result")


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


@dataclass(frozen=True, slots=True)
class _Published:
    """The current generation, its folder open."""

    pointer: bytes
    packed: bytes
    manifest: Manifest
    folder: Directory


class Generations:
    """The published indexes of the catalog in `folder`."""

    def __init__(self, folder: Path, files: DurableFiles | None = None) -> None:
        self._folder = folder
        self._files = files if files is not None else DurableFiles()

    def load(self) -> Generation | None:
        """Return the current generation, or None when there is none; raises CatalogDamaged naming the file."""

        def arrays(there: _Published) -> Generation:
            most = _most_checked(there.manifest.files)
            loaded = {one.name: load_array(there.folder, one, read_up_to=most) for one in there.manifest.files}
            return Generation(there.manifest, loaded)

        return self._of_current(arrays)

    def current(self) -> tuple[int, int]:
        """Return what tells the present `CURRENT` from any other: its inode and its time of change; zeros for none."""
        try:
            status = (self._folder / CURRENT).lstat()
        except OSError:
            return 0, 0
        return status.st_ino, status.st_mtime_ns

    def publish(
        self, arrays: Mapping[str, NDArray[Any]], *, spec: str, index: str, last_track: int, last_removal: int
    ) -> Manifest:
        """Make `arrays` the current generation, durably, and unlink the one before it.

        An array whose name the current generation has too is linked, not written: the name stands for the content.
        """
        files = self._files
        with self._opened() as folder:
            files.make_folder(folder, ROOT)
            with folder.folder(ROOT) as root:
                number = _unused_number(root)
                scratch = f"{number:06d}.tmp"
                files.make_folder(root, scratch)
                with root.folder(scratch) as made:
                    entries = self._written(folder, made, arrays)
                    manifest = Manifest(FORMAT, number, spec, index, last_track, last_removal, entries)
                    packed = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
                    files.write(made, MANIFEST, [packed])
                    files.sync_folder(made)
                files.move(root, scratch, root, f"{number:06d}")
                files.sync_folder(root)
            if folder.status(SCRATCH) is not None:
                files.remove(folder, SCRATCH)
            files.write(folder, SCRATCH, [f"{number:06d} {hashlib.sha256(packed).hexdigest()}\n".encode()])
            files.move(folder, SCRATCH, folder, CURRENT)
            files.sync_folder(folder)
        self.sweep()
        return manifest

    def sweep(self) -> None:
        """Unlink what no reader can come to: leftovers of crashes and generations that were replaced.

        What a generation would not be named, or hold, stays.
        """
        with self._opened() as folder:
            try:
                with _current(folder) as there:
                    keep = "" if there is None else there.folder.path.name
            except (OSError, ValueError, CatalogError):
                return  # a damaged CURRENT: the generation that it named is kept until it is in quarantine
            if folder.has_folder(ROOT):
                with folder.folder(ROOT) as root:
                    for name in _generations(root):
                        if name != keep:
                            _remove_generation(self._files, root, name)
            if folder.status(SCRATCH) is not None:
                self._files.remove(folder, SCRATCH)

    def quarantine(self) -> Path:
        """Move everything that is published aside, and return where to; the index is then made again."""
        files = self._files
        with self._opened() as folder:
            files.make_folder(folder, QUARANTINE)
            with folder.folder(QUARANTINE) as root:
                name = f"{_unused_number(root):06d}"
                files.make_folder(root, name)
                with root.folder(name) as target:
                    if folder.status(CURRENT) is not None:
                        files.move(folder, CURRENT, target, CURRENT)
                    if folder.has_folder(ROOT):
                        with folder.folder(ROOT) as generations:
                            for generation in _generations(generations):
                                files.move(generations, generation, target, generation)
            files.sync_folder(folder)
        return self._folder / QUARANTINE / name

    def problems(self) -> list[str]:
        """Read every byte of the current generation and return what does not hold."""

        def check(there: _Published) -> list[str]:
            checks = (check_array(there.folder, one, read_up_to=math.inf) for one in there.manifest.files)
            return [problem for problem in checks if problem]

        try:
            return self._of_current(check) or []
        except CatalogError as error:
            return [str(error)]

    def copy(self, target: Path) -> None:
        """Copy the current generation into the catalog folder `target`, which has none."""
        files = self._files

        def copy(there: _Published) -> None:
            with Directory.opened(target) as folder:
                name = there.folder.path.name
                files.make_folder(folder, ROOT)
                with folder.folder(ROOT) as root:
                    files.make_folder(root, name)
                    try:
                        with root.folder(name) as generation:
                            for entry in there.manifest.files:
                                with there.folder.file(entry.file) as source:
                                    files.write(generation, entry.file, _parts_of(source))
                            files.write(generation, MANIFEST, [there.packed])
                            files.sync_folder(generation)
                    except BaseException:
                        _remove_generation(self._files, root, name)
                        raise
                    files.sync_folder(root)
                files.write(folder, CURRENT, [there.pointer])
                files.sync_folder(folder)

        self._of_current(copy)

    def bytes(self) -> int:
        """Return how much disk the current generation takes."""
        try:
            return self._of_current(lambda there: sum(entry.bytes for entry in there.manifest.files)) or 0
        except CatalogError:
            return 0

    @contextmanager
    def _opened(self) -> Iterator[Directory]:
        """Give the catalog's folder; an OSError inside is one of ours."""
        try:
            with Directory.opened(self._folder) as folder:
                yield folder
        except OSError as error:
            raise CatalogError(
                f"{self._folder}: {error.filename or ''} {error.strerror}; what was published before is still in place"
            ) from error

    def _of_current(self, use: Callable[[_Published], Result]) -> Result | None:
        """Return what `use` makes of the current generation; once more when a writer has just put another there."""
        for attempt in range(_ATTEMPTS):
            with self._opened() as folder:
                try:
                    with _current(folder) as there:
                        return None if there is None else use(there)
                except FileNotFoundError as error:
                    if attempt + 1 == _ATTEMPTS:
                        raise CatalogDamaged(
                            f"{folder.path / ROOT}: {error.filename} is missing; `earmark rebuild` makes it again"
                        ) from error
                except (OSError, ValueError, RecursionError) as error:
                    reason = f"{error.filename} {error.strerror}" if isinstance(error, OSError) else str(error)
                    raise CatalogDamaged(
                        f"{folder.path / ROOT} is damaged: {reason}; `earmark rebuild` makes the index again"
                    ) from error
        raise AssertionError("unreachable")

    def _written(self, folder: Directory, made: Directory, arrays: Mapping[str, NDArray[Any]]) -> tuple[ArrayFile, ...]:
        """Write arrays into a folder that was made, or link those that the current generation has under their name."""
        with ExitStack() as stack:
            try:
                before = stack.enter_context(_current(folder))
            except (OSError, ValueError, CatalogDamaged):
                before = None
            return tuple(self._keep(made, name, array, before) for name, array in arrays.items())

    def _keep(self, folder: Directory, name: str, array: NDArray[Any], before: _Published | None) -> ArrayFile:
        if not SAFE_NAME.fullmatch(name):
            raise CatalogError(f"{name!r} cannot name an array; use letters, digits, '_', '-' and '.'")
        for entry in () if before is None else before.manifest.files:
            is_there = before and entry.name == name and _is_whole(before.folder, entry)
            if before and is_there and self._files.link(before.folder, folder, entry.file):
                return entry
        digest, size = hashlib.sha256(), 0

        def parts() -> Iterator[bytes | memoryview]:
            nonlocal size
            for part in npy_parts(array):
                digest.update(part)
                size += len(part)
                yield part

        self._files.write(folder, f"{name}.npy", parts())
        return ArrayFile(name, size, digest.hexdigest(), array.dtype.str, array.shape)


def _remove_generation(files: DurableFiles, root: Directory, name: str) -> None:
    with root.folder(name) as folder:
        for inside in folder.names():
            if inside == MANIFEST or is_array_name(inside):
                files.remove(folder, inside)
    files.remove_folder(root, name)


@contextmanager
def _current(folder: Directory) -> Iterator[_Published | None]:
    """Give the current generation of a catalog's folder; raises OSError, ValueError, CatalogDamaged, CatalogTooNew."""
    try:
        pointer = folder.read(CURRENT, most_bytes=_MOST_POINTER_BYTES)
    except FileNotFoundError:
        yield None
        return
    words = _POINTER.fullmatch(pointer)
    if words is None:
        raise CatalogDamaged(f"{folder.path / CURRENT} is damaged; `earmark rebuild` makes the index again")
    with folder.folder(ROOT) as root, root.folder(words["number"].decode()) as there:
        packed = there.read(MANIFEST, most_bytes=_MOST_MANIFEST_BYTES)
        yield _Published(pointer, packed, _manifest(there.path / MANIFEST, packed, words), there)


def _manifest(path: Path, packed: bytes, words: re.Match[bytes]) -> Manifest:
    """Return a manifest that is as `CURRENT` says, and names nothing but files of its folder."""
    damage = CatalogDamaged(f"{path} is damaged; `earmark rebuild` makes the index again")
    if hashlib.sha256(packed).hexdigest() != words["digest"].decode():
        raise damage
    try:
        manifest = msgspec.json.decode(packed, type=prepared(Manifest))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise damage from error
    if manifest.format > FORMAT:
        raise CatalogTooNew(f"{path} has format {manifest.format}, this earmark reads {FORMAT}; use a newer earmark")
    names = {entry.name for entry in manifest.files}
    if manifest.generation != int(words["number"]) or len(names) != len(manifest.files):
        raise damage
    if not all(entry.is_sound for entry in manifest.files):
        raise damage
    return manifest


def _most_checked(files: Sequence[ArrayFile]) -> int:
    """Return up to which size files are read on opening: as many as together are not too large, the smallest first."""
    sizes = sorted(one.bytes for one in files)
    within = [size for size, total in zip(sizes, accumulate(sizes), strict=True) if total <= CHECKED_ON_OPEN_BYTES]
    return CHECKED_ON_OPEN_BYTES if len(within) == len(sizes) else sizes[len(within)] - 1  # files of one size alike


def _generations(root: Directory) -> list[str]:
    """Return the names of the folders in `generations` that are a generation's."""
    return [name for name in root.names() if _NAME.fullmatch(name) and root.has_folder(name)]


def _unused_number(root: Directory) -> int:
    """Return the number after all that folders have; where that is too long for a name, the first that none has."""
    used = {int(words["number"]) for name in root.names() if (words := _NAME.fullmatch(name))}
    number = max(used, default=0) + 1
    return number if _NAME.fullmatch(f"{number:06d}") else next(n for n in count(1) if n not in used)


def _is_whole(folder: Directory, entry: ArrayFile) -> bool:
    status = folder.status(entry.file)
    return status is not None and stat.S_ISREG(status.st_mode) and status.st_size == entry.bytes


def _parts_of(source: BinaryIO) -> Iterator[bytes]:
    while part := source.read(CHUNK_BYTES):
        yield part


def is_on_network(path: Path) -> str:
    """Return the kind of network file system that `path` is on, or '': locks may not hold there."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    here, best, kind = os.fspath(path.resolve()), "", ""
    for fields in (line.split() for line in lines):
        mount, separator = fields[4], fields.index("-")
        inside = here == mount or here.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, fields[separator + 1]
    return kind if re.match(r"nfs|cifs|smb|fuse|9p|afs|ceph|glusterfs", kind) else ""
