"""Inverted lists of product-quantised vectors: for catalogs that exact search takes too long for.

k-means cuts the space into cells; a list holds the vectors of each cell, as codes of half a byte for each of M parts of
the vector (Jegou, Douze, Schmid, "Product quantization for nearest neighbor search", PAMI 2011), laid out so that a
processor looks up 32 of them in one instruction (Andre, Kermarrec, Le Scouarnec, "Quicker ADC", PAMI 2019; Faiss calls
it fast-scan). Before, vectors are turned into the R of D directions that hold all but a thousandth of them, of which
those of a network often have few, so that short codes say more. A search scans the lists of the cells nearest to each
vector of the query, and compares the most promising vectors again with the stored 8-bit ones. RaBitQ codes and PQ codes
of whole bytes were measured too: equally good, and four times slower to search; the latter also take fifty times as
long to train.

Cost, for N vectors of D dimensions, C lists, P of them looked into: a vector of a query takes D R + C R multiplications
for the nearest cells, N P / C M look-ups, and A D multiplications for the A that are compared again. With C = 2 sqrt N
and P fixed that grows as sqrt N. Memory: M / 2 + 10 bytes a vector, 26 with 128 dimensions; D + 4 bytes a vector stay
on disk, of which A are read. Building: 64 C^2 R multiplications for each of 10 rounds of k-means, and (D + C) R N to
put the vectors into lists, a block of them in memory at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd, sqrt
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.errors import CatalogDamaged, OptionError
from earmark.index import faiss_io
from earmark.index.int8 import Found, compare
from earmark.index.segment import Structure
from earmark.index.segmented import SMALLEST, Segmented

FEWEST = 32  # vectors that can be quantised at all: 16 codes, some of them twice
LISTS = 2.0  # C = 2 sqrt N: half as many lists scan twice the share for the same recall
MOST_LISTS = 1 << 13  # of 16 million vectors; with more, building takes longer and a search hardly less
LOST = 1e-3  # of the squared length of vectors, in directions that are left out
ALIGNED = 32  # directions are a multiple of it, so that they can be cut into as many parts
TURNED_SAMPLE = 100_000  # vectors that tell the directions
SEED = 2011  # of the turn within them, so that a catalog built twice is the same
ROUNDS = 10  # of k-means; more gain nothing measurable
SAMPLE_PER_LIST = 64  # vectors for each cell's centre, evenly from all tracks
OVERHEAD_BYTES = 10  # of a vector beside its code: its number, and a list's last block
BLOCK = 1 << 16  # vectors added at a time


class Pq(Segmented):
    """Product-quantised inverted lists with exact re-ranking, by Faiss; see the module's docstring.

    `probes` lists are scanned for each vector of a query and its `rerank` best codes compared exactly; `lists` is C, by
    default 2 sqrt N; codes are as long as `bytes_per_vector` in memory allow. Segments of fewer than `smallest` vectors
    are searched exactly.
    """

    most_vectors: ClassVar = 1 << 32

    def __init__(
        self,
        *,
        probes: int = 128,
        rerank: int = 200,
        lists: int = 0,
        bytes_per_vector: int = 40,
        smallest: int = SMALLEST,
    ) -> None:
        super().__init__(smallest=max(smallest, FEWEST))
        if probes < 1 or rerank < 1 or lists < 0 or bytes_per_vector <= OVERHEAD_BYTES:
            raise OptionError(
                f"probes={probes}, rerank={rerank}, lists={lists}, bytes_per_vector={bytes_per_vector}: give at least "
                f"1 list, 1 to rerank and {OVERHEAD_BYTES + 1} bytes"
            )
        self._probes, self._rerank, self._lists = probes, rerank, lists
        self._bytes = bytes_per_vector

    def _build(self, vectors: NDArray[np.int8]) -> Structure:
        turn = turned(vectors[:: max(1, len(vectors) // TURNED_SAMPLE)].astype(np.float32))
        lists = self._lists or min(MOST_LISTS, int(LISTS * sqrt(len(vectors))))
        parts = parts_of(turn.shape[1], self._bytes)
        index = _trained(vectors, turn, min(lists, len(vectors)), parts)
        packed = faiss_io.to_array(index, len(vectors) * (parts // 2 + OVERHEAD_BYTES))
        return self._lists_of(packed, turn, vectors)

    def _read(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        if set(arrays) != {"lists", "turn"}:
            raise CatalogDamaged(f"{sorted(arrays)} are no lists of codes; earmark rebuild makes the index again")
        turn = arrays["turn"]
        if turn.dtype != np.float32 or turn.ndim != 2 or len(turn) != vectors.shape[1]:
            raise CatalogDamaged(f"lists of codes turn vectors by {turn.shape}; earmark rebuild makes the index again")
        return self._lists_of(arrays["lists"], turn, vectors)

    def _lists_of(self, packed: NDArray[np.uint8], turn: NDArray[np.float32], vectors: NDArray[np.int8]) -> Structure:
        index = faiss_io.from_array(packed, KIND, (len(vectors), turn.shape[1]))
        return Lists(packed, turn, index, self._probes, self._rerank)


KIND = "IndexIVFPQFastScan"


@dataclass(frozen=True, eq=False)
class Lists:
    """Inverted lists of one segment."""

    packed: NDArray[np.uint8]
    turn: NDArray[np.float32]  # (d, r): what a vector is multiplied with before it is looked up
    index: Any
    probes: int
    rerank: int

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many vectors each list has."""
        lists = self.index.invlists
        return np.array([lists.list_size(number) for number in range(self.index.nlist)], np.int64)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return what Faiss makes of the lists."""
        return {"lists": self.packed, "turn": self.turn}

    def stats(self) -> Mapping[str, float]:
        """Return how the lists are made, and how evenly they are filled.

        `imbalance` is how many times larger a vector's own list is, on average, than if all were equal.
        """
        return {
            "lists": self.index.nlist,
            "probes": min(self.probes, self.index.nlist),
            "rerank": self.rerank,
            "directions": self.turn.shape[1],
            "memory_bytes_per_vector": self.packed.nbytes / self.index.ntotal,
            "largest_bucket": float(self.sizes.max()),
            "imbalance": float((self.sizes.astype(np.float64) ** 2).sum() / self.sizes.sum() ** 2 * len(self.sizes)),
        }

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[np.int8], gone: NDArray[np.bool_] | None, nearest: int
    ) -> Found:
        """Return the best rows of each query among those whose codes promise most; scanned codes count as compared."""
        faiss = faiss_io.library()
        wide = queries.astype(np.float32) @ self.turn
        probes = min(self.probes, self.index.nlist)
        rerank = min(max(self.rerank, nearest), self.index.ntotal)
        parameters = faiss.SearchParametersIVF(nprobe=probes, sel=faiss_io.selector(gone))
        with faiss_io.one_thread():
            cells = self.index.quantizer.search(wide, probes)[1]
            rows = self.index.search(wide, rerank, params=parameters)[1]
        query, _ = np.nonzero(rows >= 0)
        pairs = query << 32 | rows[rows >= 0]
        found = compare(queries, vectors, pairs, gone, nearest)
        return Found(found.queries, found.rows, found.scores, int(self.sizes[cells[cells >= 0]].sum()))


def parts_of(dimensions: int, bytes_per_vector: int) -> int:
    """Return into how many parts of half a byte vectors are cut to stay within the bytes in memory."""
    most = 2 * (bytes_per_vector - OVERHEAD_BYTES)
    return gcd(dimensions, 1 << max(1, most.bit_length() - 1))


def turned(sample: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the directions, (d, r), in which vectors lie, turned at random so that each holds about as much.

    The inner product of two vectors is that of their components in these directions, up to what is left out.
    """
    held, directions = np.linalg.eigh(sample.T @ sample)
    held, directions = np.maximum(held[::-1], 0), directions[:, ::-1]
    needed = int(np.searchsorted(held.cumsum(), (1 - LOST) * held.sum())) + 1
    kept = min(-(-needed // ALIGNED) * ALIGNED, sample.shape[1])
    turn = np.linalg.qr(np.random.default_rng(SEED).standard_normal((kept, kept)))[0]
    both: NDArray[np.float32] = (directions[:, :kept] @ turn).astype(np.float32)
    return both


def _trained(vectors: NDArray[np.int8], turn: NDArray[np.float32], lists: int, parts: int) -> Any:
    """Return a Faiss index of these vectors, turned, whose numbers are their rows."""
    faiss = faiss_io.library()
    index = faiss.index_factory(turn.shape[1], f"IVF{lists},PQ{parts}x4fs", faiss.METRIC_INNER_PRODUCT)
    for clustering in (index.cp, index.pq.cp):
        clustering.niter = ROUNDS
        clustering.min_points_per_centroid = 1  # small catalogs are no reason for a warning
    step = max(1, len(vectors) // (SAMPLE_PER_LIST * lists))
    with faiss_io.threads_for(len(vectors)):
        index.train(vectors[::step].astype(np.float32) @ turn)
        for start in range(0, len(vectors), BLOCK):
            index.add(vectors[start : start + BLOCK].astype(np.float32) @ turn)
    return index
