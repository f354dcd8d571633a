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

BLOCK_ROWS = 32  # vectors that Faiss scans together
ORDER = np.arange(BLOCK_ROWS).reshape(2, 2, 8).swapaxes(1, 2).reshape(-1)  # 0, 8, 1, 9 ... 16, 24: as a block has them
TOGETHER = 1 << 15  # vectors put into lists together, 1 MB


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
        cells = self.cells.nearest(queries, PROBES, scale=KEPT_SHARE)
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
    """Return (the lists, what they refer to, their sizes): those of Faiss's that take no more memory than they fill."""
    faiss, dimensions = faiss_io.library(), dimensions_of(codes)
    quantizer = faiss.IndexFlatIP(dimensions)  # never asked: the cells are told
    index = faiss.IndexIVFPQFastScan(quantizer, dimensions, count, dimensions // 2, 4, faiss.METRIC_INNER_PRODUCT)
    index.by_residual, index.is_trained, index.nprobe = False, True, min(PROBES, count)
    faiss.copy_array_to_vector(centroids(dimensions), index.pq.centroids)
    kept = faiss.ArrayInvertedLists(count, codes.shape[1])
    sizes = np.bincount(lists, minlength=count)
    _fill(kept, codes, np.argsort(lists, kind="stable"), sizes)
    index.replace_invlists(kept)
    index.ntotal = len(codes)
    return index, (quantizer, kept), sizes


def _fill(kept: Any, codes: NDArray[np.uint8], order: NDArray[np.int64], sizes: NDArray[np.int64]) -> None:
    """Put codes into lists in the layout that Faiss scans, whole blocks of them.

    What fills the last block of a list has the number -1, and is not found.
    """
    faiss = faiss_io.library()
    blocks, ends = -(-sizes // BLOCK_ROWS), np.cumsum(sizes)
    done = np.cumsum(blocks * BLOCK_ROWS)
    first = 0
    while first < len(sizes):
        last = max(int(np.searchsorted(done, done[first] + TOGETHER)), first + 1)
        rows = [order[end - size : end] for size, end in zip(sizes[first:last], ends[first:last], strict=True)]
        filled = [np.pad(one, (0, -len(one) % BLOCK_ROWS), constant_values=-1) for one in rows]
        numbers = np.concatenate(filled)
        packed, start = blocks_of(codes[numbers]), 0
        for number, one in enumerate(filled, first):
            if len(one):
                bytes_of_list = faiss.swig_ptr(packed[start : start + len(one) * codes.shape[1]])
                kept.add_entries(number, len(one), faiss.swig_ptr(one), bytes_of_list)
            start += len(one) * codes.shape[1]
        first = last


def blocks_of(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return codes of whole blocks of 32 vectors as Faiss scans them, flat: half byte by half byte, all vectors' each.

    The order of vectors in 16 bytes is that of `pq4_pack_codes`: the lower half bytes are of the first 16 vectors.
    """
    columns = codes.reshape(-1, BLOCK_ROWS, codes.shape[1]).transpose(0, 2, 1)[:, :, ORDER]
    first, second = columns[:, :, :16], columns[:, :, 16:]
    blocks = np.empty(columns.shape, np.uint8)
    blocks[:, :, :16] = first & 15 | second << 4
    blocks[:, :, 16:] = first >> 4 | second & 240
    return blocks.reshape(-1)
