"""Every file call by which a catalog's writer publishes an index; a test makes any single one fail by another `system`.

PostgreSQL learnt (2018, "fsyncgate") that a second fsync after a failed one may succeed with the data gone; so after a
failed fsync a writer stops for good, and what was published before stays.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from earmark.catalog.local.directory import Directory
from earmark.errors import CatalogError
from earmark.regular import FLAGS

DATABASE = "catalog.db"  # the file that holds a catalog's truth
PLAYS = "plays.db"  # the file that holds what was heard on stations

# Errors of a file system that cannot make a hard link, or cannot make another one.
_NO_LINKS = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}


class DurableFiles:
    """The file calls of one writer, in open folders; every failure is a CatalogError that names the path."""

    def __init__(self, system: Any = os) -> None:
        self._system = system
        self._stopped = ""

    def make_folder(self, folder: Directory, name: str) -> None:
        """Make a folder; it may be there already."""
        with self._calling(folder.path / name):
            if folder.status(name) is None:
                self._system.mkdir(name, dir_fd=folder.descriptor)

    def write(self, folder: Directory, name: str, parts: Iterable[bytes | memoryview]) -> None:
        """Write a new file and have it on the disk when this returns."""
        path = folder.path / name
        with self._calling(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS
            descriptor = self._system.open(name, flags, 0o666, dir_fd=folder.descriptor)
            try:
                for part in parts:
                    self._write_all(descriptor, memoryview(part))
                self._sync(descriptor, path)
            finally:
                self._system.close(descriptor)

    def sync_folder(self, folder: Directory) -> None:
        """Have the names in a folder on the disk when this returns."""
        with self._calling(folder.path):
            self._sync(folder.descriptor, folder.path)

    def sync_file(self, folder: Directory, name: str) -> None:
        """Have a file that something else wrote on the disk when this returns."""
        path = folder.path / name
        with self._calling(path):
            descriptor = self._system.open(name, os.O_RDONLY | FLAGS, dir_fd=folder.descriptor)
            try:
                self._sync(descriptor, path)
            finally:
                self._system.close(descriptor)

    def move(self, folder: Directory, name: str, target: Directory, new_name: str) -> None:
        """Give a file or folder another name in one step; a file that has it is replaced."""
        with self._calling(target.path / new_name):
            self._system.replace(name, new_name, src_dir_fd=folder.descriptor, dst_dir_fd=target.descriptor)

    def link(self, folder: Directory, target: Directory, name: str) -> bool:
        """Give a file a second name in another folder; False where the file system has no such thing."""
        with self._calling(target.path / name):
            try:
                ends = {"src_dir_fd": folder.descriptor, "dst_dir_fd": target.descriptor}
                self._system.link(name, name, **ends, follow_symlinks=False)
            except OSError as error:
                if error.errno in _NO_LINKS:
                    return False
                raise
        return True

    def remove(self, folder: Directory, name: str) -> None:
        """Unlink a file; what readers have mapped stays readable to them."""
        with self._calling(folder.path / name):
            self._system.unlink(name, dir_fd=folder.descriptor)

    def remove_folder(self, folder: Directory, name: str) -> None:
        """Unlink a folder unless it holds something."""
        with self._calling(folder.path / name):
            try:
                self._system.rmdir(name, dir_fd=folder.descriptor)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise

    @contextmanager
    def _calling(self, path: Path) -> Iterator[None]:
        if self._stopped:
            raise CatalogError(self._stopped)
        try:
            yield
        except OSError as error:
            raise CatalogError(f"{path}: {error.strerror}; what was published before is still in place") from error

    def _write_all(self, descriptor: int, part: memoryview) -> None:
        part = part.cast("B")
        while part:
            part = part[self._system.write(descriptor, part) :]

    def _sync(self, descriptor: int, path: Path) -> None:
        try:
            self._system.fsync(descriptor)
        except OSError as error:
            self._stopped = (
                f"{path}: the disk failed to keep what was written ({error.strerror}); "
                "nothing more is written: check the disk, then open the catalog again"
            )
            raise CatalogError(self._stopped) from error


def is_catalog(folder: Path) -> bool:
    """Return whether a folder is a catalog's, by the file that holds its truth."""
    return os.path.lexists(folder / DATABASE)


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk when this returns; raises CatalogError."""
    try:
        folder = Directory.opened(path)
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}; check the disk and the permissions") from error
    with folder:
        DurableFiles().sync_folder(folder)
