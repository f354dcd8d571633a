"""Spectrograms, made in chunks of a fixed grid so that a result never depends on how the audio arrived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.audio.segment import segment_chunks
from earmark.types import Samples


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """How sound becomes a spectrogram: the numbers, said once.

    Bins `low_bin` to `high_bin` (excluded) are kept; bin b stands for b * rate / window hertz.
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
        """Distance of two bins in Hz."""
        return self.rate / self.window

    def frames_in(self, samples: int) -> int:
        """Return how many whole windows fit into `samples`; audio shorter than one window is padded to one."""
        return 1 + max(samples - self.window, 0) // self.hop if samples else 0


def power_chunks(blocks: Iterable[Samples], front_end: FrontEnd, *, frames: int) -> Iterator[NDArray[np.float32]]:
    """Yield the power spectrogram in chunks of `frames` frames (the last may be shorter), shape (frames, bins).

    A frame that would reach beyond the end is dropped, except the first, which is padded with zeros.
    """
    taper = np.hanning(front_end.window).astype(np.float32)
    for windows in segment_chunks(blocks, length=front_end.window, hop=front_end.hop, count=frames):
        yield _power(windows, taper, front_end)


def _power(windows: NDArray[np.float32], taper: NDArray[np.float32], front_end: FrontEnd) -> NDArray[np.float32]:
    from scipy import fft  # here, because whoever only compares fingerprints need not load it

    spectrum = fft.rfft(windows * taper, axis=1)[:, front_end.low_bin : front_end.high_bin]
    power: NDArray[np.float32] = spectrum.real**2
    power += spectrum.imag**2
    return power
