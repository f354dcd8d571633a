"""Lists of vectors by their nearest codeword, and a query that looks into the lists of the codewords nearest to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.index.adopted import adopted, are_groups, are_rows, check
from earmark.index.hash_tables import evenness
from earmark.index.int8 import Neighbours, compare, ranges

BLOCK = 4096  # vectors whose codewords are found together


@dataclass(frozen=True, eq=False)
class CodewordLists:
    """The lists of one segment, in one array."""

    codewords: NDArray[np.float32]  # (M, d)
    ends: NDArray[np.uint32]  # (M + 1,): where each list begins, and the one before it ends
    members: NDArray[np.uint32]  # (n,): rows in order of their codeword
    probes: int  # lists that each vector of a query looks into

    is_scan: ClassVar = False
    ARRAYS: ClassVar[Mapping[str, tuple[Any, int]]] = {  # type and number of axes
        "codewords": (np.float32, 2),
        "ends": (np.uint32, 1),
        "members": (np.uint32, 1),
    }

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the lists and their codewords."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    def stats(self) -> Mapping[str, float]:
        """Return how many lists there are, and how evenly they are filled: `imbalance` as that of hash tables."""
        sizes = np.diff(self.ends.astype(np.float64))
        return {
            "lists": len(sizes),
            "probes": min(self.probes, len(sizes)),
            "largest_bucket": float(sizes.max()),
            "entropy": evenness(sizes[None]),
            "imbalance": float((sizes**2).sum() / len(self.members) ** 2 * len(sizes)),
        }

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[np.int8], deleted: NDArray[np.bool_] | None, nearest: int
    ) -> Neighbours:
        """Return the best rows of each query among those in the lists that it looks into."""
        products = _products(queries, self.codewords)
        if self.probes < products.shape[1]:
            chosen = np.argpartition(-products, self.probes - 1, axis=1)[:, : self.probes]
        else:
            chosen = np.broadcast_to(np.arange(products.shape[1]), products.shape)
        lists = chosen.reshape(-1)
        places, count = ranges(self.ends[lists].astype(np.int64), self.ends[lists + 1].astype(np.int64))
        query = np.repeat(np.arange(len(queries), dtype=np.int64), chosen.shape[1])
        pairs = np.repeat(query, count) << 32 | self.members.take(places).astype(np.int64)
        return compare(queries, vectors, pairs, deleted, nearest)


def build(vectors: NDArray[np.int8], codewords: NDArray[np.float32], probes: int) -> CodewordLists:
    """Return the lists of these vectors."""
    nearest = np.empty(len(vectors), np.uint32)
    for start in range(0, len(vectors), BLOCK):
        nearest[start : start + BLOCK] = _products(vectors[start : start + BLOCK], codewords).argmax(axis=1)
    ends = np.zeros(len(codewords) + 1, np.uint32)
    np.cumsum(np.bincount(nearest, minlength=len(codewords)), out=ends[1:], dtype=np.uint32)
    return CodewordLists(codewords, ends, np.argsort(nearest, kind="stable").astype(np.uint32), probes)


def load(arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8], probes: int) -> CodewordLists:
    """Return what `CodewordLists.arrays` described; raises CatalogDamaged when it is not of these vectors."""
    lists = CodewordLists(
        **{name: adopted(arrays, name, *CodewordLists.ARRAYS[name]) for name in CodewordLists.ARRAYS}, probes=probes
    )
    check(lists.codewords.shape[1] == vectors.shape[1], "codewords are of other vectors")
    check(np.isfinite(lists.codewords).all(), "codewords are no numbers")
    check(len(lists.ends) == len(lists.codewords) + 1 and are_groups(lists.ends, len(vectors)), "lists overlap")
    check(lists.members.shape == (len(vectors),), "lists are of other vectors")
    check(are_rows(lists.members, len(vectors)), "lists hold rows that are none")
    return lists


def _products(vectors: NDArray[np.int8], codewords: NDArray[np.float32]) -> NDArray[np.float32]:
    products: NDArray[np.float32] = vectors.astype(np.float32) @ codewords.T
    return products
