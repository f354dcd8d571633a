"""Search by vectors: from the nearest neighbours of a clip's segments to lines of time, and how well they hold.

Coarse: neighbours vote for a track and a line, which is the frame of the track at which the clip begins (NAFP, section
3.3). Fine: along a candidate's line each stored segment is compared with the clip's segment that lies on it, at several
speeds. A line lies in one track, so no candidate reaches across the border of two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from earmark.match.vote import Candidate
from earmark.types import VECTOR_SCALE, Frames, Hits

Vectors = NDArray[np.float32]

CANDIDATES = 48  # lines of the coarse search that are looked at closely
MOST_CANDIDATES = 96  # of a short clip, which is less sure, and has fewer segments to compare
COMPARED = 1_500  # lines times segments of the clip, as long as these bounds are kept
A_TRACK = 3  # of them, so that a loop does not crowd out other recordings
AT_ALL_SPEEDS = 16  # of them, the best at the first speed
BIN_HOPS = 2  # of a query, within which two neighbours are on one line; the next bin on either side counts too
SHIFT_HOPS = 3  # of a query, by which a line is moved to either side to find its best place
USUAL_SPEEDS = (1.0, 0.98, 1.02, 0.96, 1.04)  # a segment bears half of a step over some ten seconds
WIDE_SPEEDS = (*USUAL_SPEEDS, 0.94, 1.06, 0.92, 1.08, 0.9, 1.1)
SPEED_COST = 0.02  # of mean similarity: about what the best of so many speeds gains by chance
ON_LINE_HOPS = 2.5  # of a query: so near to a line a neighbour is on it
EVEN_CHANCE = 1e-3  # of votes: what a neighbour that is the last of those found still counts


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The vectors of a clip or of a track, in order of time."""

    frames: Frames  # (n,) where each begins
    vectors: Vectors | NDArray[np.int8]  # (n, d), of length 1; those of a track may be 8-bit integers, 254 to one


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """How a clip lies on a track."""

    track: int
    offset: float  # the frame of the track at which a segment lies that would begin with the clip
    speed: float  # of the clip over the track's: frame q of the clip is frame offset + speed * q
    rows: NDArray[np.int64]  # (n,) which segments of the clip were compared
    similarities: NDArray[np.float32]  # (n,) to the stored segments on the line
    score: float  # what lines are ranked by: their mean over the whole clip, less what another speed costs


