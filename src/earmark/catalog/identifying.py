"""The chain from a clip's fingerprint to matches: windows of a long clip, their stretches of time, confidence."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from threading import Lock
from typing import Generic, Protocol, TypeVar

import numpy as np

from earmark.errors import OptionError
from earmark.fingerprints.protocol import Constellations, Fingerprinter, Segmented
from earmark.index.protocol import Search
from earmark.match.confidence import probability
from earmark.match.timeline import Stretch, best_of_each_track, joined, one_after_another
from earmark.types import Fingerprint

# A longer clip is identified window by window: two recordings may be in it, and a line of time bends over minutes.
WINDOW_SECONDS = 10.0
LONGEST_AT_ONCE_SECONDS = 15.0
EDGE_SECONDS = 1.0  # a match that comes so near to the clip's edge is taken to reach it


@dataclass(frozen=True, slots=True)
class Found:
    """A match, its track as the catalog's number; times in seconds."""

    track: int
    confidence: float
    query_start: float
    query_end: float
    reference_start: float
    reference_end: float
    position_error: float
    speed: float
    pitch: float
    evidence: Mapping[str, float]


class Matcher(Protocol):
    """Finds what one window of a clip comes from; there is one for each kind of feature."""

    default_threshold: float

    def stretches(
        self, index: Search, window: Fingerprint, first: int, *, limit: int, speed: bool
    ) -> Iterator[Stretch]:
        """Yield how a window, which begins at frame `first` of the clip, lies on up to `limit` tracks."""

    def forget(self, track: int) -> None:
        """Read a track's fingerprint anew when it is needed again."""


def identifier_for(fingerprinter: Fingerprinter, reference: Callable[[int], Fingerprint]) -> Identifier:
    """Return what identifies clips by the fingerprints of this fingerprinter.

    `reference` gives the stored fingerprint of a track number; what it raises passes through. What it gave is kept.
    """
    if isinstance(fingerprinter, Constellations):
        from earmark.catalog.constellations import ConstellationMatcher

        return Identifier(fingerprinter, ConstellationMatcher(fingerprinter, reference))
    if isinstance(fingerprinter, Segmented):
        from earmark.catalog.vectors import VectorMatcher

        return Identifier(fingerprinter, VectorMatcher(fingerprinter, reference))
    raise OptionError(f"{fingerprinter.spec} can be indexed and not be matched; choose neural or shazam")


class Identifier:
    """Identifies clips; safe to use from several threads."""

    def __init__(self, fingerprinter: Fingerprinter, matcher: Matcher) -> None:
        self._frame_seconds, self._matcher = fingerprinter.frame_seconds, matcher
        peaks = fingerprinter.peaks if isinstance(fingerprinter, Segmented) else None
        self._frame_seconds_beside = peaks.frame_seconds if peaks else fingerprinter.frame_seconds

    @property
    def default_threshold(self) -> float:
        """The confidence that lets at most one unknown clip in a hundred through."""
        return self._matcher.default_threshold

    def identify(
        self,
        index: Search,
        fingerprint: Fingerprint,
        *,
        threshold: float | None = None,
        limit: int = 5,
        several: bool = False,
        speed: bool = False,
    ) -> tuple[Found, ...]:
        """Return what a clip comes from, at most `limit` matches of at least `threshold` confidence.

        Without `several`, the best place of each track, the surest first; with it, one recording after another in
        order of time. `speed` also looks for changes of speed of up to 10 %.
        """
        windows = list(self._windows(fingerprint))
        found = [
            one
            for window, first in windows
            for one in self._matcher.stretches(index, window, first, limit=limit, speed=speed)
        ]
        stretches = joined(found, windows=len(windows))
        stretches = one_after_another(stretches) if several else best_of_each_track(stretches)
        wanted = self.default_threshold if threshold is None else threshold
        matches = [_found(stretch, fingerprint.seconds) for stretch in stretches]
        return tuple(match for match in matches if match.confidence >= wanted)[:limit]

    def forget(self, track: int) -> None:
        """Read a track's fingerprint anew when it is needed again."""
        self._matcher.forget(track)

    def _windows(self, fingerprint: Fingerprint) -> Iterator[tuple[Fingerprint, int]]:
        """Yield (fingerprint of a window, the window's first frame)."""
        if fingerprint.seconds <= LONGEST_AT_ONCE_SECONDS:
            yield fingerprint, 0
            return
        count = round(fingerprint.seconds / WINDOW_SECONDS)
        seconds = fingerprint.seconds / count
        edges = np.rint(np.arange(count + 1) * seconds / self._frame_seconds).astype(int)
        for first, last in pairwise(edges.tolist()):
            begin, end = first * self._frame_seconds, last * self._frame_seconds
            beside = fingerprint.beside and _part(fingerprint.beside, begin, end, self._frame_seconds_beside)
            window = _part(fingerprint, begin, end, self._frame_seconds)
            yield replace(window, seconds=seconds, beside=beside), first


