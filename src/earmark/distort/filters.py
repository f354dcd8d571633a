"""Filters given by their gain over frequency: equaliser, high- and low-pass, microphones.

A curve has decibels at `CURVE_POINTS` frequencies, spaced evenly in pitch from `LOWEST_HERTZ` to half the rate, and is
linear between them. Curves add up, and are applied without phase, so that nothing moves in time. A microphone's
response is causal, with minimum phase.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from earmark.types import Samples

Curve = NDArray[np.float32]

CURVE_POINTS = 48  # points, a fifth of an octave apart at 8 kHz
LOWEST_HERTZ = 30.0  # Hz
FLOOR_DECIBELS = -80.0  # lowest gain in a filter's stop band
GUARD_SECONDS = 0.02  # seconds of silence after a clip, in which the filters' ringing ends
MICROPHONE_SECONDS = 0.016  # length of a microphone's response
MICROPHONE_DECIBELS = 4.0  # standard deviation of phones' responses about their mean, roughly


def curve_hertz(rate: int) -> NDArray[np.float64]:
    """Return the frequencies of a curve's points, shape (CURVE_POINTS,)."""
    return np.geomspace(LOWEST_HERTZ, rate / 2, CURVE_POINTS)


def equaliser_curve(decibels: ArrayLike) -> Curve:
    """Return the curve through `decibels`, shape (..., m), at m frequencies spaced evenly in pitch."""
    anchors = np.asarray(decibels, np.float32)
    return np.asarray(anchors @ _interpolation(anchors.shape[-1]), np.float32)


def pass_curve(hertz: ArrayLike, *, rate: int, high: bool, order: int = 2) -> Curve:
    """Return a Butterworth high-pass (or low-pass) as a curve; it is 3 dB down at `hertz`."""
    ratio = np.asarray(hertz, np.float64)[..., None] / curve_hertz(rate)
    if not high:
        ratio = 1 / np.maximum(ratio, 1e-9)
    decibels = -10 * np.log10(1 + ratio ** (2 * order))
    return np.asarray(np.maximum(decibels, FLOOR_DECIBELS), np.float32)


def high_pass(samples: Samples, hertz: ArrayLike, *, rate: int, order: int = 2) -> Samples:
    """Return samples through a high-pass: 3 dB down at `hertz`, falling by 6 dB times `order` per octave."""
    return apply_curve(samples, pass_curve(hertz, rate=rate, high=True, order=order), rate=rate)


def low_pass(samples: Samples, hertz: ArrayLike, *, rate: int, order: int = 2) -> Samples:
    """Return samples through a low-pass: 3 dB down at `hertz`, falling by 6 dB times `order` per octave."""
    return apply_curve(samples, pass_curve(hertz, rate=rate, high=False, order=order), rate=rate)


def apply_curve(samples: Samples, curve: Curve, *, rate: int) -> Samples:
    """Return samples filtered by a curve, shape (CURVE_POINTS,) or (b, CURVE_POINTS)."""
    length = transform_length(samples.shape[-1], rate=rate)
    spectrum = fft.rfft(samples, length) * curve_amplitudes(curve, rate=rate, length=length)
    filtered: Samples = fft.irfft(spectrum, length)[..., : samples.shape[-1]]
    return filtered


def transform_length(samples: int, *, rate: int) -> int:
    """Return a fast transform length with room for the filters' ringing."""
    return int(fft.next_fast_len(samples + round(GUARD_SECONDS * rate), real=True))


def curve_amplitudes(curve: Curve, *, rate: int, length: int) -> NDArray[np.float32]:
    """Return a curve as factors for the bins of a real transform, shape (..., length // 2 + 1)."""
    amplitudes: NDArray[np.float32] = curve @ curve_bins(rate, length)
    amplitudes *= np.float32(np.log(10) / 20)
    return np.exp(amplitudes, out=amplitudes)


def microphone_response(
    *, rate: int, generator: np.random.Generator, deviation_decibels: float = MICROPHONE_DECIBELS
) -> Samples:
    """Return a synthetic microphone's response: a smooth random curve as a minimum-phase filter of unit energy."""
    length = 4 * round(MICROPHONE_SECONDS * rate)
    curve = equaliser_curve(generator.normal(0, deviation_decibels, 10))
    curve = curve + pass_curve(generator.uniform(40, 150), rate=rate, high=True)
    cepstrum = fft.irfft(np.log(np.maximum(curve_amplitudes(curve, rate=rate, length=length), 1e-4)), length)
    fold = np.zeros(length)  # the cepstrum of a minimum-phase filter is causal: Oppenheim and Schafer, 12.3
    fold[0], fold[1 : length // 2], fold[length // 2] = 1, 2, 1
    response = fft.irfft(np.exp(fft.rfft(cepstrum * fold)), length)[: length // 4]
    return np.asarray(response / np.sqrt(np.sum(response**2)), np.float32)


@lru_cache(maxsize=8)
def _interpolation(points: int) -> NDArray[np.float32]:
    """Return the matrix, (points, CURVE_POINTS), from values spaced evenly in pitch to a curve."""
    wanted = np.linspace(0, points - 1, CURVE_POINTS)
    return np.stack([np.interp(wanted, np.arange(points), row) for row in np.eye(points)]).astype(np.float32)


@lru_cache(maxsize=8)
def curve_bins(rate: int, length: int) -> NDArray[np.float32]:
    """Return the matrix, (CURVE_POINTS, bins), from a curve to the bins of a transform, linear in log frequency."""
    hertz = np.log(np.maximum(fft.rfftfreq(length, 1 / rate), LOWEST_HERTZ))
    points = np.log(curve_hertz(rate))
    return np.stack([np.interp(hertz, points, row) for row in np.eye(CURVE_POINTS)]).astype(np.float32)
