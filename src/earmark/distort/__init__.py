"""Distortions between loudspeaker and catalog, for training and evaluation.

Functions take one clip, (n,), or a batch, (b, n), of float32 samples, and parameters that are numbers or arrays (b,). A
clip alone and in a batch give the same result to 1e-5 of full scale, with one random generator for each clip
(`clip_generators`). `timing` and `codecs` are not among the names here, because they load FFmpeg.
"""

from __future__ import annotations

import numpy as np

from earmark.distort.chain import Channel, Draws, Ranges, distort, draw
from earmark.distort.filters import high_pass, low_pass, microphone_response
from earmark.distort.levels import active_power, add_noise, add_speech
from earmark.distort.noises import coloured_noise
from earmark.distort.rooms import aligned_response, reverberate, reverberation_seconds, room_response
from earmark.distort.waveforms import clip_peaks, compress, saturate

__all__ = [
    "Channel",
    "Draws",
    "Ranges",
    "active_power",
    "add_noise",
    "add_speech",
    "aligned_response",
    "clip_generators",
    "clip_peaks",
    "coloured_noise",
    "compress",
    "distort",
    "draw",
    "high_pass",
    "low_pass",
    "microphone_response",
    "reverberate",
    "reverberation_seconds",
    "room_response",
    "saturate",
]


def clip_generators(seed: int, numbers: range | list[int]) -> list[np.random.Generator]:
    """Return one generator for each clip number; it depends on the seed and that number alone."""
    return [np.random.default_rng([seed, number]) for number in numbers]
