"""The front end of learned fingerprints: segments of a log-mel spectrogram. Training and use share it.

Frames stand on a fixed grid: frame k is centred `hop * k + hop / 2` samples into the sound, and before its beginning
and after its end there is silence. So sound of n samples has n // hop frames, and a clip of one segment's length has
one segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd, power
from earmark.types import Samples

Spectrogram = NDArray[np.float32]

CLIPS_AT_ONCE = 16  # whose windows stay in the cache
QUIETEST = 1e-10  # power of a band before the logarithm


@dataclass(frozen=True, slots=True)
class LogMel:
    """The front end's numbers."""

    rate: int = 8_000  # Hz: what a telephone passes; above 4 kHz noise and rooms leave little
    window: int = 1_024  # samples, Hann
    hop: int = 250  # samples, 31.25 ms
    bands: int = 64
    low_hertz: float = 150.0
    high_hertz: float = 4_000.0
    segment_frames: int = 32  # 1 s
    floor_decibels: float = 60.0  # decibels below a segment's loudest place, at which it is floored
    silence_decibels: float = -70.0  # a segment whose loudest band stays under it is silent (sine at full scale: 0)

    @property
    def front_end(self) -> FrontEnd:
        """The spectrogram that bands are summed from."""
        return FrontEnd(self.rate, self.window, self.hop, low_bin=0, high_bin=self.window // 2 + 1)

    @property
    def margin(self) -> int:
        """Samples that the first frame of a segment reaches in front of it, and the last one behind it."""
        return (self.window - self.hop) // 2

    @property
    def segment_samples(self) -> int:
        """Samples that the frames of one segment cover, margins included."""
        return (self.segment_frames - 1) * self.hop + self.window

    @property
    def segment_seconds(self) -> float:
        """A segment's length without its margins."""
        return self.segment_frames * self.hop / self.rate

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next."""
        return self.hop / self.rate


def banded(spectra: NDArray[np.float32], shape: LogMel) -> Spectrogram:
    """Return the bands, shape (..., bands) in log10 of power, of power spectra, shape (..., bins)."""
    bands: Spectrogram = spectra @ filter_bank(shape)
    np.log10(np.maximum(bands, np.float32(QUIETEST), out=bands), out=bands)
    return bands


def log_mel_segments(samples: Samples, shape: LogMel) -> Spectrogram:
    """Return the spectrograms, shape (b, bands, frames) in log10 of power, of segments with margins, shape (b, n)."""
    out = np.empty((len(samples), shape.bands, shape.segment_frames), np.float32)
    for first in range(0, len(samples), CLIPS_AT_ONCE):
        clips = samples[first : first + CLIPS_AT_ONCE]
        windows = np.lib.stride_tricks.sliding_window_view(clips, shape.window, axis=-1)[:, :: shape.hop]
        out[first : first + CLIPS_AT_ONCE] = banded(power(windows, shape.front_end), shape).swapaxes(-1, -2)
    return out


def normalised(segments: Spectrogram, shape: LogMel) -> Spectrogram:
    """Return segments, shape (n, bands, frames), floored under their own loudest place, of mean 0 and deviation 1.

    So a fingerprint depends neither on loudness nor on what else is in a batch.
    """
    floored: Spectrogram = np.maximum(segments, segments.max(axis=(1, 2), keepdims=True) - shape.floor_decibels / 10)
    floored -= floored.mean(axis=(1, 2), keepdims=True)
    floored /= np.sqrt(np.mean(floored**2, axis=(1, 2), keepdims=True)) + np.float32(1e-3)
    return floored


def silent(segments: Spectrogram, shape: LogMel) -> NDArray[np.bool_]:
    """Return which segments, shape (n, bands, frames), are silent, shape (n,)."""
    full_scale = 20 * np.log10(shape.window / 4)  # of a sine under a Hann window
    return np.asarray(segments.max(axis=(1, 2)) * 10 < full_scale + shape.silence_decibels)


@lru_cache(maxsize=8)
def filter_bank(shape: LogMel) -> NDArray[np.float32]:
    """Return the mel bands (O'Shaughnessy's scale, as in HTK), triangles of height 1, shape (bins, bands)."""
    hertz = np.fft.rfftfreq(shape.window, 1 / shape.rate)
    low, high = _mel(shape.low_hertz), _mel(shape.high_hertz)
    edges = 700 * (10 ** (np.linspace(low, high, shape.bands + 2) / 2_595) - 1)
    rising = (hertz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hertz[:, None]) / np.diff(edges)[1:]
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


def _mel(hertz: float) -> float:
    return float(2_595 * np.log10(1 + hertz / 700))
