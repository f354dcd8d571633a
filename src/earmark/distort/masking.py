"""Masks of spectrograms: a stripe of bands (SpecAugment, Park et al. 2019) and a hole (cutout)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BANDS_SHARE = (0.02, 0.08)  # share of the bands in a stripe: 5 to 20 of 256 (NAFP, spec-augment chain)
HOLE_SHARE = (0.1, 0.5)  # share of the bands and of the frames in a hole (NAFP, 'cutout')


def draw_spec_mask(bands: int, frames: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Return a random mask, shape (bands, frames), true on a stripe of bands and in a hole."""
    mask = np.zeros((bands, frames), bool)
    mask[_stretch(bands, BANDS_SHARE, generator)] = True
    mask[_stretch(bands, HOLE_SHARE, generator), _stretch(frames, HOLE_SHARE, generator)] = True
    return mask


def _stretch(length: int, share: tuple[float, float], generator: np.random.Generator) -> slice:
    size = max(round(length * generator.uniform(*share)), 1)
    start = int(generator.integers(0, length - size + 1))
    return slice(start, start + size)
