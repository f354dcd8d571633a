"""Sandboxed children that extract: at most so many, however many callers there are, who wait in line."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from threading import Lock, local
from typing import Any, BinaryIO

import msgspec
import numpy as np

from earmark.audio.tags import cleaned_chapters, cleaned_tags
from earmark.errors import MediaError, OptionError, SpecMismatch
from earmark.extract.fingerprinter import make_fingerprinter
from earmark.extract.protocol import Cancellation, Extracted, ExtractLimits, Span
from earmark.sandbox.process import Sandbox
from earmark.schema import prepared
from earmark.types import Fingerprint, Samples

TASK = "earmark.extract.task:extract"
LONGEST_SECONDS = 1e7  # 16 weeks, more than a file can be; what a child says it has heard is not believed beyond


class Sent(msgspec.Struct, frozen=True):
    """What the task sends; nothing in it is believed unseen."""

    packed: bytes
    close: bool
    seconds: float
    complete: bool
    silent: bool
    tags: dict[str, str]
    chapters: list[tuple[float, str]] = []
    sound: bytes = b""  # float32, little-endian


class SentParts(msgspec.Struct, frozen=True):
    """What the task sends of parts."""

    parts: list[bytes]


class ExtractorPool:
    """Extracts in children of this machine, which start when they are needed and are kept; an `Extractor`."""

    def __init__(
        self,
        fingerprinter: str,
        preset: Mapping[str, Any],
        *,
        workers: int | None = None,
        limits: ExtractLimits | None = None,
    ) -> None:
        """`workers`: most children at the same time; by default the cores that this process may use."""
        self.workers = worker_count(workers)
        self.limits = limits or ExtractLimits()
        self.fingerprinter = make_fingerprinter(fingerprinter, preset)
        self._settings = {"fingerprinter": fingerprinter, "preset": dict(preset)}
        self._lock = Lock()
        self._sandboxes: list[Sandbox] = []
        self._idle: list[Sandbox] = []
        self._line: deque[Future[Sandbox]] = deque()  # places of those who wait, the first to come first
        self._closed = False
        self._own = local()  # of each thread: what ends its work

    def extract(
        self, file: BinaryIO, *, query: bool = False, close_seconds: float | None = None, glance_seconds: float = 0.0
    ) -> Extracted:
        """Return what a child makes of an open file, read from where it stands; raises MediaError.

        A query of more than `close_seconds` is looked at as a recording is. One of no more than `glance_seconds` is
        glanced at, and comes with its sound.
        """
        max_seconds = self.limits.longest_query_seconds if query else self.limits.longest_seconds
        lengths = {"close_seconds": close_seconds, "glance_seconds": glance_seconds}
        extracted = self._checked(self._asked(file, {"query": query, "max_seconds": max_seconds, **lengths}))
        return replace(extracted, packed=b"") if query else extracted  # nobody keeps a query's; it is large

    def extract_parts(
        self, file: BinaryIO, spans: Sequence[Span], *, sound: Samples | None = None
    ) -> list[Fingerprint]:
        """Return what a child makes of parts of an open file or its sound, each as of a query; raises MediaError."""
        request: dict[str, Any] = {"query": True, "max_seconds": self.limits.longest_query_seconds}
        request["spans"] = list(spans)
        if sound is not None:
            request["sound"] = sound.astype("<f4").tobytes()
        answer = self._asked(file, request)
        with _believed():
            parts = msgspec.convert(answer, prepared(SentParts)).parts
            if len(parts) != len(spans):
                raise ValueError(f"{len(parts)} parts of {len(spans)}")
            return [self.fingerprinter.unpack(part) for part in parts]

    @contextmanager
    def cancelled_by(self, cancellation: Cancellation) -> Iterator[None]:
        """Have another thread end what this one asks of children inside, with a MediaError."""
        self._own.cancellation = cancellation
        try:
            yield
        finally:
            self._own.cancellation = None

    def close(self) -> None:
        """End all children, also those at work; callers that wait or come later get a MediaError."""
        with self._lock:
            self._closed = True
            line, self._line = self._line, deque()
        for place in line:
            place.set_exception(_closed())
        for sandbox in self._sandboxes:
            sandbox.close()

    def _asked(self, file: BinaryIO, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a child answers, as soon as one is free."""
        cancellation = getattr(self._own, "cancellation", None) or Cancellation()
        with self._borrowed() as sandbox, cancellation.ending(sandbox.interrupt):
            try:
                return sandbox.call(file, {**self._settings, **request, **self._reading(file)})
            except MediaError as error:
                if self._closed:
                    raise _closed() from error
                raise

    def _reading(self, file: BinaryIO) -> dict[str, Any]:
        """Return how a file is to be read: which stream, and what its name says of its format."""
        name = getattr(file, "name", None)
        return {"stream": self.limits.stream, "suffix": Path(name).suffix if isinstance(name, str) else ""}

    def _checked(self, answer: dict[str, Any]) -> Extracted:
        """Return what a child answered, its fingerprint unpacked."""
        with _believed():
            sent = msgspec.convert(answer, prepared(Sent))
            if not 0 <= sent.seconds <= LONGEST_SECONDS:
                raise ValueError(f"{sent.seconds} seconds")
            fingerprint = self.fingerprinter.unpack(sent.packed)
            sound = _samples(sent.sound) if sent.sound else None
        return Extracted(
            fingerprint=fingerprint,
            packed=sent.packed,
            seconds=sent.seconds,
            complete=sent.complete,
            silent=sent.silent,
            features=self.fingerprinter.features_in(fingerprint),
            is_close=sent.close,
            sound=sound,
            tags=cleaned_tags(sent.tags),
            chapters=cleaned_chapters(sent.chapters),
        )

    @contextmanager
    def _borrowed(self) -> Iterator[Sandbox]:
        sandbox = self._take()
        try:
            yield sandbox
        finally:
            self._give(sandbox)

    def _take(self) -> Sandbox:
        """Return a sandbox that nobody uses, as soon as there is one."""
        with self._lock:
            if self._closed:
                raise _closed()
            if self._idle:
                return self._idle.pop()  # the last that worked, so that no more children start than are needed
            if len(self._sandboxes) < self.workers:
                self._sandboxes.append(Sandbox(TASK, settings=self._settings, limits=self.limits.sandbox))
                return self._sandboxes[-1]
            place: Future[Sandbox] = Future()
            self._line.append(place)
        try:
            return place.result()
        except BaseException:
            self._leave(place)
            raise

    def _give(self, sandbox: Sandbox) -> None:
        with self._lock:
            if self._line:
                self._line.popleft().set_result(sandbox)  # handed over: a newcomer cannot come first
            else:
                self._idle.append(sandbox)

    def _leave(self, place: Future[Sandbox]) -> None:
        """Give up a place in line, as when Ctrl-C ends the wait; a sandbox that just came to it goes to the next."""
        with self._lock:
            if place in self._line:
                self._line.remove(place)
                return
        if place.exception() is None:
            self._give(place.result())


