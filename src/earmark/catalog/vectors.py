"""Matching by vectors: nearest neighbours, lines of time, their check by peaks, confidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from earmark.catalog.identifying import References, extent
from earmark.fingerprint.protocol import Segmented
from earmark.index.protocol import Index, OfTwoKinds
from earmark.match.align import Alignment, Placing, Points, QueryMap, Warp
from earmark.match.checking import Place, checked
from earmark.match.line_confidence import ALONE, CHECKED, LineEvidence, line_evidence
from earmark.match.lines import USUAL_SPEEDS, WIDE_SPEEDS, Line, QueryLines, Segments, best_lines
from earmark.match.search import USUAL_WARPS, WIDE_WARPS
from earmark.match.timeline import Stretch
from earmark.match.vote import Candidate, vote
from earmark.types import Fingerprint

CACHE_VECTORS = 100_000  # of references unpacked to float32, 0.8 kB each with the peaks beside: 14 hours of audio
MOST_ASKED = 24  # segments of a window that are looked up: of 5 s each second one, a quarter of a second apart
NEAREST = 20  # neighbours of each segment (NAFP, section 3.3)
LANDMARK_LINES = 24  # candidates of the landmarks, in an index that holds them
CHECKED_LINES = 72  # the best line of so many tracks is checked by peaks: of all, as a rule
WEIGHED_LINES = 12  # of them, the best, of which the likelihood is computed: no other is a rival
Z_WEIGHT = 0.03  # of a standard deviation of peaks, in cosines
LIKELY = 10.0  # logarithm of a likelihood ratio; below it no copy is looked for
ALIKE = 0.5  # of two such; further apart, two tracks are not looked at for being copies
CERTAIN_Z = 7.0  # beyond which peaks tell place, speed and ends better than vectors


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A track as it is compared."""

    segments: Segments
    points: Points | None


@dataclass(frozen=True, slots=True, eq=False)
class Supported:
    """A line, and how well the peaks lie on it: not at all where there are none."""

    line: Line
    placing: Placing | None = None
    likelihood: float = 0.0

    @property
    def z(self) -> float:
        """By how many standard deviations the peaks that match exceed chance."""
        return self.placing.z if self.placing else 0.0

    @property
    def support(self) -> float:
        """What candidates are ranked by."""
        return self.line.score + Z_WEIGHT * max(self.z, 0.0)


