"""Matching by constellations: terms, hits, votes, alignment, confidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict

from earmark.catalog.identifying import References, extent
from earmark.fingerprints.protocol import Constellations
from earmark.index.protocol import Search
from earmark.match.align import Points, QueryMap
from earmark.match.confidence import THRESHOLD, Evidence, log_odds
from earmark.match.search import USUAL_WARPS, WIDE_WARPS, Aligned, search
from earmark.match.timeline import Stretch
from earmark.types import Fingerprint, Keys

CACHE_PEAKS = 2_000_000  # of references unpacked, 8 bytes each: about 8 hours of audio


class ConstellationMatcher:
    """Finds what a window of a clip comes from by its spectral peaks."""

    default_threshold = THRESHOLD

    def __init__(self, fingerprinter: Constellations, reference: Callable[[int], Fingerprint]) -> None:
        self._fingerprinter = fingerprinter
        self._references = References(
            lambda fingerprint: Points(*fingerprinter.points(fingerprint)), reference, most_features=CACHE_PEAKS
        )

    def forget(self, track: int) -> None:
        """Read a track's fingerprint anew when it is needed again."""
        self._references.forget(track)

    def stretches(
        self, index: Search, window: Fingerprint, first: int, *, limit: int, speed: bool
    ) -> Iterator[Stretch]:
        """Yield how a window, which begins at frame `first` of the clip, lies on up to `limit` tracks."""
        points = Points(*self._fingerprinter.points(window))
        if len(points.frames) < self._fingerprinter.fewest_features:
            return
        query = QueryMap(points, bins=self._fingerprinter.bins, hypotheses=WIDE_WARPS if speed else USUAL_WARPS)
        hits = index.search("landmarks", Keys(*self._fingerprinter.terms(window, query=True)))
        for aligned in search(hits, query, lambda track: self._references(track)[0], limit=limit):
            yield self._stretch(aligned, window.seconds, first)

    def _stretch(self, aligned: Aligned, seconds: float, first: int) -> Stretch:
        """Return an alignment as seconds of the clip and of the track."""
        alignment, placing = aligned.alignment, aligned.alignment.placing
        frame, lead = self._fingerprinter.frame_seconds, self._fingerprinter.lead_seconds
        speed, begin = placing.warp.speed, first * frame
        at_begin = placing.start * frame + (1 - speed) * lead  # of the track, at the window's beginning
        start, end = extent(
            alignment.first * frame,
            alignment.last * frame + 2 * lead,
            seconds=seconds,
            at_begin=at_begin,
            speed=speed,
            length=self._references(aligned.track)[1],
        )
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
            query_end=begin + end,
            reference_start=at_begin + speed * start,
            reference_end=at_begin + speed * end,
            speed=speed,
            pitch=placing.warp.pitch,
            jitter=alignment.jitter * frame,
            evidence=asdict(evidence),
        )
