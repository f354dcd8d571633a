"""An open folder: what is in it is reached by name from its descriptor, and links in it are not followed."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Self

from earmark.regular import open_regular, read_regular

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Directory:
    """A folder, open until the end of its `with`. Every method raises OSError."""

    path: Path  # its name, as people are shown it
    descriptor: int

    @classmethod
    def opened(cls, path: Path) -> Self:
        """Open a folder that somebody named; it may be a link."""
        return cls(path, os.open(path, _FLAGS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def folder(self, name: str) -> Directory:
        """Open a folder in this one; a link to one is refused."""
        return Directory(self.path / name, os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=self.descriptor))

    def file(self, name: str) -> BufferedReader:
        """Open a regular file for reading."""
        return os.fdopen(open_regular(name, folder=self.descriptor), "rb")

    def read(self, name: str, *, most_bytes: int) -> bytes:
        """Return the content of a regular file of at most so many bytes."""
        return read_regular(name, most_bytes=most_bytes, folder=self.descriptor)

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of a name, a link's own; None when it is not there."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def has_folder(self, name: str) -> bool:
        """Return whether a name is a folder's."""
        status = self.status(name)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def names(self) -> list[str]:
        """Return all names in it, in order."""
        with os.scandir(self.descriptor) as entries:
            return sorted(entry.name for entry in entries)
