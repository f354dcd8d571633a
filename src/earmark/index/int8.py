"""Vectors as indexes keep them: 8-bit integers, 254 to one, whose inner products are exact.

The inner product of two such vectors is an integer below 2^24 for up to 1,024 dimensions, and single-precision
arithmetic adds such integers without error, in whatever order: every index gives a pair of vectors the same score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.types import VECTOR_SCALE, Frames, Hits

SCALE = VECTOR_SCALE  # int8 = 254 x component of a vector of length 1
LARGEST = 127  # component as int8
MOST_DIMENSIONS = 1024  # dimensions; 127 * 127 * 1,024 is just below 2^24, up to which float32 counts exactly
ROW = (1 << 32) - 1  # bits of a pair that hold the row
GATHERED = 1 << 11  # vectors compared together; 1 MB as float32, and a product that stays in one thread


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Neighbours of a query's vectors within one segment: parallel columns."""

    queries: NDArray[np.int64]  # (n,) vector of the query
    rows: NDArray[np.int64]  # (n,) vector of the segment
    scores: NDArray[np.float32]  # inner products of the integers
    compared: int = 0  # pairs whose inner product was computed


def quantised(vectors: NDArray[Any]) -> NDArray[np.int8]:
    """Return vectors as int8, (n, d); float ones are multiplied by 254, rounded and cut at 127.

    Raises OptionError when they are no vectors: codes, or not finite.
    """
    if vectors.ndim != 2 or vectors.dtype.kind not in "fi" or (vectors.dtype.kind == "i" and vectors.dtype != np.int8):
        raise OptionError(
            f"an array of {vectors.dtype} and shape {vectors.shape} holds no vectors: give (n, d) int8 or float, "
            "or use index postings for codes"
        )
    if not 0 < vectors.shape[1] <= MOST_DIMENSIONS:
        raise OptionError(f"vectors of {vectors.shape[1]} dimensions: 1 to {MOST_DIMENSIONS} are possible")
    if vectors.dtype == np.int8:
        return np.ascontiguousarray(vectors)
    if not np.isfinite(vectors).all():
        raise OptionError("a vector holds NaN or infinity: leave out segments that are silent")
    whole: NDArray[np.int8] = np.clip(np.rint(vectors.astype(np.float32) * SCALE), -LARGEST, LARGEST).astype(np.int8)
    return whole


def compare(
    queries: NDArray[np.int8],
    vectors: NDArray[np.int8],
    pairs: NDArray[np.int64],
    deleted: NDArray[np.bool_] | None,
    nearest: int,
) -> Neighbours:
    """Return the `nearest` of the candidates of each query, and more when some are equal.

    A pair is query << 32 | row; those that occur twice are compared once, rows that are `deleted` are left out.
    """
    pairs = np.sort(pairs)
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])] if len(pairs) else pairs
    rows = pairs & ROW
    if deleted is not None:
        here = ~deleted[rows]
        pairs, rows = pairs[here], rows[here]
    edges = np.searchsorted(pairs, np.arange(len(queries) + 1) << 32)
    columns = [no_neighbours()]
    for query, vector in enumerate(queries.astype(np.float32)):
        own = rows[edges[query] : edges[query + 1]]
        scores = _products(vectors, own, vector)
        if len(own) > nearest:
            kept = scores >= np.partition(scores, len(own) - nearest)[len(own) - nearest]
            own, scores = own[kept], scores[kept]
        columns.append(Neighbours(np.full(len(own), query, np.int64), own, scores))
    return Neighbours(
        np.concatenate([part.queries for part in columns]),
        np.concatenate([part.rows for part in columns]),
        np.concatenate([part.scores for part in columns]),
        len(pairs),
    )


def _products(vectors: NDArray[np.int8], rows: NDArray[np.int64], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), GATHERED):
        part = vectors[rows[start : start + GATHERED]]
        np.matmul(part.astype(np.float32), vector, out=scores[start : start + GATHERED])
    return scores


def ranges(first: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (all numbers from each `first` to below each `end`, one range after another; how many each has)."""
    count = end - first
    return np.arange(int(count.sum())) + np.repeat(first - np.cumsum(count) + count, count), count


def best(columns: Hits, nearest: int) -> NDArray[np.int64]:
    """Return which hits are among the `nearest` of their query frame, in order of frame and rank.

    Ties go to the lower track, then to the earlier frame. `query_frames` may be any numbers.
    """
    likely = _likely(columns, nearest)
    frames, scores = columns.query_frames[likely], columns.scores[likely]
    order = likely[np.lexsort((columns.reference_frames[likely], columns.tracks[likely], -scores, frames))]
    queries = columns.query_frames[order]
    first = np.searchsorted(queries, queries, side="left")
    kept: NDArray[np.int64] = order[np.arange(len(order)) - first < nearest]
    return kept


def _likely(columns: Hits, nearest: int) -> NDArray[np.int64]:
    """Return which hits score no less than the `nearest`th of their query frame, before ties are told apart."""
    order = np.argsort(columns.query_frames, kind="stable")
    queries = columns.query_frames[order]
    starts = np.flatnonzero(np.append(True, queries[1:] != queries[:-1])) if len(queries) else np.zeros(0, np.int64)
    parts = [np.zeros(0, np.int64)]
    for rows in np.split(order, starts[1:]):
        if len(rows) > nearest:
            scores, last = columns.scores[rows], len(rows) - nearest
            rows = rows[scores >= np.partition(scores, last)[last]]
        parts.append(rows)
    return np.concatenate(parts)


def no_neighbours() -> Neighbours:
    """Return a segment's result when there is nothing to find."""
    empty = np.zeros(0, np.int64)
    return Neighbours(empty, empty, np.zeros(0, np.float32))


def no_hits() -> Hits:
    """Return a search's result when there is nothing to find."""
    empty: Frames = np.zeros(0, np.int32)
    return Hits(empty, empty, empty, np.zeros(0, np.float32))
