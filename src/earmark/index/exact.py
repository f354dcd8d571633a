"""Exact search of one segment: a product of blocks, and a list of the best so far.

A block of the 8-bit vectors at a time is turned into float32 in the processor's cache and multiplied with all vectors
of the query at once, in products so small that the linear algebra library does not start threads for them: these take
longer to wait for each other than they save, and twenty times as long while another process keeps the other cores busy.
What is better than the best so far goes on a list, so that nearly nothing is sorted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.index.int8 import Found

BLOCK = 4096  # vectors; 2 MB as float32, the fastest of 1,024 to 16,384 as measured
PRODUCT = 1 << 18  # rows * queries * dimensions of one matrix product: as large as OpenBLAS leaves to one thread
ALIGNED = 16  # rows of a product are a multiple of it
QUERIES = 64  # vectors of a query at a time, so that a block's scores stay in the cache
WAITING = 4  # times as many candidates as results before the list is cut again


class Exact:
    """No structure at all: how the vectors of one segment are searched when nothing shortens it."""

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return nothing: there is nothing beside the vectors."""
        return {}

    def stats(self) -> Mapping[str, float]:
        """Return nothing."""
        return {}

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[np.int8], gone: NDArray[np.bool_] | None, nearest: int
    ) -> Found:
        """Return the `nearest` rows of each query by inner product, of equal ones those of lower number."""
        parts = [
            _search(queries[start : start + QUERIES], vectors, gone, nearest)
            for start in range(0, len(queries), QUERIES)
        ]
        return Found(
            np.concatenate([found.queries + number * QUERIES for number, found in enumerate(parts)]),
            np.concatenate([found.rows for found in parts]),
            np.concatenate([found.scores for found in parts]),
            len(queries) * len(vectors),
        )


def _search(
    queries: NDArray[np.int8], vectors: NDArray[np.int8], gone: NDArray[np.bool_] | None, nearest: int
) -> Found:
    count = len(queries)
    candidates = _Candidates(count, nearest)
    for start, scores in _blocks(queries, vectors):
        if gone is not None:
            scores[gone[start : start + len(scores)]] = -np.inf
        above = candidates.above(scores)
        candidates.add(above % count, start + above // count, scores.reshape(-1)[above])
    return candidates.found()


def _blocks(queries: NDArray[np.int8], vectors: NDArray[np.int8]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (first row, inner products (rows, queries)) of each block; the array is used again for the next."""
    count, dimensions = len(queries), vectors.shape[1]
    turned = np.ascontiguousarray(queries.T, np.float32)
    together = max(1, PRODUCT // (count * dimensions) // ALIGNED * ALIGNED)
    wide = np.zeros((-(-BLOCK // together), together, dimensions), np.float32)
    scores = np.empty((len(wide), together, count), np.float32)
    flat, flat_scores = wide.reshape(-1, dimensions)[:BLOCK], scores.reshape(-1, count)
    for start in range(0, len(vectors), BLOCK):
        size = min(BLOCK, len(vectors) - start)
        flat[:size] = vectors[start : start + size]
        np.matmul(wide, turned, out=scores)
        yield start, flat_scores[:size]


class _Candidates:
    """The best rows so far of each query, and some that were among them for a while."""

    def __init__(self, queries: int, nearest: int) -> None:
        self._nearest = nearest
        self._floors = np.full(queries, -np.inf, np.float32)  # what a row must exceed
        self._tiled = np.tile(self._floors, BLOCK)  # one long row is compared faster than many short ones
        self._columns: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
        self._waiting, self._most = 0, WAITING * queries * nearest

    def above(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return where, in the flattened scores of a block, the candidates are."""
        if not self._columns and len(scores) > self._nearest:
            last = len(scores) - self._nearest
            self._set_floors(np.partition(scores.T.copy(), last, axis=1)[:, last] - 0.5)  # scores are whole numbers
        return np.flatnonzero(scores.reshape(-1) > self._tiled[: scores.size])

    def add(self, queries: NDArray[np.int64], rows: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Put rows on the list, of higher number than those on it."""
        first = not self._columns
        self._columns.append((queries, rows, scores))
        self._waiting += len(rows)
        if first or self._waiting > self._most:
            self._cut()

    def found(self) -> Found:
        """Return the best rows of each query."""
        self._cut()
        return (
            Found(*self._columns[0]) if self._columns else Found(*(np.zeros(0, np.int64),) * 2, np.zeros(0, np.float32))
        )

    def _cut(self) -> None:
        """Keep the best rows alone, and let no other in than those that are better than the worst of them."""
        if not self._columns:
            return
        queries, rows, scores = (np.concatenate(column) for column in zip(*self._columns, strict=True))
        order = np.lexsort((rows, -scores, queries))
        rank = np.arange(len(order)) - np.searchsorted(queries[order], queries[order], side="left")
        self._columns = [(queries[kept], rows[kept], scores[kept]) for kept in [order[rank < self._nearest]]]
        self._waiting = len(self._columns[0][0])
        last = order[rank == self._nearest - 1]
        floors = self._floors.copy()
        floors[queries[last]] = scores[last]
        self._set_floors(floors)

    def _set_floors(self, floors: NDArray[np.float32]) -> None:
        self._floors = floors.astype(np.float32)
        self._tiled = np.tile(self._floors, BLOCK)
