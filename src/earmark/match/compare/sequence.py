"""Sequences of segments laid on each other: edit distance, and local alignment with affine gaps.

Both go through a matrix of segments by segments row by row; what runs along a row is a running minimum or maximum, so
that a row is a handful of array operations (the prefix form of Farrar's lazy F, Bioinformatics 23(2), 2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GapCosts:
    """What it costs to leave out k segments of a sequence: the lesser of k `drift` and `open` + k `extend`.

    Two affine costs in one: a clock that runs differently drifts by a segment now and then, a cut takes many at once.
    """

    open: float
    extend: float
    drift: float
    back: float = math.inf  # to go back in the columns by k segments, besides k `extend`; the textbook never does

    def of(self, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the cost of gaps of these lengths, all of them 1 or more."""
        costs: NDArray[np.float64] = np.minimum(lengths * self.drift, self.open + lengths * self.extend)
        return costs


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Which segments of two sequences were laid on each other, in order, and what for."""

    rows: NDArray[np.int64]  # (k,), rising
    columns: NDArray[np.int64]  # (k,), rising but where it goes back
    score: float  # of an alignment, the larger the better; of an edit path the distance, the smaller the better

    def pieces(self, *, drift: int = 1, gap: int = 1) -> list[tuple[int, int]]:
        """Return the (first, after the last) pair of each part that lies on one diagonal.

        From one pair to the next it may drift by some segments, and leave out a `gap` of rows.
        """
        if not len(self.rows):
            return []
        turns = np.abs(np.diff(self.columns - self.rows)) > drift
        edges = [0, *(np.flatnonzero(turns | (np.diff(self.rows) > gap + 1)) + 1).tolist(), len(self.rows)]
        return list(pairwise(edges))


def edit_distance(same: NDArray[np.bool_]) -> int:
    """Return how many segments have to be changed, left out or put in to make one sequence of the other.

    `same`, (n, m), says which segment of the one is which of the other (Levenshtein, 1966).
    """
    return int(_edits(same, is_inside=False)[-1, -1])


def edit_path(same: NDArray[np.bool_]) -> Path:
    """Return where a sequence lies in a longer one with the fewest edits, the first such place (Sellers, 1980).

    Segments of the longer one before and after it cost nothing. The path holds the pairs that are the same.
    """
    distances = _edits(same, is_inside=True)
    row, column = len(distances) - 1, int(distances[-1].argmin())
    fewest, pairs = int(distances[row, column]), list[tuple[int, int]]()
    while row and column:
        here = distances[row, column]
        if here == distances[row - 1, column - 1] + (not same[row - 1, column - 1]):
            row, column = row - 1, column - 1
            if same[row, column]:
                pairs.append((row, column))
        elif here == distances[row - 1, column] + 1:
            row -= 1
        else:
            column -= 1
    return _path(pairs, fewest)


def local_alignment(scores: Numbers, gaps: GapCosts) -> Path:
    """Return the parts of two sequences that agree best, in order, with gaps in either (Smith and Waterman, 1981).

    `scores`, (n, m), are above 0 where two segments agree and below where they do not. Affine gaps: Gotoh, 1982.
    Where `gaps.back` says what it costs, the path may also go back in the columns, from one row to the next.
    """
    best = _alignments(scores, gaps)
    row, column = np.unravel_index(int(best.argmax()), best.shape)
    at, pairs = (int(row), int(column)), list[tuple[int, int]]()
    score = float(best[at])
    while best[at] > 0:
        value, before = float(best[at]), _gap_before(best, at, gaps)
        own, straight = float(scores[at[0] - 1, at[1] - 1]), float(best[at[0] - 1, at[1] - 1])
        returned, origin = _return_before(best, at, gaps)
        if before is None or abs(own + max(straight, returned) - value) <= abs(before[0] - value):
            at = (at[0] - 1, at[1] - 1)
            pairs.append(at)
            at = (at[0], origin) if returned > max(straight, 0) else at
        else:
            at = before[1]
    return _path(pairs, score)


def _edits(same: NDArray[np.bool_], *, is_inside: bool) -> NDArray[np.int32]:
    """Return the fewest edits up to each pair, (n + 1, m + 1); `is_inside`: columns before the first are free."""
    rows, columns = same.shape
    along = np.arange(columns + 1, dtype=np.int32)
    distances = np.empty((rows + 1, columns + 1), np.int32)
    distances[0] = 0 if is_inside else along
    for row in range(rows):
        before, here = distances[row], distances[row + 1]
        here[:] = before + 1
        np.minimum(here[1:], before[:-1] + ~same[row], out=here[1:])
        here[:] = np.minimum.accumulate(here - along) + along
    return distances


def _alignments(scores: Numbers, gaps: GapCosts) -> Numbers:
    """Return the best score of an alignment that ends with each pair or in a gap after one, (n + 1, m + 1)."""
    rows, columns = scores.shape
    along = np.arange(columns + 1, dtype=np.float32)
    best = np.zeros((rows + 1, columns + 1), np.float32)
    drifting, leaping = np.full((2, columns + 1), -np.inf, np.float32)
    for row in range(rows):
        before, here = best[row], best[row + 1]
        np.maximum(drifting, before, out=drifting)
        drifting -= np.float32(gaps.drift)
        np.maximum(leaping, before - np.float32(gaps.open), out=leaping)
        leaping -= np.float32(gaps.extend)
        np.maximum(np.maximum(drifting, leaping), 0, out=here)
        behind = _returns(before, gaps) if math.isfinite(gaps.back) else before[:-1]
        np.maximum(here[1:], np.maximum(before[:-1], behind) + scores[row], out=here[1:])
        ended = here.copy()
        for cost, opening in ((gaps.drift, 0.0), (gaps.extend, gaps.open)):
            reached = np.maximum.accumulate(ended + np.float32(cost) * along)[:-1]
            np.maximum(here[1:], reached - np.float32(cost) * along[1:] - np.float32(opening), out=here[1:])
    return best


def _returns(before: Numbers, gaps: GapCosts) -> Numbers:
    """Return the best score of a row from which a path goes back to each column, (m,)."""
    along = np.float32(gaps.extend) * np.arange(len(before), dtype=np.float32)
    reached = np.maximum.accumulate((before - along)[::-1])[::-1] + along - np.float32(gaps.back)
    returns: Numbers = reached[1:]
    return returns


def _return_before(best: Numbers, at: tuple[int, int], gaps: GapCosts) -> tuple[float, int]:
    """Return (score, column) of the best alignment in the row before from which a path goes back to this pair."""
    row, column = at
    values = best[row - 1, column:] - gaps.extend * np.arange(best.shape[1] - column) - gaps.back
    where = int(values.argmax())
    return float(values[where]), column + where


def _gap_before(best: Numbers, at: tuple[int, int], gaps: GapCosts) -> tuple[float, tuple[int, int]] | None:
    """Return (score, pair) of the best alignment that a gap before this pair follows; None where there is none."""
    row, column = at
    found = list[tuple[float, tuple[int, int]]]()
    if row > 0:
        values = best[:row, column] - gaps.of(np.arange(row, 0, -1))
        where = int(values.argmax())
        found.append((float(values[where]), (where, column)))
    if column > 0:
        values = best[row, :column] - gaps.of(np.arange(column, 0, -1))
        where = int(values.argmax())
        found.append((float(values[where]), (row, where)))
    return max(found, default=None)


def _path(pairs: Sequence[tuple[int, int]], score: float) -> Path:
    rows, columns = np.array(pairs[::-1], np.int64).reshape(-1, 2).T
    return Path(rows, columns, score)
