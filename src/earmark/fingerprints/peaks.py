"""Peaks of a spectrogram (Wang, ISMIR 2003, section 2.1): local maxima that stand out from the mean log power around.

The strongest of each block of time are kept, so that quiet passages are covered as well as loud ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprints.salience import pack_nibbles
from earmark.types import Frames

Salience = Callable[[NDArray[np.float32]], NDArray[np.uint8]]

CHUNK_BLOCKS = 16  # blocks of a chunk
CONTEXT_FRAMES = 64  # frames that a chunk sees of its neighbours; more than any filter below reaches


@dataclass(frozen=True, slots=True)
class PeakShape:
    """The numbers that shape peaks."""

    frames: int = 3  # frames to each side within which a peak is the largest
    bins: int = 8  # the same in bins
    block_frames: int = 32  # frames of a block, of which the strongest peaks are kept
    cell: int = 8  # frames and bins of a cell of the grid on which surroundings are averaged, for speed
    around_cells: tuple[int, int] = (7, 4)  # cells in time and in frequency to each side: 1 s and 200 Hz
    quietest: float = 1e-10  # power added before the logarithm
    floor: float = -14.0  # ln of power: about -85 dB below a full-scale sine, under the dither of 16 bits

    @property
    def chunk_frames(self) -> int:
        """Frames of the chunks that a spectrogram comes in."""
        return CHUNK_BLOCKS * self.block_frames


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Peaks in order of (frame, bin); `rank` is the place by strength within the peak's block, 0 the first."""

    frames: Frames
    bins: NDArray[np.int32]
    ranks: NDArray[np.int32]
    salience: NDArray[np.uint8] | None = None  # (frames, bins / 2), two places a byte
    first_frame: int = 0  # frame that the first row of `salience` stands for


