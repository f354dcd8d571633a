"""Hash codes of vectors, one table of them: K bits, or the nearest of M codewords; the likeliest buckets come first.

A network's own codes are used where it learned some. Else K hyperplanes are fitted to the catalog: they span the main
directions of its vectors, whitened and rotated so that vectors lie far from them (Gong, Lazebnik, Gordo, Perronnin,
"Iterative quantization", PAMI 2013), and each halves the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index import codewords, hash_tables
from earmark.index.int8 import SCALE
from earmark.index.segment import Structure
from earmark.index.structured import SMALLEST, Structured
from earmark.plan import LearnedCodes

BITS_BELOW = 3  # log2 N - K, eight vectors to a bucket
TINY = 1e-3  # variance of a direction that holds nothing but rounding (a component's unit is 1/254)
ROUNDS = 50  # rounds of rotating the projection; the paper's figure
SEED = 2013  # seed of the first rotation; a catalog built twice is the same


class Hashcode(Structured):
    """One table of codes, multi-probe: first the bucket of a query's own code, then those that are likely beside it.

    Cost, for N vectors of D dimensions and T buckets looked into: a vector of a query takes D K multiplications to be
    hashed and about T D N / 2^K to be compared; with M codewords D M and T D N / M. Memory: D + 4 + 4 bytes a vector
    and 4 for each bucket. Building: D K N or D M N multiplications and one sort; the fitted codes also need the
    components of a sample (D^3).

    `probes` buckets are looked into for each vector of a query. `codes` are those that the network learned; with
    `bits`, or without `codes`, K hyperplanes are fitted, by default log2 N - 3. Segments of fewer than `smallest`
    vectors are searched exactly.
    """

    most_vectors: ClassVar = hash_tables.MOST_VECTORS

    def __init__(
        self, *, probes: int = 1_000, bits: int = 0, smallest: int = SMALLEST, codes: LearnedCodes | None = None
    ) -> None:
        super().__init__(smallest=smallest)
        if probes < 1 or not 0 <= bits <= hash_tables.MOST_BITS:
            raise OptionError(
                f"probes={probes}, bits={bits}: give at least 1 probe, and up to {hash_tables.MOST_BITS} bits"
            )
        self._probes, self._bits, self._codes = probes, bits, None if bits else codes

    def _build(self, vectors: NDArray[np.int8]) -> Structure:
        codes = self._codes
        if codes is None:
            bits = self._bits or hash_tables.usual_bits(len(vectors), BITS_BELOW)
            planes, offsets = balanced_projection(hash_tables.sample(vectors), min(bits, vectors.shape[1]))
        elif codes.kind == "codewords":
            return codewords.build(vectors, codes.planes, self._probes)
        else:
            planes, offsets = codes.planes, codes.offsets * np.float32(SCALE)
        return hash_tables.build(vectors, planes[None], offsets[None], self._probes)

    def _load(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        if "codewords" in arrays:
            return codewords.load(arrays, vectors, self._probes)
        return hash_tables.load(arrays, vectors, self._probes)


def balanced_projection(sample: NDArray[np.float32], bits: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return K hyperplanes, (K, d) of length 1, and their offsets, (K,), each of which halves the sample."""
    middle = sample.mean(axis=0)
    variances, directions = np.linalg.eigh((sample - middle).T @ (sample - middle) / len(sample))
    spread = np.sqrt(np.maximum(variances[: -bits - 1 : -1], TINY))
    whitening = directions[:, : -bits - 1 : -1] / spread  # without it, rotated bits would agree and buckets be uneven
    components = ((sample - middle) @ whitening).astype(np.float32)
    rotation = np.linalg.qr(np.random.default_rng(SEED).standard_normal((bits, bits)))[0].astype(np.float32)
    for _ in range(ROUNDS):
        signs = np.where(components @ rotation > 0, np.float32(1), np.float32(-1))
        left, _, right = np.linalg.svd(components.T @ signs)
        rotation = left @ right
    planes = (whitening @ rotation).T
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    return planes.astype(np.float32), np.median(sample @ planes.T, axis=0).astype(np.float32)
