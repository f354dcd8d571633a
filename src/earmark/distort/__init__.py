"""What happens to a clip between the loudspeaker and the database; training and evaluation share it.

Everything works on one clip, shape (n,), or on a batch, shape (b, n), of float32 samples, and does the same to a clip
alone as in a batch (to float32 rounding, below 1e-5 of full scale). Parameters are numbers, or arrays of shape (b,).
Whatever is drawn comes from `numpy.random.Generator`, one for each clip (`clip_generators`), so that a clip's fate does
not depend on its neighbours.

    levels      noise at a signal-to-noise ratio, gain
    noises      coloured noise, made by code
    rooms       room responses: made, aligned, measured, applied
    filters     equaliser, high- and low-pass, microphones
    waveforms   clipping, saturation, compression
    timing      offset, speed, tempo, pitch (not among the names here: it loads FFmpeg)
    codecs      lossy codecs (the same)
    masking     holes in spectrograms
    chain       the usual sequence for a whole batch at once: what training runs on
"""

from __future__ import annotations

import numpy as np

from earmark.distort.chain import Channel, Draws, Ranges, distort, draw
from earmark.distort.filters import equalise, high_pass, low_pass, microphone_response
from earmark.distort.levels import active_power, add_noise, change_gain
from earmark.distort.masking import mask_spectrograms
from earmark.distort.noises import coloured_noise
from earmark.distort.rooms import aligned_response, reverberate, reverberation_seconds, room_response
from earmark.distort.waveforms import clip_peaks, compress, saturate

__all__ = [
    "Channel",
    "Draws",
    "Ranges",
    "active_power",
    "add_noise",
    "aligned_response",
    "change_gain",
    "clip_generators",
    "clip_peaks",
    "coloured_noise",
    "compress",
    "distort",
    "draw",
    "equalise",
    "high_pass",
    "low_pass",
    "mask_spectrograms",
    "microphone_response",
    "reverberate",
    "reverberation_seconds",
    "room_response",
    "saturate",
]


def clip_generators(seed: int, numbers: range | list[int]) -> list[np.random.Generator]:
    """Return one generator for each clip number; the same number under the same seed always draws the same."""
    return [np.random.default_rng([seed, number]) for number in numbers]
