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
from earmark.types import Frames, Hits

SCALE = 254.0  # components of a unit vector of 128 dimensions are about 0.09; none that matters is above a half
LARGEST = 127
MOST_DIMENSIONS = 1024  # 127 * 127 * 1,024 is just below 2^24, up to which float32 counts exactly
GATHERED = 1 << 13  # vectors that are compared at a time, 4 MB as float32


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Neighbours of a query's vectors within one segment: parallel columns."""

    queries: NDArray[np.int64]  # which vector of the query
    rows: NDArray[np.int64]  # which vector of the segment
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
    queries: NDArray[np.int8], vectors: NDArray[np.int8], pairs: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.float32]:
    """Return the inner product of each pair (vector of the query, row)."""
    scores = np.empty(len(pairs[0]), np.float32)
    wide = queries.astype(np.float32)
    for start in range(0, len(scores), GATHERED):
        query, row = (column[start : start + GATHERED] for column in pairs)
        np.einsum("ij,ij->i", wide[query], vectors[row].astype(np.float32), out=scores[start : start + GATHERED])
    return scores


def best(columns: Hits, nearest: int) -> NDArray[np.int64]:
    """Return which hits are among the `nearest` of their query frame, in order of frame and rank.

    Ties go to the lower track, then to the earlier frame. `query_frames` may be any numbers.
    """
    order = np.lexsort((columns.reference_frames, columns.tracks, -columns.scores, columns.query_frames))
    queries = columns.query_frames[order]
    first = np.searchsorted(queries, queries, side="left")
    kept: NDArray[np.int64] = order[np.arange(len(order)) - first < nearest]
    return kept


def no_hits() -> Hits:
    """Return a search's result when there is nothing to find."""
    empty: Frames = np.zeros(0, np.int32)
    return Hits(empty, empty, empty, np.zeros(0, np.float32))
