"""A run that learns an encoder from pairs of segments, which other processes make ahead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earmark.fingerprints.mel import Spectrogram
from earmark.learn.encoders import Encoder
from earmark.learn.export import export_models
from earmark.learn.network import make_network
from earmark.learn.on_device import ChannelTensors, segments_of
from earmark.learn.pairs import PairBatches, Pairs, RawPairs, TrainingSet
from earmark.learn.prefetch import prefetched_pairs
from earmark.learn.recipe import FingerprintRecipe, read_fingerprint_recipe
from earmark.learn.trainer import Average, Trainer, device_of
from earmark.learn.validation import Validation

if TYPE_CHECKING:
    from earmark.learn.corpus import Gathered, Tell

AVERAGE = Average(most=0.998, early=3)  # about the last 500 steps; in the first thousand mostly their later half
SEGMENTS_AT_ONCE = 256  # segments in a batch of the validation


class FingerprintRun(Trainer[Pairs | RawPairs]):
    """A run in a folder."""

    def __init__(
        self,
        recipe: FingerprintRecipe,
        training_set: TrainingSet,
        validation: Validation,
        *,
        folder: Path,
        device: str | None = None,
        workers: int = 1,
        distort_on_device: bool | None = None,
    ) -> None:
        """`device` is torch's name of one (default: the first GPU, else the CPU).

        Distortions are applied by the device if `distort_on_device` (default: on a GPU), else by the workers.
        """
        self.recipe, self._training_set, self._validation = recipe, training_set, validation
        self._workers, place = workers, device_of(device)
        on_device = place.type == "cuda" if distort_on_device is None else distort_on_device
        channel = PairBatches(training_set, recipe).channel
        self._channel = ChannelTensors.of(channel, place) if on_device else None
        torch.manual_seed(recipe.seed)
        encoder, self._objective = make_network(recipe)
        super().__init__(recipe, encoder, folder=folder, average=AVERAGE, device=place)

    def batches(self) -> AbstractContextManager[Iterator[Pairs | RawPairs]]:
        """Return a context whose iterator yields the batches from number `step` on, without end."""
        raw = self._channel is not None
        return prefetched_pairs(self._training_set, self.recipe, first=self.step, workers=self._workers, raw=raw)

    def loss(self, batch: Pairs | RawPairs) -> Tensor:
        """Return a batch's loss."""
        tracks = torch.from_numpy(batch.tracks).to(self.device)
        with self.precision():
            vectors = _encoder(self.network).vectors(self._segments(batch))
        anchors, positives = vectors.float().chunk(2)
        return self._objective.loss(anchors, positives, tracks)

    def after_step(self) -> None:
        """Update the objective's state."""
        self._objective.after_step(self.step)

    def validate(self) -> float:
        """Return the hit rate of the averaged weights."""
        return self._validation.hit_rate(self._vectors)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps besides the weights."""
        return {"objective": self._objective.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned, as part of a checkpoint."""
        former = state.get("memory", {})  # name of the objective's state in checkpoints of earlier releases
        self._objective.restore(state.get("objective", former))

    def _segments(self, batch: Pairs | RawPairs) -> Tensor:
        """Return a batch's anchors, then its positives, on the device: (2 b, 1, bands, frames)."""
        if isinstance(batch, Pairs):
            segments = torch.from_numpy(np.concatenate([batch.anchors, batch.positives])[:, None])
        else:
            assert self._channel is not None  # raw batches were asked for because of it
            segments = segments_of(batch, self._channel, self.recipe.log_mel)
        return self.laid_out(segments)

    def _vectors(self, segments: Spectrogram) -> NDArray[np.float32]:
        """Return the vectors (n, d) of segments (n, bands, frames) by the averaged weights."""
        encoder = _encoder(self.averaged.eval())
        vectors = []
        with torch.inference_mode(), self.precision():
            for first in range(0, len(segments), SEGMENTS_AT_ONCE):
                part = torch.from_numpy(segments[first : first + SEGMENTS_AT_ONCE, None])
                vectors.append(encoder.vectors(self.laid_out(part)).float().cpu().numpy())
        return np.concatenate(vectors)


def _encoder(network: nn.Module) -> Encoder:
    assert isinstance(network, Encoder)  # the one that this run gave to its trainer, or its average
    return network


class FingerprintTask:
    """Learn vectors for segments: the task `vectors`."""

    def recipe(self, source: str | Path) -> FingerprintRecipe:
        """Return a recipe by name or from a TOML file; raises OptionError."""
        return read_fingerprint_recipe(source)

    def run(
        self,
        recipe: FingerprintRecipe,
        gathered: Gathered,
        *,
        folder: Path,
        device: str | None,
        workers: int,
        tell: Tell,
    ) -> FingerprintRun:
        """Return a run that has not begun."""
        validation = Validation(gathered.validation, recipe)
        return FingerprintRun(recipe, gathered.training, validation, folder=folder, device=device, workers=workers)

    def export(self, checkpoint: Path, gathered: Gathered, folder: Path, *, licence: str) -> tuple[Path, ...]:
        """Write a run's models, in float32 and in 8-bit integers, and return their paths."""
        return export_models(checkpoint, gathered.training, folder, licence=licence)
