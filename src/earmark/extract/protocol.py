"""What extraction gives, what it may take, and what every extractor does, on this machine or on many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, Protocol

from earmark.errors import MediaError
from earmark.sandbox.process import Limits
from earmark.types import Chapter, Fingerprint, Samples

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter

SILENCE_PEAK = 1e-4  # full scale is 1; just above the dither of 16-bit sound (-93 dB), and below any music

SHORTEST_SECONDS = 0.25  # of a recording or clip; a handful of spectra are in any music

Span = tuple[float, float]  # (begin, end), seconds of a sound
CloserLook = Callable[[Sequence[Span]], Sequence[Fingerprint]]  # parts of a long question, as of short ones


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """The fingerprint of a source, and what else is known of it."""

    fingerprint: Fingerprint
    packed: bytes  # the form that catalogs keep (Fingerprinter.pack); empty for samples in memory
    seconds: float
    complete: bool  # False: the file broke off, or parts are damaged
    silent: bool  # no sample reaches SILENCE_PEAK
    features: int  # number by Fingerprinter.features_in
    is_close: bool = True  # False: a question that was looked at as a recording is, or glanced at
    sound: Samples | None = None  # of a short question that was glanced at, for a closer look
    tags: Mapping[str, str] = field(default_factory=dict)
    chapters: tuple[Chapter, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtractLimits:
    """What one source may take, and what of it is read; `earmark.open(..., limits=...)` sets others."""

    longest_seconds: float = 24 * 3600.0  # of a recording: a day of radio in a file; its features take 60 MB
    longest_query_seconds: float = 3 * 3600.0  # a long show; a day of silence is some kB to send, a minute to read
    largest_upload_bytes: int = 4 << 30  # bytes of a stream without a file behind it, copied to a temporary file first
    stream: int | None = None  # audio stream of files that hold several, from 0; None: the one that players choose
    sandbox: Limits = field(default_factory=Limits)


class Cancellation:
    """Ends one extraction from another thread, when nobody waits for it any more."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._end: Callable[[], object] | None = None
        self.is_cancelled = False

    def cancel(self) -> None:
        """End what is at work, and whatever would begin later; its caller gets a MediaError."""
        with self._lock:
            self.is_cancelled = True
            if self._end is not None:
                self._end()

    @contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """Have `cancel` call `end` inside; raises MediaError when it was cancelled before."""
        with self._lock:
            if self.is_cancelled:
                raise MediaError("unreadable", "nobody waits for it any more")
            self._end = end
        try:
            yield
        finally:
            with self._lock:
                self._end = None


class Extractor(Protocol):
    """Turns files into fingerprints; safe to use from several threads."""

    fingerprinter: Fingerprinter
    limits: ExtractLimits

    def extract(
        self, file: BinaryIO, *, query: bool = False, close_seconds: float | None = None, glance_seconds: float = 0.0
    ) -> Extracted:
        """Return what is in an open file, read from where it stands; raises MediaError.

        A query of more than `close_seconds` is looked at as a recording is, which takes a sixth of the time. One of no
        more than `glance_seconds` is glanced at, and comes with its sound.
        """

    def extract_parts(
        self, file: BinaryIO, spans: Sequence[Span], *, sound: Samples | None = None
    ) -> list[Fingerprint]:
        """Return the fingerprints of parts of an open file as of queries, each counted from its own beginning.

        Where its `sound` is known, nothing is decoded again.
        """

    def close(self) -> None:
        """End all work; callers that wait get a MediaError."""
