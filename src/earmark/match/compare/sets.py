"""Signatures of sets laid on a recording's: the share of equal entries along a diagonal, at several speeds.

Entries are min-hashes, so two signatures agree in as large a share of them as their sets do (Cohen et al., 2001). `z`
is that share as a binomial deviation from chance, which is what the clip has in common with the track anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.match.protocol import (
    SAME_FACTOR,
    Alignment,
    Candidate,
    Others,
    Placement,
    Scores,
    Similarities,
    SweepsOneByOne,
)
from earmark.types import Frames, Hits, Layer

Shares = NDArray[np.float32]

SHIFT_HOPS = 4  # query hops to either side of a candidate's place that are tried
USUAL_SPEEDS = (1.0, 0.98, 1.02, 0.96, 1.04)
WIDE_SPEEDS = (*USUAL_SPEEDS, 0.94, 1.06, 0.92, 1.08, 0.9, 1.1)
SPEED_COST = 2.0  # z that the best of so many speeds gains by chance
CHANCE_ROWS, CHANCE_COLUMNS = 12, 48  # signatures of the clip and of the track, evenly spread, that chance is read from
LEAST_CHANCE = 0.1  # share; the median of unrelated recordings, since less says nothing yet of a clip of 5 s
PEAK_HOPS = 3  # query hops to either side of the diagonal within which an image's best place is looked for
FEWEST_PLACES = 5  # images that a straight line is fitted through
STEEPEST = 0.03  # largest correction of speed by the fit
SWEPT_HOPS = 2  # query hops from one image of the clip that a sweep compares to the next
LAID_HOPS = 2  # query hops of a step of sequences
SWEPT_APART = 2  # stored hops between two places of one reference that a sweep returns
DUPLICATE_SHARE = 0.3  # share of equal entries from which two references hold the same sound


@dataclass(frozen=True, slots=True)
class SetSettings:
    """How signatures are compared."""

    image_seconds: float  # sound that a signature stands for
    stored_hop_seconds: float  # from one stored signature to the next
    query_hop_seconds: float  # from one signature of a query to the next
    correlation: float  # variance of chance over that of independent entries, as images overlap


@dataclass(frozen=True, slots=True, eq=False)
class _Track:
    """The part of a track that may lie under the clip, and chance on all of it."""

    frames: NDArray[np.int32]  # (m,) of the track's images
    shares: Shares  # (n, m): equal entries of each image of the clip with each of the track's
    chance: float


@dataclass(frozen=True, slots=True, eq=False)
class _Diagonal:
    """How a clip lies on a track."""

    offset: float  # frame of the track at which the clip begins
    speed: float
    share: float  # mean share of equal entries along it
    chance: float


class SetComparison(SweepsOneByOne):
    """The signatures of one window; implements `Sweepable` and `Sequential`."""

    def __init__(
        self,
        layer: Layer,
        figures: Sequence[str],
        *,
        settings: SetSettings,
        wide: bool,
        hits: Callable[[], Hits] | None = None,
    ) -> None:
        """`wide` also tries larger changes of speed. `hits` say nothing here."""
        self._settings, self._frame, self._figures = settings, layer.frame_seconds, frozenset(figures)
        self._speeds = np.array(WIDE_SPEEDS if wide else USUAL_SPEEDS)
        self._hop = round(settings.query_hop_seconds / self._frame)
        self._centre = settings.image_seconds / self._frame / 2
        self._frames, self._signatures = layer.frames, layer.values
        span = (int(layer.frames[-1]) - int(layer.frames[0])) * self._frame / settings.stored_hop_seconds
        self._images = max(int(span), 1)  # so many stored images every diagonal has that lies within the track
        self._middle = float(layer.frames[0] + layer.frames[-1]) / 2 + self._centre
        self._row_at = np.full((int(layer.frames[-1]) - int(layer.frames[0])) // self._hop + 1, -1)
        self._row_at[(layer.frames - layer.frames[0]) // self._hop] = np.arange(len(layer.frames))

    def near(
        self, references: Sequence[Layer], candidates: Sequence[Candidate], *, own: bool
    ) -> list[Placement | None]:
        """Return the best diagonal near each candidate, None where no image lies; all are tried at all speeds."""
        chances: dict[int, float] = {}
        found = list[Placement | None]()
        for layer, one in zip(references, candidates, strict=True):
            if one.track not in chances:
                chances[one.track] = self._chance(layer)
            track = self._under(layer, one.start / self._frame, chances[one.track])
            found.append(self._best(track, one.start / self._frame))
        return found

    def fit(self, reference: Layer, placement: Placement, *, measuring: bool = True) -> Alignment:
        """Return the alignment at a placement: a line through the best place of each image."""
        diagonal: _Diagonal = placement.detail
        track = self._under(reference, diagonal.offset, diagonal.chance)
        query, there, weights = self._places(track, diagonal)
        offset, speed, error = _line(query, there, weights, diagonal, self._middle)
        supported = query[weights > (diagonal.share - diagonal.chance) / 2]
        first, last = (supported.min(), supported.max()) if len(supported) else (self._middle, self._middle)
        return Alignment(
            start=offset * self._frame,
            speed=speed,
            pitch=1.0,  # wavelets of another pitch are others
            position_error=max(error, self._hop / np.sqrt(12 * max(len(query), 1))) * self._frame,
            first=float(first - self._centre) * self._frame,
            last=float(last + self._centre) * self._frame,
            figures={
                "share": round(diagonal.share, 4),
                "chance": round(diagonal.chance, 4),
                "z": round(placement.figures["z"], 3),
            },
            is_measured=abs(speed - 1) <= SAME_FACTOR,  # at another one the pitch may be another too
        )

    def evidence(self, candidate: Candidate, alignment: Alignment, others: Others) -> Mapping[str, float]:
        """Return what was asked for of: share, chance, z, rival_z."""
        figures = {**alignment.figures, "rival_z": round(others.largest("z"), 3)}
        return {name: figures[name] for name in figures if name in self._figures}

    def over_time(self, reference: Layer, alignment: Alignment) -> Scores:
        """Return how many entries of each of the track's images are equal, beyond chance."""
        chance, offset = self._chance(reference), alignment.start / self._frame
        track = self._under(reference, offset, chance)
        rows = self._rows_at(track, np.array(offset), np.array(alignment.speed))
        columns = np.flatnonzero(rows >= 0)
        deviation = np.sqrt(chance * (1 - chance) / self._signatures.shape[1])
        values = (track.shares[rows[columns], columns].astype(np.float64) - chance) / deviation
        seconds = (self._frames[rows[columns]] + self._centre) * self._frame
        return Scores(seconds.astype(np.float64), values, self._settings.correlation)

    def similarities(self, reference: Layer) -> Similarities:
        """Return the shares of equal entries of images, a step being `LAID_HOPS`; nothing between stored images."""
        step = self._hop * LAID_HOPS
        used = np.flatnonzero((self._frames - self._frames[0]) % step == 0)
        columns = np.rint(reference.frames / step).astype(np.int64)
        rows = (self._frames[used] - self._frames[0]) // step
        values = np.full((int(rows[-1]) + 1, int(columns.max(initial=-1)) + 1), np.nan, np.float32)
        for row, signature in zip(rows.tolist(), self._signatures[used], strict=True):
            values[row, columns] = (reference.values == signature).mean(axis=1, dtype=np.float32)
        first = float(self._frames[0]) + self._centre
        return Similarities(values, step * self._frame, first * self._frame, self._centre * self._frame)

    def same(self, one: tuple[Layer, Placement], other: tuple[Layer, Placement]) -> bool:
        """Return whether two references hold the same sound under the window."""
        (layer, place), (others, other_place) = one, other
        here = self._inside(layer, place.detail.offset)
        if not len(here.frames) or not len(others.frames):
            return False
        wanted = here.frames - place.detail.offset + other_place.detail.offset
        at = np.clip(np.searchsorted(others.frames, wanted), 1, max(len(others.frames) - 1, 1))
        at = np.minimum(at, len(others.frames) - 1)
        before = np.maximum(at - 1, 0)
        at = np.where(np.abs(others.frames[before] - wanted) < np.abs(others.frames[at] - wanted), before, at)
        return float((here.values == others.values[at]).mean()) > DUPLICATE_SHARE

    @property
    def seconds(self) -> float:
        """Length of the window, from its first image to its last."""
        return int(self._frames[-1] - self._frames[0]) * self._frame

    def sweep_cost(self, reference: Layer) -> int:
        """Return how many entries a sweep of the reference compares: some billions in a second."""
        return self._sweep.cost(reference)

    def sweep(self, reference: Layer, *, limit: int = 1) -> list[Placement]:
        """Return the best placements on the whole of a reference, at the clip's own speed, best first."""
        found = []
        for offset, share, images, mean in self._sweep.best(reference, limit):
            chance = max(mean, LEAST_CHANCE)
            z = float(self._z(share, chance, images))
            found.append(Placement(offset * self._frame, 1.0, {"z": z}, _Diagonal(offset, 1.0, share, chance)))
        return found

    @cached_property
    def _sweep(self) -> _Sweep:
        stored_hop = round(self._settings.stored_hop_seconds / self._frame)
        return _Sweep(self._frames, self._signatures, hop=self._hop * SWEPT_HOPS, stored_hop=stored_hop)

    def _z(self, share: Any, chance: float, images: Any) -> Any:
        """Return shares of equal entries of so many images as deviations from chance."""
        entries = images * self._signatures.shape[1] / self._settings.correlation
        return (share - chance) * np.sqrt(entries / (chance * (1 - chance)))

    def _under(self, layer: Layer, offset: float, chance: float) -> _Track:
        """Return the track's images that may lie under the clip, compared with all of the clip's."""
        part = self._inside(layer, offset)
        return _Track(part.frames, equal_shares(self._signatures, part.values), chance)

    def _inside(self, layer: Layer, offset: float) -> Layer:
        length = float(self._frames[-1]) * (float(self._speeds.max()) - 1) + SHIFT_HOPS * self._hop
        first, last = offset + float(self._frames[0]) - length, offset + float(self._frames[-1]) + length
        rows = slice(*np.searchsorted(layer.frames, [int(np.floor(first)), int(np.ceil(last)) + 1]))
        return Layer(layer.frames[rows], layer.values[rows], layer.frame_seconds)

    def _chance(self, layer: Layer) -> float:
        """Return the mean share of equal entries of the clip's images and the track's, wherever they are."""
        if not len(layer.frames):
            return LEAST_CHANCE
        rows, columns = _spread(len(self._frames), CHANCE_ROWS), _spread(len(layer.frames), CHANCE_COLUMNS)
        return max(float(equal_shares(self._signatures[rows], layer.values[columns]).mean()), LEAST_CHANCE)

    def _best(self, track: _Track, offset: float) -> Placement | None:
        """Return the best diagonal near an offset, at any speed; the middle of the clip stays where it is."""
        shifts = np.arange(-SHIFT_HOPS, SHIFT_HOPS + 1) * self._hop
        speeds = np.repeat(self._speeds, len(shifts))
        offsets = offset + np.tile(shifts, len(self._speeds)) + (1 - speeds) * self._middle
        rows = self._rows_at(track, offsets[:, None], speeds[:, None])  # (tries, images of the track)
        known = rows >= 0
        counts = known.sum(axis=1)
        if not counts.any():
            return None
        sums = np.where(known, track.shares[rows, np.arange(len(track.frames))], 0).sum(axis=1)
        shares = sums / np.maximum(counts, 1)
        images = np.minimum(counts, self._images)  # or a diagonal would be moved to get one more
        z = self._z(shares, track.chance, images)
        best = int(np.argmax(z - np.where(speeds == 1, 0, SPEED_COST)))
        figure = float(z[best] - (speeds[best] != 1) * SPEED_COST)
        found = _Diagonal(float(offsets[best]), float(speeds[best]), float(shares[best]), track.chance)
        return Placement(found.offset * self._frame, found.speed, {"z": figure}, found)

    def _rows_at(self, track: _Track, offsets: NDArray[np.float64], speeds: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the clip's image on the diagonal for each of the track's, -1 where there is none.

        Images are laid by their middles: at another speed their beginnings are off the diagonal.
        """
        middles = (track.frames + self._centre - offsets) / speeds - self._centre
        places = np.rint((middles - self._frames[0]) / self._hop).astype(np.int64)
        inside = (places >= 0) & (places < len(self._row_at))
        return np.where(inside, self._row_at[np.where(inside, places, 0)], -1)

    def _places(
        self, track: _Track, diagonal: _Diagonal
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return (frame of the clip, frame of the track, share beyond chance) of images laid on each other."""
        rows = self._rows_at(track, np.array(diagonal.offset), np.array(diagonal.speed))
        columns = np.flatnonzero(rows >= 0)
        near = rows[columns, None] + np.arange(-PEAK_HOPS, PEAK_HOPS + 1)
        inside = (near >= 0) & (near < len(self._frames))
        near = np.clip(near, 0, len(self._frames) - 1)
        shares = np.where(inside, track.shares[near, columns[:, None]], 0)
        best = shares.argmax(axis=1)
        each = np.arange(len(columns))
        before, after = np.maximum(best - 1, 0), np.minimum(best + 1, 2 * PEAK_HOPS)
        is_peak = (before < best) & (best < after) & inside[each, before] & inside[each, after]
        weights = np.where(is_peak, np.maximum(shares[each, best].astype(np.float64) - diagonal.chance, 0), 0)
        left, right = shares[each, before], shares[each, after]
        curve = 2 * shares[each, best] - left - right
        between = np.where(curve > 0, (right - left) / np.maximum(2 * curve, 1e-6), 0).clip(-0.5, 0.5)
        query: NDArray[np.float64] = self._frames[near[each, best]] + between * self._hop + self._centre
        there = track.frames[columns].astype(np.float64) + self._centre
        return query, there, weights.astype(np.float64)


class _Sweep:
    """Some images of a clip, evenly spread, that are laid on a reference everywhere."""

    def __init__(self, frames: Frames, signatures: NDArray[np.uint8], *, hop: int, stored_hop: int) -> None:
        """Images a multiple of `hop` frames behind the first are compared; stored ones lie `stored_hop` apart."""
        behind = frames - frames[0]
        used = np.flatnonzero(behind % hop == 0)
        self._first, self._hop, self._stored_hop = int(frames[0]), hop, stored_hop
        self._signatures = signatures[used]
        self._columns, self._phases = np.divmod(behind[used], stored_hop)  # where images lie on stored ones
        self._phases //= hop
        self._margin = (int(self._columns.max()) + 1) // 2  # stored images that the clip may reach over an end

    def cost(self, reference: Layer) -> int:
        """Return how many entries are compared."""
        return len(reference.frames) * self._signatures.size

    def best(self, reference: Layer, limit: int) -> list[tuple[float, float, int, float]]:
        """Return (offset, share of equal entries, images, mean share everywhere) of the best places, best first."""
        if not len(reference.frames):
            return []
        equal = self._equal(reference)
        entries, span = self._signatures.shape[1], int(self._columns.max())
        images = np.bincount(self._phases, minlength=self._stored_hop // self._hop)
        sums = np.zeros((len(images), equal.shape[1] - span), np.uint16)
        for row, phase, column in zip(equal, self._phases, self._columns, strict=True):
            sums[phase] += row[column : column + sums.shape[1]]
        shares = sums / np.maximum(images * entries, 1)[:, None]
        mean = float(equal.sum() / (self._signatures.size * len(reference.frames)))
        found: list[tuple[float, float, int, float]] = []
        while len(found) < limit and (share := float(shares.max())) > 0:
            phase, place = divmod(int(shares.argmax()), shares.shape[1])
            offset = (place - self._margin) * self._stored_hop - phase * self._hop - self._first
            found.append((float(offset), share, int(images[phase]), mean))
            shares[:, max(place - SWEPT_APART, 0) : place + SWEPT_APART + 1] = 0
        return found

    def _equal(self, reference: Layer) -> NDArray[np.uint8]:
        """Return how many entries of each image of the clip and each stored one are equal, (n, places)."""
        at = reference.frames // self._stored_hop + self._margin
        stored = np.zeros((self._signatures.shape[1], int(at[-1]) + 1 + self._margin), np.uint8)
        stored[:, at] = reference.values.T
        equal = np.empty((len(self._signatures), stored.shape[1]), np.uint8)
        same = np.empty(stored.shape, bool)
        for row, own in enumerate(self._signatures):
            np.equal(own[:, None], stored, out=same).view(np.uint8).sum(axis=0, dtype=np.uint8, out=equal[row])
        empty = np.ones(stored.shape[1], bool)
        empty[at] = False
        equal[:, empty] = 0
        return equal


def equal_shares(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> Shares:
    """Return the share of equal entries of signatures, shapes (n, p) and (m, p), of each with each: (n, m)."""
    shares: Shares = (one[:, None] == other[None]).mean(axis=2, dtype=np.float32)
    return shares


def _spread(count: int, wanted: int) -> NDArray[np.int64]:
    """Return up to `wanted` of `count` rows, evenly spread."""
    return np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64)


def _line(
    query: NDArray[np.float64],
    there: NDArray[np.float64],
    weights: NDArray[np.float64],
    diagonal: _Diagonal,
    middle: float,
) -> tuple[float, float, float]:
    """Return (offset, speed, standard error of the offset) of the line through images laid on each other, in frames.

    Speed is left as it is unless the fit says by three standard errors that it is another.
    """
    offset, speed = diagonal.offset, diagonal.speed
    total = float(weights.sum())
    if not total:
        return offset, speed, 1.0
    residual = there - offset - speed * query
    centred = query - float((weights * query).sum()) / total
    spread = float((weights * centred**2).sum()) / total + 1e-9
    slope = float((weights * centred * residual).sum()) / total / spread
    mean = float((weights * residual).sum()) / total
    noise = float(np.sqrt((weights * (residual - mean - slope * centred) ** 2).sum() / total)) + 0.05
    if len(query) >= FEWEST_PLACES and 3 * noise / np.sqrt(spread * len(query)) < abs(slope) < STEEPEST:
        speed += slope
        residual = there - offset - speed * query
    return offset + float((weights * residual).sum()) / total, speed, noise / float(np.sqrt(len(query)))
