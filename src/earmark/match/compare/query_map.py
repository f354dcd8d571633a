"""A query's peaks as a map (frames, bins), on which a reference's peaks are looked up.

Each peak is spread over a frame and a bin to every side. Where the query has a salience map, that is looked up instead:
noise that covers a peak seldom hides all of it. z says by how many standard deviations what lies under a reference's
peaks exceeds chance, column by column: a held tone fills its column, and so says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from earmark.types import Frames, Layer, SalienceMap

SPREAD = 1  # frames and bins by which a peak moves between two analyses of the same sound
MOST_REACH_FRAMES = 16  # largest `reach` of `at_offsets`; the map's margin is as wide
HIDDEN_FRAMES = 2  # frames to either side that a peak covers: it moves by one, and its salience spreads by another
SHIFT_FRAMES = 2  # distance of two places that are tried; the spread covers what lies between
SALIENCE_UNIT = 4.0  # half nepers of three places together: the two nepers that the network learned with


@dataclass(frozen=True, slots=True)
class Warp:
    """A change of the clip against the reference: 1.02 for `speed` is 2 % faster, for `pitch` 2 % higher."""

    speed: float = 1.0
    pitch: float = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """A place and warp of a query on a reference: reference frame = start + warp.speed * query frame."""

    start: float
    warp: Warp
    z: float
    is_fitted: bool = False  # to pairs of peaks, not the best of a grid of warps


def warps(percent: Sequence[int]) -> tuple[Warp, ...]:
    """Return no change, then a change of speed by each of `percent`, with the pitch and without it."""
    factors = [1 + step / 100 for step in percent if step]
    return (Warp(), *(Warp(factor, factor) for factor in factors), *(Warp(factor, 1.0) for factor in factors))


class QueryMap:
    """The map of one query."""

    def __init__(self, query: Layer, *, bins: int, hypotheses: Sequence[Warp]) -> None:
        """`bins`: one more than the largest bin there is; `hypotheses`: the warps that will be asked about."""
        self.peaks = query
        self.hypotheses = tuple(hypotheses)
        self.bins = bins
        self.frames = int(query.frames[-1]) + 1 if len(query.frames) else 1
        self.middle = self.frames / 2
        self._width = bins + 2 * SPREAD
        self._drift = int(max(abs(warp.speed - 1) for warp in hypotheses) * self.middle) + SHIFT_FRAMES
        self._margin = 2 * max(self._drift, MOST_REACH_FRAMES)
        self._mask = np.zeros((self.frames + 2 * self._margin, self._width), bool)
        for ahead in range(-SPREAD, SPREAD + 1):
            for above in range(-SPREAD, SPREAD + 1):
                self._mask[query.frames + self._margin + ahead, query.values + SPREAD + above] = True
        inside = self._mask[self._margin : self._margin + self.frames]
        self._filled = inside.mean(axis=0, dtype=np.float32)  # share of the time that a bin is covered
        if isinstance(query.weights, SalienceMap):
            self._centre(self._from_salience(query.weights.unpacked()), SALIENCE_UNIT, hidden=query.weights.hidden)
        else:
            self._centre(self._mask.astype(np.float32), 1.0)

    def _from_salience(self, salience: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return heights by a salience map: each place with the one before and the one after it."""
        heights = np.zeros(self._mask.shape, np.float32)
        known = salience[: self.frames, : self.bins]
        rows, columns = slice(self._margin, self._margin + len(known)), slice(SPREAD, SPREAD + known.shape[1])
        inside = heights[rows, columns]
        inside += known
        inside += known[np.maximum(np.arange(len(known)) - 1, 0)]
        inside += known[np.minimum(np.arange(len(known)) + 1, len(known) - 1)]
        return heights

    def _known(self, hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which places within the clip nothing hides, (frames, width); all of a column that is wholly hidden."""
        known = np.ones((self.frames, self._width), bool)
        part = hidden[: self.frames, : self.bins]
        known[: len(part), SPREAD : SPREAD + part.shape[1]] = ~part
        known |= ~known.any(axis=0)
        return known

    def _centre(self, heights: NDArray[np.float32], unit: float, *, hidden: NDArray[np.bool_] | None = None) -> None:
        """Keep by how much each place within the clip exceeds its column's mean, and the column's variance.

        What is hidden has neither: it speaks for no reference, nor against one.
        """
        known = np.True_ if hidden is None else self._known(hidden)
        inside = slice(self._margin, self._margin + self.frames)
        self.uncentred = heights[inside, SPREAD : SPREAD + self.bins]  # (frames, bins)
        mean, spread = heights[inside].mean(axis=0, where=known), heights[inside].var(axis=0, where=known)
        self._heights, self._spreads = np.zeros((2, *heights.shape), np.float32)
        np.subtract(heights[inside], mean, out=self._heights[inside], where=known)
        np.copyto(self._spreads[inside], spread, where=known)
        self.least = unit**2  # variance added to every sum: a few matches in empty columns are no certainty

    @cached_property
    def _cells(self) -> NDArray[np.complex64]:
        """Heights as real and variances as imaginary parts, (cells,), to be summed at once; after them nothing."""
        cells = np.zeros(self._heights.size + 2 * self._margin * self._width, np.complex64)
        cells.real[: self._heights.size] = self._heights.reshape(-1)
        cells.imag[: self._spreads.size] = self._spreads.reshape(-1)
        return cells

    def columns(self) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
        """Return (heights above their column's mean (frames, bins), variances (bins,), variance of every sum)."""
        inside, known = slice(self._margin, self._margin + self.frames), slice(SPREAD, SPREAD + self.bins)
        return self._heights[inside, known], self._spreads[inside, known].mean(axis=0), self.least

    def at_offsets(
        self, references: Sequence[Layer], offsets: Sequence[int], *, reach: int = SHIFT_FRAMES
    ) -> list[Place]:
        """Return, for each reference, the best place near its offset (reference frame of query frame 0), unwarped.

        Places up to `reach` frames to either side are tried, at most `MOST_REACH_FRAMES`, `SHIFT_FRAMES` apart.
        """
        slack = max(self._drift, reach)
        parts = [self._under(layer, offset, slack) for layer, offset in zip(references, offsets, strict=True)]
        lengths = np.array([len(frames) for frames, _ in parts])
        filled = np.flatnonzero(lengths)
        shifts = sorted(range(-reach, reach + 1, SHIFT_FRAMES), key=abs)  # the nearest of equal places first
        z = np.zeros((len(shifts), len(parts)))
        if len(filled):
            frames = np.concatenate([frames for frames, _ in parts])
            bins = np.concatenate([bins for _, bins in parts]) + SPREAD
            firsts = (np.cumsum(lengths) - lengths)[filled]
            cells = (frames + self._margin) * self._width + bins
            for row, shift in enumerate(shifts):
                sums = np.add.reduceat(self._cells.take(cells - shift * self._width), firsts)
                z[row, filled] = sums.real / np.sqrt(sums.imag + self.least)
        best = z.argmax(axis=0)
        return [
            Place(float(offset + shifts[which]) if lengths[place] else float(offset), Warp(), float(z[which, place]))
            for place, (offset, which) in enumerate(zip(offsets, best, strict=True))
        ]

    def over_warps(self, reference: Layer, start: float, hypotheses: Sequence[Warp] | None = None) -> Place:
        """Return the best place over the hypotheses; each turns the diagonal about the clip's middle and shifts it."""
        hypotheses = self.hypotheses if hypotheses is None else hypotheses
        frames, bins = self._under(reference, round(start), self._drift)
        if not len(frames):
            return Place(start, Warp(), 0.0)
        speed = np.array([warp.speed for warp in hypotheses], np.float32)[:, None]
        pitch = np.array([warp.pitch for warp in hypotheses], np.float32)[:, None]
        middle = np.float32(self.middle)
        at = np.rint((frames - (start - round(start)) - middle).astype(np.float32) / speed + middle).astype(np.int32)
        moved = np.rint(bins * pitch).astype(np.int32)
        inside = (at >= 0) & (at < self.frames) & (moved < self.bins)
        moved = np.minimum(moved, self.bins - 1) + SPREAD
        reach = self._drift
        at = np.clip(at, reach - self._margin, self.frames + self._margin - reach - 1)
        nowhere = self._heights.size + self._margin * self._width
        cells = np.where(inside, (at + self._margin) * self._width + moved, nowhere)
        shifts = range(-reach, reach + 1, SHIFT_FRAMES)
        z = np.empty((len(shifts), len(hypotheses)))
        for row, shift in enumerate(shifts):
            sums = self._cells.take(cells - shift * self._width).sum(axis=1)
            z[row] = sums.real / np.sqrt(sums.imag + self.least)
        which, place = np.unravel_index(int(z.argmax()), z.shape)
        warp = hypotheses[int(place)]
        turned = start + shifts[which] * warp.speed + self.middle * (1 - warp.speed)
        return Place(turned, warp, float(z[which, place]))

    def unwarped(self, warp: Warp) -> QueryMap:
        """Return the map of the query's peaks as they would be without a warp."""
        peaks = self.peaks
        bins = np.minimum(np.rint(peaks.values / warp.pitch), self.bins - 1).astype(np.int32)
        layer = Layer(np.rint(peaks.frames * warp.speed).astype(np.int32), bins, peaks.frame_seconds)
        return QueryMap(layer, bins=self.bins, hypotheses=(Warp(),))

    def place_at(self, reference: Layer, start: float, warp: Warp) -> Place:
        """Return a place that was fitted, with its z."""
        return Place(start, warp, self.z_at(*self.inside(reference, start, warp)), is_fitted=True)

    def z_at(self, at: Frames, bins: Frames) -> float:
        """Return z of reference peaks that lie at these query frames and bins."""
        rows, columns = at + self._margin, bins + SPREAD
        spread = float(self._spreads[rows, columns].sum()) + self.least
        return float(self._heights[rows, columns].sum()) / math.sqrt(spread)

    def scores_at(self, at: Frames, bins: Frames) -> NDArray[np.float64]:
        """Return by how many standard deviations each place exceeds chance, (n,), by the mean deviation of all."""
        rows, columns = at + self._margin, bins + SPREAD
        variance = (float(self._spreads[rows, columns].sum()) + self.least) / max(len(at), 1)
        scores: NDArray[np.float64] = self._heights[rows, columns].astype(np.float64) / math.sqrt(variance)
        return scores

    def met_by(self, reference: Layer, start: float, warp: Warp) -> NDArray[np.bool_]:
        """Return which of the query's peaks a reference meets that is laid here."""
        which: NDArray[np.bool_] = self.around(reference, start, warp, SPREAD)[self.peaks.frames, self.peaks.values]
        return which

    def around(self, reference: Layer, start: float, warp: Warp, reach: int) -> NDArray[np.bool_]:
        """Return the places, (frames, bins), up to so many frames and `SPREAD` bins from the peaks of a reference."""
        at, bins = self.inside(reference, start, warp)
        found = np.zeros((self.frames + 2 * reach, self._width), bool)
        for ahead in range(2 * reach + 1):
            for above in range(2 * SPREAD + 1):
                found[at + ahead, bins + above] = True
        return found[reach : reach + self.frames, SPREAD : SPREAD + self.bins]

    def hits_at(self, at: Frames, bins: Frames) -> tuple[NDArray[np.bool_], float]:
        """Return (which of these places are covered by a query's peak, how many would be by chance)."""
        return self._mask[at + self._margin, bins + SPREAD], float(self._filled[bins + SPREAD].sum())

    def inside(self, reference: Layer, start: float, warp: Warp) -> tuple[Frames, Frames]:
        """Return (query frames, bins) of the reference's peaks that lie within the clip."""
        frames, values = reference.within(start - 1, start + warp.speed * self.frames + 1)
        at = np.rint((frames - start) / warp.speed).astype(np.int32)
        bins = np.rint(values * warp.pitch).astype(np.int32)
        kept = (at >= 0) & (at < self.frames) & (bins < self.bins)
        return at[kept], bins[kept]

    def pairs(self, reference: Layer, place: Place) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (query frames, reference frames) of every pair of peaks within two frames and one bin."""
        at, bins = self.inside(reference, place.start, place.warp)
        columns = bins + SPREAD
        keys = self.peaks.frames.astype(np.int64) * self._width + self.peaks.values + SPREAD
        wanted = (at[None, :] + np.arange(-2, 3)[:, None]).astype(np.int64) * self._width + columns
        low = np.searchsorted(keys, wanted - SPREAD)
        found = keys[np.minimum(low, len(keys) - 1)]
        pair = (found >= wanted - SPREAD) & (found <= wanted + SPREAD)
        query = (found[pair] // self._width).astype(np.float64)
        where = np.broadcast_to(place.start + place.warp.speed * at, pair.shape)
        return query, where[pair]

    def _under(self, reference: Layer, offset: int, slack: int) -> tuple[Frames, Frames]:
        """Return (frames from the clip's beginning, bins) of the reference's peaks under and around the clip."""
        frames, bins = reference.within(offset - slack, offset + self.frames + slack)
        return frames - np.int32(offset), bins
