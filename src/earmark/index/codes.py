"""Vectors as two bits a component, from which inner products are guessed.

Components of vectors of length 1 are about normal, with a standard deviation of 1 / sqrt(D), for which the best four
levels are known (Max, "Quantizing for minimum distortion", IRE Trans. 1960, table I): nothing is trained. Two make the
half byte that a processor looks up 32 at a time (Andre, Kermarrec, Le Scouarnec, "Quicker ADC", PAMI 2019).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index.int8 import SCALE

BORDER, LEVELS = 0.9816, (-1.510, -0.4528, 0.4528, 1.510)  # standard deviations of a component
KEPT_SHARE = 0.8825  # share of the variance kept; divide inner products by it
COMPONENTS_PER_BYTE = 4


def packed(vectors: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return vectors of length 1, 254 to one, as two bits a component, (n, d / 4).

    Raises OptionError unless d is a multiple of 4.
    """
    if vectors.shape[1] % COMPONENTS_PER_BYTE:
        raise OptionError(f"vectors of {vectors.shape[1]} dimensions: this index takes multiples of 4; use index auto")
    border = BORDER * SCALE / np.sqrt(vectors.shape[1])
    digits = (vectors > -border).astype(np.uint8)
    digits += vectors > 0
    digits += vectors > border
    halves = 4 * digits[:, ::2] + digits[:, 1::2]
    codes: NDArray[np.uint8] = halves[:, ::2] | halves[:, 1::2] << 4
    return codes


def unpacked(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the vectors that codes stand for, (n, d), 254 to one."""
    levels, numbers = _levels(dimensions_of(codes)), np.arange(256)
    table = levels[np.stack([numbers >> 2 & 3, numbers & 3, numbers >> 6, numbers >> 4 & 3], axis=1)]
    return table[codes].reshape(len(codes), -1)


def dimensions_of(codes: NDArray[Any]) -> int:
    """Return how many dimensions the vectors have."""
    return int(codes.shape[1]) * COMPONENTS_PER_BYTE


def centroids(dimensions: int) -> NDArray[np.float32]:
    """Return what each half byte of each pair of components stands for, in the order in which Faiss keeps them."""
    levels = _levels(dimensions)
    pairs = np.stack(np.meshgrid(levels, levels, indexing="ij"), axis=-1).reshape(-1)
    return np.tile(pairs, dimensions // 2)


def _levels(dimensions: int) -> NDArray[np.float32]:
    levels: NDArray[np.float32] = np.array(LEVELS, np.float32) * np.float32(SCALE / np.sqrt(dimensions))
    return levels
