"""Channels to mono; where their mean would cancel them, the loudest channel is used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.types import Samples

QUALITY = "MQ"  # soxr's name; its error is -131 dB in the bands of fingerprints (LQ: -27 dB), and it is faster than HQ
DECISION_SECONDS = 1.0  # seconds for which one decision between mean and loudest channel holds
CANCELLED = 0.1  # RMS of the mix / RMS of half the difference below which the channels cancel


class Mixer:
    """A mixer to mono, with one decision for each `DECISION_SECONDS`, however the sound is cut into blocks."""

    def __init__(self, rate: int, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self._block = max(int(DECISION_SECONDS * rate), 1)
        self._pending: NDArray[np.float32] | None = None

    def mix(self, planes: NDArray[np.float32]) -> Samples:
        """Return the mono samples, (n,), of the blocks that `planes`, (channels, m), complete."""
        if self.channels == 1:
            only: Samples = planes[0]
            return only
        if self._pending is not None:
            planes = np.concatenate([self._pending, planes], axis=1)
        whole = planes.shape[1] // self._block * self._block
        self._pending = planes[:, whole:]
        return self._mixed(planes[:, :whole])

    def flush(self) -> Samples:
        """Return the mono samples of the last, incomplete block."""
        rest, self._pending = self._pending, None
        return np.zeros(0, np.float32) if rest is None else self._mixed(rest)

    def _mixed(self, planes: NDArray[np.float32]) -> Samples:
        mono: Samples = planes.mean(axis=0, dtype=np.float32) if len(planes) != 2 else planes[0] + planes[1]
        if len(planes) == 2:
            mono *= np.float32(0.5)  # three times as fast as the mean of two
        for first in range(0, len(mono), self._block):
            part = slice(first, first + self._block)
            mixed = float(np.dot(mono[part], mono[part]))
            channels = planes[:, part]
            energy = np.einsum("ij,ij->i", channels, channels)
            apart = float(energy.mean()) - mixed  # mean square of what the mix loses
            if mixed < CANCELLED**2 * apart:
                mono[part] = channels[int(energy.argmax())]
        return mono


def scaled(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Return integers as float32 in [-1, 1]."""
    bits = 8 * samples.dtype.itemsize
    floats: NDArray[np.float32] = samples.astype(np.float32)
    if samples.dtype.kind == "u":
        floats -= np.float32(2 ** (bits - 1))
    return floats * np.float32(2.0 ** (1 - bits))
