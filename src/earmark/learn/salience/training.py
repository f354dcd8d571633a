"""A run that learns a relief, and how it is validated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from earmark.learn.pairs import Batches, Material
from earmark.learn.prefetch import Maker, made_elsewhere
from earmark.learn.salience.batches import Clips, ReliefBatches
from earmark.learn.salience.network import ReliefNetwork
from earmark.learn.salience.objective import Objective
from earmark.learn.salience.recipe import ReliefRecipe
from earmark.learn.salience.references import References
from earmark.learn.trainer import Average, Loop, device_of

AVERAGE = Average(most=0.995, early=10)  # some 200 steps; in the first thousand mostly the last tenth
VALIDATION_CLIPS = 252
VALIDATION_WINDOWS = 990  # of other places, so that about a thousand are told apart
VALIDATION_SEED = 20_000  # far from training's


class ReliefValidation:
    """Clips of recordings that are never learned from; `material.music` are those, `references` their peaks."""

    def __init__(
        self, material: Material, references: References, recipe: ReliefRecipe, *, clips: int = VALIDATION_CLIPS
    ) -> None:
        """`clips` is how many there are at least: whole batches are made."""
        size = min(recipe.batch, len(material.music), clips)
        batches = ReliefBatches(
            material, references, recipe, size=size, seed=VALIDATION_SEED, other_windows=VALIDATION_WINDOWS
        )
        self.batches = [batches.batch(number) for number in range(-(-clips // size))]


class ReliefRun(Loop[Clips]):
    """A training run in a folder."""

    def __init__(
        self,
        recipe: ReliefRecipe,
        material: Material,
        references: References,
        validation: ReliefValidation,
        *,
        folder: Path,
        device: str | None = None,
        workers: int = 1,
    ) -> None:
        """`device` is torch's name of one (default: the first GPU, else the CPU); `references` are the music's."""
        Batches(material, recipe.clips)  # says now if there is too little music
        self.recipe, self._validation, self._workers = recipe, validation, workers
        self._prepare = partial(_maker, material, references, recipe)
        self._device = device_of(device)
        torch.manual_seed(recipe.seed)
        self._objective = Objective(recipe.heard_frames).to(self._device)
        super().__init__(recipe, ReliefNetwork(recipe.widths).to(self._device), folder=folder, average=AVERAGE)

    def more_parameters(self) -> Iterable[nn.Parameter]:
        """Return the offset and the scale."""
        return self._objective.parameters()

    def batches(self) -> AbstractContextManager[Iterator[Clips]]:
        """Give the batches from number `step` on, without end."""
        return made_elsewhere(self._prepare, first=self.step, workers=self._workers)

    def loss(self, batch: Clips) -> Tensor:
        """Return a batch's loss."""
        loss, _ = self._judged(self.network, batch)
        return loss

    def validated(self) -> float:
        """Return the share of clips whose own window scores highest, by the averaged weights."""
        network = self.averaged.eval()
        with torch.inference_mode():
            return float(np.mean([float(self._judged(network, batch)[1]) for batch in self._validation.batches]))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps beside the network."""
        return {"objective": self._objective.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned, as part of a checkpoint."""
        self._objective.load_state_dict(state["objective"])

    def _judged(self, network: nn.Module, batch: Clips) -> tuple[Tensor, Tensor]:
        """Return (loss, hit rate) of a batch."""
        seen = torch.from_numpy(batch.contrasts).to(self._device).float()
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            logits = network(seen.contiguous(memory_format=torch.channels_last))
        loss, hit_rate = self._objective(logits, torch.from_numpy(batch.windows).to(self._device))
        return loss, hit_rate


def _maker(material: Material, references: References, recipe: ReliefRecipe) -> Maker[Clips]:
    return ReliefBatches(material, references, recipe).batch
