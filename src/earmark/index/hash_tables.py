"""Hash tables of vectors: each of K bits is the side of a hyperplane, and a query looks into neighbouring buckets too.

Query-directed multi-probe (Lv, Josephson, Wang, Charikar, Li, "Multi-Probe LSH", VLDB 2007, section 4.4): flipping a
set of bits costs the sum of the squared distances to their hyperplanes; the cheapest sets of all tables come first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.index.adopted import adopted, are_groups, are_rows, check
from earmark.index.int8 import Neighbours, compare, ranges

MOST_BITS = 24  # bits of a code, summed in float32, which counts exactly up to 2^24
MOST_VECTORS = 1 << 32  # vectors of a segment, whose rows are counted in 32 bits
BLOCK = 4096  # vectors hashed together
QUERIES = 64  # vectors of a query looked up together
PRICED_SHARE = 4  # sets of bits priced / probed; the cheapest are hardly ever missed
SAMPLE = 20_000  # vectors that projections are fitted to, thousands for each of some 20 bits


@dataclass(frozen=True, eq=False)
class HashTables:
    """Tables over one segment; a table is its rows in order of their code, and where each bucket starts."""

    planes: NDArray[np.float32]  # (L, K, d)
    offsets: NDArray[np.float32]  # (L, K): how far each hyperplane lies from the origin, times its normal's length
    ends: NDArray[np.uint32]  # (L, 2^K + 1): where each bucket begins, and the one before it ends
    members: NDArray[np.uint32]  # (L, n): rows in order of their code
    probes: int  # buckets that each vector of a query looks into, in all tables together

    is_scan: ClassVar = False
    ARRAYS: ClassVar[Mapping[str, tuple[Any, int]]] = {  # type and number of axes
        "planes": (np.float32, 3),
        "offsets": (np.float32, 2),
        "ends": (np.uint32, 2),
        "members": (np.uint32, 2),
    }

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the tables and their hyperplanes."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    def stats(self) -> Mapping[str, float]:
        """Return how the tables are made, and how evenly they are filled.

        `entropy` is that of the sizes of buckets, as a share of its maximum. `imbalance` is how many times larger a
        vector's own bucket is, on average, than if all were equal.
        """
        tables, bits = self.offsets.shape
        sizes = np.diff(self.ends.astype(np.float64), axis=1)
        vectors = self.members.shape[1]
        return {
            "tables": tables,
            "bits": bits,
            "probes": min(self.probes, tables << bits),
            "largest_bucket": float(sizes.max()),
            "entropy": evenness(sizes),
            "imbalance": float((sizes**2).sum() / tables / vectors**2 * (1 << bits)),
        }

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[np.int8], deleted: NDArray[np.bool_] | None, nearest: int
    ) -> Neighbours:
        """Return the best rows of each query among those in the buckets that it looks into."""
        pairs = np.concatenate([np.zeros(0, np.int64), *self._pairs(queries)])
        return compare(queries, vectors, pairs, deleted, nearest)

    def _pairs(self, queries: NDArray[np.int8]) -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(queries), QUERIES):
            query, table, code = self._probed(queries[start : start + QUERIES])
            offset = table * self.members.shape[1]
            places, count = ranges(offset + self.ends[table, code], offset + self.ends[table, code + 1])
            yield np.repeat(query + start, count) << 32 | self.members.reshape(-1).take(places).astype(np.int64)

    def _probed(self, queries: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return (vector of the query, table, bucket) of each probe, cheapest sets of flipped bits first."""
        tables, bits = self.offsets.shape
        distances = _distances(queries, self.planes, self.offsets)  # (m, L, K)
        costs = distances**2 / (self.planes**2).sum(axis=2)
        order = np.argsort(costs, axis=2)
        sets = cheap_sets(bits, min(1 << bits, PRICED_SHARE * -(-self.probes // tables))).T  # (K, sets)
        prices = (np.take_along_axis(costs, order, axis=2) @ sets).reshape(len(queries), -1)
        flips = ((1 << order).astype(np.float32) @ sets).astype(np.int64).reshape(len(queries), -1)
        if self.probes < prices.shape[1]:
            chosen = np.argpartition(prices, self.probes - 1, axis=1)[:, : self.probes]
        else:
            chosen = np.broadcast_to(np.arange(prices.shape[1]), prices.shape)
        table = chosen // sets.shape[1]
        codes = np.take_along_axis(_codes(distances), table, axis=1) ^ np.take_along_axis(flips, chosen, axis=1)
        query = np.repeat(np.arange(len(queries)), chosen.shape[1])
        return query, table.reshape(-1), codes.reshape(-1)


def build(
    vectors: NDArray[np.int8], planes: NDArray[np.float32], offsets: NDArray[np.float32], probes: int
) -> HashTables:
    """Return the tables of these vectors."""
    tables, bits = offsets.shape
    codes = np.empty((tables, len(vectors)), np.uint32)
    for start in range(0, len(vectors), BLOCK):
        distances = _distances(vectors[start : start + BLOCK], planes, offsets)
        codes[:, start : start + BLOCK] = _codes(distances).T
    members = np.empty((tables, len(vectors)), np.uint32)
    ends = np.zeros((tables, (1 << bits) + 1), np.uint32)
    for table in range(tables):
        members[table] = np.argsort(codes[table], kind="stable")  # 8 bytes a vector, so one table at a time
        np.cumsum(np.bincount(codes[table], minlength=1 << bits), out=ends[table, 1:], dtype=np.uint32)
    return HashTables(planes, offsets, ends, members, probes)


def load(arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8], probes: int) -> HashTables:
    """Return what `HashTables.arrays` described; raises CatalogDamaged when it is not of these vectors."""
    tables = HashTables(
        **{name: adopted(arrays, name, *HashTables.ARRAYS[name]) for name in HashTables.ARRAYS}, probes=probes
    )
    count, bits = tables.offsets.shape
    check(count and 1 <= bits <= MOST_BITS, f"{count} hash tables of {bits} bits")
    check(tables.planes.shape == (count, bits, vectors.shape[1]), "hyperplanes are of other vectors")
    check(tables.members.shape == (count, len(vectors)), "hash tables are of other vectors")
    lengths = (tables.planes.astype(np.float64) ** 2).sum(axis=2)
    check(np.isfinite(lengths).all() and lengths.all() and np.isfinite(tables.offsets).all(), "hyperplanes are none")
    check(tables.ends.shape == (count, (1 << bits) + 1) and are_groups(tables.ends, len(vectors)), "buckets overlap")
    check(are_rows(tables.members, len(vectors)), "buckets hold rows that are none")
    return tables


def sample(vectors: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return up to `SAMPLE` vectors, evenly from all tracks."""
    step = max(1, len(vectors) // SAMPLE)
    return vectors[::step][:SAMPLE].astype(np.float32)


def usual_bits(vectors: int, below: int) -> int:
    """Return K = log2 N - `below`, within what is possible."""
    return int(np.clip(round(np.log2(max(vectors, 2))) - below, 1, MOST_BITS))


def evenness(sizes: NDArray[np.float64]) -> float:
    """Return the entropy of bucket sizes, (tables, buckets), as a share of the largest possible, mean of the tables."""
    shares = sizes / sizes.sum(axis=1, keepdims=True)
    entropy = -np.where(shares > 0, shares * np.log2(np.maximum(shares, np.finfo(np.float64).tiny)), 0).sum(axis=1)
    return float(entropy.mean() / np.log2(max(sizes.shape[1], 2)))


@lru_cache(maxsize=16)
def cheap_sets(bits: int, count: int) -> NDArray[np.float32]:
    """Return the `count` cheapest sets of places in a sorted row of costs, (count, bits) of 0 and 1, cheapest first.

    The costs are those to be expected: squares of ordered normal deviates. As in section 4.4 of the paper, a heap gives
    the next cheapest set, and a set has two successors: its last place moves on, or the next place joins it.
    """
    expected = [NormalDist().inv_cdf(0.5 + (place + 0.5) / (2 * bits)) ** 2 for place in range(bits)]
    sets = np.zeros((count, bits), np.float32)  # the first is empty: the query's own bucket
    heap: list[tuple[float, tuple[int, ...]]] = [(expected[0], (0,))]
    for number in range(1, count):
        cost, places = heappop(heap)
        sets[number, list(places)] = 1
        last = places[-1]
        if last + 1 < bits:
            heappush(heap, (cost - expected[last] + expected[last + 1], (*places[:-1], last + 1)))
            heappush(heap, (cost + expected[last + 1], (*places, last + 1)))
    sets.setflags(write=False)
    return sets


def _distances(
    vectors: NDArray[np.int8], planes: NDArray[np.float32], offsets: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return how far vectors lie from hyperplanes, times the normals' lengths: (n, L, K)."""
    flat = planes.reshape(-1, planes.shape[2])
    found: NDArray[np.float32] = (vectors.astype(np.float32) @ flat.T).reshape(-1, *offsets.shape) - offsets
    return found


def _codes(distances: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the codes, (n, L)."""
    weights = (1 << np.arange(distances.shape[2])).astype(np.float32)
    codes: NDArray[np.int64] = ((distances > 0).astype(np.float32) @ weights).astype(np.int64)
    return codes