class VectorMatcher:
    """Finds what a window of a clip comes from by the vectors of its segments."""

    def __init__(self, fingerprinter: Segmented, reference: Callable[[int], Fingerprint]) -> None:
        self._fingerprinter = fingerprinter
        self._references = References(self._compared, reference, most_features=CACHE_VECTORS)
        self.default_threshold = (CHECKED if fingerprinter.peaks else ALONE).threshold

    def forget(self, track: int) -> None:
        """Read a track's fingerprint anew when it is needed again."""
        self._references.forget(track)

    def stretches(self, index: Index, window: Fingerprint, first: int, *, limit: int, speed: bool) -> Iterator[Stretch]:
        """Yield how a window, which begins at frame `first` of the clip, lies on up to `limit` tracks."""
        if not len(window.frames):
            return
        frames, vectors = self._fingerprinter.terms(window, query=True)
        every = -(-len(frames) // MOST_ASKED)
        hits = index.search(frames[::every], vectors[::every], nearest=NEAREST)
        if not len(hits):
            return
        clip = self._compared(window)
        query = QueryLines(
            clip.segments,
            hits,
            hop_frames=self._fingerprinter.query_hop_frames,
            stored_hop_frames=self._fingerprinter.hop_frames,
        )
        speeds = WIDE_SPEEDS if speed else USUAL_SPEEDS
        lines = best_lines(
            query,
            lambda track: self._references(track)[0].segments,
            speeds=speeds,
            also=self._by_landmarks(index, window),
        )
        drawn = self._drawn(clip, WIDE_WARPS if speed else USUAL_WARPS)
        ranked = self._supported(drawn, lines)
        for found in ranked[:limit]:
            copies = self._copies(drawn, found, ranked)
            others = [other for other in ranked if other is not found and other.line.track not in copies]
            alignment = self._alignment(drawn, found)
            evidence = line_evidence(
                query,
                found.line,
                alignment,
                likelihood=found.likelihood,
                rival=max((other.line.score for other in others), default=query.nearness),
                rival_likelihood=max((other.likelihood for other in others), default=0.0),
                copies=copies,
                seconds=window.seconds,
            )
            yield self._stretch(query, found.line, alignment, evidence, first)

    def _by_landmarks(self, index: Index, window: Fingerprint) -> Iterator[Candidate]:
        """Yield the lines that landmarks propose, in an index that holds them."""
        peaks, hop = self._fingerprinter.peaks, self._fingerprinter.query_hop_frames
        if not isinstance(index, OfTwoKinds) or peaks is None or window.beside is None:
            return
        hits = index.search_codes(*peaks.terms(window.beside, query=True))
        for found in vote(hits, limit=LANDMARK_LINES):
            offset = found.offset * peaks.frame_seconds / self._fingerprinter.frame_seconds
            yield Candidate(found.track, round(offset / hop) * hop, found.votes)

    def _copies(self, drawn: QueryMap | None, found: Supported, ranked: Sequence[Supported]) -> frozenset[int]:
        """Return the tracks that hold the same sound under the clip, by their peaks."""
        own, placing = self._references(found.line.track)[0].points, found.placing
        if drawn is None or own is None or placing is None or found.likelihood < LIKELY:
            return frozenset()
        return frozenset(
            other.line.track
            for other in ranked
            if other is not found
            and other.placing is not None
            and other.likelihood > ALIKE * found.likelihood
            and (points := self._references(other.line.track)[0].points) is not None
            and drawn.is_same_sound((own, placing.start), (points, other.placing.start))
        )

    def _alignment(self, drawn: QueryMap | None, found: Supported) -> Alignment | None:
        points = self._references(found.line.track)[0].points
        return drawn.measured(points, found.placing) if drawn and points and found.placing else None

    def _compared(self, fingerprint: Fingerprint) -> Reference:
        segments = Segments(fingerprint.frames, self._fingerprinter.vectors(fingerprint))
        peaks, beside = self._fingerprinter.peaks, fingerprint.beside
        return Reference(segments, Points(*peaks.points(beside)) if peaks and beside else None)

    def _drawn(self, clip: Reference, warps: Sequence[Warp]) -> QueryMap | None:
        peaks = self._fingerprinter.peaks
        if peaks is None or clip.points is None or len(clip.points.frames) < peaks.fewest_features:
            return None
        return QueryMap(clip.points, bins=peaks.bins, hypotheses=warps)

    def _supported(self, drawn: QueryMap | None, lines: Sequence[Line]) -> list[Supported]:
        """Return the lines with their checks, best first."""
        if drawn is None or self._fingerprinter.peaks is None:
            return [Supported(line) for line in lines]
        found, places = [], {}
        for line in lines[:CHECKED_LINES]:
            points = self._references(line.track)[0].points
            if points is None:
                found.append(Supported(line))
            else:
                places[line] = Place(points, self._at_begin(line) / self._fingerprinter.peaks.frame_seconds, line.speed)
        for line, placing in zip(places, checked(drawn, list(places.values())), strict=True):
            found.append(Supported(line, placing))
        found.sort(key=lambda one: (-one.support, one.line.track))
        for rank, one in enumerate(found[:WEIGHED_LINES]):
            if one.placing:
                found[rank] = replace(one, likelihood=drawn.likelihood(places[one.line].reference, one.placing))
        return found

    def _at_begin(self, line: Line) -> float:
        """Return the second of the track at which the clip begins."""
        # Segments are matched by their middles; at another speed their beginnings are off the line of time.
        frames = line.offset + (1 - line.speed) * self._fingerprinter.segment_frames / 2
        return frames * self._fingerprinter.frame_seconds

    def _stretch(
        self, query: QueryLines, line: Line, alignment: Alignment | None, evidence: LineEvidence, first: int
    ) -> Stretch:
        """Return a line as seconds of the clip and of the track."""
        seconds, peaks = evidence.seconds, self._fingerprinter.peaks
        frame, length = self._fingerprinter.frame_seconds, self._fingerprinter.segment_frames
        speed = pitch = line.speed
        at_begin, jitter = self._at_begin(line), query.hop * frame / np.sqrt(12 * len(line.rows))
        start, end = query.segments.frames[line.rows][[0, -1]] * frame + (0, length * frame)
        if alignment and peaks and alignment.placing.z >= CERTAIN_Z:
            speed, pitch = alignment.placing.warp.speed, alignment.placing.warp.pitch
            at_begin = alignment.placing.start * peaks.frame_seconds + (1 - speed) * peaks.lead_seconds
            start, end = alignment.first * peaks.frame_seconds, alignment.last * peaks.frame_seconds
            end, jitter = end + 2 * peaks.lead_seconds, alignment.jitter * peaks.frame_seconds
        start, end = extent(
            float(start),
            float(end),
            seconds=seconds,
            at_begin=at_begin,
            speed=speed,
            length=self._references(line.track)[1],
        )
        begin = first * frame
        return Stretch(
            track=line.track,
            log_odds=(CHECKED if alignment else ALONE).log_odds(evidence),
            query_start=begin + start,
            query_end=begin + end,
            reference_start=at_begin + speed * start,
            reference_end=at_begin + speed * end,
            speed=speed,
            pitch=pitch,
            jitter=float(jitter),
            evidence=asdict(evidence),
        )
