"""Inverted lists of product-quantised vectors: for catalogs that exact search takes too long for.

k-means cuts the space into cells; a list holds each cell's vectors as codes of half a byte for each of M parts (Jegou,
Douze, Schmid, "Product quantization for nearest neighbor search", PAMI 2011), looked up 32 at a time (Andre, Kermarrec,
Le Scouarnec, "Quicker ADC", PAMI 2019). The most promising are compared again with the stored 8-bit vectors.
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
from earmark.index.adopted import adopted, check
from earmark.index.hash_tables import evenness
from earmark.index.int8 import Neighbours, compare
from earmark.index.segment import Structure
from earmark.index.structured import SMALLEST, Structured

KIND = "IndexIVFPQFastScan"  # Faiss's class
FEWEST = 32  # vectors that can be quantised at all: 16 codes, some of them twice
LISTS = 2.0  # C / sqrt N; half as many lists scan twice the share for the same recall
MOST_LISTS = 1 << 13  # lists, enough for 16 million vectors; with more, building takes longer and a search hardly less
LOST_SHARE = 1e-3  # share of the vectors' squared length in directions that are left out
DIRECTIONS_MULTIPLE = 32  # directions are a multiple of the parts they are cut into
ROTATION_SAMPLE = 100_000  # vectors that the directions are found from
SEED = 2011  # seed of the rotation; a catalog built twice is the same
ROUNDS = 10  # rounds of k-means; more gain nothing measurable
SAMPLE_PER_LIST = 64  # vectors for each cell's centre, evenly from all tracks
OVERHEAD_BYTES = 10  # bytes of a vector besides its code: its number, and a list's last block
BLOCK = 1 << 16  # vectors added together


class PQ(Structured):
    """Product-quantised inverted lists with exact re-ranking, by Faiss.

    First, vectors are rotated into the R of D directions that hold all but a thousandth of them, of which those of a
    network often have few: short codes say more. RaBitQ codes and PQ codes of whole bytes were measured too: equally
    good, and four times slower to search; the latter also take fifty times as long to train.

    Cost, for N vectors of D dimensions, C lists, P of them looked into: a vector of a query takes D R + C R
    multiplications for the nearest cells, N P / C M look-ups, and A D multiplications for the A that are compared
    again. With C = 2 sqrt N and P fixed that grows as sqrt N. Memory: M / 2 + 10 bytes a vector, 26 with 128
    dimensions; D + 4 bytes a vector stay on disk, of which A are read. Building: 64 C^2 R multiplications for each of
    10 rounds of k-means, and (D + C) R N to put the vectors into lists, a block of them in memory at a time.

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
        rotation = rotation_of(vectors[:: max(1, len(vectors) // ROTATION_SAMPLE)].astype(np.float32))
        lists = self._lists or min(MOST_LISTS, int(LISTS * sqrt(len(vectors))))
        parts = parts_of(rotation.shape[1], self._bytes)
        index = _trained(vectors, rotation, min(lists, len(vectors)), parts)
        packed = faiss_io.to_array(index, len(vectors) * (parts // 2 + OVERHEAD_BYTES))
        return self._lists_of(packed, rotation, vectors)

    def _load(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        if set(arrays) != {"lists", "turn"}:
            raise CatalogDamaged(f"{sorted(arrays)} are no lists of codes; `earmark rebuild` makes the index again")
        rotation = adopted(arrays, "turn", np.float32, 2)
        check(len(rotation) == vectors.shape[1] and np.isfinite(rotation).all(), "lists rotate other vectors")
        return self._lists_of(arrays["lists"], rotation, vectors)

    def _lists_of(
        self, packed: NDArray[np.uint8], rotation: NDArray[np.float32], vectors: NDArray[np.int8]
    ) -> Structure:
        index = faiss_io.from_array(packed, KIND, (len(vectors), rotation.shape[1]))
        return Lists(packed, rotation, index, self._probes, self._rerank)


@dataclass(frozen=True, eq=False)
class Lists:
    """Inverted lists of one segment."""

    packed: NDArray[np.uint8]
    rotation: NDArray[np.float32]  # (d, r): what a vector is multiplied with before it is looked up
    index: Any
    probes: int
    rerank: int

    is_scan: ClassVar = False

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many vectors each list has."""
        lists = self.index.invlists
        return np.array([lists.list_size(number) for number in range(self.index.nlist)], np.int64)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return what Faiss makes of the lists."""
        return {"lists": self.packed, "turn": self.rotation}

    def stats(self) -> Mapping[str, float]:
        """Return how the lists are made, and how evenly they are filled.

        `imbalance` is how many times larger a vector's own list is, on average, than if all were equal.
        """
        return {
            "lists": self.index.nlist,
            "probes": min(self.probes, self.index.nlist),
            "rerank": self.rerank,
            "directions": self.rotation.shape[1],
            "memory_bytes_per_vector": self.packed.nbytes / self.index.ntotal,
            "largest_bucket": float(self.sizes.max()),
            "entropy": evenness(self.sizes.astype(np.float64)[None]),
            "imbalance": float((self.sizes.astype(np.float64) ** 2).sum() / self.sizes.sum() ** 2 * len(self.sizes)),
        }

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[np.int8], deleted: NDArray[np.bool_] | None, nearest: int
    ) -> Neighbours:
        """Return the best rows of each query among those whose codes promise most; scanned codes count as compared."""
        faiss = faiss_io.library()
        wide = queries.astype(np.float32) @ self.rotation
        probes = min(self.probes, self.index.nlist)
        rerank = min(max(self.rerank, nearest), self.index.ntotal)
        parameters = faiss.SearchParametersIVF(nprobe=probes, sel=faiss_io.selector(deleted))
        with faiss_io.one_thread():
            cells = self.index.quantizer.search(wide, probes)[1]
            rows = self.index.search(wide, rerank, params=parameters)[1]
        is_row = (rows >= 0) & (rows < len(vectors))  # Faiss believes what numbers its lists hold
        pairs = np.nonzero(is_row)[0] << 32 | rows[is_row]
        found = compare(queries, vectors, pairs, deleted, nearest)
        return Neighbours(found.queries, found.rows, found.scores, int(self.sizes[cells[cells >= 0]].sum()))


def parts_of(dimensions: int, bytes_per_vector: int) -> int:
    """Return into how many parts of half a byte vectors are cut to stay within the bytes in memory."""
    most = 2 * (bytes_per_vector - OVERHEAD_BYTES)
    return gcd(dimensions, 1 << max(1, most.bit_length() - 1))


def rotation_of(sample: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the directions, (d, r), in which vectors lie, rotated at random so that each holds about as much.

    The inner product of two vectors is that of their components in these directions, up to what is left out.
    """
    held, directions = np.linalg.eigh(sample.T @ sample)
    held, directions = np.maximum(held[::-1], 0), directions[:, ::-1]
    needed = int(np.searchsorted(held.cumsum(), (1 - LOST_SHARE) * held.sum())) + 1
    kept = min(-(-needed // DIRECTIONS_MULTIPLE) * DIRECTIONS_MULTIPLE, sample.shape[1])
    rotation = np.linalg.qr(np.random.default_rng(SEED).standard_normal((kept, kept)))[0]
    both: NDArray[np.float32] = (directions[:, :kept] @ rotation).astype(np.float32)
    return both


def _trained(vectors: NDArray[np.int8], rotation: NDArray[np.float32], lists: int, parts: int) -> Any:
    """Return a Faiss index of these vectors, rotated, whose numbers are their rows."""
    faiss = faiss_io.library()
    index = faiss.index_factory(rotation.shape[1], f"IVF{lists},PQ{parts}x4fs", faiss.METRIC_INNER_PRODUCT)
    for clustering in (index.cp, index.pq.cp):
        clustering.niter = ROUNDS
        clustering.min_points_per_centroid = 1  # small catalogs are no reason for a warning
    step = max(1, len(vectors) // (SAMPLE_PER_LIST * lists))
    with faiss_io.threads_for(len(vectors)):
        index.train(vectors[::step].astype(np.float32) @ rotation)
        for start in range(0, len(vectors), BLOCK):
            index.add(vectors[start : start + BLOCK].astype(np.float32) @ rotation)
    return index
