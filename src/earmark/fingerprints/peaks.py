"""Peaks of a spectrogram: the constellation of Wang (ISMIR 2003, §2.1).

A peak is a local maximum that stands out from the mean log power around it. Of each stretch of time the most
prominent are kept, so that quiet passages are covered as well as loud ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprints.salience import FLOOR, Relief, halved
from earmark.types import Codes, Frames

ReliefMaker = Callable[[NDArray[np.float32]], Relief]

CELL = 8  # frames and bins; the surroundings are averaged on a grid this coarse, for speed
BLOCK_FRAMES = 32  # the most prominent peaks of each block are kept
CHUNK_FRAMES = 16 * BLOCK_FRAMES
CONTEXT_FRAMES = 64  # what a chunk sees of its neighbours; more than any filter below reaches
TIME_CELLS, BIN_CELLS = 7, 4  # the surroundings: 1 s and 200 Hz to each side


@dataclass(frozen=True, slots=True)
class PeakRule:
    """What counts as a peak: the largest within so many frames and bins to each side."""

    frames: int
    bins: int


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Peaks in order of (frame, bin); `rank` is the place by prominence within the peak's block, 0 the first."""

    frames: Frames
    bins: Codes
    ranks: Frames
    relief: NDArray[np.uint8] | None = None  # (frames, bins / 2), `halved`, where it was asked for


def find_peaks(
    chunks: Iterable[NDArray[np.float32]], rule: PeakRule, *, keep: int, relief: ReliefMaker | None = None
) -> Peaks:
    """Return the `keep` most prominent peaks of every block of a power spectrogram.

    `chunks`: arrays (CHUNK_FRAMES, bins), the last one shorter; the number of bins is a multiple of `CELL`.
    `relief` makes one of log power in nepers, (frames, bins): how much every place speaks for a peak that is in another
    analysis of the sound and perhaps not here.
    """
    found, reliefs = [], []
    for region, first, core in _regions(chunks):
        found.append(_peaks_of(region, first, core, rule, keep))
        if relief is not None:
            reliefs.append(halved(relief(region)[core]))
    if not found:
        return Peaks(np.zeros(0, np.int32), np.zeros(0, np.uint32), np.zeros(0, np.int32))
    frames, bins, ranks = (np.concatenate(column) for column in zip(*found, strict=True))
    drawn = np.concatenate(reliefs) if reliefs else None
    return Peaks(frames.astype(np.int32), bins.astype(np.uint32), ranks.astype(np.int32), drawn)


def _regions(chunks: Iterable[NDArray[np.float32]]) -> Iterator[tuple[NDArray[np.float32], int, slice]]:
    """Yield (log power with context, number of its first frame, slice of its core)."""
    before = here = None
    first = 0
    for power in chunks:
        after = np.log(power + np.float32(1e-10))
        if here is not None:
            yield _with_context(before, here, after, first)
            first += len(here)
        before, here = here, after
    if here is not None:
        yield _with_context(before, here, None, first)


def _with_context(
    before: NDArray[np.float32] | None, here: NDArray[np.float32], after: NDArray[np.float32] | None, first: int
) -> tuple[NDArray[np.float32], int, slice]:
    head = before[-CONTEXT_FRAMES:] if before is not None else here[:0]
    tail = after[:CONTEXT_FRAMES] if after is not None else here[:0]
    return np.concatenate([head, here, tail]), first - len(head), slice(len(head), len(head) + len(here))


def _peaks_of(
    log_power: NDArray[np.float32], first: int, core: slice, rule: PeakRule, keep: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    near = slice(max(core.start - rule.frames, 0), core.stop + rule.frames)
    highest = running_maximum(running_maximum(log_power[near], rule.bins, axis=1), rule.frames, axis=0)
    inner = (core, slice(1, -1))  # at the border of the band the skirt of a sound outside looks like a peak
    there = (slice(core.start - near.start, core.stop - near.start), slice(1, -1))
    largest = (log_power[inner] == highest[there]) & (log_power[inner] > FLOOR)
    frames, bins = np.divmod(np.flatnonzero(largest), largest.shape[1])  # faster than nonzero by three
    bins += 1
    frames += core.start
    prominence = log_power[frames, bins] - _surroundings(log_power)[frames // CELL, bins // CELL]
    standing_out = prominence > 0
    frames, bins, prominence = frames[standing_out], bins[standing_out], prominence[standing_out]
    block = (frames + first) // BLOCK_FRAMES
    order = np.lexsort((-prominence, block))
    sorted_block = block[order]
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - np.searchsorted(sorted_block, sorted_block)
    kept = ranks < keep
    return frames[kept] + first, bins[kept], ranks[kept]


def running_maximum(values: NDArray[np.float32], reach: int, *, axis: int) -> NDArray[np.float32]:
    """Return the maximum within `reach` places to each side along `axis`, by doubling the width of the maximum."""
    size = values.shape[axis]
    shape, inside = list(values.shape), [slice(None)] * values.ndim
    shape[axis], inside[axis] = size + 2 * reach, slice(reach, reach + size)
    padded = np.full(shape, -np.inf, np.float32)
    padded[tuple(inside)] = values
    # As one long row, which is three times as fast as many short ones: what is padded keeps the rows apart.
    stride = int(np.prod(shape[axis + 1 :]))
    # From one array into another, since numpy copies what overlaps.
    here, there = padded.reshape(-1), np.zeros(padded.size, np.float32)
    width, target = 1, 2 * reach + 1
    while width < target:
        step = min(width, target - width)
        np.maximum(here[: -step * stride], here[step * stride :], out=there[: -step * stride])
        here, there = there, here
        width += step
    inside[axis] = slice(size)
    return here.reshape(shape)[tuple(inside)]


def _surroundings(log_power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean log power around each cell, shape (frames / CELL rounded up, bins / CELL)."""
    rows = np.arange(0, len(log_power), CELL)
    height = np.diff(np.append(rows, len(log_power)))[:, None]
    whole = len(log_power) // CELL * CELL  # ten times as fast by summing over an axis as by reduceat
    by_time = log_power[:whole].reshape(-1, CELL, log_power.shape[1]).sum(axis=1)
    if whole < len(log_power):
        by_time = np.concatenate([by_time, log_power[whole:].sum(axis=0, keepdims=True)])
    cells = by_time.reshape(len(rows), -1, CELL).mean(axis=2)
    total = _box_sum(_box_sum(cells, TIME_CELLS, axis=0), BIN_CELLS, axis=1)
    count = _box_sum(_box_sum(height * np.ones_like(cells), TIME_CELLS, axis=0), BIN_CELLS, axis=1)
    return (total / count).astype(np.float32)


def _box_sum(values: NDArray[np.floating], reach: int, *, axis: int) -> NDArray[np.float64]:
    """Return the sum within `reach` places to each side; at the borders over what is there."""
    total = np.cumsum(np.moveaxis(values, axis, 0), axis=0, dtype=np.float64)
    total = np.concatenate([np.zeros_like(total[:1]), total])
    places = np.arange(len(total) - 1)
    box = total[np.minimum(places + reach + 1, len(places))] - total[np.maximum(places - reach, 0)]
    return np.moveaxis(box, 0, axis)
