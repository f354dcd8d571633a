"""Two bits a component: a quarter of what exact search reads, for candidates that are compared again elsewhere.

Small catalogs are scanned. In larger ones the vectors of a segment are in lists (`code_lists.py`) by cells that were
found once from the catalog's own vectors, and again each time that it is four times as large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.index import faiss_io
from earmark.index.adopted import adopted, are_rows, check
from earmark.index.cells import BLOCK, PREFIX, SAMPLE_PER_CELL, Cells, cell_count
from earmark.index.code_lists import CodeLists
from earmark.index.codes import COMPONENTS_PER_BYTE, KEPT_SHARE, centroids, dimensions_of, packed, unpacked
from earmark.index.int8 import Neighbours, no_neighbours, ranges
from earmark.index.segment import Structure, VectorSegment, new_name
from earmark.index.segmented import Segmented

SEGMENT_VECTORS = 1 << 22  # vectors, 128 MB of 128 dimensions; a search looks into the lists of each segment
SCANNED_VECTORS = 1 << 18  # vectors of a catalog that is scanned: 36 hours, 6 ms of one core for a clip of 5 s
SMALLEST_LISTED = 1 << 15  # vectors of a segment that gets lists; fewer are scanned in a millisecond
GROWTH = 4  # vectors of the catalog / vectors that its cells were meant for, at which others are found
LEAST_SHARE = 0.9  # cells / cells wanted: k-means in groups makes a few more or less
RELISTED_VECTORS = 1 << 21  # vectors that are sorted into other cells at a publishing, a few seconds


class TwoBit(Segmented):
    """An index of two bits a component.

    Cost, for N vectors of D dimensions: scanned, N D / 2 look-ups for a vector of a query, about a third of the time
    that exact search takes, and D / 4 bytes a vector in memory, D / 4 + 4 on disk; in lists, as `CodeLists` says. The
    nearest vector of 230,000 was among the first 20 for all of 24 noisy ones; of the 20 nearest, 88 in a hundred were
    among the first 40. A vector's code never changes, so segments are merged by copying, and a vector that is in a list
    stays there until the catalog gets other cells.
    """

    most_vectors: ClassVar = SEGMENT_VECTORS
    stored_type: ClassVar = np.uint8
    components_per_byte: ClassVar = COMPONENTS_PER_BYTE
    is_exact: ClassVar = False

    def __init__(self, *, scanned: int = SCANNED_VECTORS, smallest: int = SMALLEST_LISTED) -> None:
        """Scan catalogs of up to `scanned` vectors, and segments of fewer than `smallest`."""
        super().__init__()
        self._scanned, self._smallest = scanned, smallest
        self._adopted: dict[str, Cells] = {}  # by name, while segments are loaded

    @staticmethod
    def _scan() -> CodeScan:
        return CodeScan()

    def _stored(self, vectors: NDArray[np.int8]) -> NDArray[Any]:
        return packed(vectors)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the whole index as named arrays, for `from_arrays`."""
        named = dict(super().arrays())
        for cells in {one.structure.cells for one in self._state if isinstance(one.structure, CodeLists)}:
            named |= {f"{cells.name}.{name}": array for name, array in cells.arrays().items()}
        return named

    def _segment_parts(self, parts: dict[str, dict[str, NDArray[Any]]]) -> dict[str, dict[str, NDArray[Any]]]:
        cells = {name: own for name, own in parts.items() if name.startswith(PREFIX)}
        self._adopted = {name: Cells.from_arrays(name, own) for name, own in cells.items()}
        return {name: own for name, own in parts.items() if name not in cells}

    def _load(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[Any]) -> Structure:
        lists, name = adopted(arrays, "lists", np.uint16, 1), adopted(arrays, "cells", np.uint8, 1).tobytes()
        cells = self._adopted.get(name.decode(errors="replace"))
        check(cells is not None and len(arrays) == 2, "lists of cells that are not there")
        assert cells is not None
        check(len(lists) == len(vectors) and are_rows(lists, len(cells)), "vectors in lists that are not there")
        check(cells.centres.shape[1] == dimensions_of(vectors), "cells of vectors of other dimensions")
        return CodeLists(cells, lists)

    def _restructured(self, segments: list[VectorSegment]) -> list[VectorSegment]:
        """Return segments with lists where they are large; those of former cells get present ones a part at a time."""
        cells, left = self._cells_for(segments), RELISTED_VECTORS
        done = list[VectorSegment]()
        for segment in segments:
            structure, size = segment.structure, len(segment.vectors)
            is_former = isinstance(structure, CodeLists) and structure.cells is not cells and size <= left
            if cells is not None and size >= self._smallest and (structure.is_scan or is_former):
                left -= size if is_former else 0
                lists = self._lists_of(segment, cells)
                segment = replace(segment, name=new_name(), structure=CodeLists(cells, lists))
            done.append(segment)
        return done

    def _cells_for(self, segments: Sequence[VectorSegment]) -> Cells | None:
        """Return the cells that suit the catalog's size: those it has, or new ones; None where it is scanned."""
        total = sum(len(segment.vectors) for segment in segments)
        known = [one.structure.cells for one in (*segments, *self._state) if isinstance(one.structure, CodeLists)]
        largest = max(known, key=len, default=None)
        if largest is not None and LEAST_SHARE * cell_count(total // GROWTH) <= len(largest):
            return largest
        if total <= self._scanned:
            return None
        step = max(total // (SAMPLE_PER_CELL * cell_count(total)), 1)
        sample = np.concatenate([unpacked(segment.vectors[::step]) for segment in segments])
        return Cells.trained(sample, total)

    def _lists_of(self, segment: VectorSegment, cells: Cells) -> NDArray[np.uint16]:
        """Return the cell of each vector of a segment: as a segment of before has it, or looked for."""
        lists, is_known = np.zeros(len(segment.vectors), np.uint16), np.zeros(len(segment.vectors), bool)
        for before in self._state:
            if isinstance(before.structure, CodeLists) and before.structure.cells is cells:
                _, here, there = np.intersect1d(segment.tracks, before.tracks, return_indices=True)
                lengths = segment.lengths[here]
                rows, _ = ranges(segment.starts[here], segment.starts[here] + lengths)
                former, _ = ranges(before.starts[there], before.starts[there] + lengths)
                lists[rows], is_known[rows] = before.structure.lists[former], True
        missing = np.flatnonzero(~is_known)
        for start in range(0, len(missing), BLOCK):
            rows = missing[start : start + BLOCK]
            lists[rows] = cells.of(unpacked(segment.vectors[rows]))
        return lists


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


def _scannable(codes: NDArray[np.uint8]) -> Any:
    faiss = faiss_io.library()
    dimensions = dimensions_of(codes)
    plain = faiss.IndexPQ(dimensions, dimensions // 2, 4, faiss.METRIC_INNER_PRODUCT)
    faiss.copy_array_to_vector(centroids(dimensions), plain.pq.centroids)
    faiss.copy_array_to_vector(np.ascontiguousarray(codes).reshape(-1), plain.codes)
    plain.ntotal, plain.is_trained = len(codes), True
    return faiss.IndexPQFastScan(plain)
