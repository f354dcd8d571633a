"""Vectors of a clip's segments laid on a recording's: along a diagonal, each stored segment is compared with the clip's
segment that lies on it, at several speeds (NAFP, section 3.3). A diagonal lies in one track, so none crosses a border.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.match.compare.neighbours import Neighbours
from earmark.match.protocol import Alignment, Candidate, Others, Placement, Scores, Similarities
from earmark.types import VECTOR_SCALE, Hits, Layer

AT_ALL_SPEEDS = 16  # candidates that are tried at all speeds, the best ones at the first speed
SHIFT_HOPS = 3  # query hops to either side by which a diagonal is moved to find its best place
NEAR_HOPS = 2  # query hops beyond those, in which stored segments are read too
USUAL_SPEEDS = (1.0, 0.98, 1.02, 0.96, 1.04)  # half a step still matches over about ten seconds
WIDE_SPEEDS = (*USUAL_SPEEDS, 0.94, 1.06, 0.92, 1.08, 0.9, 1.1)
UNRELATED, DEVIATION = 0.15, 0.15  # mean and standard deviation of the similarity of sounds without relation
MOST_ALIKE = 0.4  # that is taken for the mean: of static music all places agree, the right one too
FEWEST_BESIDE = 20  # pairs of segments off the line that tell the mean of this window
CORRELATION = 2.0  # variance of a sum of similarities over that of independent ones: segments overlap by half
SPEED_COST = 0.02  # mean similarity that the best of so many speeds gains by chance


@dataclass(frozen=True, slots=True)
class VectorSettings:
    """How vectors are compared."""

    segment_seconds: float  # sound that one vector stands for
    stored_hop_seconds: float  # from one stored segment to the next
    query_hop_seconds: float  # from one segment of a query to the next


@dataclass(frozen=True, slots=True, eq=False)
class Diagonal:
    """How a clip lies on a track."""

    track: int
    offset: float  # frame of the track at which a segment lies that would begin with the clip
    speed: float  # frame q of the clip is frame offset + speed * q of the track
    rows: NDArray[np.int64]  # (n,) segments of the clip that were compared
    similarities: NDArray[np.float32]  # (n,) cosines with the stored segments on the diagonal
    score: float  # mean cosine over the whole clip, less the cost of another speed


class VectorComparison:
    """The vectors of one window; implements `Sequential`."""

    def __init__(
        self,
        layer: Layer,
        figures: Sequence[str],
        *,
        settings: VectorSettings,
        wide: bool,
        hits: Callable[[], Hits] | None = None,
    ) -> None:
        """`hits` returns the nearest neighbours of all or some segments; `wide` also tries larger changes of speed."""
        self._settings, self._frame, self._figures = settings, layer.frame_seconds, frozenset(figures)
        self._speeds = WIDE_SPEEDS if wide else USUAL_SPEEDS
        self._hop = round(settings.query_hop_seconds / self._frame)
        self._stored_hop = round(settings.stored_hop_seconds / self._frame)
        self._segment = round(settings.segment_seconds / self._frame)
        self._frames, self._vectors = layer.frames, layer.values.astype(np.float32) / np.float32(VECTOR_SCALE)
        self._first, self._last = int(layer.frames[0]), int(layer.frames[-1])
        self._middle = (self._first + self._last) / 2
        self._row_at = np.full((self._last - self._first) // self._hop + 1, -1)
        self._row_at[(layer.frames - self._first) // self._hop] = np.arange(len(layer.frames))
        self._hits = hits

    def near(
        self, references: Sequence[Layer], candidates: Sequence[Candidate], *, own: bool
    ) -> list[Placement | None]:
        """Return the best diagonal near each candidate; None where no segment lies, and where it is another's already.

        The best of the channel's own candidates are tried at all speeds, and say where the window begins; others, whose
        place is known better than vectors tell, are compared at the clip's own speed.
        """
        grid = 1 if own else self._hop
        guesses = [
            _Guess(one.track, round(one.start / self._frame / grid) * grid, layer)
            for one, layer in zip(candidates, references, strict=True)
        ]
        once = {(guess.track, guess.offset): number for number, guess in reversed(list(enumerate(guesses)))}
        found = self._fitted(guesses, sorted(once.values()), self._speeds[:1])
        ranks = sorted(found, key=lambda number: (-found[number].score, found[number].track))
        if own and len(self._speeds) > 1:
            found |= self._fitted(guesses, ranks[:AT_ALL_SPEEDS], self._speeds)
            ranks.sort(key=lambda number: (-found[number].score, found[number].track))
        best: dict[tuple[int, int], int] = {}
        for number in ranks:
            best.setdefault((found[number].track, round(found[number].offset / self._hop)), number)
        kept = set(best.values())
        return [
            self._placement(found[number], candidate, own=own) if number in kept else None
            for number, candidate in enumerate(candidates)
        ]

    def fit(self, reference: Layer, placement: Placement, *, measuring: bool = True) -> Alignment:
        """Return the alignment at a placement, as far as segments tell it."""
        diagonal: Diagonal = placement.detail
        seconds = self._frames[diagonal.rows][[0, -1]] * self._frame
        return Alignment(
            start=self._start_of(diagonal),
            speed=diagonal.speed,
            pitch=diagonal.speed,
            position_error=float(self._hop * self._frame / np.sqrt(12 * len(diagonal.rows))),
            first=float(seconds[0]),
            last=float(seconds[1] + self._segment * self._frame),
            is_measured=diagonal.speed == 1,  # others are tried in steps of 2 %, and vectors do not tell the pitch
        )

    def evidence(self, candidate: Candidate, alignment: Alignment, others: Others) -> Mapping[str, float]:
        """Return the similarity; with hits, the largest of any other track and how the nearest neighbours agree too."""
        diagonal = next(one.detail for one in candidate.placements.values() if isinstance(one.detail, Diagonal))
        similarity = {"similarity": round(diagonal.score, 4)}
        if self._hits is None:
            return similarity
        near, duplicates = self._neighbours, others.duplicates
        on_track = diagonal.track, diagonal.offset, diagonal.speed
        figures = {
            **similarity,
            "rival": round(others.largest("similarity", default=near.background), 4),
            "margin": round(float(near.margin(diagonal.track, diagonal.rows, diagonal.similarities, duplicates)), 4),
            "share": round(near.share_on(*on_track, duplicates), 4),
        }
        return {name: figures[name] for name in figures if name in self._figures}

    def over_time(self, reference: Layer, alignment: Alignment) -> Scores:
        """Return how similar each of the reference's segments is, beyond those around it."""
        turned = alignment.start / self._frame - (1 - alignment.speed) * self._segment / 2
        edges = [
            turned + alignment.speed * (self._first - self._hop),
            turned + alignment.speed * (self._last + self._hop),
        ]
        part = slice(*np.searchsorted(reference.frames, edges))
        there = (reference.frames[part] - turned) / alignment.speed
        rows = self._rows_at(there)
        known = np.flatnonzero(rows >= 0)
        if not len(known):
            return Scores(np.zeros(0), np.zeros(0), CORRELATION)
        products = self._vectors @ (reference.values[part].astype(np.float32) / np.float32(VECTOR_SCALE)).T
        beside = np.abs(self._frames[:, None] - there[None]) > 2 * self._segment
        mean = min(float(products[beside].mean()), MOST_ALIKE) if beside.sum() >= FEWEST_BESIDE else UNRELATED
        values = (products[rows[known], known].astype(np.float64) - mean) / DEVIATION
        seconds = (self._frames[rows[known]] + self._segment / 2) * self._frame
        return Scores(seconds.astype(np.float64), values, CORRELATION)

    def similarities(self, reference: Layer) -> Similarities:
        """Return the cosines of the window's segments with the stored ones; nothing between stored segments."""
        columns = np.rint(reference.frames / self._hop).astype(np.int64)
        values = np.full((len(self._row_at), int(columns.max(initial=-1)) + 1), np.nan, np.float32)
        products = self._vectors @ (reference.values.astype(np.float32) / np.float32(VECTOR_SCALE)).T
        values[np.ix_(np.flatnonzero(self._row_at >= 0), columns)] = products
        middle = self._segment / 2 * self._frame
        return Similarities(values, self._hop * self._frame, middle + self._first * self._frame, middle)

    def same(self, one: tuple[Layer, Placement], other: tuple[Layer, Placement]) -> bool:
        """Return False: segments of a second cannot tell a duplicate from a repetition."""
        return False

    @cached_property
    def _neighbours(self) -> Neighbours:
        hits = self._hits() if self._hits is not None else None
        rows = None if hits is None else self._rows_at(hits.query_frames.astype(np.float64))
        return Neighbours(hits, rows, len(self._frames), self._hop)

    def _start_of(self, diagonal: Diagonal) -> float:
        """Return the second of the track at which the clip begins."""
        # Segments are matched by their middles; at another speed their beginnings are off the diagonal.
        return (diagonal.offset + (1 - diagonal.speed) * self._segment / 2) * self._frame

    def _placement(self, diagonal: Diagonal, candidate: Candidate, *, own: bool) -> Placement:
        start = self._start_of(diagonal) if own else candidate.start
        return Placement(start, diagonal.speed, {"similarity": diagonal.score}, diagonal)

    def _rows_at(self, frames: NDArray[Any]) -> NDArray[np.int64]:
        """Return which segment begins nearest to each frame of the clip, -1 where there is none."""
        places = np.rint((frames - self._first) / self._hop).astype(np.int64)
        inside = (places >= 0) & (places < len(self._row_at))
        return np.where(inside, self._row_at[np.clip(places, 0, len(self._row_at) - 1)], -1)

    def _fitted(
        self, guesses: Sequence[_Guess], which: Sequence[int], speeds: tuple[float, ...]
    ) -> dict[int, Diagonal]:
        """Return the best diagonal near some of the guesses; one without stored segments is left out."""
        near = [self._near(guesses[number]) for number in which]
        lengths = np.array([len(frames) for frames, _ in near])
        filled = np.flatnonzero(lengths).tolist()
        if not filled:
            return {}
        firsts = (np.cumsum(lengths) - lengths)[filled]
        frames = np.concatenate([frames for frames, _ in near])
        offsets = np.repeat([float(guesses[number].offset) for number in which], lengths)
        # In products so small that the linear algebra library starts no threads for them (index/flat.py says why).
        products = np.concatenate([self._vectors @ vectors.T for _, vectors in near], axis=1)
        shifts = np.arange(-SHIFT_HOPS, SHIFT_HOPS + 1) * self._hop
        moves, factors = np.tile(shifts, len(speeds))[:, None], np.repeat(speeds, len(shifts))[:, None]
        rows = self._rows_at((frames - offsets - moves - self._middle) / factors + self._middle)  # (tries, segments)
        known = rows >= 0
        similarities = np.where(known, products[rows, np.arange(len(frames))], 0)
        # Places outside the track count as zero, or a diagonal would win by touching one good segment.
        # So many stored segments every diagonal has; were it their mean, one with one more would be moved to get it.
        expected = max(len(self._frames) * self._hop // self._stored_hop, 1)
        counts = np.add.reduceat(known, firsts, axis=1, dtype=np.int64)
        means = np.add.reduceat(similarities, firsts, axis=1) / np.maximum(counts, expected)
        means -= np.where(factors == 1, 0, SPEED_COST)
        found = {}
        for place, (number, best) in enumerate(zip(filled, means.argmax(axis=0).tolist(), strict=True)):
            if not counts[best, place]:
                continue
            part, guess = slice(firsts[place], firsts[place] + lengths[number]), guesses[which[number]]
            here, factor = known[best, part], float(factors[best, 0])
            between = _between(means[:, place].reshape(len(speeds), -1), best)
            found[which[number]] = Diagonal(
                track=guess.track,
                offset=float(guess.offset + moves[best, 0] + self._middle * (1 - factor) + between * self._hop),
                speed=factor,
                rows=rows[best, part][here],
                similarities=similarities[best, part][here].astype(np.float32),
                score=float(means[best, place]),
            )
        return found

    def _near(self, guess: _Guess) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return (frames, vectors of length 1) of a track's segments on and near a diagonal."""
        slack = (SHIFT_HOPS + NEAR_HOPS) * self._hop + round(0.1 * (self._last - self._first))
        edges = [guess.offset + self._first - slack, guess.offset + self._last + slack]
        frames, vectors = guess.layer.within(*edges)
        return frames, vectors.astype(np.float32) / np.float32(VECTOR_SCALE)


@dataclass(frozen=True, slots=True, eq=False)
class _Guess:
    """A track's vectors and the frame of the track at which the clip should begin."""

    track: int
    offset: int
    layer: Layer = field(repr=False)


def _between(means: NDArray[np.float64], best: int) -> float:
    """Return where between the shifts the best diagonal lies, by a parabola through it and its neighbours."""
    speed, shift = divmod(best, means.shape[1])
    if not 0 < shift < means.shape[1] - 1:
        return 0.0
    before, here, after = means[speed, shift - 1 : shift + 2]
    curve = before - 2 * here + after
    return float(np.clip((before - after) / (2 * curve), -0.5, 0.5)) if np.isfinite(curve) and curve < 0 else 0.0
