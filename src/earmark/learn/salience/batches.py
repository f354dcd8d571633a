"""Batches of distorted clips with the peaks of the places that they are scored against.

Batch k of a seed is the same whichever process makes it. Each clip of a batch is of another track, distorted by the
channel that fingerprints learn with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd, power
from earmark.distort import distort
from earmark.fingerprints.mel import QUIETEST
from earmark.fingerprints.salience import STRIDE, contrast_features
from earmark.learn.pairs import PairBatches, RawPairs, TrainingSet
from earmark.learn.salience.recipe import SalienceRecipe
from earmark.learn.salience.references import References
from earmark.types import Samples

WINDOWS = 3  # offset of the seed, for independent draws
CLIPS_AT_ONCE = 8  # clips whose windows fit into the cache


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """A batch as the network takes it."""

    contrasts: NDArray[np.float16]  # (b, 2, frames, bins), `frames` a multiple of the network's stride
    windows: NDArray[np.int32]  # (m, k) cells: the b clips' own, b elsewhere in their tracks, then any places


class ClipBatches:
    """A maker of batches by their numbers."""

    def __init__(
        self,
        training_set: TrainingSet,
        references: References,
        recipe: SalienceRecipe,
        *,
        size: int | None = None,
        seed: int | None = None,
        other_windows: int | None = None,
    ) -> None:
        clips = recipe.clips
        self._batches = PairBatches(training_set, clips, size=size, seed=seed)
        self._music, self._references = training_set.music, references
        self._spectrum, self._margin = recipe.spectrum, clips.log_mel.margin
        self._seed = recipe.seed if seed is None else seed
        self._others = recipe.other_windows if other_windows is None else other_windows
        self.frames = recipe.heard_frames

    def batch(self, number: int) -> Clips:
        """Return batch `number`."""
        raw = self.raw(number)
        arrived = distort(raw.music, raw.noise, raw.draws, self._batches.channel)
        clips = arrived[:, self._margin : arrived.shape[1] - self._margin]
        chooser = np.random.default_rng([self._seed, number, WINDOWS])
        places = [(int(track), int(place) + self._margin) for track, place in zip(raw.tracks, raw.places, strict=True)]
        places += [(int(track), self._anywhere(int(track), chooser)) for track in raw.tracks]
        for track in chooser.integers(len(self._music), size=self._others):
            places.append((int(track), self._anywhere(int(track), chooser)))
        windows = np.stack([self._references.window(track, place, self.frames) for track, place in places])
        return Clips(
            contrast_features(self._padded(log_power(clips, self._spectrum, self._margin))).astype(np.float16), windows
        )

    def raw(self, number: int) -> RawPairs:
        """Return batch `number` before distortion."""
        return self._batches.raw(number)

    def _anywhere(self, track: int, chooser: np.random.Generator) -> int:
        """Return a random place in a track, in samples."""
        room = int(self._music.lengths[track]) - self.frames * self._spectrum.hop
        return int(chooser.integers(max(room, 1)))

    def _padded(self, spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        """Repeat the last frame, as `fingerprints.salience` does, up to a multiple of the network's stride."""
        return np.pad(spectra, ((0, 0), (0, -spectra.shape[1] % STRIDE), (0, 0)), mode="edge")


def log_power(clips: Samples, front_end: FrontEnd, margin: int) -> NDArray[np.float32]:
    """Return the log power in nepers, (b, frames, bins), of clips, (b, n), with `margin` zeros on either side."""
    padded = np.pad(clips, ((0, 0), (margin, margin)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, front_end.window, axis=-1)[:, :: front_end.hop]
    parts = range(0, len(clips), CLIPS_AT_ONCE)
    spectra = np.concatenate([power(windows[first : first + CLIPS_AT_ONCE], front_end) for first in parts])
    nepers: NDArray[np.float32] = np.log(spectra + np.float32(QUIETEST))
    return nepers
