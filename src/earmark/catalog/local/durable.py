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

from earmark.errors import CatalogError

DATABASE = "catalog.db"  # the file that holds a catalog's truth

# Errors of a file system that cannot make a hard link, or cannot make another one.
_NO_LINKS = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}


class DurableFiles:
    """The file calls of one writer; every failure is a CatalogError that names the path."""

    def __init__(self, system: Any = os) -> None:
        self._system = system
        self._stopped = ""

    def make_folder(self, path: Path) -> None:
        """Make a folder whose parent exists; it may be there already."""
        with self._calling(path):
            if not path.is_dir():
                self._system.mkdir(path)

    def write(self, path: Path, parts: Iterable[bytes | memoryview]) -> None:
        """Write a new file and have it on the disk when this returns."""
        with self._calling(path):
            descriptor = self._system.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                for part in parts:
                    self._write_all(descriptor, memoryview(part))
                self._sync(descriptor, path)
            finally:
                self._system.close(descriptor)

    def sync_folder(self, path: Path) -> None:
        """Have the names in a folder on the disk when this returns."""
        with self._calling(path):
            descriptor = self._system.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._sync(descriptor, path)
            finally:
                self._system.close(descriptor)

    def sync_file(self, path: Path) -> None:
        """Have a file that something else wrote on the disk when this returns."""
        with self._calling(path):
            descriptor = self._system.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._sync(descriptor, path)
            finally:
                self._system.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Give a file or folder another name in one step; a file at `target` is replaced."""
        with self._calling(target):
            self._system.replace(source, target)

    def link(self, source: Path, target: Path) -> bool:
        """Give a file a second name; False where the file system has no such thing."""
        with self._calling(target):
            try:
                self._system.link(source, target)
            except OSError as error:
                if error.errno in _NO_LINKS:
                    return False
                raise
        return True

    def remove_folder(self, path: Path) -> None:
        """Unlink a folder of plain files; what readers have mapped stays readable to them."""
        with self._calling(path):
            for inside in sorted(path.iterdir()):
                self._system.unlink(inside)
            self._system.rmdir(path)

    def remove(self, path: Path) -> None:
        """Unlink a file."""
        with self._calling(path):
            self._system.unlink(path)

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
    return (folder / DATABASE).is_file()
