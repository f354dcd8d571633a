"""A run that learns a fingerprint: pairs of segments, made ahead by other processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earmark.fingerprints.mel import Spectrogram
from earmark.learn.encoders import make_encoder
from earmark.learn.objectives.contrastive import Memory, contrastive_loss
from earmark.learn.on_device import ChannelTensors, segments_of
from earmark.learn.pairs import Batches, Material, Pairs, Raw
from earmark.learn.prefetch import made_ahead
from earmark.learn.recipe import Recipe
from earmark.learn.trainer import Average, Loop, device_of
from earmark.learn.validation import Validation

AVERAGE = Average(most=0.998, early=3)  # some 500 steps; in the first thousand mostly the later half
MEMORY_AFTER_STEPS = 500  # before, yesterday's vectors say little about today's (Wang et al. 2020, section 3.2)
SEGMENTS_AT_ONCE = 256  # in validation


class Run(Loop[Pairs | Raw]):
    """A training run in a folder."""

    def __init__(
        self,
        recipe: Recipe,
        material: Material,
        validation: Validation,
        *,
        folder: Path,
        device: str | None = None,
        workers: int = 1,
        distort_on_device: bool | None = None,
    ) -> None:
        """`device` is torch's name of one (default: the first GPU, else the CPU); a GPU also distorts."""
        self.recipe, self._material, self._validation = recipe, material, validation
        self._workers, self._device = workers, device_of(device)
        on_device = self._device.type == "cuda" if distort_on_device is None else distort_on_device
        channel = Batches(material, recipe).channel
        self._channel = ChannelTensors.of(channel, self._device) if on_device else None
        torch.manual_seed(recipe.seed)
        shape = recipe.log_mel
        encoder = make_encoder(
            recipe.encoder, bands=shape.bands, frames=shape.segment_frames, **recipe.encoder_options
        ).to(self._device)
        super().__init__(recipe, encoder, folder=folder, average=AVERAGE)
        self._memory = Memory(recipe.memory, alike=recipe.memory_alike)
        self._newest: tuple[Tensor, Tensor] | None = None  # anchors and tracks of the last step

    def batches(self) -> AbstractContextManager[Iterator[Pairs | Raw]]:
        """Give the batches from number `step` on, without end."""
        raw = self._channel is not None
        return made_ahead(self._material, self.recipe, first=self.step, workers=self._workers, raw=raw)

    def loss(self, batch: Pairs | Raw) -> Tensor:
        """Return a batch's loss."""
        tracks = torch.from_numpy(batch.tracks).to(self._device)
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            vectors: Tensor = self.network(self._segments(batch))
        anchors, positives = vectors.float().chunk(2)
        self._newest = anchors.detach(), tracks
        others, allowed = self._memory.recall(anchors, tracks)
        return contrastive_loss(anchors, positives, temperature=self.recipe.temperature, others=others, allowed=allowed)

    def learned(self) -> None:
        """Remember the step's anchors."""
        if self.step >= MEMORY_AFTER_STEPS and self._newest is not None:
            self._memory.remember(*self._newest)

    def validated(self) -> float:
        """Return the hit rate of the averaged weights."""
        return self._validation.hit_rate(self._encoded)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps beside the network."""
        return {"memory": self._memory.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned, as part of a checkpoint."""
        self._memory.restore(state.get("memory", {}))

    def _segments(self, batch: Pairs | Raw) -> Tensor:
        """Return a batch's anchors and positives on the device, (2 b, 1, bands, frames)."""
        if isinstance(batch, Pairs):
            segments = torch.from_numpy(np.concatenate([batch.anchors, batch.positives])[:, None]).to(self._device)
        else:
            assert self._channel is not None  # raw batches were asked for because of it
            segments = segments_of(batch, self._channel, self.recipe.log_mel)
        return segments.contiguous(memory_format=torch.channels_last)

    def _encoded(self, segments: Spectrogram) -> NDArray[np.float32]:
        """Return vectors by the averaged weights."""
        encoder = self.averaged.eval()
        vectors = []
        with torch.inference_mode(), torch.autocast(self._device.type, dtype=torch.bfloat16):
            for first in range(0, len(segments), SEGMENTS_AT_ONCE):
                part = torch.from_numpy(segments[first : first + SEGMENTS_AT_ONCE, None]).to(self._device)
                vectors.append(encoder(part.contiguous(memory_format=torch.channels_last)).float().cpu().numpy())
        return np.concatenate(vectors)
