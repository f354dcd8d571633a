"""Messages between a sandbox's parent and its child: four bytes of length, little-endian, then msgpack, never pickle.

The parent sends a request. The child answers {"done": result} or {"error": [kind, ...]}, after any number of
{"seconds": heard} and {"part": {"seconds": heard, ...}}. Neither side trusts the other further than msgpack's plain
values.
"""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Callable
from typing import Any

import msgspec

from earmark.errors import EarmarkError, MediaError, OptionError, SpecMismatch
from earmark.sandbox.bounds import check_bounds

LARGEST_MESSAGE = 1 << 28  # bytes; a packed fingerprint of weeks
MAX_TEXT = 500  # characters of a child's error that are passed on
LENGTH = struct.Struct("<I")
PART_BYTES = 1 << 20  # bytes that one call of recv returns at most
# Errors of a broken connection or a message of another form; one nested too deeply is a RecursionError.
BROKEN = (OSError, EOFError, ValueError, TypeError, LookupError, RecursionError, msgspec.MsgspecError)
Patience = Callable[[], float]  # seconds to wait before it is asked again; raises TimeoutError when it is over
TYPED: dict[str, type[EarmarkError]] = {kind.__name__: kind for kind in (OptionError, SpecMismatch)}


def framed(message: Any) -> bytes:
    """Return a message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(body)) + body


def receive(connection: socket.socket, *, patience: Patience | None = None) -> dict[str, Any]:
    """Return the next message; raises TimeoutError when `patience` is over, and one of `BROKEN`."""
    (length,) = LENGTH.unpack(_exactly(connection, LENGTH.size, patience))
    if length > LARGEST_MESSAGE:
        raise ValueError(f"a message of {length} bytes")
    content = _exactly(connection, length, patience)
    check_bounds(content)
    message = msgspec.msgpack.decode(content)
    if not isinstance(message, dict):
        raise TypeError("a message of another form")
    return message


def seconds_in(message: dict[str, Any]) -> float:
    """Return how much audio a progress message says was heard; raises one of `BROKEN` for what is no number."""
    if not math.isfinite(seconds := float(message["seconds"])):
        raise ValueError(f"{seconds} seconds")
    return seconds


def failure(error: Exception) -> dict[str, Any]:
    """Return the message that stands for an exception of a task."""
    match error:
        case MediaError():
            return {"error": ["MediaError", error.code, error.detail, float(error.partial)]}
        case MemoryError():
            return {"error": ["MediaError", "too_large", "it takes more memory than a file may", 0.0]}
    if type(error) in TYPED.values():
        return {"error": [type(error).__name__, str(error)]}
    return {"error": ["other", f"{type(error).__name__}: {error}"[:MAX_TEXT]]}


def result(message: dict[str, Any]) -> dict[str, Any]:
    """Return the task's result, or raise what the message says the task raised."""
    done = message.get("done")
    if isinstance(done, dict):
        return done
    match message.get("error"):
        case ["MediaError", str(code), str(detail), float(read)] if code in MediaError.CODES and math.isfinite(read):
            raise MediaError(code, detail[:MAX_TEXT], read)
        case [str(kind), str(text)] if kind in TYPED:
            raise TYPED[kind](text[:MAX_TEXT])
        case ["other", str(text)]:
            raise MediaError("unreadable", text[:MAX_TEXT])
    raise MediaError("decoder_crashed", "the decoder answered in another form")


def _exactly(connection: socket.socket, count: int, patience: Patience | None) -> bytearray:
    content = bytearray()  # not a list of parts, which may be of a byte each
    while missing := count - len(content):
        if patience is not None:
            connection.settimeout(patience())
        try:
            part = connection.recv(min(missing, PART_BYTES))
        except TimeoutError:
            continue
        if not part:
            raise EOFError
        content += part
    return content
