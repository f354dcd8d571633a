"""Matching by vectors: nearest neighbours, lines of time, their check by peaks, confidence."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice

import numpy as np

from earmark.catalog.identifying import References, extent
from earmark.fingerprints.protocol import Segmented
from earmark.index.protocol import Search
from earmark.match.align import Alignment, Placing, Points, QueryMap, Warp
from earmark.match.checking import DECISIVE, Place, checked
from earmark.match.confidence import logarithm_of_odds
from earmark.match.line_confidence import ALONE, CHECKED, LineEvidence, Rivals, line_evidence
from earmark.match.lines import USUAL_SPEEDS, WIDE_SPEEDS, Line, QueryLines, Segments, best_lines
from earmark.match.search import USUAL_WARPS, WIDE_WARPS
from earmark.match.sweep import Sweep
from earmark.match.timeline import Stretch
from earmark.match.vote import Candidate, vote
from earmark.types import Fingerprint, Keys

CACHE_VECTORS = 300_000  # of references unpacked, 0.56 kB each with the peaks beside: 42 hours of audio
MOST_ASKED = 24  # segments of a window that are looked up: of 5 s each second one, a quarter of a second apart
NEAREST = 100  # neighbours of each segment; more than 40 name few more lines, but more tracks to sweep
LANDMARK_LINES = 60  # candidates of the landmarks, in an index that holds them
SWEPT = 150_000_000  # products and sums: in 32 h all tracks that a clip of 1 or 2 s names, or 250 of one of 5 s
SWEPT_FOR_REPETITIONS = SWEPT // 8  # for which even what is clear pays: some ten milliseconds
MOST_SWEPT = 300  # tracks: those that are not in the cache are read from the disk
SWEPT_PLACES = 40  # the best places of a sweep, one a track, that are looked at closely: twice what decision 7 asks for
SHORT_FRAMES = 192  # of peaks, 3 s: a shorter clip is laid on all peaks, a longer one on the third that stands out most
REPETITIONS = 16  # places of the first track that are looked at closely (decision 7)
APART_FRAMES = 8  # of peaks: a place of landmarks or of a sweep that is so near to a line is the same
Z_WEIGHT = 0.08  # of a standard deviation of peaks, in cosines; 0.06 to 0.1 rank equally well
CONTRAST_WEIGHT = 0.015  # of a standard deviation of contrast, in cosines; 0.01 to 0.03 rank equally well
PLAIN_Z = 6.0  # below it no copy is looked for
MOST_COPIES = 10  # tracks that are looked at for being copies, those with the largest z
ALIKE = 0.5  # of two z; further apart, two tracks are not looked at for being copies
BEHIND_A_COPY = 1e-6  # log odds: enough to keep an order
BEHIND = 0.7  # of the first one's z: what every other track is behind if the first is clear
PLACED_Z = 3.0  # beyond which peaks tell place and speed better than vectors: to 50 ms twice as often
CERTAIN_Z = 7.0  # beyond which they tell the ends too


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A track as it is compared."""

    segments: Segments
    points: Points | None
    prominent: Points | None  # those of the points that stand out most, which noise hides last


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """A line, and the frame of the track's peaks at which the clip should begin."""

    line: Line
    start: float


@dataclass(frozen=True, slots=True, eq=False)
class Supported:
    """A line, and how well the peaks lie on it: not at all where there are none."""

    line: Line
    placing: Placing | None = None
    contrast: float = 0.0  # of the peaks, in standard deviations

    @property
    def z(self) -> float:
        """By how many standard deviations the clip speaks for the track's peaks more than by chance."""
        return self.placing.z if self.placing else 0.0

    @property
    def support(self) -> float:
        """What candidates are ranked by, in cosines."""
        return self.line.score + Z_WEIGHT * max(self.z, 0.0) + CONTRAST_WEIGHT * max(self.contrast, 0.0)


