"""Nonlinear distortions: clipping, saturation, compression."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import signal

from earmark.types import Samples

QUIETEST = 1e-5  # amplitude below which a compressor's gain is constant


def clip_peaks(samples: Samples, decibels: ArrayLike) -> Samples:
    """Return samples clipped `decibels` below each clip's peak."""
    limit = _peak(samples) * _ratio(decibels)
    return np.asarray(np.clip(samples, -limit, limit), np.float32)


def saturate(samples: Samples, decibels: ArrayLike) -> Samples:
    """Return samples driven `decibels` into a soft limiter (tanh) that keeps each clip's peak."""
    peak, drive = np.maximum(_peak(samples), np.finfo(np.float32).tiny), 1 / _ratio(decibels)
    return np.asarray(peak * np.tanh(samples / peak * drive) / np.tanh(drive), np.float32)


def compress(samples: Samples, ratio: ArrayLike, *, rate: int, attack_seconds: float = 0.005) -> Samples:
    """Return samples whose level in decibels, smoothed over `attack_seconds`, varies by 1 / `ratio`.

    The loudest place keeps its level.
    """
    keep = float(np.exp(-1 / (attack_seconds * rate)))
    level = signal.lfilter([1 - keep], [1, -keep], np.abs(samples), axis=-1) + QUIETEST
    reduction = 1 / np.asarray(ratio, np.float64)[..., None] - 1
    return np.asarray(samples * (level / level.max(axis=-1, keepdims=True)) ** reduction, np.float32)


def _peak(samples: Samples) -> Samples:
    peak: Samples = np.abs(samples).max(axis=-1, keepdims=True)
    return peak


def _ratio(decibels: ArrayLike) -> Samples:
    return np.asarray(10 ** (-np.asarray(decibels, np.float64) / 20), np.float32)[..., None]
