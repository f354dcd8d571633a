"""Locality-sensitive hashing: K random hyperplanes make a code, and the catalog is hashed into L tables of such codes.

Two vectors at the angle a fall on the same side of a random hyperplane with probability p = 1 - a / pi (Charikar 2002),
into the same bucket of one table with p^K, and of at least one of L tables with 1 - (1 - p^K)^L. Looking into the
buckets next to the query's own (`buckets.py`) does what many more tables would do.

Cost, for N vectors of D dimensions, and T buckets looked into: a vector of a query takes L D K multiplications to be
hashed and, when buckets are equally full, T D N / 2^K to be compared; T = L without multi-probe. With K = log2 N a
bucket holds one vector. Memory: D + 4 + 4 L bytes a vector and 4 L 2^K for the tables. Building: L D K N
multiplications and L sorts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index import buckets
from earmark.index.segments import SMALLEST, Segmented, Structure

BITS_BELOW = 1  # K = log2 N - 1, two vectors to a bucket: small ones, many of which are looked into, compare least
SEED = 20020519  # of the hyperplanes, so that a catalog built twice is the same


class Lsh(Segmented):
    """Random hyperplanes, several tables, multi-probe; see the module's docstring.

    `probes` buckets are looked into for each vector of a query, in all tables together; `bits` is K, by default
    log2 N - 1. Segments of fewer than `smallest` vectors are searched exactly.
    """

    most_vectors: ClassVar = buckets.MOST_VECTORS

    def __init__(self, *, tables: int = 10, probes: int = 1_500, bits: int = 0, smallest: int = SMALLEST) -> None:
        super().__init__(smallest=smallest)
        if tables < 1 or probes < 1 or not 0 <= bits <= buckets.MOST_BITS:
            raise OptionError(
                f"tables={tables}, probes={probes}, bits={bits}: give at least one table and one probe, and up to "
                f"{buckets.MOST_BITS} bits"
            )
        self._tables, self._probes, self._bits = tables, probes, bits

    def cost(self) -> Mapping[str, float]:
        """Return multiplications of one vector of a query: as the formulas say, and as measured in searches so far.

        `predicted` takes all buckets for equal, `expected` takes them as they are: a full one is met more often.
        """
        stats = self.stats()
        tables, bits, probes = (float(stats.get(name, 0)) for name in ("tables", "bits", "probes"))
        dimensions, vectors = stats["dimensions"], stats["vectors"]
        hashing = tables * dimensions * bits
        comparing = probes * dimensions * vectors / 2**bits
        return {
            "predicted": hashing + comparing,
            "expected": hashing + comparing * stats.get("imbalance", 1.0),
            "measured": hashing + dimensions * vectors * stats["compared_share"],
        }

    def _build(self, vectors: NDArray[np.int8]) -> Structure:
        bits = self._bits or buckets.usual_bits(len(vectors), BITS_BELOW)
        normal = np.random.default_rng(SEED).standard_normal((self._tables, bits, vectors.shape[1]))
        planes = normal.astype(np.float32)
        offsets = planes @ buckets.sample(vectors).mean(axis=0)  # through the middle of the catalog
        return buckets.built(vectors, planes, offsets.astype(np.float32), self._probes)

    def _read(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        return buckets.read(arrays, vectors, self._probes)
