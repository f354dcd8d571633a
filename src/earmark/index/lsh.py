"""Locality-sensitive hashing: K random hyperplanes make a code, and the catalog is hashed into L tables of such codes.

Two vectors at the angle a share a bucket of one table with p^K, p = 1 - a / pi (Charikar 2002), and of one of L tables
with 1 - (1 - p^K)^L. Hyperplanes are drawn within the catalog's main directions, perpendicular to one another within a
table (Ji, Li, Yan, Zhang, Tian, "Super-bit locality-sensitive hashing", NIPS 2012), and halve the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index import hash_tables
from earmark.index.segment import Structure
from earmark.index.structured import SMALLEST, Structured

BITS_BELOW = 1  # log2 N - K; many small buckets (two vectors each) compare least
TINY = 1e-3  # variance of a direction that holds nothing but rounding (a component's unit is 1/254)
EVENNESS = 0.25  # power of a direction's variance by which it weighs less; 0 finds as much in buckets less even
SEED = 20020519  # seed of the hyperplanes; a catalog built twice is the same


class LSH(Structured):
    """Random hyperplanes, several tables, multi-probe.

    Cost, for N vectors of D dimensions, and T buckets looked into: a vector of a query takes L D K multiplications to
    be hashed and, when buckets are equally full, T D N / 2^K to be compared; T = L without multi-probe. With
    K = log2 N a bucket holds one vector. Memory: D + 4 + 4 L bytes a vector and 4 L 2^K for the tables. Building:
    L D K N multiplications and L sorts.

    `probes` buckets are looked into for each vector of a query, in all tables together; `bits` is K, by default
    log2 N - 1; hyperplanes are drawn within the first `components` main directions of the catalog, in all directions if
    0. Segments of fewer than `smallest` vectors are searched exactly.
    """

    most_vectors: ClassVar = hash_tables.MOST_VECTORS

    def __init__(
        self,
        *,
        tables: int = 10,
        probes: int = 1_500,
        bits: int = 0,
        components: int = 32,
        smallest: int = SMALLEST,
    ) -> None:
        super().__init__(smallest=smallest)
        if tables < 1 or probes < 1 or components < 0 or not 0 <= bits <= hash_tables.MOST_BITS:
            raise OptionError(
                f"tables={tables}, probes={probes}, bits={bits}, components={components}: give at least one table and "
                f"one probe, up to {hash_tables.MOST_BITS} bits, and some components or 0 for all"
            )
        self._tables, self._probes, self._bits, self._components = tables, probes, bits, components

    def _build(self, vectors: NDArray[np.int8]) -> Structure:
        bits = self._bits or hash_tables.usual_bits(len(vectors), BITS_BELOW)
        sample = hash_tables.sample(vectors)
        planes = self._planes(sample, bits)
        if self._components:
            offsets = np.stack([np.median(sample @ table.T, axis=0) for table in planes])
        else:
            offsets = planes @ sample.mean(axis=0)  # through the middle of the catalog
        return hash_tables.build(vectors, planes, offsets.astype(np.float32), self._probes)

    def _planes(self, sample: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
        """Return the normals of the hyperplanes, (L, K, d)."""
        draw, dimensions = np.random.default_rng(SEED), sample.shape[1]
        if not self._components:
            return draw.standard_normal((self._tables, bits, dimensions)).astype(np.float32)
        varying = sample - sample.mean(axis=0)
        variances, directions = np.linalg.eigh(varying.T @ varying / len(sample))
        kept = min(max(self._components, bits), dimensions)
        weights = np.maximum(variances[-kept:], TINY) ** -EVENNESS
        normals = draw.standard_normal((self._tables, kept, max(bits, kept)))
        across = np.linalg.qr(normals)[0][:, :, :bits]  # perpendicular, as many as there are components
        if bits > kept:
            across = np.concatenate([across, normals[:, :, kept:bits]], axis=2)
        planes: NDArray[np.float32] = np.swapaxes((weights * directions[:, -kept:]) @ across, 1, 2).astype(np.float32)
        return planes

    def _load(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        return hash_tables.load(arrays, vectors, self._probes)
