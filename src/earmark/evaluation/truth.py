"""The truth of a candidate: its track, its place, and music that is in the references twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from earmark.evaluation.queries import Query
from earmark.evaluation.recordings import Recordings

EXACT_SECONDS = 0.05  # half a hop of 100 ms, as "exact" is meant in the literature (FlowHash, 2024)
NEAR_SECONDS = 0.5  # one segment of 1 s at a hop of 0.5 s (Chang et al., ICASSP 2021)
SAME_CORRELATION = 0.99  # least correlation of the log spectra of two places that sound the same
# Least correlation of one recording at one place in two encodings: 0.98 was measured, of 450 pairs of other songs 0.72
# at most, of other places of a song 0.88.
SHARED_CORRELATION = 0.95
SAMENESS_RATE = 16_000  # Hz of the audio that is compared
HOP = 160  # samples from one spectrum to the next, 10 ms
WINDOW = 1_024  # samples of a spectrum, 64 ms
NEIGHBOURS = (0, -2, 2, -4, 4)  # hops tried around an answer's place, which may be off by a frame
KEPT_PICTURES = 256  # spectra in memory, 128 kB each


@dataclass(frozen=True, slots=True)
class Given:
    """One thing that a catalog said: the clip begins `start` seconds into a track."""

    track: str
    start: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate is right, and by how many seconds it misses the place."""

    right: bool
    error: float  # seconds; inf when it is another track

    @property
    def near(self) -> bool:
        """Right, and in place to half a second."""
        return self.right and self.error <= NEAR_SECONDS

    @property
    def exact(self) -> bool:
        """Right, and in place to 50 ms."""
        return self.right and self.error <= EXACT_SECONDS


WRONG = Verdict(False, math.inf)
SamePlace = Callable[[str, float, str, float, float], float | None]


def judge(query: Query, candidate: Given | None, same_place: SamePlace) -> Verdict:
    """Return what a candidate is worth.

    Right is the true track, and any place of any track that sounds the same as the true place: loops within a track,
    and recordings that are in two tracks. `same_place(track, start, other, other_start, seconds)` decides that: it
    returns by how many seconds `other_start` misses a place that sounds the same, or None.
    """
    if candidate is None or query.track is None:
        return WRONG
    error = abs(candidate.start - query.start)
    if candidate.track == query.track and error <= EXACT_SECONDS:
        return Verdict(True, error)
    shift = same_place(query.track, query.start, candidate.track, candidate.start, query.seconds * query.speed)
    if candidate.track != query.track:
        return WRONG if shift is None else Verdict(True, shift)
    return Verdict(True, error if shift is None else min(error, shift))


class Sameness:
    """Compares places of recordings by their log spectra; reads the recordings when asked. To be used in `with`."""

    def __init__(
        self, recordings: Mapping[str, Path], sounds: Recordings | None = None, *, least: float = SAME_CORRELATION
    ) -> None:
        """`recordings` are the references' files by track; `sounds`, at 16 kHz, may have decoded some already.

        `least` is the least correlation of places that sound the same.
        """
        self._recordings = recordings
        self._least, self._is_owner = least, sounds is None
        self._sounds = sounds or Recordings(SAMENESS_RATE)
        self._picture = lru_cache(maxsize=KEPT_PICTURES)(self._drawn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._picture.cache_clear()
        if self._is_owner:
            self._sounds.close()

    def __call__(self, track: str, start: float, other: str, other_start: float, seconds: float) -> float | None:
        """Return by how many seconds the other place misses one that sounds like the first, or None."""
        if track not in self._recordings or other not in self._recordings:
            return None
        margin = max(NEIGHBOURS)
        truth = _centred(self._picture(track, start, seconds))
        around = self._picture(other, round(other_start - margin * HOP / SAMENESS_RATE, 4), seconds + self._spare)
        for hops in NEIGHBOURS:
            there = _centred(around[margin + hops : margin + hops + len(truth)])
            if float((truth * there).sum() / math.sqrt((truth**2).sum() * (there**2).sum() + 1e-9)) >= self._least:
                return abs(hops) * HOP / SAMENESS_RATE
        return None

    @property
    def _spare(self) -> float:
        return 2 * max(NEIGHBOURS) * HOP / SAMENESS_RATE

    def _drawn(self, track: str, start: float, seconds: float) -> NDArray[np.float32]:
        """Return 32 log bands, 78 to 4,000 Hz, of 64 ms windows every 10 ms."""
        audio = self._sounds.piece(self._recordings[track], start, seconds)
        frames = np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::HOP] * np.hanning(WINDOW).astype(np.float32)
        power = np.abs(rfft(frames)) ** 2
        edges = np.unique(np.round(np.geomspace(5, 256, 33)).astype(int))
        return np.asarray(np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-6), np.float32)


def _centred(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(picture - picture.mean(), np.float32)