class VectorMatcher:
    """Finds what a window of a clip comes from by the vectors of its segments."""

    def __init__(self, fingerprinter: Segmented, reference: Callable[[int], Fingerprint]) -> None:
        self._fingerprinter = fingerprinter
        self._references = References(self._compared, reference, most_features=CACHE_VECTORS)
        self.default_threshold = (CHECKED if fingerprinter.peaks else ALONE).threshold

    def forget(self, track: int) -> None:
        """Read a track's fingerprint anew when it is needed again."""
        self._references.forget(track)

    def stretches(
        self, index: Search, window: Fingerprint, first: int, *, limit: int, speed: bool
    ) -> Iterator[Stretch]:
        """Yield how a window, which begins at frame `first` of the clip, lies on up to `limit` tracks."""
        if not len(window.frames):
            return
        frames, vectors = self._fingerprinter.terms(window, query=True)
        every = -(-len(frames) // MOST_ASKED)
        hits = index.search("vectors", Keys(frames[::every], vectors[::every]), nearest=NEAREST)
        if not len(hits):
            return
        query = QueryLines(
            Segments(window.frames, self._fingerprinter.vectors(window)),
            hits,
            hop_frames=self._fingerprinter.query_hop_frames,
            stored_hop_frames=self._fingerprinter.hop_frames,
        )
        drawn = self._drawn(window, WIDE_WARPS if speed else USUAL_WARPS)
        ranked = self._ranked(query, drawn, index, window, WIDE_SPEEDS if speed else USUAL_SPEEDS)
        told = list[Stretch]()
        for found in ranked[:limit]:
            copies = self._copies(drawn, found, ranked)
            others = [other for other in ranked if other is not found and other.line.track not in copies]
            alignment = self._alignment(drawn, found)
            evidence = line_evidence(
                query,
                found.line,
                alignment,
                contrast=found.contrast,
                rivals=Rivals(
                    similarity=max((other.line.score for other in others), default=query.nearness),
                    z=max((other.z for other in others), default=0.0),
                    contrast=max((other.contrast for other in others), default=0.0),
                ),
                copies=copies,
                seconds=window.seconds,
            )
            stretch = self._stretch(query, found.line, alignment, evidence, first)
            told.append(_behind(stretch, [one for one in told if one.track in copies]))
            yield told[-1]

    def _ranked(
        self, query: QueryLines, drawn: QueryMap | None, index: Search, window: Fingerprint, speeds: tuple[float, ...]
    ) -> list[Supported]:
        """Return the best line of each track that is worth a look, best first.

        Vectors name lines first; until peaks say that one of them is clearly right, landmarks name more, and then the
        best tracks are looked at from end to end. So is the first one in any case, for the place among its repetitions.
        """
        lines = best_lines(query, query.candidates(), self._segments, speeds=speeds)
        proposed = [Proposed(line, self._at_begin(line) / self._peak_seconds) for line, _ in lines]
        ranked = self._supported(drawn, proposed)
        if drawn is None:
            return ranked
        if not self._is_clear(drawn, ranked):
            named = self._named_by_landmarks(index, window)
            proposed, ranked = self._with(named, query, drawn, proposed, ranked)
            if not self._is_clear(drawn, ranked):
                tracks = dict.fromkeys(chain((found.line.track for found in ranked), query.tracks()))
                proposed, ranked = self._with(self._swept(drawn, tracks, ranked), query, drawn, proposed, ranked)
        if ranked:
            ranked[0] = self._best_repetition(query, drawn, proposed, ranked[0])
        return ranked

    def _is_clear(self, drawn: QueryMap, ranked: Sequence[Supported]) -> bool:
        """Whether peaks leave no doubt about the first: they speak for none but its copies by nearly as much."""
        best = ranked[0].z if ranked else 0.0
        near = {other.line.track for other in ranked[1:] if other.z >= BEHIND * best}
        return best >= DECISIVE and (not near or near <= self._copies(drawn, ranked[0], ranked))

    def _with(
        self, places: Iterable[tuple[int, float]], query: QueryLines, drawn: QueryMap, proposed: list[Proposed],
        ranked: list[Supported],
    ) -> tuple[list[Proposed], list[Supported]]:  # fmt: skip
        """Return what is proposed and how it ranks with the lines at some more places, (track, frame of its peaks)."""
        added = self._proposed_at(query, places, proposed)
        return [*proposed, *added], best_of_each([*ranked, *self._supported(drawn, added)])

    def _named_by_landmarks(self, index: Search, window: Fingerprint) -> list[tuple[int, float]]:
        """Return the places, (track, frame of its peaks), that landmarks vote for, in an index that holds them."""
        peaks = self._fingerprinter.peaks
        if "landmarks" not in index.channels or peaks is None or window.beside is None:
            return []
        named = vote(index.search("landmarks", Keys(*peaks.terms(window.beside, query=True))), limit=LANDMARK_LINES)
        return [(one.track, float(one.offset)) for one in named]

    def _proposed_at(
        self, query: QueryLines, places: Iterable[tuple[int, float]], found: Iterable[Proposed]
    ) -> list[Proposed]:
        """Return the lines at places, (track, frame of its peaks), where none was found yet."""
        hop, known = self._fingerprinter.query_hop_frames, defaultdict[int, list[float]](list)
        for one in found:
            known[one.line.track].append(one.start)
        candidates: dict[Candidate, float] = {}
        for track, place in places:
            if all(abs(start - place) >= APART_FRAMES for start in known[track]):
                frames = place * self._peak_seconds / self._fingerprinter.frame_seconds
                candidates.setdefault(Candidate(track, round(frames / hop) * hop, 0.0), place)
        lines = best_lines(query, candidates, self._segments, speeds=(1.0,))
        return [Proposed(line, candidates[candidate]) for line, candidate in lines]

    def _swept(self, drawn: QueryMap, tracks: Iterable[int], ranked: Sequence[Supported]) -> list[tuple[int, float]]:
        """Return the best places, (track, frame of its peaks), of tracks looked at from end to end, the best first.

        Until one is beyond doubt, or enough is done.
        """
        sweep, left, found = Sweep(drawn), SWEPT, list[tuple[float, int, float]]()
        beyond_doubt = max(DECISIVE, ranked[0].z if ranked else 0.0)
        for track in islice(tracks, MOST_SWEPT):
            if left < SWEPT // 100:  # less than a usual track takes
                break
            reference = self._references(track)[0]
            points = reference.points if drawn.frames < SHORT_FRAMES else reference.prominent
            if points is None or sweep.cost(points) > left:
                continue
            left -= sweep.cost(points)
            found += [(place.z, track, place.start) for place in sweep.best_places(points)]
            if found and found[-1][0] > beyond_doubt:
                break
        return [(track, start) for _, track, start in heapq.nlargest(SWEPT_PLACES, found)]

    def _best_repetition(
        self, query: QueryLines, drawn: QueryMap, proposed: Iterable[Proposed], first: Supported
    ) -> Supported:
        """Return the first line, or a better one of its track: music repeats itself, and a repetition may be named."""
        sweep, track = Sweep(drawn), first.line.track
        points, places = self._references(track)[0].points, list[tuple[int, float]]()
        if points is not None and sweep.cost(points) <= SWEPT_FOR_REPETITIONS:
            places = [(track, place.start) for place in sweep.best_places(points, limit=REPETITIONS)]
        own = [one for one in proposed if one.line.track == track]
        lines = self._checked(drawn, [*own, *self._proposed_at(query, places, own)])
        return max([first, *lines], key=lambda one: one.support)

    def _segments(self, track: int) -> Segments:
        return self._references(track)[0].segments

    @property
    def _peak_seconds(self) -> float:
        maker = self._fingerprinter
        return maker.peaks.frame_seconds if maker.peaks else maker.frame_seconds

    def _copies(self, drawn: QueryMap | None, found: Supported, ranked: Sequence[Supported]) -> frozenset[int]:
        """Return the tracks that hold the same sound under the clip, by their peaks."""
        own, placing = self._references(found.line.track)[0].points, found.placing
        if drawn is None or own is None or placing is None or found.z < PLAIN_Z:
            return frozenset()
        alike = sorted((other for other in ranked if other.z > ALIKE * found.z), key=lambda other: -other.z)
        return frozenset(
            other.line.track
            for other in alike[:MOST_COPIES]
            if other is not found
            and other.placing is not None
            and (points := self._references(other.line.track)[0].points) is not None
            and drawn.is_same_sound((own, placing.start), (points, other.placing.start))
        )

    def _alignment(self, drawn: QueryMap | None, found: Supported) -> Alignment | None:
        points = self._references(found.line.track)[0].points
        return drawn.measured(points, found.placing) if drawn and points and found.placing else None

    def _compared(self, fingerprint: Fingerprint) -> Reference:
        segments = Segments(fingerprint.frames, fingerprint.features.astype(np.int8, copy=False))
        peaks, beside = self._fingerprinter.peaks, fingerprint.beside
        if not peaks or not beside:
            return Reference(segments, None, None)
        return Reference(segments, Points(*peaks.points(beside)), Points(*peaks.points(beside, prominent=True)))

    def _drawn(self, window: Fingerprint, warps: Sequence[Warp]) -> QueryMap | None:
        peaks, beside = self._fingerprinter.peaks, window.beside
        if peaks is None or beside is None or len(beside.frames) < peaks.fewest_features:
            return None
        return QueryMap(Points(*peaks.points(beside)), bins=peaks.bins, hypotheses=warps, relief=peaks.relief(beside))

    def _supported(self, drawn: QueryMap | None, proposed: Sequence[Proposed]) -> list[Supported]:
        """Return the best line of each track with its check, best first."""
        return best_of_each(self._checked(drawn, proposed))

    def _checked(self, drawn: QueryMap | None, proposed: Iterable[Proposed]) -> list[Supported]:
        """Return all lines with their checks."""
        if drawn is None:
            return [Supported(one.line) for one in proposed]
        found, places, lines = [], [], []
        for one in proposed:
            points = self._references(one.line.track)[0].points
            if points is None:
                found.append(Supported(one.line))
            else:
                places.append(Place(points, one.start, one.line.speed))
                lines.append(one.line)
        placings = checked(drawn, places)
        contrasts = drawn.contrasts([place.reference for place in places], placings)
        return found + [
            Supported(line, placing, contrast)
            for line, placing, contrast in zip(lines, placings, contrasts, strict=True)
        ]

    def _at_begin(self, line: Line) -> float:
        """Return the second of the track at which the clip begins."""
        # Segments are matched by their middles; at another speed their beginnings are off the line of time.
        frames = line.offset + (1 - line.speed) * self._fingerprinter.segment_frames / 2
        return frames * self._fingerprinter.frame_seconds

    def _log_odds(self, evidence: LineEvidence, is_checked: bool) -> float:
        """Return what a match's confidence is made of; what peaks could not check has to be surer by as much."""
        if is_checked:
            return CHECKED.log_odds(evidence)
        wanted, needed = (logarithm_of_odds(model.threshold) for model in (ALONE, CHECKED))
        return ALONE.log_odds(evidence) - (wanted - needed if self._fingerprinter.peaks else 0.0)

    def _stretch(
        self, query: QueryLines, line: Line, alignment: Alignment | None, evidence: LineEvidence, first: int
    ) -> Stretch:
        """Return a line as seconds of the clip and of the track."""
        seconds, peaks = evidence.seconds, self._fingerprinter.peaks
        frame, length = self._fingerprinter.frame_seconds, self._fingerprinter.segment_frames
        speed = pitch = line.speed
        at_begin, jitter = self._at_begin(line), query.hop * frame / np.sqrt(12 * len(line.rows))
        start, end = query.segments.frames[line.rows][[0, -1]] * frame + (0, length * frame)
        if alignment and peaks and alignment.placing.z >= PLACED_Z:
            speed, pitch = alignment.placing.warp.speed, alignment.placing.warp.pitch
            at_begin = alignment.placing.start * peaks.frame_seconds + (1 - speed) * peaks.lead_seconds
            jitter = alignment.jitter * peaks.frame_seconds
            if alignment.placing.z >= CERTAIN_Z:
                start, end = alignment.first * peaks.frame_seconds, alignment.last * peaks.frame_seconds
                end += 2 * peaks.lead_seconds
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
            log_odds=self._log_odds(evidence, alignment is not None),
            query_start=begin + start,
            query_end=begin + end,
            reference_start=at_begin + speed * start,
            reference_end=at_begin + speed * end,
            speed=speed,
            pitch=pitch,
            jitter=float(jitter),
            evidence=asdict(evidence),
        )


def _behind(stretch: Stretch, better: Sequence[Stretch]) -> Stretch:
    """Return a stretch less sure, by next to nothing, than its copies that rank before it.

    What copies have in common is all that their odds tell: none is a rival of the others.
    """
    return replace(stretch, log_odds=min([stretch.log_odds, *(one.log_odds - BEHIND_A_COPY for one in better)]))


def best_of_each(found: Sequence[Supported]) -> list[Supported]:
    """Return the best line of each track, best first."""
    best: dict[int, Supported] = {}
    for one in sorted(found, key=lambda one: (-one.support, one.line.track)):
        best.setdefault(one.line.track, one)
    return list(best.values())
