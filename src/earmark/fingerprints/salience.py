"""A clip's relief: how much each place of its spectrogram speaks for a peak of the recording there.

Noise and rooms hide a recording's peaks, and add others. What is left of a peak is seldom a maximum any more, but still
tells: the network in `weights/relief` looks at the spectrogram around each place and estimates the logarithm of how
much more likely a peak is there than anywhere. `learn/relief` trains it; a clip has a relief, a catalog needs none.

For spectrograms that no network was trained for, a place counts by how far it stands out of its surroundings.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd
from earmark.errors import OptionError

Relief = NDArray[np.uint8]  # (frames, bins), steps of `1 / STEPS`

FLOOR = -14.0  # ln of power: about -85 dB below a full-scale sine, under the dither of 16 bits
STEPS, HIGHEST = 2, 15  # steps a neper: four bits are enough
# What stands out is above the mean of 0.14 s and 130 Hz; of nine such boxes and seven ways to weigh the height, this
# one put the right recording first most often at 0 dB (clips of 1 s of the development music).
SURROUNDINGS = (9, 17)  # frames, bins
FOOT = 1.0  # nepers above the surroundings, from which on a place counts
WIDER = (17, 65)  # frames and bins: the surroundings of the surroundings, 0.4 s and 0.6 kHz in all
LARGEST_CONTRAST = 4.0  # that the network is told
STRIDE = 8  # frames: the network's coarsest grid
WEIGHTS = Path(__file__).parent / "weights" / "relief" / "default.onnx"


class LearnedRelief:
    """The network, for spectrograms of its front end."""

    def __init__(self, path: Path = WEIGHTS) -> None:
        self._path = path

    @cached_property
    def front_end(self) -> FrontEnd:
        """Of the spectrograms that it was trained with."""
        return FrontEnd(**json.loads(self._session.get_modelmeta().custom_metadata_map["front_end"]))

    def __call__(self, log_power: NDArray[np.float32]) -> Relief:
        """Return the relief of a spectrogram in nepers, (frames, bins)."""
        missing = -len(log_power) % STRIDE
        seen = contrasts(np.pad(log_power, ((0, missing), (0, 0)), mode="edge"))
        (relief,) = self._session.run(None, {"contrasts": seen[None]})
        return stepped(relief[0, : len(log_power)])

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            content = self._path.read_bytes()
            return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own kinds have no common ancestor
            raise OptionError(
                f"{self._path} is no network of a relief ({error}); give the .onnx file of a trained one"
            ) from error


def standing_out(log_power: NDArray[np.float32]) -> Relief:
    """Return by how much each place of a spectrogram in nepers, (frames, bins), exceeds its surroundings."""
    from scipy.ndimage import uniform_filter

    above = uniform_filter(np.maximum(log_power, FLOOR), SURROUNDINGS, mode="nearest")
    np.subtract(log_power, above, out=above)
    return stepped(above - FOOT)


def contrasts(log_power: NDArray[np.float32]) -> NDArray[np.float32]:
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


def stepped(nepers: NDArray[np.float32]) -> Relief:
    """Return a relief in whole steps."""
    steps: Relief = np.rint(np.clip(nepers * STEPS, 0, HIGHEST)).astype(np.uint8)
    return steps


def halved(relief: Relief) -> NDArray[np.uint8]:
    """Return a relief, (frames, bins), with two places a byte: an hour's takes 57 MB."""
    packed: NDArray[np.uint8] = relief[:, ::2] | relief[:, 1::2] << np.uint8(4)
    return packed


def whole(packed: NDArray[np.uint8]) -> Relief:
    """Return the relief that `halved` packed."""
    return np.stack([packed & 15, packed >> 4], axis=2).reshape(len(packed), 2 * packed.shape[1])
