"""A worker: a process that answers questions one at a time, with a catalog and a decoder of its own.

Its messages are those of sandbox/wire.py: an `Opening` comes, a `Told` says that it is ready, then each `Question` is
answered with a `Told`; what comes meanwhile can only be that nobody waits for the answer any more.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import sys
import traceback
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

import earmark
from earmark import errors
from earmark.apps.records import answer_record
from earmark.errors import EarmarkError
from earmark.extract.pool import ExtractorPool
from earmark.extract.protocol import Cancellation, ExtractLimits
from earmark.sandbox import wire
from earmark.schema import prepared

CHIRP_RATE, CHIRP_SECONDS = 16_000, 2  # Hz and seconds of the sound that is asked about first


class Opening(msgspec.Struct, frozen=True):
    """What a worker works with."""

    catalog: str  # folder
    fingerprinter: str
    preset: dict[str, Any]
    cache_bytes: int  # bytes of stored fingerprints that are kept for the next question
    clip_seconds: float  # most seconds of sound of one question


class Question(msgspec.Struct, frozen=True):
    """A clip as the path of a file, or else as a packed fingerprint, and how it is asked about."""

    source: str  # what the answer calls it
    options: dict[str, Any]  # of `Catalog.identify`
    path: str = ""
    packed: bytes = b""


class Told(msgspec.Struct, frozen=True):
    """What a worker says: an answer, or an error as its kind and arguments; the kind of an unforeseen one is ''."""

    content: bytes = b""  # the answer's record as JSON
    outcome: str = ""  # 'found', or why nothing was
    error: tuple[Any, ...] = ()


def cancelled() -> bytes:
    """Return the message that nobody waits for the answer any more."""
    return wire.framed({"cancelled": True})


def told_error(error: Exception) -> Told:
    """Return what stands for an error."""
    for kind in type(error).__mro__:
        if kind.__module__ == errors.__name__:
            return Told(error=(kind.__name__, *error.args))
    return Told(error=("", "".join(traceback.format_exception(error))))


def raised(told: Told) -> Told:
    """Return what a worker said, or raise what stands in it for an error."""
    if not told.error:
        return told
    kind, *arguments = told.error
    if not kind:
        raise RuntimeError(f"in a worker:\n{arguments[0]}")
    raise getattr(errors, kind)(*arguments)


def serve() -> None:
    """Answer what comes by the socket of descriptor `sys.argv[1]` until it closes, which it does when the service ends.

    Then it ends at once, whatever it is doing: it only reads.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the service ends it, when what was asked is answered
        signal.signal(number, signal.SIG_IGN)
    connection = socket.socket(fileno=int(sys.argv[1]))
    try:
        try:
            answerer = Answerer(msgspec.convert(wire.receive(connection), prepared(Opening)))
            answerer.warm_up()
        except Exception as error:  # whoever started it is told, whatever it is
            connection.sendall(wire.framed(told_error(error)))
        else:
            connection.sendall(wire.framed(Told()))
            _answer_all(connection, answerer)
    finally:
        os._exit(0)


class Answerer:
    """An open catalog with the child that decodes for it."""

    def __init__(self, opening: Opening) -> None:
        """Raises EarmarkError."""
        limits = ExtractLimits(longest_query_seconds=opening.clip_seconds)
        self._pool = ExtractorPool(opening.fingerprinter, opening.preset, workers=1, limits=limits)
        self._catalog = earmark.open(
            opening.catalog,
            create=False,
            read_only=True,
            make_extractor=lambda *, workers: self._pool,
            cache_bytes=opening.cache_bytes,
        )

    def warm_up(self) -> None:
        """Load what a first question would wait for, by asking one."""
        samples = np.sin(np.arange(CHIRP_SECONDS * CHIRP_RATE) ** 2 * 1e-4)
        content = io.BytesIO()
        with wave.open(content, "wb") as file:
            file.setparams((1, 2, CHIRP_RATE, 0, "NONE", ""))
            file.writeframes((samples * 32_000).astype("<i2").tobytes())
        with contextlib.suppress(EarmarkError):
            self._catalog.identify(content.getvalue())

    def told(self, question: Question, cancellation: Cancellation) -> Told:
        """Return the answer to a question, or its error."""
        try:
            with self._pool.cancelled_by(cancellation):
                source = question.path or self._catalog.unpacked(question.packed)
                answer = self._catalog.identify(source, **question.options)
            record = answer_record(replace(answer, source=question.source))
            content = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except Exception as error:  # whatever it is, the next question is not to blame
            return told_error(error)
        return Told(content.encode(), "found" if answer.matches else answer.reason)


def _answer_all(connection: socket.socket, answerer: Answerer) -> None:
    """Answer questions until the connection ends with one of the errors of a socket."""
    cancellation = Cancellation()

    def answer(question: Question, cancellation: Cancellation) -> None:
        try:
            connection.sendall(wire.framed(answerer.told(question, cancellation)))
        except BaseException:  # nobody would be told
            os._exit(1)

    thread = ThreadPoolExecutor(1)
    while True:
        message = wire.receive(connection)
        if "cancelled" in message:
            cancellation.cancel()
        else:
            cancellation = Cancellation()
            thread.submit(answer, msgspec.convert(message, prepared(Question)), cancellation)
