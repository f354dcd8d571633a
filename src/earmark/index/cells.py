"""Cells of a space of vectors: a search looks only at the vectors that lie in the cells nearest to its own.

Centres are found by k-means in two levels, groups and cells within each (Nister, Stewenius, "Scalable recognition with
a vocabulary tree", CVPR 2006), so that finding them, and the cell of a vector, takes few of all products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from math import sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from earmark.index import faiss_io
from earmark.index.adopted import adopted, are_groups, check
from earmark.index.flat import PRODUCT

PREFIX = "cells-"  # of the names of their arrays; no segment's begins so
CELLS = 2.0  # C / sqrt N
FEWEST_CELLS, MOST_CELLS = 16, 1 << 14  # numbers of cells are 16 bits
SAMPLE_PER_CELL = 32  # vectors that a cell is found from
ROUNDS = 10  # rounds of k-means; more gain nothing measurable
SEED = 2006
GROUPS_TRIED = 4  # groups in which a vector's cell is looked for
BLOCK = 1 << 14  # vectors whose cells are looked for together, 8 MB as float32


@dataclass(frozen=True, eq=False)
class Cells:
    """Centres of C cells in G groups, of vectors of d dimensions; they never change."""

    tops: NDArray[np.float32]  # (G, d) centres of the groups
    centres: NDArray[np.float32]  # (C, d), group by group
    ends: NDArray[np.int64]  # (G + 1,) where each group of cells begins and ends
    _last: dict[str, tuple[Any, ...]] = field(default_factory=dict, init=False, repr=False)  # what was asked last

    @classmethod
    def trained(cls, sample: NDArray[np.float32], vectors: int) -> Self:
        """Return cells for so many vectors, by a sample of them, (n, d)."""
        wanted = min(cell_count(vectors), len(sample))
        tops = _centres(sample, max(round(sqrt(wanted)), 1))
        group = _nearest(sample, tops)
        parts = [sample[group == number] for number in range(len(tops))]
        tops = tops[[len(part) > 0 for part in parts]]
        centres = [_centres(part, round(wanted * len(part) / len(sample))) for part in parts if len(part)]
        return cls(tops, np.concatenate(centres), np.cumsum([0, *map(len, centres)]))

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the cells that `arrays` described under that name; raises CatalogDamaged when they are none."""
        cells = cls(
            adopted(arrays, "tops", np.float32, 2),
            adopted(arrays, "centres", np.float32, 2),
            adopted(arrays, "ends", np.int64, 1),
        )
        count, dimensions = cells.centres.shape
        check(0 < count <= 1 << 16 and dimensions == cells.tops.shape[1], f"{name} has centres of other vectors")
        check(len(cells.ends) == len(cells.tops) + 1 and are_groups(cells.ends, count), f"{name} has no groups")
        check(bool((np.diff(cells.ends) > 0).all()), f"{name} has a group without a cell")
        check(np.isfinite(cells.tops).all() and np.isfinite(cells.centres).all(), f"{name} has centres nowhere")
        check(cells.name == name, f"the checksum of {name}")
        return cells

    def __len__(self) -> int:
        return len(self.centres)

    @cached_property
    def name(self) -> str:
        """A name that stands for the content."""
        digest = sha256()
        for array in self.arrays().values():
            digest.update(f"{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return f"{PREFIX}{digest.hexdigest()[:24]}"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays by name."""
        return {"tops": self.tops, "centres": self.centres, "ends": self.ends}

    def of(self, vectors: NDArray[np.float32]) -> NDArray[np.uint16]:
        """Return the cell of each vector, (n,), the nearest in the groups that are nearest to it."""
        found = [self._of(vectors[start : start + BLOCK]) for start in range(0, len(vectors), BLOCK)]
        return np.concatenate([np.zeros(0, np.uint16), *found])

    def nearest(self, vectors: NDArray[Any], count: int, *, scale: float = 1.0) -> NDArray[np.int64]:
        """Return the cells that are nearest to each vector of a query, times a scale, (n, count), in any order.

        One segment after another asks for the same vectors, which are looked for once.
        """
        last = self._last.get("asked")
        if last is None or last[1] != (count, scale) or not np.array_equal(last[0], vectors):
            found = self._nearest(vectors.astype(np.float32) * np.float32(scale), min(count, len(self)))
            last = self._last["asked"] = vectors.copy(), (count, scale), found
        near: NDArray[np.int64] = last[2]
        return near

    def _nearest(self, vectors: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        transposed = np.ascontiguousarray(vectors.T)
        rows = max(PRODUCT // max(transposed.size, 1), 1)  # of one product, which stays in one thread
        whole = len(self) // rows * rows
        near = np.empty((len(self), len(vectors)), np.float32)
        wide = self.centres[:whole].reshape(-1, rows, self.centres.shape[1])
        np.matmul(wide, transposed, out=near[:whole].reshape(-1, rows, len(vectors)))
        np.matmul(self.centres[whole:], transposed, out=near[whole:])
        near -= self._half_squares[:, None]
        last = len(self) - count
        return np.argpartition(near.T.copy(), last, axis=1)[:, last:].astype(np.int64)

    def _of(self, vectors: NDArray[np.float32]) -> NDArray[np.uint16]:
        tried = min(GROUPS_TRIED, len(self.tops))
        near = vectors @ self.tops.T - _half_squares(self.tops)
        is_tried = near >= np.partition(near, len(self.tops) - tried, axis=1)[:, [len(self.tops) - tried]]
        best, found = np.full(len(vectors), -np.inf, np.float32), np.zeros(len(vectors), np.uint16)
        for group, (first, end) in enumerate(zip(self.ends[:-1].tolist(), self.ends[1:].tolist(), strict=True)):
            rows = np.flatnonzero(is_tried[:, group])
            near = vectors[rows] @ self.centres[first:end].T - self._half_squares[first:end]
            cell = near.argmax(axis=1)
            near = near[np.arange(len(rows)), cell]
            better = near > best[rows]
            best[rows[better]], found[rows[better]] = near[better], (first + cell[better]).astype(np.uint16)
        return found

    @cached_property
    def _half_squares(self) -> NDArray[np.float32]:
        return _half_squares(self.centres)


def cell_count(vectors: int) -> int:
    """Return how many cells suit so many vectors."""
    return min(max(int(CELLS * sqrt(vectors)), FEWEST_CELLS), MOST_CELLS)


def _centres(sample: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the centres of so many cells, or of a cell a vector where there are fewer, (count, d)."""
    faiss, count = faiss_io.library(), min(max(count, 1), len(sample))
    clustering = faiss.Clustering(sample.shape[1], count)
    clustering.niter, clustering.seed, clustering.min_points_per_centroid = ROUNDS, SEED, 1
    with faiss_io.threads_for(len(sample)):
        clustering.train(np.ascontiguousarray(sample), faiss.IndexFlatL2(sample.shape[1]))
    centres: NDArray[np.float32] = faiss.vector_to_array(clustering.centroids).reshape(count, -1)
    return centres


def _nearest(vectors: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = (vectors @ centres.T - _half_squares(centres)).argmax(axis=1)
    return found


def _half_squares(centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return half the squared length of each centre: what an inner product lacks to tell distances."""
    half: NDArray[np.float32] = (centres * centres).sum(axis=1) / np.float32(2)
    return half