class LentPool:
    """A pool that others use too: whoever has it as an extractor of their own cannot close it."""

    def __init__(self, pool: ExtractorPool) -> None:
        self.fingerprinter, self.limits, self.extract = pool.fingerprinter, pool.limits, pool.extract
        self.extract_parts = pool.extract_parts

    def close(self) -> None:
        """Leave it to its owner."""


def _samples(sent: bytes) -> Samples:
    """Return samples as a child sends them; raises ValueError for what are none."""
    samples: Samples = np.frombuffer(sent, "<f4").astype(np.float32)
    if not np.isfinite(samples).all():
        raise ValueError("samples that are no numbers")
    return samples


@contextmanager
def _believed() -> Iterator[None]:
    """Raise MediaError for an answer in another form: a compromised child can answer anything."""
    try:
        yield
    except (msgspec.MsgspecError, ValueError, zlib.error, SpecMismatch) as error:
        raise MediaError("decoder_crashed", f"the decoder answered in another form ({error})") from error


def worker_count(wanted: int | None) -> int:
    """Return the number of workers that was given, or that of the cores this process may use; raises OptionError."""
    if wanted is not None and not (isinstance(wanted, Integral) and wanted >= 1):
        raise OptionError(f"workers={wanted}; give 1 or more, or leave it out for all cores")
    return wanted or usable_cores()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _closed() -> MediaError:
    return MediaError("unreadable", "the catalog was closed meanwhile; open it again")
