"""Two bits a component: a quarter of what exact search reads, for candidates that are compared again elsewhere.

Components of vectors of length 1 are about normal, with a standard deviation of 1 / sqrt(D), for which the best four
levels are known (Max, "Quantizing for minimum distortion", IRE Trans. 1960, table I): nothing is trained. Two make the
half byte that a processor looks up 32 at a time (Andre, Kermarrec, Le Scouarnec, "Quicker ADC", PAMI 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index import faiss_io
from earmark.index.int8 import SCALE, Neighbours, no_neighbours
from earmark.index.segmented import Segmented

BORDER, LEVELS = 0.9816, (-1.510, -0.4528, 0.4528, 1.510)  # standard deviations of a component
KEPT_SHARE = 0.8825  # share of the variance kept; divide inner products by it
SEGMENT_VECTORS = 1 << 20  # vectors, 32 MB of 128 dimensions


class TwoBit(Segmented):
    """An index of two bits a component.

    Cost, for N vectors of D dimensions: N D / 2 look-ups for a vector of a query, about a third of the time that exact
    search takes; D / 4 bytes a vector in memory, D / 4 + 4 on disk. The nearest vector of 230,000 was among the first
    20 for all of 24 noisy ones; of the 20 nearest, 88 in a hundred were among the first 40. A vector's code never
    changes, so segments are merged by copying.
    """

    most_vectors: ClassVar = SEGMENT_VECTORS
    stored_type: ClassVar = np.uint8
    components_per_byte: ClassVar = 4
    is_exact: ClassVar = False

    @staticmethod
    def _scan() -> CodeScan:
        return CodeScan()

    def _stored(self, vectors: NDArray[np.int8]) -> NDArray[Any]:
        return packed(vectors)


class CodeScan:
    """How the codes of one segment are searched: all of them, one after another."""

    is_scan: ClassVar = True

    def __init__(self) -> None:
        self._made: tuple[bytes, NDArray[np.int64] | None, Any] | None = None
        self._making = Lock()

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return nothing: there are only the codes."""
        return {}

    def stats(self) -> Mapping[str, float]:
        """Return nothing."""
        return {}

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[Any], deleted: NDArray[np.bool_] | None, nearest: int
    ) -> Neighbours:
        """Return the `nearest` rows of each query by what their codes, (n, d / 4), say of the inner product."""
        kept, index = self._index(vectors, deleted)
        if not index.ntotal:
            return no_neighbours()
        with faiss_io.one_thread():
            scores, rows = index.search(queries.astype(np.float32), min(nearest, index.ntotal))
        query, place = np.nonzero(rows >= 0)
        found = rows[query, place] if kept is None else kept[rows[query, place]]
        return Neighbours(query, found, scores[query, place] / KEPT_SHARE, len(queries) * index.ntotal)

    def _index(
        self, codes: NDArray[np.uint8], deleted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64] | None, Any]:
        """Return (which rows, None for all; their codes as Faiss scans them); made anew when other rows are deleted."""
        key = b"" if deleted is None else np.packbits(deleted).tobytes()
        with self._making:
            if self._made is None or self._made[0] != key:
                rows = None if deleted is None else np.flatnonzero(~deleted)
                self._made = key, rows, _scannable(codes if rows is None else codes[rows])
            return self._made[1:]


def packed(vectors: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return vectors of length 1, 254 to one, as two bits a component, (n, d / 4).

    Raises OptionError unless d is a multiple of 4.
    """
    if vectors.shape[1] % TwoBit.components_per_byte:
        raise OptionError(f"vectors of {vectors.shape[1]} dimensions: this index takes multiples of 4; use index auto")
    border = BORDER * SCALE / np.sqrt(vectors.shape[1])
    digits = (vectors > -border).astype(np.uint8)
    digits += vectors > 0
    digits += vectors > border
    halves = 4 * digits[:, ::2] + digits[:, 1::2]
    codes: NDArray[np.uint8] = halves[:, ::2] | halves[:, 1::2] << 4
    return codes


def _scannable(codes: NDArray[np.uint8]) -> Any:
    faiss = faiss_io.library()
    dimensions = codes.shape[1] * TwoBit.components_per_byte
    plain = faiss.IndexPQ(dimensions, dimensions // 2, 4, faiss.METRIC_INNER_PRODUCT)
    levels = np.array(LEVELS, np.float32) * np.float32(SCALE / np.sqrt(dimensions))
    pairs = np.stack(np.meshgrid(levels, levels, indexing="ij"), axis=-1).reshape(-1)
    faiss.copy_array_to_vector(np.tile(pairs, dimensions // 2), plain.pq.centroids)
    faiss.copy_array_to_vector(np.ascontiguousarray(codes).reshape(-1), plain.codes)
    plain.ntotal, plain.is_trained = len(codes), True
    return faiss.IndexPQFastScan(plain)
