"""The chain from a clip's fingerprint to matches: terms, hits, votes, alignment, confidence, stretches of time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from threading import Lock

import numpy as np

from earmark.errors import OptionError
from earmark.fingerprint.protocol import Constellations, Fingerprinter
from earmark.index.protocol import Index
from earmark.match.align import Points, QueryMap, Warp
from earmark.match.confidence import THRESHOLD, Evidence, log_odds, probability
from earmark.match.search import USUAL_WARPS, WIDE_WARPS, Aligned, search
from earmark.match.timeline import Stretch, best_of_each_track, joined, one_after_another
from earmark.types import Fingerprint

# A longer clip is identified window by window: two recordings may be in it, and a line of time bends over minutes.
WINDOW_SECONDS = 10.0
LONGEST_AT_ONCE_SECONDS = 15.0
EDGE_SECONDS = 1.0  # a match that comes so near to the clip's edge is taken to reach it
FEWEST_PEAKS = 8  # of a window that is looked up: fewer cannot be told from chance
CACHE_PEAKS = 2_000_000  # of references unpacked, 8 bytes each: about 8 hours of audio


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


def identifier_for(fingerprinter: Fingerprinter, reference: Callable[[int], Fingerprint]) -> Identifier:
    """Return what identifies clips by the fingerprints of this fingerprinter.

    `reference` gives the stored fingerprint of a track number; what it raises passes through. What it gave is kept.
    """
    if isinstance(fingerprinter, Constellations):
        return Identifier(fingerprinter, reference)
    raise OptionError(f"{fingerprinter.spec} can be indexed and not yet be matched; choose shazam")


class Identifier:
    """Identifies clips by constellations; safe to use from several threads."""

    default_threshold = THRESHOLD

    def __init__(self, fingerprinter: Constellations, reference: Callable[[int], Fingerprint]) -> None:
        self._fingerprinter = fingerprinter
        self._reference = reference
        self._cache: OrderedDict[int, tuple[Points, float]] = OrderedDict()
        self._cached_peaks = 0
        self._lock = Lock()

    def identify(
        self,
        index: Index,
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
        warps = WIDE_WARPS if speed else USUAL_WARPS
        windows = list(self._windows(fingerprint))
        found = [one for window, first in windows for one in self._in_window(index, window, first, warps, limit)]
        stretches = joined(found, windows=len(windows))
        stretches = one_after_another(stretches) if several else best_of_each_track(stretches)
        wanted = self.default_threshold if threshold is None else threshold
        matches = [self._found(stretch, fingerprint.seconds) for stretch in stretches]
        return tuple(match for match in matches if match.confidence >= wanted)[:limit]

    def forget(self, track: int) -> None:
        """Read a track's fingerprint anew when it is needed again."""
        with self._lock:
            points, _ = self._cache.pop(track, (None, 0.0))
            self._cached_peaks -= len(points.frames) if points else 0

    def _windows(self, fingerprint: Fingerprint) -> Iterator[tuple[Fingerprint, int]]:
        """Yield (fingerprint of a window, the window's first frame)."""
        if fingerprint.seconds <= LONGEST_AT_ONCE_SECONDS:
            yield fingerprint, 0
            return
        count = round(fingerprint.seconds / WINDOW_SECONDS)
        seconds = fingerprint.seconds / count
        edges = np.rint(np.arange(count + 1) * seconds / self._fingerprinter.frame_seconds).astype(int)
        for first, last in pairwise(edges.tolist()):
            part = slice(*np.searchsorted(fingerprint.frames, [first, last]))
            frames = fingerprint.frames[part] - np.int32(first)
            yield replace(fingerprint, seconds=seconds, frames=frames, features=fingerprint.features[part]), first

    def _in_window(
        self, index: Index, window: Fingerprint, first: int, warps: tuple[Warp, ...], limit: int
    ) -> Iterator[Stretch]:
        points = Points(*self._fingerprinter.points(window))
        if len(points.frames) < FEWEST_PEAKS:
            return
        query = QueryMap(points, bins=self._fingerprinter.bins, hypotheses=warps)
        hits = index.search(*self._fingerprinter.terms(window, query=True))
        for aligned in search(hits, query, lambda track: self._points(track)[0], limit=limit):
            yield self._stretch(aligned, window.seconds, first)

    def _stretch(self, aligned: Aligned, seconds: float, first: int) -> Stretch:
        """Return an alignment as seconds of the clip and of the track."""
        alignment, placing = aligned.alignment, aligned.alignment.placing
        frame, lead = self._fingerprinter.frame_seconds, self._fingerprinter.lead_seconds
        speed, begin = placing.warp.speed, first * frame
        at_begin = placing.start * frame + (1 - speed) * lead  # of the track, at the window's beginning
        start, end = alignment.first * frame, alignment.last * frame + 2 * lead
        start = 0.0 if start < EDGE_SECONDS else start
        end = seconds if seconds - end < EDGE_SECONDS else end
        length = self._points(aligned.track)[1]
        start, end = max(start, -at_begin / speed), min(end, (length - at_begin) / speed)
        surplus = max(alignment.matched - alignment.expected, 0.0)
        evidence = Evidence(
            matched=alignment.matched,
            expected=round(alignment.expected, 2),
            z=round(placing.z, 3),
            rival_z=round(aligned.rival_z, 3),
            share=round(surplus / max(alignment.references, 1), 4),
            seconds=round(seconds, 3),
        )
        return Stretch(
            track=aligned.track,
            log_odds=log_odds(evidence),
            query_start=begin + start,
            query_end=begin + max(end, start),
            reference_start=at_begin + speed * start,
            reference_end=at_begin + speed * max(end, start),
            speed=speed,
            pitch=placing.warp.pitch,
            jitter=alignment.jitter * frame,
            evidence=asdict(evidence),
        )

    def _found(self, stretch: Stretch, seconds: float) -> Found:
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

    def _points(self, track: int) -> tuple[Points, float]:
        """Return a track's constellation and its length in seconds."""
        with self._lock:
            known = self._cache.get(track)
            if known is not None:
                self._cache.move_to_end(track)
                return known
        fingerprint = self._reference(track)
        made = Points(*self._fingerprinter.points(fingerprint)), fingerprint.seconds
        with self._lock:
            if track not in self._cache:
                self._cache[track] = made
                self._cached_peaks += len(made[0].frames)
            while self._cached_peaks > CACHE_PEAKS and len(self._cache) > 1:
                _, (oldest, _) = self._cache.popitem(last=False)
                self._cached_peaks -= len(oldest.frames)
        return made
