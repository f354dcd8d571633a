"""Listening: sound that arrives in blocks, looked up every second until it is sure what it is."""

from __future__ import annotations

import time
from typing import Any, Self

import numpy as np

from earmark.audio.arrays import to_mono
from earmark.audio.downmix import QUALITY
from earmark.catalog.identify import Identify, Unavailable
from earmark.errors import OptionError
from earmark.extract.protocol import SILENCE_PEAK, Extracted
from earmark.match.protocol import Options
from earmark.types import Answer, Fingerprint, Samples

LOOK_SECONDS = 1.0  # seconds of new sound from one look to the next


class Listener:
    """What a catalog makes of a stream, through the code that identifies a file. `Catalog.listen` makes one.

    A stream of up to 15 s has the answer that a file of it has; a longer one is cut into windows of 10 s as it arrives,
    a file into equal parts.
    """

    def __init__(self, identify: Identify, *, rate: int, options: Options) -> None:
        import soxr

        if rate < 1:
            raise OptionError(f"rate={rate}; give the samples a second of the sound")
        fingerprinter = identify.fingerprinter
        self._identify, self._rate, self._options = identify, rate, options
        self._session, self._extraction = identify.session(options, follow=True), fingerprinter.stream(query=True)
        self._resampling: Any = None  # nothing, where the rates are equal
        if rate != fingerprinter.rate:
            self._resampling = soxr.ResampleStream(rate, fingerprinter.rate, 1, dtype="float32", quality=QUALITY)
        self._heard, self._peak, self._looked = 0, 0.0, 0.0  # samples, largest of them, second of the last look
        self._began = time.perf_counter()
        self._answer: Answer | None = None
        self._is_finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End; nothing has to be freed."""

    @property
    def seconds(self) -> float:
        """How much sound was pushed."""
        return self._heard / self._rate

    @property
    def answer(self) -> Answer | None:
        """What is heard now, as of the last look; None as long as nothing is sure."""
        return self._answer

    def push(self, samples: Any) -> Answer | None:
        """Take the next samples, (n,) or (n, channels), and return `answer`; raises OptionError for other arrays."""
        self._check_open()
        mono = to_mono(samples, self._rate, to_rate=self._rate)
        self._heard += len(mono)
        self._peak = max(self._peak, float(np.abs(mono).max(initial=0.0)))
        self._extraction.push(self._resampled(mono, last=False))
        if self.seconds - self._looked >= LOOK_SECONDS:
            self._look(final=False)
            playing = self._session.playing()
            self._answer = self._identify.heard(self._session, playing, self._began) if playing else None
        return self._answer

    def finish(self) -> Answer:
        """Say that the sound has ended, and return all that it comes from; without matches if nothing is sure."""
        self._check_open()
        self._extraction.push(self._resampled(np.zeros(0, np.float32), last=True))
        fingerprint = self._look(final=True)
        self._is_finished = True
        passages = self._session.passages()
        if passages:
            self._answer = self._identify.heard(self._session, passages, self._began)
        else:
            features = self._identify.fingerprinter.features_in(fingerprint)
            silent = self._peak < SILENCE_PEAK
            extracted = Extracted(fingerprint, b"", self.seconds, complete=True, silent=silent, features=features)
            self._answer = self._identify.nothing_heard(self._options, extracted, self._began)
        return self._answer

    def _resampled(self, mono: Samples, *, last: bool) -> Samples:
        if self._resampling is None:
            return mono
        return np.asarray(self._resampling.resample_chunk(mono, last=last), np.float32)

    def _look(self, *, final: bool) -> Fingerprint:
        """Match what has not been settled, again without each track that turns out to be damaged or gone."""
        self._looked = self.seconds
        fingerprint = self._extraction.take(since_seconds=self._session.since)
        while True:
            try:
                self._session.hear(fingerprint, final=final)
                return fingerprint
            except Unavailable as unavailable:
                self._identify.leave_out(unavailable)
                self._session.forget(unavailable.number)

    def _check_open(self) -> None:
        if self._is_finished:
            raise OptionError("the sound was said to have ended; listen again for another one")
