"""Two bits a component: a quarter of what exact search reads, for candidates that are compared again elsewhere.

Components of vectors of length 1 that a network has learned are about normal, with a standard deviation of one by the
root of D. The best four levels for such numbers are known (Max, "Quantizing for minimum distortion", IRE Trans. 1960,
table I), so nothing is trained, a vector's code never changes, and segments are merged by copying. Two components make
the half byte that a processor looks up 32 at a time (Andre, Kermarrec, Le Scouarnec, "Quicker ADC", PAMI 2019).

Cost, for N vectors of D dimensions: N D / 2 look-ups for a vector of a query, about a third of the time that exact
search takes; D / 4 bytes a vector in memory, D / 4 + 4 on disk. The nearest vector of 230,000 was among the first 20
for all of 24 noisy ones; of the 20 nearest, 88 in a hundred were among the first 40.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.errors import CatalogDamaged, OptionError
from earmark.index import faiss_io
from earmark.index.exact import Exact
from earmark.index.int8 import SCALE, Found
from earmark.index.segment import Structure
from earmark.index.segmented import Segmented

BORDER, LEVELS = 0.9816, (-1.510, -0.4528, 0.4528, 1.510)  # standard deviations
KEPT = 0.8825  # of the variance; inner products are smaller by so much
SEGMENT_VECTORS = 1 << 20  # 32 MB of 128 dimensions


class Compact(Segmented):
    """An index of two bits a component; see the module's docstring."""

    most_vectors: ClassVar = SEGMENT_VECTORS
    components_a_byte: ClassVar = 4

    @staticmethod
    def _plain() -> Exact:
        return Scanned()

    def _stored(self, vectors: NDArray[np.int8]) -> NDArray[Any]:
        return packed(vectors)

    def _build(self, vectors: NDArray[np.int8]) -> Structure:
        raise AssertionError("unreachable: no segment is too large to be scanned")

    def _read(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        raise CatalogDamaged(f"{sorted(arrays)} belong to another kind of index; earmark rebuild makes it again")


class Scanned(Exact):
    """How the codes of one segment are searched: all of them, one after another."""

    def __init__(self) -> None:
        self._made: tuple[bytes, NDArray[np.int64] | None, Any] | None = None
        self._making = Lock()

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[Any], gone: NDArray[np.bool_] | None, nearest: int
    ) -> Found:
        """Return the `nearest` rows of each query by what their codes, (n, d / 4), say of the inner product."""
        kept, index = self._index(vectors, gone)
        if not index.ntotal:
            return Found(*(np.zeros(0, np.int64),) * 2, np.zeros(0, np.float32))
        with faiss_io.one_thread():
            scores, rows = index.search(queries.astype(np.float32), min(nearest, index.ntotal))
        query, place = np.nonzero(rows >= 0)
        found = rows[query, place] if kept is None else kept[rows[query, place]]
        return Found(query, found, scores[query, place] / KEPT, len(queries) * index.ntotal)

    def _index(self, codes: NDArray[np.uint8], gone: NDArray[np.bool_] | None) -> tuple[NDArray[np.int64] | None, Any]:
        """Return (which rows, None for all; their codes as Faiss scans them); made anew when other rows are gone."""
        key = b"" if gone is None else np.packbits(gone).tobytes()
        with self._making:
            if self._made is None or self._made[0] != key:
                rows = None if gone is None else np.flatnonzero(~gone)
                self._made = key, rows, _scannable(codes if rows is None else codes[rows])
            return self._made[1:]


def packed(vectors: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return vectors of length 1, 254 to one, as two bits a component, (n, d / 4).

    Raises OptionError unless d is a multiple of 4.
    """
    if vectors.shape[1] % Compact.components_a_byte:
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
    dimensions = codes.shape[1] * Compact.components_a_byte
    plain = faiss.IndexPQ(dimensions, dimensions // 2, 4, faiss.METRIC_INNER_PRODUCT)
    levels = np.array(LEVELS, np.float32) * np.float32(SCALE / np.sqrt(dimensions))
    pairs = np.stack(np.meshgrid(levels, levels, indexing="ij"), axis=-1).reshape(-1)
    faiss.copy_array_to_vector(np.tile(pairs, dimensions // 2), plain.pq.centroids)
    faiss.copy_array_to_vector(np.ascontiguousarray(codes).reshape(-1), plain.codes)
    plain.ntotal, plain.is_trained = len(codes), True
    return faiss.IndexPQFastScan(plain)
