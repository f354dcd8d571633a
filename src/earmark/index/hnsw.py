"""A graph of neighbours, walked from far to near: fast for clean queries, hungry for memory, slow to build.

Every vector is linked to about 2 M near ones; a search goes down sparser levels and keeps the `breadth` nearest that it
meets (Malkov, Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small
world graphs", PAMI 2020). The graph is Faiss's, over 8-bit integers. Removed vectors are walked through, not returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index import faiss_io
from earmark.index.adopted import adopted, are_groups, are_rows, check, is_rising
from earmark.index.int8 import Neighbours, compare, ranges
from earmark.index.segment import Structure
from earmark.index.structured import SMALLEST, Structured

BUILDING_BREADTH = 40  # nearest kept while building, Faiss's default; 80 takes twice as long
KIND = "IndexHNSWSQ"  # Faiss's class
BLOCK = 1 << 16  # vectors added together


class HNSW(Structured):
    """A navigable small-world graph, by Faiss.

    Cost, for N vectors of D dimensions, and E = `breadth`: a vector of a query takes up to 2 M E D multiplications at
    random places, and E grows with the noise of the query: where neighbours are no nearer than anything else, a walk
    goes astray. Memory: D + 8 M + 23 bytes a vector besides the D + 4 that are on disk. Building: 2 M E_b D N
    multiplications with E_b = 40, some 80 microseconds a vector; once more when a fifth is removed.

    `links` is M; `breadth` is how many of the nearest a search keeps on its way. Segments of fewer than `smallest`
    vectors are searched exactly.
    """

    most_vectors: ClassVar = 1 << 31

    def __init__(self, *, links: int = 16, breadth: int = 256, smallest: int = SMALLEST) -> None:
        super().__init__(smallest=smallest)
        if links < 2 or breadth < 1:
            raise OptionError(f"links={links}, breadth={breadth}: give at least 2 links and a breadth of 1")
        self._links, self._breadth = links, breadth

    def _build(self, vectors: NDArray[np.int8]) -> Structure:
        members, ends = _groups_of_equals(vectors)
        different = vectors[members[ends[:-1]]]
        size = len(different) * (different.shape[1] + 8 * self._links)
        packed = faiss_io.to_array(_linked(different, self._links), size)
        return Graph(packed, members, ends, faiss_io.from_array(packed, KIND, different.shape), self._breadth)

    def _load(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        packed, members, ends = (adopted(arrays, name, *kind) for name, kind in Graph.ARRAYS.items())
        check(len(members) == len(vectors) and are_rows(members, len(vectors)), "the graph is of other vectors")
        check(len(ends) > 1 and are_groups(ends, len(vectors)) and is_rising(ends, strictly=True), "groups overlap")
        index = faiss_io.from_array(packed, KIND, (len(ends) - 1, vectors.shape[1]))
        _check_links(index)
        return Graph(packed, members, ends, index, self._breadth)


@dataclass(frozen=True, eq=False)
class Graph:
    """The graph of one segment. Its nodes are groups of equal vectors: links between equals would lead nowhere else."""

    graph: NDArray[np.uint8]
    members: NDArray[np.uint32]  # (n,): rows in order of their group
    ends: NDArray[np.uint32]  # (groups + 1,): where each group begins, and the one before it ends
    index: Any
    breadth: int

    is_scan: ClassVar = False
    ARRAYS: ClassVar[Mapping[str, tuple[Any, int]]] = {  # type and number of axes
        "graph": (np.uint8, 1),
        "members": (np.uint32, 1),
        "ends": (np.uint32, 1),
    }

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return what Faiss makes of the graph, and the groups."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    def stats(self) -> Mapping[str, float]:
        """Return how the graph is made."""
        return {
            "links": self.index.hnsw.nb_neighbors(1),
            "levels": self.index.hnsw.max_level + 1,
            "breadth": self.breadth,
            "memory_bytes_per_vector": self.graph.nbytes / len(self.members),
        }

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[np.int8], deleted: NDArray[np.bool_] | None, nearest: int
    ) -> Neighbours:
        """Return the best rows of each query that a walk meets; about 2 M links of each that it keeps are compared."""
        faiss = faiss_io.library()
        breadth = min(max(self.breadth, nearest), self.index.ntotal)
        parameters = faiss.SearchParametersHNSW(efSearch=breadth, sel=faiss_io.selector(self._deleted(deleted)))
        with faiss_io.one_thread():
            groups = self.index.search(queries.astype(np.float32), breadth, params=parameters)[1]
        found = compare(queries, vectors, self._pairs(groups), deleted, nearest)
        compared = min(breadth * self.index.hnsw.nb_neighbors(0), self.index.ntotal) * len(queries)
        return Neighbours(found.queries, found.rows, found.scores, compared)

    def _deleted(self, deleted: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Return which groups have no member left."""
        if deleted is None:
            return None
        kept = np.add.reduceat(~deleted[self.members], self.ends[:-1].astype(np.int64), dtype=np.int64)
        empty: NDArray[np.bool_] = kept == 0
        return empty

    def _pairs(self, groups: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (queries, k) groups, where -1 stands for none, as query << 32 | row of each member."""
        query, _ = np.nonzero(groups >= 0)
        group = groups[groups >= 0]
        places, count = ranges(self.ends[group].astype(np.int64), self.ends[group + 1].astype(np.int64))
        rows: NDArray[np.int64] = self.members[places].astype(np.int64)
        return np.repeat(query << 32, count) | rows


def _check_links(index: Any) -> None:
    """Raise CatalogDamaged unless a walk along the links stays within them, which Faiss believes."""
    faiss, graph, nodes = faiss_io.library(), index.hnsw, index.ntotal
    links = faiss.rev_swig_ptr(graph.neighbors.data(), graph.neighbors.size())
    levels, starts, widths = (
        faiss.vector_to_array(getattr(graph, name)) for name in ("levels", "offsets", "cum_nneighbor_per_level")
    )
    check(len(levels) == nodes and len(starts) == nodes + 1 and len(widths) > 1, "the graph has other nodes")
    check(widths[0] == 0 and is_rising(widths, strictly=False), "levels of the graph overlap")
    check(1 <= levels.min() <= levels.max() < len(widths), "the graph has levels that are none")
    check(
        are_groups(starts, len(links)) and np.array_equal(np.diff(starts), widths[levels]), "nodes of the graph overlap"
    )
    check(-1 <= links.min() <= links.max() < nodes, "the graph has links to nowhere")
    top, entry = graph.max_level, graph.entry_point
    check(top == levels.max() - 1 and 0 <= entry < nodes and levels[entry] == top + 1, "the graph has no entrance")
    for level in range(1, top + 1):
        above = np.flatnonzero(levels > level)
        places = starts[above].astype(np.int64)[:, None] + np.arange(widths[level], widths[level + 1])
        ends = links[places]
        check((levels[ends[ends >= 0]] > level).all(), "the graph has links between levels")
    storage = faiss.downcast_index(index.storage)
    held = storage.codes.size() if isinstance(storage, faiss.IndexScalarQuantizer) else 0
    check(storage.ntotal == nodes and storage.d == index.d and held == nodes * index.d, "the graph has other vectors")
    check(storage.sq.qtype == faiss.ScalarQuantizer.QT_8bit_direct_signed, "the graph has vectors of another kind")


def _groups_of_equals(vectors: NDArray[np.int8]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return (rows in order of group, where each group begins and the last one ends)."""
    whole = np.ascontiguousarray(vectors).view(f"V{vectors.shape[1]}").reshape(-1)
    _, group, sizes = np.unique(whole, return_inverse=True, return_counts=True)
    return np.argsort(group, kind="stable").astype(np.uint32), np.append(0, np.cumsum(sizes)).astype(np.uint32)


def _linked(vectors: NDArray[np.int8], links: int) -> Any:
    """Return a Faiss index of these vectors, whose numbers are their rows."""
    faiss = faiss_io.library()
    integers = faiss.ScalarQuantizer.QT_8bit_direct_signed  # vectors are stored so already: nothing is lost
    index = faiss.IndexHNSWSQ(vectors.shape[1], integers, links, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BUILDING_BREADTH
    index.train(vectors[:1].astype(np.float32))
    with faiss_io.threads_for(len(vectors)):
        for start in range(0, len(vectors), BLOCK):
            index.add(vectors[start : start + BLOCK].astype(np.float32))
    return index
