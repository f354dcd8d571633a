"""Sound that arrives in blocks, at a rate of its own, extracted as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.audio.arrays import to_mono
from earmark.audio.downmix import QUALITY
from earmark.errors import OptionError
from earmark.extract.parts import MARGIN_SECONDS, fingerprints_of_parts
from earmark.extract.protocol import SILENCE_PEAK, Extracted, Span
from earmark.types import Fingerprint, Samples

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter


class ExtractionStream:
    """What a query's sound holds so far."""

    def __init__(self, fingerprinter: Fingerprinter, rate: int, *, is_close: bool = True) -> None:
        """`rate`: samples a second of what will be pushed; raises OptionError.

        Sound that is not looked at closely is as that of a recording, and kept for `parts`.
        """
        import soxr

        if not isinstance(rate, int | np.integer) or rate < 1:
            raise OptionError(f"rate={rate}; give the samples a second of the sound")
        self._fingerprinter, self._rate = fingerprinter, rate
        self._extraction = fingerprinter.stream(query=is_close)
        self._is_close, self._kept, self._first = is_close, deque[Samples](), 0  # sound at hand, and its first sample
        self._resampling: Any = None  # nothing, where the rates are equal
        if rate != fingerprinter.rate:
            self._resampling = soxr.ResampleStream(rate, fingerprinter.rate, 1, dtype="float32", quality=QUALITY)
        self._heard, self._peak = 0, 0.0  # samples, and the largest of them

    @property
    def seconds(self) -> float:
        """How much sound was pushed."""
        return self._heard / self._rate

    def push(self, samples: Any) -> None:
        """Take the next samples, (n,) or (n, channels); raises OptionError for other arrays."""
        mono = to_mono(samples, self._rate, to_rate=self._rate)
        self._heard += len(mono)
        self._peak = max(self._peak, float(np.abs(mono).max(initial=0.0)))
        self._extract(self._resampled(mono))

    def end(self) -> None:
        """Take what the resampling still holds; nothing may be pushed any more."""
        self._extract(self._resampled(np.zeros(0, np.float32), last=True))

    def take(self, *, since_seconds: float) -> Extracted:
        """Return what was heard since a second, earlier than which nothing will be asked for again."""
        fingerprint = self._extraction.take(since_seconds=since_seconds)
        self._forget(since_seconds - MARGIN_SECONDS)
        features, is_silent = self._fingerprinter.features_in(fingerprint), self._peak < SILENCE_PEAK
        return Extracted(fingerprint, b"", self.seconds, complete=True, silent=is_silent, features=features)

    def parts(self, spans: Sequence[Span]) -> list[Fingerprint]:
        """Return the fingerprints of parts of the sound at hand, as of queries; spans are in order of time."""
        begun = self._first / self._fingerprinter.rate
        return fingerprints_of_parts(
            self._kept, self._fingerprinter, [(begin - begun, end - begun) for begin, end in spans]
        )

    def _extract(self, samples: Samples) -> None:
        self._extraction.push(samples)
        if not self._is_close:
            self._kept.append(samples)

    def _forget(self, before_seconds: float) -> None:
        while self._kept and self._first + len(self._kept[0]) <= before_seconds * self._fingerprinter.rate:
            self._first += len(self._kept.popleft())

    def _resampled(self, mono: Samples, *, last: bool = False) -> Samples:
        if self._resampling is None:
            return mono
        return np.asarray(self._resampling.resample_chunk(mono, last=last), np.float32)
