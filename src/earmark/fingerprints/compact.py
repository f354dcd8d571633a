"""What a compact catalog keeps of a recording: vectors in two bits a component, and the strongest peaks alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprints.landmarks import Density
from earmark.types import VECTOR_SCALE

COMPONENTS = 4  # components of two bits in a byte, the first the lowest


@dataclass(frozen=True, slots=True)
class CompactShape:
    """What else shapes a compact catalog, whose vectors have one of four levels in each component.

    The levels are the best for a normal distribution (Max, "Quantizing for minimum distortion", IRE Trans. 1960,
    table I), times what makes vectors as long as they were.
    """

    border: float = 0.9816  # standard deviations of a component, 1 / sqrt(dimensions)
    levels: tuple[float, float] = (0.4528 / 0.9394, 1.510 / 0.9394)  # standard deviations, to either side of 0
    density: Density = Density(stored=14, paired=14, fan_out=2)  # the peaks alone that the default makes landmarks of

    def rounded(self, vectors: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return vectors with the nearest level in each component."""
        low, high = self.values(vectors.shape[1])[2:]
        border = self.border * VECTOR_SCALE / np.sqrt(vectors.shape[1])
        sizes = np.where(np.abs(vectors.astype(np.int16)) > border, high, low)
        rounded: NDArray[np.int8] = np.where(vectors > 0, sizes, -sizes).astype(np.int8)
        return rounded

    def values(self, dimensions: int) -> NDArray[np.int8]:
        """Return the four levels of vectors of so many dimensions, rising."""
        low, high = (level * VECTOR_SCALE / np.sqrt(dimensions) for level in self.levels)
        return np.rint([-high, -low, low, high]).astype(np.int8)

    def pack(self, vectors: NDArray[np.int8]) -> bytes:
        """Return vectors, (n, d), that `rounded` returned, in two bits a component."""
        levels = self.values(vectors.shape[1])
        digits = np.searchsorted(levels, vectors.reshape(-1, COMPONENTS)).astype(np.uint8)
        bytes_of: NDArray[np.uint8] = (digits << np.arange(0, 8, 2, dtype=np.uint8)).sum(axis=1, dtype=np.uint8)
        return bytes_of.tobytes()

    def unpack(self, packed: bytes, count: int, dimensions: int) -> NDArray[np.int8]:
        """Return `count` vectors; raises ValueError for another number of them."""
        table = self.values(dimensions)[np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3]
        vectors: NDArray[np.int8] = table.take(np.frombuffer(packed, np.uint8), axis=0).reshape(count, dimensions)
        return vectors