class PeakStream:
    """The `keep` strongest peaks of every block of a power spectrogram that comes in chunks."""

    def __init__(self, shape: PeakShape, *, keep: int, salience: Salience | None = None) -> None:
        """`salience` makes a map (frames, bins) of log power in nepers of the same shape."""
        self._shape, self._keep, self._salience = shape, keep, salience
        self._before: NDArray[np.float32] | None = None
        self._here: NDArray[np.float32] | None = None
        self._first = 0  # frame that `_here` begins with
        self._done: list[Peaks] = []  # by chunk
        self._forgotten = 0  # chunks before those

    def push(self, power: NDArray[np.float32]) -> None:
        """Take a chunk, (shape.chunk_frames, bins); the number of bins is a multiple of `shape.cell`."""
        after = np.log(power + np.float32(self._shape.quietest))
        if self._here is not None:
            self._done.append(self._peaks(self._here, after))
            self._first += len(self._here)
        self._before, self._here = self._here, after

    def take(self, rest: Iterable[NDArray[np.float32]]) -> Peaks:
        """Return the peaks if the spectrogram ends with `rest`, whose last chunk may be shorter; nothing is lost."""
        ended = copy(self)
        ended._done = list(self._done)
        for power in rest:
            ended.push(power)
        if ended._here is not None:
            ended._done.append(ended._peaks(ended._here, ended._here[:0]))
        return ended._joined()

    def forget(self, before: int) -> None:
        """Let go of finished chunks that end before a frame; their frames are not given out again."""
        chunk = self._shape.chunk_frames
        kept = min(max(before // chunk - self._forgotten, 0), len(self._done))
        del self._done[:kept]
        self._forgotten += kept

    def _joined(self) -> Peaks:
        nothing = np.zeros(0, np.int32)
        found = self._done or [Peaks(nothing, nothing, nothing)]
        frames, bins, ranks = (
            np.concatenate([getattr(one, name) for one in found]) for name in ("frames", "bins", "ranks")
        )
        maps = [one.salience for one in found if one.salience is not None]
        salience = np.concatenate(maps) if maps else None
        return Peaks(frames, bins, ranks, salience, self._forgotten * self._shape.chunk_frames)

    def _peaks(self, here: NDArray[np.float32], after: NDArray[np.float32]) -> Peaks:
        """Return the peaks of the chunk that begins at `_first`, seen with its neighbours."""
        head = here[:0] if self._before is None else self._before[-CONTEXT_FRAMES:]
        region, core = np.concatenate([head, here, after[:CONTEXT_FRAMES]]), slice(len(head), len(head) + len(here))
        frames, bins, ranks = _peaks_of(region, self._first - len(head), core, self._shape, self._keep)
        salience = None if self._salience is None else pack_nibbles(self._salience(region)[core])
        return Peaks(frames.astype(np.int32), bins.astype(np.int32), ranks.astype(np.int32), salience)


def _peaks_of(
    log_power: NDArray[np.float32], first: int, core: slice, shape: PeakShape, keep: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    if log_power[core].max(initial=shape.floor) <= shape.floor:
        nothing = np.zeros(0, np.int64)  # silence, of which a small file may hold days
        return nothing, nothing, nothing
    near = slice(max(core.start - shape.frames, 0), core.stop + shape.frames)
    highest = running_maximum(running_maximum(log_power[near], shape.bins, axis=1), shape.frames, axis=0)
    inner = (core, slice(1, -1))  # at the border of the band the skirt of a sound outside looks like a peak
    there = (slice(core.start - near.start, core.stop - near.start), slice(1, -1))
    largest = (log_power[inner] == highest[there]) & (log_power[inner] > shape.floor)
    frames, bins = np.divmod(np.flatnonzero(largest), largest.shape[1])  # faster than nonzero by three
    bins += 1
    frames += core.start
    strength = log_power[frames, bins] - _surroundings(log_power, shape)[frames // shape.cell, bins // shape.cell]
    strong = strength > 0
    frames, bins, strength = frames[strong], bins[strong], strength[strong]
    block = (frames + first) // shape.block_frames
    order = np.lexsort((-strength, block))
    sorted_block = block[order]
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.searchsorted(sorted_block, sorted_block)
    kept = ranks < keep
    return frames[kept] + first, bins[kept], ranks[kept]


def running_maximum(values: NDArray[np.float32], reach: int, *, axis: int) -> NDArray[np.float32]:
    """Return the maximum within `reach` places to each side along `axis`, by doubling the width of the maximum."""
    size = values.shape[axis]
    padded_shape, inside = list(values.shape), [slice(None)] * values.ndim
    padded_shape[axis], inside[axis] = size + 2 * reach, slice(reach, reach + size)
    padded = np.full(padded_shape, -np.inf, np.float32)
    padded[tuple(inside)] = values
    # As one long row, which is three times as fast as many short ones: what is padded keeps the rows apart.
    stride = int(np.prod(padded_shape[axis + 1 :]))
    # From one array into another, since numpy copies what overlaps.
    here, there = padded.reshape(-1), np.zeros(padded.size, np.float32)
    width, target = 1, 2 * reach + 1
    while width < target:
        step = min(width, target - width)
        np.maximum(here[: -step * stride], here[step * stride :], out=there[: -step * stride])
        here, there = there, here
        width += step
    inside[axis] = slice(size)
    return here.reshape(padded_shape)[tuple(inside)]


def _surroundings(log_power: NDArray[np.float32], shape: PeakShape) -> NDArray[np.float32]:
    """Return the mean log power around each cell, (frames / cell rounded up, bins / cell)."""
    cell, (time_cells, bin_cells) = shape.cell, shape.around_cells
    rows = np.arange(0, len(log_power), cell)
    height = np.diff(np.append(rows, len(log_power)))[:, None]
    whole = len(log_power) // cell * cell  # ten times as fast by summing over an axis as by reduceat
    by_time = log_power[:whole].reshape(-1, cell, log_power.shape[1]).sum(axis=1)
    if whole < len(log_power):
        by_time = np.concatenate([by_time, log_power[whole:].sum(axis=0, keepdims=True)])
    cells = by_time.reshape(len(rows), -1, cell).mean(axis=2)
    total = _box_sum(_box_sum(cells, time_cells, axis=0), bin_cells, axis=1)
    count = _box_sum(_box_sum(height * np.ones_like(cells), time_cells, axis=0), bin_cells, axis=1)
    return (total / count).astype(np.float32)


def _box_sum(values: NDArray[np.floating], reach: int, *, axis: int) -> NDArray[np.float64]:
    """Return the sum within `reach` places to each side; at the borders over what is there."""
    total = np.cumsum(np.moveaxis(values, axis, 0), axis=0, dtype=np.float64)
    total = np.concatenate([np.zeros_like(total[:1]), total])
    places = np.arange(len(total) - 1)
    box = total[np.minimum(places + reach + 1, len(places))] - total[np.maximum(places - reach, 0)]
    return np.moveaxis(box, 0, axis)
