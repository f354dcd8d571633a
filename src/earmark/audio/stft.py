"""Power spectrograms, in chunks of a fixed grid, so that they do not depend on how the sound is cut into blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from earmark.audio.framing import SegmentStream
from earmark.types import Samples


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """The numbers of a spectrogram.

    Bins `low_bin` to `high_bin` (excluded) are kept; bin b is at b * rate / window Hz.
    """

    rate: int  # Hz
    window: int  # samples, Hann
    hop: int  # samples
    low_bin: int
    high_bin: int

    @property
    def frame_seconds(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop / self.rate

    @property
    def hertz_per_bin(self) -> float:
        """Hz from one bin to the next."""
        return self.rate / self.window

    def frames_in(self, samples: int) -> int:
        """Return how many windows fit into `samples` samples; sound shorter than one window is padded to one."""
        return 1 + max(samples - self.window, 0) // self.hop if samples else 0


class PowerStream:
    """The power spectrogram of sound that comes in blocks, in chunks of `frames` frames.

    A window that would reach beyond the end is dropped, except the first, which is padded with zeros.
    """

    def __init__(self, front_end: FrontEnd, *, frames: int) -> None:
        self._front_end = front_end
        self._segments = SegmentStream(length=front_end.window, hop=front_end.hop, count=frames)

    def push(self, block: Samples) -> Iterator[NDArray[np.float32]]:
        """Take more samples, and yield the chunks that are complete, each (frames, bins)."""
        return (power(windows, self._front_end) for windows in self._segments.push(block))

    def rest(self, block: Samples | None = None) -> Iterator[NDArray[np.float32]]:
        """Yield the chunks that are left if the sound ends here, or after one more block; nothing is taken away."""
        return (power(windows, self._front_end) for windows in self._segments.rest(block))


def power(windows: NDArray[np.float32], front_end: FrontEnd) -> NDArray[np.float32]:
    """Return the power spectra, shape (..., bins), of windows of samples, shape (..., window)."""
    from scipy import fft  # here: comparing fingerprints does not need it

    if not (windows[..., 0, :].any() or windows.any()):  # music is known by its first window; silence is soon done
        return np.zeros((*windows.shape[:-1], front_end.high_bin - front_end.low_bin), np.float32)
    spectrum = fft.rfft(windows * _taper(front_end.window), axis=-1)[..., front_end.low_bin : front_end.high_bin]
    squared: NDArray[np.float32] = spectrum.real**2
    squared += spectrum.imag**2
    return squared


@lru_cache(maxsize=4)
def _taper(window: int) -> NDArray[np.float32]:
    return np.hanning(window).astype(np.float32)
