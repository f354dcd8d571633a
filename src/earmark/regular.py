"""Regular files, opened by what they are: no link is followed, and no pipe or device waited for."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # how an address begins, also as a path, which has one slash of two
FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY, *, folder: int | None = None) -> int:
    """Return the descriptor of a regular file; `folder` is the descriptor of the one that `path` is in.

    Raises OSError, whose `strerror` says what else it is.
    """
    try:
        descriptor = os.open(path, flags | FLAGS, 0o666, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "is a link", path) from error
        if error.errno in (errno.ENXIO, errno.EISDIR):
            raise OSError(error.errno, "is no regular file", path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no regular file", path)
    return descriptor


def read_regular(path: str | os.PathLike[str], *, most_bytes: int, folder: int | None = None) -> bytes:
    """Return the content of a regular file of at most so many bytes; raises OSError for any other."""
    with os.fdopen(open_regular(path, folder=folder), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise OSError(errno.EFBIG, f"has {size:,} bytes, more than {most_bytes:,}", path)
        return file.read(most_bytes)


def irregularity(path: Path, *, is_folder: bool = False) -> str:
    """Return what is wrong with a path for a regular file, or a folder: "is a link"; '' also when nothing is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return ""
    if stat.S_ISLNK(mode):
        return "is a link"
    if is_folder:
        return "" if stat.S_ISDIR(mode) else "is no folder"
    return "" if stat.S_ISREG(mode) else "is no regular file"


def why_unopened(error: Exception, path: str) -> str:
    """Return why a path cannot be opened; an address is no path."""
    if ADDRESS.match(path):
        return "that is an address, and earmark reads files: download it first"
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return reason or "it cannot be opened"
