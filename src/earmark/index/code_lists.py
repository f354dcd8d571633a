"""The codes of one segment in lists, a cell's vectors in each, of which a search scans those that are nearest.

An inverted file over codes of two bits a component (Jegou, Douze, Schmid, "Product quantization for nearest neighbor
search", PAMI 2011, section 4), whose codes do not depend on their cell: no vector is coded anew when cells change.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.index import faiss_io
from earmark.index.cells import Cells
from earmark.index.codes import KEPT_SHARE, centroids, dimensions_of
from earmark.index.int8 import Neighbours
from earmark.index.spill import release

PROBES = 64  # lists scanned for each vector of a query: of 4,100 they name as many right places as a scan of all


class CodeLists:
    """Lists of one segment.

    Cost, for N vectors of D dimensions in C lists, P of them scanned: C D multiplications for a vector of a query, and
    P / C N D / 2 look-ups. With C = 2 sqrt N and P fixed that grows as sqrt N. Memory: D / 4 + 9 bytes a vector once
    the first search has put the codes into lists; 2 bytes a vector more on disk.
    """

    is_scan: ClassVar = False

    def __init__(self, cells: Cells, lists: NDArray[np.uint16]) -> None:
        """`lists` are the numbers of the vectors' cells, (n,)."""
        self.cells, self.lists = cells, lists
        self._made: tuple[Any, Any, NDArray[np.int64]] | None = None
        self._making = Lock()

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the cell of each vector, and the name of the cells."""
        return {"lists": self.lists, "cells": np.frombuffer(self.cells.name.encode(), np.uint8)}

    def stats(self) -> Mapping[str, float]:
        """Return how many lists there are, how many are scanned, and how evenly they are filled.

        `imbalance` is how many times larger a vector's own list is, on average, than if all were equal.
        """
        sizes = np.bincount(self.lists, minlength=len(self.cells)).astype(np.float64)
        return {
            "lists": len(self.cells),
            "probes": min(PROBES, len(self.cells)),
            "imbalance": float((sizes**2).sum() / max(sizes.sum(), 1) ** 2 * len(sizes)),
        }

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[Any], deleted: NDArray[np.bool_] | None, nearest: int
    ) -> Neighbours:
        """Return the `nearest` rows of each query by what their codes, (n, d / 4), say, among the lists scanned."""
        index, _, sizes = self._index(vectors)
        wide = queries.astype(np.float32)
        cells = self.cells.nearest(wide * np.float32(KEPT_SHARE), PROBES)
        scores, rows = faiss_io.search_lists(index, wide, cells, min(nearest, len(vectors)), deleted)
        query, place = np.nonzero(rows >= 0)
        return Neighbours(query, rows[query, place], scores[query, place] / KEPT_SHARE, int(sizes[cells].sum()))

    def _index(self, codes: NDArray[np.uint8]) -> tuple[Any, Any, NDArray[np.int64]]:
        """Return (the lists as Faiss scans them, what they refer to, how many vectors each has), made once."""
        with self._making:
            if self._made is None:
                self._made = _scannable(codes, self.lists, len(self.cells))
                release(codes)
            return self._made


def _scannable(codes: NDArray[np.uint8], lists: NDArray[np.uint16], count: int) -> tuple[Any, Any, NDArray[np.int64]]:
    faiss, dimensions = faiss_io.library(), dimensions_of(codes)
    quantizer = faiss.IndexFlatIP(dimensions)  # never asked: the cells are told
    plain = faiss.IndexIVFPQ(quantizer, dimensions, count, dimensions // 2, 4, faiss.METRIC_INNER_PRODUCT)
    plain.by_residual, plain.is_trained, plain.nprobe = False, True, min(PROBES, count)
    faiss.copy_array_to_vector(centroids(dimensions), plain.pq.centroids)
    order = np.argsort(lists, kind="stable")
    ends = np.searchsorted(lists[order], np.arange(count + 1))
    for number, (first, end) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
        if first < end:
            rows, own = order[first:end], np.ascontiguousarray(codes[order[first:end]])
            plain.invlists.add_entries(number, len(rows), faiss.swig_ptr(rows), faiss.swig_ptr(own))
    plain.ntotal = len(codes)
    packed = faiss.IndexIVFPQFastScan(plain)
    packed.nprobe = plain.nprobe
    return packed, quantizer, np.diff(ends)
