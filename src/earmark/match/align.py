"""The fine search: how well a clip's constellation lies on a track's, at a candidate's place, speed and pitch.

A query's peaks are drawn on a map, each spread over a frame and a bin to every side. A reference's peaks, moved by the
candidate's offset, are looked up on it: those that fall on a drawn place match. Where the query's relief is known, it
is the map that places are found by: noise that covers a peak seldom hides all of it. What chance would give is
known from the map itself: a peak of bin b falls on a drawn place as often as column b is filled, whatever the time. A
held tone fills its column, so it says nothing; this keeps static and repetitive music from looking like a match. What
it would say is weighed apart, against other references: the contrast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

SPREAD = 1  # frames and bins: a peak's jitter between two analyses of the same sound
MOST_REACH_FRAMES = 16  # that a rough place is looked for at once: the map's margin is as wide
SHIFT_FRAMES = 2  # places are tried at this distance; the spread covers what lies between
COPY_SHARE = 0.5  # of peaks that match: two encodings of a recording share more, different music far less
RELIEF_UNIT = 4.0  # of three places' relief in half nepers: the two nepers that the network learned with
STEEPEST = 0.05  # of a line's speed against that of its placing: beyond, a few chance pairs made it up
AROUND_BINS = 8  # to either side of a place, above which it stands out: 62 Hz; 3 to 24 rank alike (decision 10)
HALF_STEP = 0.005  # of the grid of pitches that `warps` is called with, a per cent


@dataclass(frozen=True, eq=False)
class Points:
    """A constellation: frames not decreasing, bins counted from 0 Hz so that a change of pitch is a factor."""

    frames: NDArray[np.int32]
    bins: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Warp:
    """A change of the clip against the reference: 1.02 for `speed` is 2 % faster, for `pitch` 2 % higher."""

    speed: float = 1.0
    pitch: float = 1.0


@dataclass(frozen=True, slots=True)
class Placing:
    """A place and warp of a clip on a reference: reference frame = start + speed * query frame."""

    start: float
    warp: Warp
    z: float  # by how many standard deviations what is found under the reference's peaks exceeds chance


@dataclass(frozen=True, slots=True)
class Alignment:
    """A placing whose line is fitted to the peaks that match, and what speaks for it."""

    placing: Placing
    matched: int  # reference peaks that fall on a query's peak
    expected: float  # as many would by chance
    references: int  # reference peaks within the clip
    first: int  # query frames between which matches are denser than chance
    last: int
    jitter: float  # frames: standard error of the start


def warps(percent: Sequence[int]) -> tuple[Warp, ...]:
    """Return no change, then a change of speed by each of `percent`, with the pitch and without it."""
    factors = [1 + step / 100 for step in percent if step]
    return (Warp(), *(Warp(factor, factor) for factor in factors), *(Warp(factor, 1.0) for factor in factors))


class QueryMap:
    """A query's constellation, drawn for look-up."""

    def __init__(
        self,
        query: Points,
        *,
        bins: int,
        hypotheses: Sequence[Warp],
        relief: NDArray[np.uint8] | None = None,
    ) -> None:
        """`bins`: one more than the largest bin there is; `hypotheses`: the warps that will be asked about.

        Where `relief` is given, (frames, bins), places are found by it: a reference's peak counts by how much the
        query speaks for it, rather than by whether the query has a peak.
        """
        self.points = query
        self.hypotheses = tuple(hypotheses)
        self.frames = int(query.frames[-1]) + 1 if len(query.frames) else 1
        self._middle = self.frames / 2
        self._bins = bins
        self._width = bins + 2 * SPREAD
        self._drift = int(max(abs(warp.speed - 1) for warp in hypotheses) * self._middle) + SHIFT_FRAMES
        self._margin = 2 * max(self._drift, MOST_REACH_FRAMES)
        self._drawn = np.zeros((self.frames + 2 * self._margin, self._width), bool)
        for ahead in range(-SPREAD, SPREAD + 1):
            for above in range(-SPREAD, SPREAD + 1):
                self._drawn[query.frames + self._margin + ahead, query.bins + SPREAD + above] = True
        inside = self._drawn[self._margin : self._margin + self.frames]
        self._filled = inside.mean(axis=0, dtype=np.float32)  # the share of the time that a bin is drawn
        if relief is None:
            self._lay(self._drawn.astype(np.float32), 1.0)
        else:
            self._stand_on(relief)

    def _stand_on(self, relief: NDArray[np.uint8]) -> None:
        """Take the relief, each place with the one before and after it, for how much a peak there counts."""
        heights = np.zeros(self._drawn.shape, np.float32)
        known = relief[: self.frames, : self._bins]
        rows, columns = slice(self._margin, self._margin + len(known)), slice(SPREAD, SPREAD + known.shape[1])
        inside = heights[rows, columns]
        inside += known
        inside += known[np.maximum(np.arange(len(known)) - 1, 0)]
        inside += known[np.minimum(np.arange(len(known)) + 1, len(known) - 1)]
        self._lay(heights, RELIEF_UNIT)

    def _lay(self, heights: NDArray[np.float32], unit: float) -> None:
        """Keep by how much each place within the clip exceeds its column's mean, and the column's variance."""
        inside = slice(self._margin, self._margin + self.frames)
        self._uncentred = heights[inside, SPREAD : SPREAD + self._bins]  # (frames, bins)
        mean, spread = heights[inside].mean(axis=0), heights[inside].var(axis=0)
        self._heights, self._spreads = np.zeros((2, *heights.shape), np.float32)
        self._heights[inside] = heights[inside] - mean
        self._spreads[inside] = spread
        self._least = unit**2  # variance: a few matches in empty columns are no certainty

    def columns(self) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
        """Return by how much each place exceeds its column's mean, (frames, bins), and the columns' variances.

        And the least: a variance that is added to every sum, so that a few matches in empty columns are no certainty.
        """
        inside, known = slice(self._margin, self._margin + self.frames), slice(SPREAD, SPREAD + self._bins)
        return self._heights[inside, known], self._spreads[self._margin, known], self._least

    def rough(
        self, references: Sequence[Points], offsets: Sequence[int], *, reach: int = SHIFT_FRAMES
    ) -> list[Placing]:
        """Return, for each reference, the best place near its offset (reference frame of query frame 0), unwarped.

        Places up to `reach` frames to either side are tried, at most `MOST_REACH_FRAMES`, `SHIFT_FRAMES` apart.
        """
        slack = max(self._drift, reach)
        parts = [self._part(points, offset, slack) for points, offset in zip(references, offsets, strict=True)]
        lengths = np.array([len(frames) for frames, _ in parts])
        filled = np.flatnonzero(lengths)
        shifts = sorted(range(-reach, reach + 1, SHIFT_FRAMES), key=abs)  # of equal places the nearest
        z = np.zeros((len(shifts), len(parts)))
        if len(filled):
            frames = np.concatenate([frames for frames, _ in parts])
            bins = np.concatenate([bins for _, bins in parts]) + SPREAD
            firsts = (np.cumsum(lengths) - lengths)[filled]
            cells = (frames + self._margin) * self._width + bins
            heights, spreads = self._heights.reshape(-1), self._spreads.reshape(-1)
            for row, shift in enumerate(shifts):
                moved = cells - shift * self._width
                reached = np.add.reduceat(heights.take(moved), firsts)
                z[row, filled] = reached / np.sqrt(np.add.reduceat(spreads.take(moved), firsts) + self._least)
        best = z.argmax(axis=0)
        return [
            Placing(float(offset + shifts[which]) if lengths[place] else float(offset), Warp(), float(z[which, place]))
            for place, (offset, which) in enumerate(zip(offsets, best, strict=True))
        ]

    def warped(self, reference: Points, start: float, hypotheses: Sequence[Warp] | None = None) -> Placing:
        """Return the best placing over the hypotheses; each turns the line about the clip's middle and is shifted."""
        hypotheses = self.hypotheses if hypotheses is None else hypotheses
        frames, bins = self._part(reference, round(start), self._drift)
        if not len(frames):
            return Placing(start, Warp(), 0.0)
        speed = np.array([warp.speed for warp in hypotheses], np.float32)[:, None]
        pitch = np.array([warp.pitch for warp in hypotheses], np.float32)[:, None]
        middle = np.float32(self._middle)
        at = np.rint((frames - (start - round(start)) - middle).astype(np.float32) / speed + middle).astype(np.int32)
        moved = np.rint(bins * pitch).astype(np.int32)
        inside = (at >= 0) & (at < self.frames) & (moved < self._bins)
        moved = np.minimum(moved, self._bins - 1) + SPREAD
        reach = self._drift
        at = np.clip(at, reach - self._margin, self.frames + self._margin - reach - 1)
        cells = (at + self._margin) * self._width + moved
        heights, spreads = self._heights.reshape(-1), self._spreads.reshape(-1)
        shifts = range(-reach, reach + 1, SHIFT_FRAMES)
        z = np.empty((len(shifts), len(hypotheses)))
        for row, shift in enumerate(shifts):
            there = cells - shift * self._width
            reached = (heights.take(there) * inside).sum(axis=1)
            z[row] = reached / np.sqrt((spreads.take(there) * inside).sum(axis=1) + self._least)
        which, place = np.unravel_index(int(z.argmax()), z.shape)
        warp = hypotheses[int(place)]
        return Placing(
            start + shifts[which] * warp.speed + self._middle * (1 - warp.speed), warp, float(z[which, place])
        )

    def measured(self, reference: Points, placing: Placing) -> Alignment:
        """Return the alignment at a placing: its line fitted, its pitch refined, what matches counted."""
        query, reached = self._pairs(reference, placing)
        start, speed, jitter = _fit(query, reached, placing)
        pitch = placing.warp.pitch
        if pitch != 1:
            nearby = [Warp(speed, pitch + step) for step in (0, -HALF_STEP, HALF_STEP)]
            pitch = self.warped(reference, start - self._middle * (1 - speed), nearby).warp.pitch
        at, bins = self._seen(reference, start, Warp(speed, pitch))
        hit, expected = self._drawn[at + self._margin, bins], float(self._filled[bins].sum())
        rows = at + self._margin
        z = float(self._heights[rows, bins].sum()) / np.sqrt(float(self._spreads[rows, bins].sum()) + self._least)
        first, last = _span(at, hit, expected / max(len(at), 1))
        refined = replace(placing, start=start, warp=Warp(speed, pitch), z=float(z))
        return Alignment(refined, int(hit.sum()), expected, len(at), first, last, jitter)

    def contrasts(self, references: Sequence[Points], placings: Sequence[Placing]) -> list[float]:
        """Return by how much what is found under each reference's peaks stands out from its surroundings in frequency.

        In standard deviations of a sum of so many places, were they independent. What a held tone says, which z leaves
        out, is in it. But it is not told from chance: music of the same notes stands out too, so it has to be compared
        with the contrast of other references.
        """
        standing_out, variance = self._standing_out
        found = []
        for reference, placing in zip(references, placings, strict=True):
            at, columns = self._seen(reference, placing.start, placing.warp)
            total = float(standing_out[at, columns - SPREAD].sum())
            found.append(total / math.sqrt(variance * len(at) + self._least))
        return found

    @cached_property
    def _standing_out(self) -> tuple[NDArray[np.float32], float]:
        """By how much each place exceeds the mean of the bins around it, (frames, bins), and the variance of that.

        Bins below the first that is heard at all are no surroundings.
        """
        bins = np.arange(self._bins)
        first = int(self._uncentred.any(axis=0).argmax())
        low = np.minimum(np.maximum(bins - AROUND_BINS, first), bins)
        high = np.minimum(bins + AROUND_BINS + 1, self._bins)
        sums = np.cumsum(np.pad(self._uncentred, ((0, 0), (1, 0))), axis=1, dtype=np.float32)
        around = np.divide(sums[:, high] - sums[:, low], high - low, dtype=np.float32)
        standing_out: NDArray[np.float32] = self._uncentred - around
        return standing_out, float(standing_out[:, first:].var())

    def is_same_sound(self, one: tuple[Points, float], other: tuple[Points, float]) -> bool:
        """Whether two references (points, start) hold the same sound under the clip."""
        points, start = one
        low, high = np.searchsorted(points.frames, [start, start + self.frames])
        if high - low < 1:
            return False
        part = Points(points.frames[low:high] - np.int32(round(start)), points.bins[low:high])
        drawn = QueryMap(part, bins=self._bins, hypotheses=(Warp(),))
        alignment = drawn.measured(other[0], drawn.rough([other[0]], [round(other[1])])[0])
        return alignment.matched > COPY_SHARE * alignment.references

    def _part(self, reference: Points, offset: int, slack: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return (frames from the clip's beginning, bins) of the reference's peaks under and around the clip."""
        low, high = np.searchsorted(reference.frames, [offset - slack, offset + self.frames + slack])
        return reference.frames[low:high] - np.int32(offset), reference.bins[low:high]

    def _seen(self, reference: Points, start: float, warp: Warp) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return (query frames, map columns) of the reference's peaks that lie within the clip."""
        low, high = np.searchsorted(reference.frames, [start - 1, start + warp.speed * self.frames + 1])
        at = np.rint((reference.frames[low:high] - start) / warp.speed).astype(np.int32)
        bins = np.rint(reference.bins[low:high] * warp.pitch).astype(np.int32)
        inside = (at >= 0) & (at < self.frames) & (bins < self._bins)
        return at[inside], bins[inside] + SPREAD

    def _pairs(self, reference: Points, placing: Placing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (query frames, reference frames) of every pair of peaks within two frames and one bin."""
        at, columns = self._seen(reference, placing.start, placing.warp)
        keys = self.points.frames.astype(np.int64) * self._width + self.points.bins + SPREAD
        wanted = (at[None, :] + np.arange(-2, 3)[:, None]).astype(np.int64) * self._width + columns
        low = np.searchsorted(keys, wanted - SPREAD)
        found = keys[np.minimum(low, len(keys) - 1)]
        pair = (found >= wanted - SPREAD) & (found <= wanted + SPREAD)
        query = (found[pair] // self._width).astype(np.float64)
        where = np.broadcast_to(placing.start + placing.warp.speed * at, pair.shape)
        return query, where[pair]


def _span(at: NDArray[np.int32], hit: NDArray[np.bool_], chance: float) -> tuple[int, int]:
    """Return the query frames between which peaks match, where outside they do so by chance.

    It is the stretch whose matches exceed most what lies half-way between chance and the share that matches; the share
    is first that of all peaks, then that of the stretch.
    """
    if not hit.any():
        return 0, 0
    first, last = 0, len(at)
    for _ in range(2):
        share = float(hit[first:last].mean())
        surplus = np.concatenate([[0.0], np.cumsum(hit - (chance + share) / 2)])
        last = int(np.argmax(surplus - np.minimum.accumulate(surplus)))
        first = int(np.argmin(surplus[: last + 1]))
        if first >= last:
            return int(at[0]), int(at[-1])
    return int(at[first]), int(at[last - 1])


def _fit(query: NDArray[np.float64], reference: NDArray[np.float64], placing: Placing) -> tuple[float, float, float]:
    """Return (start, speed, standard error of start in frames) of the line through the pairs.

    Speed is left as it is unless the fit says by three standard errors that it is another.
    """
    if len(query) < 6:
        return placing.start, placing.warp.speed, 1.0
    speed = placing.warp.speed
    residual = reference - placing.start - speed * query
    centred = query - query.mean()
    spread = float((centred**2).sum()) + 1e-9
    slope = float((centred * residual).sum()) / spread
    noise = float(residual.std()) + 0.05
    if 3 * noise / np.sqrt(spread) < abs(slope) < STEEPEST:
        speed += slope
    return float((reference - speed * query).mean()), speed, noise / float(np.sqrt(len(query)))
