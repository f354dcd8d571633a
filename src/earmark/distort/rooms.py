"""Room responses: synthesised, aligned to their direct sound, measured and applied."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from earmark.errors import OptionError
from earmark.types import Samples

DECAY = 3 * np.log(10)  # nepers per t60: the amplitude exp(-DECAY t / t60) falls by 60 dB
REFLECTIONS_AFTER_SECONDS = 0.003  # seconds, a metre of detour: the nearest surface of a small room
REACH = 1.25  # length of a synthetic response / its t60; there it is 75 dB down, below 16-bit noise


def room_response(
    t60_seconds: float, *, rate: int, generator: np.random.Generator, direct_decibels: float = 0.0
) -> Samples:
    """Return a simple room response: a direct sound, and noise that decays by 60 dB in `t60_seconds`.

    `direct_decibels` is the ratio of direct to reflected energy: about 0 two metres from a loudspeaker in a living
    room. The direct sound is sample 0, the energy is 1. `datasets.rooms` computes rooms from their walls.
    """
    if t60_seconds <= 0:
        raise OptionError(f"t60_seconds={t60_seconds}; give a time above 0")
    seconds = np.arange(max(round(REACH * t60_seconds * rate), 2), dtype=np.float64) / rate
    tail = generator.standard_normal(len(seconds)) * np.exp(-DECAY * seconds / t60_seconds)
    tail[seconds < min(REFLECTIONS_AFTER_SECONDS, seconds[-1])] = 0
    response = tail / np.sqrt(np.sum(tail**2))
    response[0] = 10 ** (direct_decibels / 20)
    return np.asarray(response / np.sqrt(np.sum(response**2)), np.float32)


def aligned_response(response: NDArray[np.floating]) -> Samples:
    """Return a response from its direct sound (its largest sample) on, scaled to unit energy.

    It changes neither the position nor the level of music. It may be a microphone's response too.
    """
    direct = response[int(np.argmax(np.abs(response))) :].astype(np.float64)
    return np.asarray(direct / np.sqrt(np.sum(direct**2)), np.float32)


def reverberate(samples: Samples, response: Samples, *, history: int = 0) -> Samples:
    """Return the convolution of samples with a response, without the first `history` samples.

    `response` has shape (m,), or (b, m) with one for each clip. Reverberation of earlier music is heard in a clip, so
    give at least a second before it as `history`. Aligned responses (`aligned_response`) keep positions.
    """
    if response.ndim < samples.ndim:
        response = response[None]
    wet = signal.fftconvolve(samples, response, axes=-1)[..., history : samples.shape[-1]]
    return np.asarray(wet, np.float32)


def reverberation_seconds(response: NDArray[np.floating], *, rate: int) -> float:
    """Return t60 by Schroeder's backward integration (JASA 37, 1965): T20, the slope from -5 to -25 dB.

    Raises OptionError for a response that decays by less.
    """
    left = np.cumsum(np.asarray(response, np.float64)[::-1] ** 2)[::-1]
    with np.errstate(divide="ignore"):
        decibels = 10 * np.log10(left / left[0])
    reflected = decibels - decibels[_first_reflection(response, rate)]  # the direct sound is no part of the decay
    first, last = int(np.argmax(reflected <= -5)), int(np.argmax(reflected <= -25))
    if last <= first:
        raise OptionError(f"a response of {len(response)} samples decays by less than 25 dB; give it whole")
    slope = np.polyfit(np.arange(first, last) / rate, reflected[first:last], 1)[0]
    return float(-60 / slope)


def _first_reflection(response: NDArray[np.floating], rate: int) -> int:
    after_direct = int(np.argmax(np.abs(response))) + round(REFLECTIONS_AFTER_SECONDS * rate)
    return min(after_direct, len(response) - 1)
