"""A file that may be written to, or replaced by another, while it is read."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import BinaryIO

from earmark.audio.container import open_regular
from earmark.errors import MediaError

_RACY_NANOSECONDS = 2_000_000_000  # age of a file whose time of change says little; FAT's clock ticks in 2 s
_PART_BYTES = 1 << 20  # bytes hashed together
_STATE = ("st_dev", "st_ino", "st_size", "st_mtime_ns")  # fields of a file's status that change with its content


class WatchedFile:
    """A regular file, open, with its status as it was then."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self.path, self.file, self.status = path, file, os.fstat(file.fileno())

    def digest(self, stop: Event) -> bytes:
        """Return the SHA-256 of its content, and go back to its beginning; raises MediaError when told to stop."""
        digest = hashlib.sha256()
        self.file.seek(0)
        while part := self.file.read(_PART_BYTES):
            digest.update(part)
            if stop.is_set():
                raise MediaError("unreadable", "the run was ended")
        self.file.seek(0)
        return digest.digest()

    def has_changed(self) -> bool:
        """Return whether it was written to, or replaced by another, since it was opened."""
        now = os.fstat(self.file.fileno()), Path(self.path).stat()
        before, *after = [[getattr(status, name) for name in _STATE] for status in (self.status, *now)]
        return after != [before] * 2

    def differs_from(self, content: bytes, stop: Event) -> bool:
        """Return whether its content is not that of this SHA-256 any more, read again where its time says little."""
        is_racy = time.time_ns() - self.status.st_mtime_ns < _RACY_NANOSECONDS
        return self.has_changed() or (is_racy and self.digest(stop) != content)


@contextmanager
def watched(path: str) -> Iterator[WatchedFile]:
    """Open a regular file to watch; raises MediaError, OSError."""
    with open_regular(path) as file:
        yield WatchedFile(path, file)
