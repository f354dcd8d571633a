"""Levels: the power of sound without its pauses, and noise at a signal-to-noise ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.types import Samples

FRAME_SECONDS = 0.025  # seconds; whole samples at 8, 16 and 48 kHz
ACTIVE_DECIBELS = 40.0  # decibels; frames this far below the loudest are pauses (ITU-T P.56: 15.9, but music decays)


def active_power(samples: Samples, *, rate: int) -> NDArray[np.float32]:
    """Return the mean power of clips without their pauses, shape () or (b,).

    A clip is cut into frames of 25 ms (an incomplete last one is dropped, unless it is the only one); a frame counts
    when its power is at most 40 dB below the loudest one's. Without pauses this is the mean square.
    """
    frame = min(round(FRAME_SECONDS * rate), samples.shape[-1])
    count = samples.shape[-1] // frame
    frames = samples[..., : count * frame].reshape(*samples.shape[:-1], count, frame)
    powers = np.einsum("...i,...i->...", frames, frames) / np.float32(frame)
    active = powers >= powers.max(axis=-1, keepdims=True) * np.float32(10 ** (-ACTIVE_DECIBELS / 10))
    return np.asarray((powers * active).sum(axis=-1) / active.sum(axis=-1), np.float32)


def add_noise(music: Samples, noise: Samples, snr_decibels: ArrayLike, *, rate: int) -> Samples:
    """Return music with noise of the same shape, at a ratio of the music's active power to the noise's mean power.

    The ratio is measured over the whole clip. At an infinite ratio nothing is added, nor to silent music.
    """
    return music + noise_gain(music, noise, snr_decibels, rate=rate)[..., None] * noise


def add_speech(music: Samples, speech: Samples, snr_decibels: ArrayLike, *, rate: int) -> Samples:
    """Return music with speech of the same shape laid over it, as a broadcast has it, at a ratio of active powers.

    Pauses of neither count: -5 dB is a bed of music 5 dB softer than the voice while it speaks. At an infinite ratio
    nothing is added, nor to silent music, nor by silent speech.
    """
    wanted = active_power(music, rate=rate) * 10 ** (-np.asarray(snr_decibels, np.float64) / 10)
    present = active_power(speech, rate=rate)
    gain = np.sqrt(np.divide(wanted, present, out=np.zeros_like(wanted), where=present > 0))
    return music + gain.astype(np.float32)[..., None] * speech


def noise_gain(music: Samples, noise: Samples, snr_decibels: ArrayLike, *, rate: int) -> NDArray[np.float32]:
    """Return the factor that brings `noise` to a signal-to-noise ratio, shape () or (b,)."""
    wanted = active_power(music, rate=rate) * 10 ** (-np.asarray(snr_decibels, np.float64) / 10)
    present = np.einsum("...i,...i->...", noise, noise) / noise.shape[-1]
    gain: NDArray[np.float64] = np.sqrt(np.divide(wanted, present, out=np.zeros_like(wanted), where=present > 0))
    return gain.astype(np.float32)


def amplitude(decibels: ArrayLike) -> NDArray[np.float32]:
    """Return decibels as a factor of amplitude."""
    return np.asarray(10 ** (np.asarray(decibels, np.float64) / 20), np.float32)
