"""Holes in spectrograms, so that an encoder does not lean on one place: SpecAugment (Park et al., 2019) and cutout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BANDS_SHARE = (0.02, 0.08)  # of all bands, for a stripe: 5 to 20 of 256 (NAFP, spec-augment chain)
HOLE_SHARE = (0.1, 0.5)  # of either side, for a hole (NAFP, 'cutout')


def mask_spectrograms(
    spectrograms: NDArray[np.float32], generators: Sequence[np.random.Generator] | np.random.Generator
) -> NDArray[np.float32]:
    """Return spectrograms, shape (bands, frames) or (b, bands, frames), each without a stripe of bands and a hole.

    What is left out becomes the spectrogram's own minimum, which is silence; one generator for each.
    """
    masked = spectrograms.copy()
    if isinstance(generators, np.random.Generator):
        generators = [generators]
    for one, generator in zip(masked.reshape(-1, *masked.shape[-2:]), generators, strict=True):
        bands, frames = one.shape
        one[draw_spec_mask(bands, frames, generator)] = one.min()
    return masked


def draw_spec_mask(bands: int, frames: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Return where a spectrogram loses a stripe of bands and a hole, shape (bands, frames)."""
    holes = np.zeros((bands, frames), bool)
    holes[_stretch(bands, BANDS_SHARE, generator)] = True
    holes[_stretch(bands, HOLE_SHARE, generator), _stretch(frames, HOLE_SHARE, generator)] = True
    return holes


def _stretch(length: int, share: tuple[float, float], generator: np.random.Generator) -> slice:
    size = max(round(length * generator.uniform(*share)), 1)
    start = int(generator.integers(0, length - size + 1))
    return slice(start, start + size)
