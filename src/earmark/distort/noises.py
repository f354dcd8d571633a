"""Synthetic noise."""

from __future__ import annotations

import numpy as np
from scipy import fft

from earmark.types import Samples

LOWEST_HERTZ = 20.0  # Hz; lower the spectrum is flat, or brown noise would be all rumble


def coloured_noise(samples: int, *, rate: int, slope_decibels: float, generator: np.random.Generator) -> Samples:
    """Return noise of mean power 1 with a slope of `slope_decibels` per octave: 0 white, -3 pink, -6 brown."""
    spectrum = fft.rfft(generator.standard_normal(samples, np.float32))
    hertz = np.maximum(fft.rfftfreq(samples, 1 / rate), LOWEST_HERTZ)
    spectrum *= (hertz / LOWEST_HERTZ) ** (slope_decibels / (20 * np.log10(2)))
    spectrum[0] = 0  # no offset
    noise = fft.irfft(spectrum, samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), np.float32)
