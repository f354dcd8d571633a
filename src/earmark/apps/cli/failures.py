"""What went wrong, in one line, and the exit status that says so."""

from __future__ import annotations

import contextlib
import errno
import signal
import sys
from collections.abc import Iterator

from earmark.apps.cli import CANNOT_WRITE
from earmark.errors import (
    CatalogError,
    EarmarkError,
    MediaError,
    OptionError,
    SpecMismatch,
)
from earmark.text import escaped

DONE = 0
NOT_FOUND = PARTLY = 1
USAGE = 2
UNREADABLE = 3
CATALOG = 4
INTERNAL = 70  # EX_SOFTWARE of sysexits.h: a bug of ours, which must not look like "nothing found"
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
# What keeps something that was opened from being written; results on standard output, for the most part.
UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF, errno.EIO)


def report(error: Exception, *, verbose: bool = False) -> int:
    """Print `error` to stderr and return the exit status it stands for."""
    if verbose or not isinstance(error, EarmarkError | OSError):
        if verbose:
            import traceback

            traceback.print_exception(error)
        if not isinstance(error, EarmarkError | OSError):
            hint = "" if verbose else "; run it again with --verbose to see where, and please report it"
            error_line(f"internal error: {type(error).__name__}: {error}{hint}")
            return INTERNAL
    error_line(describe(error))
    return status_of(error)


def error_line(message: str) -> None:
    """Print one line about what went wrong to stderr."""
    message_line(f"earmark: {message}")


def message_line(text: object) -> None:
    """Print a line to stderr; where that cannot be written, the exit status has to say enough."""
    with contextlib.suppress(OSError):
        print(escaped(text), file=sys.stderr)


@contextlib.contextmanager
def terminations_as_interrupts() -> Iterator[None]:
    """Have SIGTERM end a command as SIGINT does: what is done is kept, children are ended, temporary files removed."""
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:  # not in the main thread, where no signal arrives
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def describe(error: Exception) -> str:
    """Return one line about `error`; the system's own errors get the name of the file they are about."""
    if status_of(error) == CANNOT_WRITE:
        return f"the output cannot be written: {error.strerror}"  # type: ignore[attr-defined]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def status_of(error: Exception) -> int:
    """Return the exit status that `error` stands for."""
    if isinstance(error, OptionError):
        return USAGE
    if isinstance(error, CatalogError | SpecMismatch):
        return CATALOG
    if isinstance(error, OSError) and not error.filename and error.errno in UNWRITTEN:
        return CANNOT_WRITE
    if isinstance(error, MediaError | OSError):
        return UNREADABLE
    return PARTLY  # TrackNotFound, TrackExists: the command is right, this input is not
