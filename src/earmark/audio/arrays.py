"""Samples in memory, converted to the form in which files are decoded: mono float32 in [-1, 1]."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from earmark.audio.container import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS
from earmark.audio.downmix import QUALITY, Mixer, scaled
from earmark.errors import OptionError
from earmark.types import Samples


def to_mono(samples: Any, rate: int, *, to_rate: int) -> Samples:
    """Return samples of shape (n,) or (n, channels) as mono float32 at `to_rate`.

    Integers are scaled to [-1, 1]. Raises OptionError for another shape, type or rate, or samples that are not finite.
    """
    import soxr

    if not isinstance(rate, Real):
        raise OptionError(f"a rate of type {type(rate).__name__}; give (samples, rate), the rate a number of Hz")
    try:
        audio = np.asarray(samples)
    except (TypeError, ValueError) as error:  # lists of several lengths
        raise OptionError(f"samples of type {type(samples).__name__} ({error}); give an array") from error
    if audio.ndim not in (1, 2) or (audio.ndim == 2 and not 1 <= audio.shape[1] <= MOST_CHANNELS):
        turned = ", as samples.T is" if audio.ndim == 2 and audio.shape[0] <= MOST_CHANNELS else ""
        raise OptionError(f"samples of shape {audio.shape}; give (n,) or (n, channels){turned}")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise OptionError(f"samples at {rate} Hz; give {LOWEST_RATE:,} to {HIGHEST_RATE:,} Hz")
    if audio.dtype.kind in "iu":
        audio = scaled(audio)
    elif audio.dtype.kind != "f":
        raise OptionError(f"samples of type {audio.dtype}; give floats in [-1, 1] or integers")
    if not np.isfinite(audio).all():
        raise OptionError(f"{int((~np.isfinite(audio)).sum())} samples are not finite; replace them first")
    planes = audio.astype(np.float32)[None, :] if audio.ndim == 1 else audio.T.astype(np.float32)
    mixer = Mixer(rate, len(planes))
    mono = np.concatenate([mixer.mix(planes), mixer.flush()])
    if rate == to_rate:
        return mono
    return np.asarray(soxr.resample(mono, rate, to_rate, QUALITY), np.float32)
