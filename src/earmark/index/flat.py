"""Exact search: the vectors of a query, (m, d) int8, are compared with every vector of the catalog, (n, d) int8.

Blocks are multiplied as float32 in the processor's cache, in products so small that the linear algebra library starts
no threads: these wait for each other longer than they save, and twenty times as long while other cores are busy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.index.int8 import Neighbours, no_neighbours
from earmark.index.segmented import Segmented

SEGMENT_VECTORS = 1 << 17  # 17 MB of 128 dimensions; all that a removal writes anew and opening checks whole
BLOCK = 4096  # vectors; 2 MB as float32, the fastest of 1,024 to 16,384 as measured
PRODUCT = 1 << 18  # rows * queries * dimensions of one matrix product; OpenBLAS leaves as much to one thread
ROW_MULTIPLE = 16  # rows of a product
QUERIES = 64  # vectors of a query compared together; a block's scores stay in the cache
LIST_FACTOR = 4  # candidates / results at which the list is cut again


class Flat(Segmented):
    """The exact index, judge of every other.

    Cost, for N vectors of D dimensions and Q of the query: Q N D multiplications and N D bytes read for each search,
    whatever is asked; D + 4 bytes a vector, memory-mapped where they were published, of which none need be in memory.
    Building: nothing but copying.
    """

    most_vectors: ClassVar = SEGMENT_VECTORS

    @staticmethod
    def _scan() -> Scan:
        return Scan()


class Scan:
    """How the vectors of one segment are searched when no structure shortens it: all of them, block by block."""

    is_scan: ClassVar = True

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return nothing: there are only the vectors."""
        return {}

    def stats(self) -> Mapping[str, float]:
        """Return nothing."""
        return {}

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[np.int8], deleted: NDArray[np.bool_] | None, nearest: int
    ) -> Neighbours:
        """Return the `nearest` rows of each query by inner product, of equal ones those of lower number."""
        parts = [
            _search(queries[start : start + QUERIES], vectors, deleted, nearest)
            for start in range(0, len(queries), QUERIES)
        ]
        return Neighbours(
            np.concatenate([found.queries + number * QUERIES for number, found in enumerate(parts)]),
            np.concatenate([found.rows for found in parts]),
            np.concatenate([found.scores for found in parts]),
            len(queries) * len(vectors),
        )


def _search(
    queries: NDArray[np.int8], vectors: NDArray[np.int8], deleted: NDArray[np.bool_] | None, nearest: int
) -> Neighbours:
    count = len(queries)
    candidates = _Candidates(count, nearest)
    for start, scores in _blocks(queries, vectors):
        if deleted is not None:
            scores[deleted[start : start + len(scores)]] = -np.inf
        above = candidates.above(scores)
        candidates.add(above % count, start + above // count, scores.reshape(-1)[above])
    return candidates.found()


def _blocks(queries: NDArray[np.int8], vectors: NDArray[np.int8]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield (first row, inner products (rows, queries)) of each block; the array is used again for the next."""
    count, dimensions = len(queries), vectors.shape[1]
    transposed = np.ascontiguousarray(queries.T, np.float32)
    together = max(1, PRODUCT // (count * dimensions) // ROW_MULTIPLE * ROW_MULTIPLE)
    wide = np.zeros((-(-BLOCK // together), together, dimensions), np.float32)
    scores = np.empty((len(wide), together, count), np.float32)
    flat, flat_scores = wide.reshape(-1, dimensions)[:BLOCK], scores.reshape(-1, count)
    for start in range(0, len(vectors), BLOCK):
        size = min(BLOCK, len(vectors) - start)
        flat[:size] = vectors[start : start + size]
        np.matmul(wide, transposed, out=scores)
        yield start, flat_scores[:size]


class _Candidates:
    """The best rows so far of each query, and some that were among them for a while."""

    def __init__(self, queries: int, nearest: int) -> None:
        self._nearest = nearest
        self._floors = np.full(queries, -np.inf, np.float32)  # score that a row must exceed
        self._tiled = np.tile(self._floors, BLOCK)  # one long row is compared faster than many short ones
        self._columns: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
        self._listed, self._most = 0, LIST_FACTOR * queries * nearest

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
        self._listed += len(rows)
        if first or self._listed > self._most:
            self._cut()

    def found(self) -> Neighbours:
        """Return the best rows of each query."""
        self._cut()
        return Neighbours(*self._columns[0]) if self._columns else no_neighbours()

    def _cut(self) -> None:
        """Keep the best rows alone, and let no other in than those that are better than the worst of them."""
        if not self._columns:
            return
        queries, rows, scores = (np.concatenate(column) for column in zip(*self._columns, strict=True))
        order = np.lexsort((rows, -scores, queries))
        rank = np.arange(len(order)) - np.searchsorted(queries[order], queries[order], side="left")
        kept = order[rank < self._nearest]
        self._columns = [(queries[kept], rows[kept], scores[kept])]
        self._listed = len(kept)
        last = order[rank == self._nearest - 1]
        floors = self._floors.copy()
        floors[queries[last]] = scores[last]
        self._set_floors(floors)

    def _set_floors(self, floors: NDArray[np.float32]) -> None:
        self._floors = floors.astype(np.float32)
        self._tiled = np.tile(self._floors, BLOCK)
