"""A clip's salience map: how much each place of its spectrogram speaks for a peak of the recording there.

Noise and rooms hide a recording's peaks and add others. The network in `weights/salience` looks at the spectrogram
around each place and estimates ln(probability of a peak there / anywhere); `learn/salience` trains it.
"""

from __future__ import annotations

import json
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd
from earmark.fingerprints.onnx import open_network, read_metadata, read_network

SalienceArray = NDArray[np.uint8]  # (frames, bins), steps of 1 / STEPS neper

FLOOR = -14.0  # ln of power: about -85 dB below a full-scale sine, under the dither of 16 bits
STEPS, HIGHEST = 2, 15  # steps a neper, and the largest number of steps: four bits are enough
# Frames and bins of the box whose mean a place has to stand out of, 0.14 s by 130 Hz: the best of nine such boxes at
# 0 dB (clips of 1 s of the development music).
SURROUNDINGS = (9, 17)
FOOT = 1.0  # nepers above the surroundings from which a place counts
WIDER = (17, 65)  # frames and bins of the surroundings' own surroundings: 0.4 s by 0.6 kHz in all
LARGEST_CONTRAST = 4.0  # nepers; larger contrasts are clipped before the network
STRIDE = 8  # frames of the network's coarsest grid
WEIGHTS = Path(__file__).parent / "weights" / "salience" / "default.onnx"
REMEDY = "give the .onnx file of a trained salience network"


class SalienceNet:
    """The network, for spectrograms of its front end."""

    def __init__(self, path: Path = WEIGHTS) -> None:
        self._path = path

    @cached_property
    def front_end(self) -> FrontEnd:
        """The front end of the spectrograms that it was trained with."""
        return FrontEnd(**json.loads(read_metadata(self._content)["front_end"]))

    @cached_property
    def digest(self) -> str:
        """A digest of the file."""
        return blake2b(self._content, digest_size=8).hexdigest()

    def __call__(self, log_power: NDArray[np.float32]) -> SalienceArray:
        """Return the salience of a spectrogram in nepers, (frames, bins)."""
        if log_power.max(initial=FLOOR) <= FLOOR:
            return self._of_silence(*log_power.shape)
        return self._salience(log_power)

    def _salience(self, log_power: NDArray[np.float32]) -> SalienceArray:
        missing = -len(log_power) % STRIDE
        seen = contrast_features(np.pad(log_power, ((0, missing), (0, 0)), mode="edge"))
        (salience,) = self._session.run(None, {"contrasts": seen[None]})
        return quantise(salience[0, : len(log_power)])

    @lru_cache(maxsize=4)  # noqa: B019 - as many as there are lengths of chunks; the few networks live as long anyway
    def _of_silence(self, frames: int, bins: int) -> SalienceArray:
        """Return the salience of silence, which is the same wherever it lies: a day of it is a small file."""
        salience = self._salience(np.full((frames, bins), FLOOR, np.float32))
        salience.flags.writeable = False
        return salience

    @cached_property
    def _session(self) -> Any:
        return open_network(self._content, self._path, REMEDY)

    @cached_property
    def _content(self) -> bytes:
        return read_network(self._path, REMEDY)


def local_contrast(log_power: NDArray[np.float32]) -> SalienceArray:
    """Return by how much each place of a spectrogram in nepers, (frames, bins), exceeds its surroundings."""
    from scipy.ndimage import uniform_filter

    above = uniform_filter(np.maximum(log_power, FLOOR), SURROUNDINGS, mode="nearest")
    np.subtract(log_power, above, out=above)
    return quantise(above - FOOT)


def contrast_features(log_power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network sees of spectrograms in nepers, (..., frames, bins): (..., 2, frames, bins).

    How far each place exceeds its surroundings, and by half how far it exceeds theirs; so loudness and slow changes of
    the spectrum's shape are nothing to it.
    """
    from scipy.ndimage import uniform_filter1d

    def mean(values: NDArray[np.float32], frames: int, bins: int) -> NDArray[np.float32]:
        along = uniform_filter1d(values, frames, axis=-2, mode="nearest")
        smooth: NDArray[np.float32] = uniform_filter1d(along, bins, axis=-1, mode="nearest")
        return smooth

    floored = np.maximum(log_power, np.float32(FLOOR))
    near = mean(floored, *SURROUNDINGS)
    far = mean(near, *WIDER)
    seen = np.stack([floored - near, (floored - far) * np.float32(0.5)], axis=-3)
    return np.clip(seen, -LARGEST_CONTRAST, LARGEST_CONTRAST, out=seen)


def quantise(nepers: NDArray[np.float32]) -> SalienceArray:
    """Return nepers in whole steps."""
    steps: SalienceArray = np.rint(np.clip(nepers * STEPS, 0, HIGHEST)).astype(np.uint8)
    return steps


def pack_nibbles(salience: SalienceArray) -> NDArray[np.uint8]:
    """Return a salience array, (frames, bins), with two places a byte: an hour takes 57 MB."""
    packed: NDArray[np.uint8] = salience[:, ::2] | salience[:, 1::2] << np.uint8(4)
    return packed
