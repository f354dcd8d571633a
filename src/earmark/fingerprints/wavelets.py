"""Spectral images as wavelets (Baluja and Covell, 2008): logarithmic bands, Haar's decomposition, the largest signs.

Bands are power, (frames, bands), and images (n, bands, frames) of it; a sign is 2 * place + 1 of a positive wavelet,
2 * place of a negative one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd

Bands = NDArray[np.float32]  # (frames, bands), power
Images = NDArray[np.float32]  # (n, bands, frames), power or what it is compressed to


@dataclass(frozen=True, slots=True)
class ImageShape:
    """What a spectral image is, and how much of it is kept."""

    frames: int = 128  # 1.49 s
    bands: int = 32
    low_hertz: float = 100.0
    high_hertz: float = 2_000.0
    knee: float = 0.1  # share of an image's mean power, from which on power counts by its logarithm
    silence_decibels: float = -70.0  # an image whose loudest band stays under it is silent (sine at full scale: 0)
    wavelets: int = 100  # largest coefficients of an image, of which the signs are kept


def sum_bands(spectra: NDArray[np.float32], front_end: FrontEnd, shape: ImageShape) -> Bands:
    """Return the power in each band of power spectra, shape (frames, bins)."""
    bands: Bands = spectra @ _filter_bank(front_end, shape)
    return bands


def silent(images: Images, front_end: FrontEnd, shape: ImageShape) -> NDArray[np.bool_]:
    """Return which images are silent, shape (n,): the largest wavelets of such are anything."""
    full_scale = (front_end.window / 4) ** 2  # of a sine under a Hann window
    return np.asarray(images.max(axis=(1, 2), initial=0) < full_scale * 10 ** (shape.silence_decibels / 10))


def compressed(images: Images, shape: ImageShape) -> Images:
    """Return images with power p as ln(1 + p / (knee * mean power of the image)).

    So loudness does not matter, and what is far below the mean, where noise comes first, is nearly nothing.
    """
    flat = np.ascontiguousarray(images).reshape(len(images), shape.bands * shape.frames)
    means = flat.mean(axis=1, dtype=np.float64)[:, None, None]
    out: Images = np.log1p(images / (shape.knee * np.maximum(means, np.finfo(np.float64).tiny))).astype(np.float32)
    return out


def largest_signs(images: Images, shape: ImageShape) -> NDArray[np.int64]:
    """Return the signs that are kept of images of power, shape (n, wavelets), in no order.

    The place of a wavelet is frames * (its number among the bands') + its number among the frames'. The mean of each
    band is left out: filters, hum and steady noise change it.
    """
    wavelets = haar(compressed(images, shape))
    wavelets[:, :, 0] = 0
    wavelets = wavelets.reshape(len(images), shape.bands * shape.frames)
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