T = TypeVar("T")


class References(Generic[T]):
    """What was made of stored fingerprints, as much as fits; the least recently used goes first."""

    def __init__(
        self, make: Callable[[Fingerprint], T], reference: Callable[[int], Fingerprint], *, most_features: int
    ) -> None:
        self._make, self._reference, self._most = make, reference, most_features
        self._kept: OrderedDict[int, tuple[T, float, int]] = OrderedDict()
        self._features = 0
        self._lock = Lock()

    def __call__(self, track: int) -> tuple[T, float]:
        """Return what is made of a track's fingerprint, and the track's length in seconds."""
        with self._lock:
            known = self._kept.get(track)
            if known is not None:
                self._kept.move_to_end(track)
                return known[:2]
        fingerprint = self._reference(track)
        made = self._make(fingerprint)
        with self._lock:
            if track not in self._kept:
                self._kept[track] = made, fingerprint.seconds, len(fingerprint.frames)
                self._features += len(fingerprint.frames)
            while self._features > self._most and len(self._kept) > 1:
                _, (_, _, features) = self._kept.popitem(last=False)
                self._features -= features
        return made, fingerprint.seconds

    def forget(self, track: int) -> None:
        """Read a track's fingerprint anew when it is needed again."""
        with self._lock:
            known = self._kept.pop(track, None)
            self._features -= known[2] if known else 0


def extent(
    start: float, end: float, *, seconds: float, at_begin: float, speed: float, length: float
) -> tuple[float, float]:
    """Return the (start, end) in a window of `seconds` of a match that was seen from `start` to `end`.

    It reaches the window's edges where it comes near, and no farther than the track, which is `length` seconds long
    and at `at_begin` where the window begins.
    """
    start = 0.0 if start < EDGE_SECONDS else start
    end = seconds if seconds - end < EDGE_SECONDS else end
    start, end = max(start, -at_begin / speed), min(end, (length - at_begin) / speed)
    return start, max(end, start)


def _part(fingerprint: Fingerprint, begin: float, end: float, frame_seconds: float) -> Fingerprint:
    """Return the features of a fingerprint that begin between two seconds, their frames counted from the first."""
    first, last = round(begin / frame_seconds), round(end / frame_seconds)
    part = slice(*np.searchsorted(fingerprint.frames, [first, last]))
    return replace(
        fingerprint,
        seconds=end - begin,
        frames=fingerprint.frames[part] - np.int32(first),
        features=fingerprint.features[part],
        relief=None if fingerprint.relief is None else fingerprint.relief[first:last],
    )


def _found(stretch: Stretch, seconds: float) -> Found:
    return Found(
        track=stretch.track,
        confidence=probability(stretch.log_odds),
        query_start=max(stretch.query_start, 0.0),
        query_end=min(stretch.query_end, seconds),
        reference_start=max(stretch.reference_start, 0.0),
        reference_end=stretch.reference_end,
        position_error=stretch.jitter,
        speed=stretch.speed,
        pitch=stretch.pitch,
        evidence=stretch.evidence,
    )
