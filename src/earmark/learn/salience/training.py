"""A run that learns a salience network, and its validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from earmark.learn.pairs import PairBatches, TrainingSet
from earmark.learn.pcm import Sounds
from earmark.learn.prefetch import Maker, prefetched
from earmark.learn.salience.batches import ClipBatches, Clips
from earmark.learn.salience.export import export_salience, read_trained_salience
from earmark.learn.salience.network import SalienceNetwork
from earmark.learn.salience.objective import SalienceObjective
from earmark.learn.salience.recipe import SalienceRecipe, read_salience_recipe
from earmark.learn.salience.references import References, find_references
from earmark.learn.trainer import Average, Trainer, device_of

if TYPE_CHECKING:
    from earmark.learn.corpus import Gathered, Tell

AVERAGE = Average(most=0.995, early=10)  # about the last 200 steps; in the first thousand mostly their last tenth
VALIDATION_CLIPS = 252  # clips, at least
VALIDATION_WINDOWS = 990  # places besides the clips' own: each is ranked among about a thousand
VALIDATION_SEED = 20_000  # seed of the validation's clips, far from training's
MODEL = "relief.onnx"  # file name of the exported model, that of earlier releases


class SalienceValidation:
    """Clips of recordings that are never learned from; `references` are the peaks of `training_set.music`."""

    def __init__(
        self,
        training_set: TrainingSet,
        references: References,
        recipe: SalienceRecipe,
        *,
        clips: int = VALIDATION_CLIPS,
    ) -> None:
        """`clips` is how many there are at least: whole batches are made."""
        size = min(recipe.batch, len(training_set.music), clips)
        batches = ClipBatches(
            training_set, references, recipe, size=size, seed=VALIDATION_SEED, other_windows=VALIDATION_WINDOWS
        )
        self.batches = [batches.batch(number) for number in range(-(-clips // size))]


class SalienceRun(Trainer[Clips]):
    """A run in a folder."""

    def __init__(
        self,
        recipe: SalienceRecipe,
        training_set: TrainingSet,
        references: References,
        validation: SalienceValidation,
        *,
        folder: Path,
        device: str | None = None,
        workers: int = 1,
    ) -> None:
        """`device` is torch's name of one (default: the first GPU, else the CPU)."""
        PairBatches(training_set, recipe.clips)  # raises OptionError here when there is too little music
        self.recipe, self._validation, self._workers = recipe, validation, workers
        self._prepare = partial(_maker, training_set, references, recipe)
        place = device_of(device)
        torch.manual_seed(recipe.seed)
        self._objective = SalienceObjective(recipe.heard_frames).to(place)
        super().__init__(recipe, SalienceNetwork(recipe.widths), folder=folder, average=AVERAGE, device=place)

    def more_parameters(self) -> Iterable[nn.Parameter]:
        """Return the objective's offset and scale."""
        return self._objective.parameters()

    def batches(self) -> AbstractContextManager[Iterator[Clips]]:
        """Return a context whose iterator yields the batches from number `step` on, without end."""
        return prefetched(self._prepare, first=self.step, workers=self._workers)

    def loss(self, batch: Clips) -> Tensor:
        """Return a batch's loss."""
        loss, _ = self._judge(self.network, batch)
        return loss

    def validate(self) -> float:
        """Return the share of clips whose own window scores highest, by the averaged weights."""
        network = self.averaged.eval()
        with torch.inference_mode():
            return float(np.mean([float(self._judge(network, batch)[1]) for batch in self._validation.batches]))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps besides the weights."""
        return {"objective": self._objective.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned, as part of a checkpoint."""
        self._objective.load_state_dict(state["objective"])

    def _judge(self, network: nn.Module, batch: Clips) -> tuple[Tensor, Tensor]:
        """Return (loss, hit rate) of a batch."""
        contrasts = self.laid_out(torch.from_numpy(batch.contrasts).to(self.device).float())
        with self.precision():
            logits = network(contrasts)
        loss, hit_rate = self._objective(logits, torch.from_numpy(batch.windows).to(self.device))
        return loss, hit_rate


class SalienceTask:
    """Learn the salience map of a clip: the task `salience`."""

    def recipe(self, source: str | Path) -> SalienceRecipe:
        """Return a recipe by name or from a TOML file; raises OptionError."""
        return read_salience_recipe(source)

    def run(
        self,
        recipe: SalienceRecipe,
        gathered: Gathered,
        *,
        folder: Path,
        device: str | None,
        workers: int,
        tell: Tell,
    ) -> SalienceRun:
        """Return a run that has not begun, once the peaks of all recordings are found."""

        def peaks(music: Sounds, purpose: str) -> References:
            return find_references(music, recipe, folder=folder, progress=partial(tell, f"finding peaks to {purpose}"))

        known, unknown = peaks(gathered.training.music, "learn"), peaks(gathered.validation.music, "validate")
        validation = SalienceValidation(gathered.validation, unknown, recipe)
        return SalienceRun(recipe, gathered.training, known, validation, folder=folder, device=device, workers=workers)

    def export(self, checkpoint: Path, gathered: Gathered, folder: Path, *, licence: str) -> tuple[Path, ...]:
        """Write a run's model and return its path; `gathered` is not needed."""
        path = folder / MODEL
        export_salience(read_trained_salience(checkpoint), path, licence=licence)
        return (path,)


def _maker(training_set: TrainingSet, references: References, recipe: SalienceRecipe) -> Maker[Clips]:
    return ClipBatches(training_set, references, recipe).batch
