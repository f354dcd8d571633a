"""What went wrong, in one line, and the exit status that says so."""

from __future__ import annotations

import contextlib
import errno
import json
import re
import signal
import sys
from collections.abc import Iterator
from typing import Any

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


def report(error: Exception, *, verbose: bool = False, as_json: bool = False) -> int:
    """Print `error` to stderr, and as JSON to stdout where that is wanted; return the exit status it stands for."""
    if not isinstance(error, EarmarkError | OSError):
        if verbose:
            import traceback

            traceback.print_exception(error)
        hint = "; please report it" if verbose else "; run it again with --verbose to see where, and please report it"
        message = f"internal error: {type(error).__name__}: {error}"
        _print_record("internal", message, as_json=as_json)
        error_line(f"{message}{hint}")
        return INTERNAL
    failure(error, as_json=as_json)
    return status_of(error)


def failure(error: Exception, *, as_json: bool = False) -> None:
    """Print what went wrong to stderr, and as an object to stdout where JSON is wanted."""
    _print_record(code_of(error), describe(error), as_json=as_json)
    error_line(describe(error))


def interrupted(*, as_json: bool = False) -> int:
    """Print that a command was interrupted, and as an object where JSON is wanted; return the exit status."""
    _print_record("interrupted", "interrupted", as_json=as_json)
    error_line("interrupted")
    return INTERRUPTED


def error_record(code: str, message: str) -> dict[str, Any]:
    """Return the object that `--json` prints for what went wrong."""
    return {"error": {"code": code, "message": message}}


def code_of(error: Exception) -> str:
    """Return one word for an error: a MediaError's own code, else its kind, as 'catalog_locked'."""
    if isinstance(error, MediaError):
        return error.code
    if isinstance(error, EarmarkError):
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    return "unwritten" if status_of(error) == CANNOT_WRITE else "unreadable"


def _print_record(code: str, message: str, *, as_json: bool) -> None:
    if as_json and code != "unwritten":
        with contextlib.suppress(OSError):
            print(json.dumps(error_record(code, message)), flush=True)


def error_line(message: str) -> None:
    """Print one line about what went wrong to stderr."""
    message_line(f"earmark: {message}")


def message_line(text: object) -> None:
    """Print a line to stderr, on a terminal in lines that fit; where none can be written, the status says enough."""
    from earmark.apps.cli.terminal import fitted

    with contextlib.suppress(OSError):
        for line in fitted(escaped(text), sys.stderr):
            print(line, file=sys.stderr)


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
