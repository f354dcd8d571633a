"""Spectral images as wavelets (Baluja and Covell, 2008): logarithmic bands, Haar's decomposition, the largest signs.

Bands are (frames, bands) in nepers of power, images (n, bands, frames); a sign is 2 * place + 1 of a positive wavelet,
2 * place of a negative one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd

LogBands = NDArray[np.float32]  # (frames, bands), natural logarithm of power
Images = NDArray[np.float32]  # (n, bands, frames)


@dataclass(frozen=True, slots=True)
class ImageShape:
    """What a spectral image is, and how much of it is kept."""

    frames: int = 128  # 1.49 s
    bands: int = 32
    low_hertz: float = 318.0
    high_hertz: float = 2_000.0
    floor_decibels: float = 80.0  # decibels below an image's loudest place, at which it is floored
    silence_decibels: float = -70.0  # an image whose loudest band stays under it is silent (sine at full scale: 0)
    wavelets: int = 200  # largest coefficients of an image, of which the signs are kept


def log_bands(spectra: NDArray[np.float32], front_end: FrontEnd, shape: ImageShape, *, quietest: float) -> LogBands:
    """Return the bands of power spectra, shape (frames, bins); `quietest` is the least power of a band."""
    bands: LogBands = spectra @ _filter_bank(front_end, shape)
    return np.log(np.maximum(bands, np.float32(quietest), out=bands), out=bands)


def silent(images: Images, front_end: FrontEnd, shape: ImageShape) -> NDArray[np.bool_]:
    """Return which images are silent, shape (n,): the largest wavelets of such are anything."""
    full_scale = 2 * np.log(front_end.window / 4)  # of a sine under a Hann window
    least = full_scale + shape.silence_decibels * np.log(10) / 10
    return np.asarray(images.max(axis=(1, 2), initial=-np.inf) < least)


def largest_signs(images: Images, shape: ImageShape) -> NDArray[np.int64]:
    """Return the signs that are kept of images, shape (n, wavelets): 2 * place + 1 if positive, in no order.

    The place of a wavelet is frames * (its number among the bands') + its number among the frames'. Bit 2 * place is
    that of a negative, the next that of a positive one.
    """
    floor = np.float32(shape.floor_decibels * np.log(10) / 10)
    floored = np.maximum(images, images.max(axis=(1, 2), keepdims=True, initial=-np.inf) - floor)
    wavelets = haar(floored).reshape(len(images), shape.bands * shape.frames)
    largest = np.argpartition(np.abs(wavelets), -shape.wavelets, axis=1)[:, -shape.wavelets :]
    signs: NDArray[np.int64] = 2 * largest + (np.take_along_axis(wavelets, largest, axis=1) > 0)
    return signs


def haar(images: Images) -> Images:
    """Return the orthonormal standard Haar decomposition: all levels along frames, then all along bands."""
    return _haar_of_rows(_haar_of_rows(images).swapaxes(1, 2)).swapaxes(1, 2)


def _haar_of_rows(rows: Images) -> Images:
    """Return the decomposition along the last axis: the mean, then details from the longest to the shortest."""
    details: list[Images] = []
    scale = np.float32(np.sqrt(0.5))
    while rows.shape[-1] > 1:
        even, odd = rows[..., ::2], rows[..., 1::2]
        details.append((even - odd) * scale)
        rows = (even + odd) * scale
    return np.concatenate([rows, *reversed(details)], axis=-1)


@lru_cache(maxsize=4)
def _filter_bank(front_end: FrontEnd, shape: ImageShape) -> NDArray[np.float32]:
    """Return logarithmic bands, shape (bins, bands): the share of each bin that lies in a band."""
    edges = np.geomspace(shape.low_hertz, shape.high_hertz, shape.bands + 1) / front_end.hertz_per_bin
    bins = np.arange(front_end.low_bin, front_end.high_bin)[:, None]
    inside = np.minimum(bins + 0.5, edges[1:]) - np.maximum(bins - 0.5, edges[:-1])
    bank: NDArray[np.float32] = np.maximum(inside, 0).astype(np.float32)
    return bank