class QueryLines:
    """A clip's segments, and their nearest neighbours in an index."""

    def __init__(self, segments: Segments, hits: Hits, *, hop_frames: int, stored_hop_frames: int) -> None:
        """Take segments `hop_frames` apart, and the hits of an index whose segments are `stored_hop_frames` apart.

        Hits of every second segment, or fewer, do as well: the others are compared along the lines alone.
        """
        self.segments, self.hop, self.stored_hop = segments, hop_frames, stored_hop_frames
        self.first, self.last = int(segments.frames[0]), int(segments.frames[-1])
        self.middle = (self.first + self.last) / 2
        self._row_at = np.full((self.last - self.first) // hop_frames + 1, -1)
        self._row_at[(segments.frames - self.first) // hop_frames] = np.arange(len(segments.frames))
        self._hits = hits

    @cached_property
    def _hit_rows(self) -> NDArray[np.int64]:
        """Which segment of the clip each hit is of."""
        return self.rows_at(self._hits.query_frames.astype(np.float64))

    def rows_at(self, frames: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return which segment begins nearest to each frame of the clip, -1 where there is none."""
        places = np.rint((frames - self.first) / self.hop).astype(np.int64)
        inside = (places >= 0) & (places < len(self._row_at))
        return np.where(inside, self._row_at[np.clip(places, 0, len(self._row_at) - 1)], -1)

    @cached_property
    def nearness(self) -> float:
        """The mean of the segments' last neighbours' scores: how much the clip is like anything."""
        return float(self._floors.mean())

    @cached_property
    def _floors(self) -> NDArray[np.float32]:
        """The score of each segment's last neighbour: what any track reaches."""
        floors = np.full(len(self.segments.frames), np.inf, np.float32)
        np.minimum.at(floors, self._hit_rows, self._hits.scores)
        return np.where(self._asked, floors, floors[self._asked].mean() if self._asked.any() else 0)

    @cached_property
    def _asked(self) -> NDArray[np.bool_]:
        """Which segments have hits."""
        asked = np.zeros(len(self.segments.frames), bool)
        asked[self._hit_rows] = True
        return asked

    @cached_property
    def _votes(self) -> NDArray[np.float32]:
        """What each neighbour counts: by how much it is nearer than the last one found."""
        votes: NDArray[np.float32] = np.maximum(self._hits.scores - self._floors[self._hit_rows], 0) + EVEN_CHANCE
        return votes

    def tracks(self) -> list[int]:
        """Return the neighbours' tracks, most votes first, wherever in them the neighbours are."""
        found, where = np.unique(self._hits.tracks, return_inverse=True)
        votes = np.bincount(where, weights=self._votes)
        order: list[int] = found[np.argsort(-votes, kind="stable")].tolist()
        return order

    def candidates(self) -> Iterator[Candidate]:
        """Yield the lines with most votes."""
        hits, votes = self._hits, self._votes
        lines = hits.reference_frames.astype(np.int64) - hits.query_frames
        width = BIN_HOPS * self.hop
        bins = (hits.tracks.astype(np.int64) << 32) + (lines + (1 << 31)) // width
        found, where = np.unique(bins, return_inverse=True)
        own = np.bincount(where, weights=votes)
        summed, beside = own.copy(), np.flatnonzero(np.diff(found) == 1)
        summed[beside] += own[beside + 1]
        summed[beside + 1] += own[beside]
        most = min(max(COMPARED // len(self.segments.frames), CANDIDATES), MOST_CANDIDATES)
        taken: Counter[int] = Counter()
        for place in np.argsort(-summed, kind="stable").tolist():
            track = int(found[place] >> 32)
            if taken[track] < A_TRACK:
                taken[track] += 1
                offset = int(found[place] & 0xFFFFFFFF) * width - (1 << 31) + width // 2
                yield Candidate(track, offset, float(summed[place]))
                if taken.total() == most:
                    return

    def fitted(
        self, candidates: Sequence[Candidate], reference: Callable[[int], Segments], speeds: tuple[float, ...]
    ) -> list[tuple[Line, Candidate]]:
        """Return the best line near each candidate; one on whose line no stored segment lies is left out."""
        near = [self._near(reference(candidate.track), candidate.offset) for candidate in candidates]
        lengths = np.array([len(part.frames) for part in near])
        filled = np.flatnonzero(lengths).tolist()
        if not filled:
            return []
        firsts = (np.cumsum(lengths) - lengths)[filled]
        frames = np.concatenate([part.frames for part in near])
        offsets = np.repeat([float(candidate.offset) for candidate in candidates], lengths)
        # In products so small that the linear algebra library starts no threads for them (index/flat.py says why).
        products = np.concatenate([self.segments.vectors @ part.vectors.T for part in near], axis=1)
        shifts = np.arange(-SHIFT_HOPS, SHIFT_HOPS + 1) * self.hop
        moves, factors = np.tile(shifts, len(speeds))[:, None], np.repeat(speeds, len(shifts))[:, None]
        rows = self.rows_at((frames - offsets - moves - self.middle) / factors + self.middle)  # (lines, segments)
        known = rows >= 0
        similarities = np.where(known, products[rows, np.arange(len(frames))], 0)
        # What lies beside the track is like nothing, or a line would win by touching one good segment.
        # So many stored segments every line has; were it their mean, a line with one more would be moved to get it.
        expected = max(len(self.segments.frames) * self.hop // self.stored_hop, 1)
        counts = np.add.reduceat(known, firsts, axis=1, dtype=np.int64)
        means = np.add.reduceat(similarities, firsts, axis=1) / np.maximum(counts, expected)
        means -= np.where(factors == 1, 0, SPEED_COST)
        found = []
        for place, (number, best) in enumerate(zip(filled, means.argmax(axis=0).tolist(), strict=True)):
            if not counts[best, place]:
                continue
            part = slice(firsts[place], firsts[place] + lengths[number])
            here, factor = known[best, part], float(factors[best, 0])
            between = self._between(means[:, place].reshape(len(speeds), -1), best)
            begin = candidates[number].offset + moves[best, 0] + self.middle * (1 - factor) + between * self.hop
            line = Line(
                track=candidates[number].track,
                offset=float(begin),
                speed=factor,
                rows=rows[best, part][here],
                similarities=similarities[best, part][here].astype(np.float32),
                score=float(means[best, place]),
            )
            found.append((line, candidates[number]))
        return found

    def _near(self, track: Segments, offset: float) -> Segments:
        """Return a track's segments on and near a line, as vectors of length 1."""
        slack = (SHIFT_HOPS + BIN_HOPS) * self.hop + round(0.1 * (self.last - self.first))
        begin, end = np.searchsorted(track.frames, [offset + self.first - slack, offset + self.last + slack])
        vectors = track.vectors[begin:end]
        if vectors.dtype == np.int8:
            vectors = vectors.astype(np.float32) / np.float32(VECTOR_SCALE)
        return Segments(track.frames[begin:end], vectors)

    def share_on(self, line: Line, *, copies: Collection[int] = ()) -> float:
        """Return the share of the clip's segments whose nearest neighbour, `copies` left out, lies on a line."""
        nearest = self._nearest(copies)
        return float(self._on(line)[nearest].mean()) if len(nearest) else 0.0

    def beyond_others(self, line: Line, *, copies: Collection[int] = ()) -> NDArray[np.float32]:
        """Return by how much each similarity along a line exceeds that of the best neighbour off its track, (n,).

        Only of segments that have neighbours, if any has. `copies` are tracks that hold the same sound: what is theirs
        does not count.
        """
        best = self._floors.copy()
        other = ~np.isin(self._hits.tracks, [line.track, *copies])
        np.maximum.at(best, self._hit_rows[other], self._hits.scores[other])
        beyond: NDArray[np.float32] = line.similarities - best[line.rows]
        asked = self._asked[line.rows]
        return beyond[asked] if asked.any() else beyond

    def _nearest(self, copies: Collection[int]) -> NDArray[np.int64]:
        """Which hit is the nearest neighbour, outside of some tracks, of each segment that has one."""
        order = np.lexsort((-self._hits.scores, self._hit_rows))
        order = order[~np.isin(self._hits.tracks[order], list(copies))]
        _, first = np.unique(self._hit_rows[order], return_index=True)
        nearest: NDArray[np.int64] = order[first]
        return nearest

    def _on(self, line: Line) -> NDArray[np.bool_]:
        there = line.offset + line.speed * self._hits.query_frames
        near = np.abs(self._hits.reference_frames - there) <= ON_LINE_HOPS * self.hop
        return np.asarray(near & (self._hits.tracks == line.track))

    @staticmethod
    def _between(means: NDArray[np.float64], best: int) -> float:
        """Return where between the shifts the best line lies, by a parabola through it and its neighbours."""
        speed, shift = divmod(best, means.shape[1])
        if not 0 < shift < means.shape[1] - 1:
            return 0.0
        before, here, after = means[speed, shift - 1 : shift + 2]
        curve = before - 2 * here + after
        return float(np.clip((before - after) / (2 * curve), -0.5, 0.5)) if np.isfinite(curve) and curve < 0 else 0.0


def best_lines(
    query: QueryLines,
    candidates: Iterable[Candidate],
    reference: Callable[[int], Segments],
    *,
    speeds: tuple[float, ...] = USUAL_SPEEDS,
) -> list[tuple[Line, Candidate]]:
    """Return the best line near each candidate, best first, each line once; `reference` gives a track's segments.

    The first of them are tried at all speeds.
    """
    found = sorted(query.fitted(list(candidates), reference, speeds[:1]), key=_rank)
    if len(speeds) > 1:
        closely = [candidate for _, candidate in found[:AT_ALL_SPEEDS]]
        found[:AT_ALL_SPEEDS] = query.fitted(closely, reference, speeds)
    best: dict[tuple[int, int], tuple[Line, Candidate]] = {}
    for line, candidate in sorted(found, key=_rank):
        best.setdefault((line.track, round(line.offset / query.hop)), (line, candidate))
    return list(best.values())


def _rank(pair: tuple[Line, Candidate]) -> tuple[float, int]:
    line, _ = pair
    return -line.score, line.track
