"""The training loop: resumable at any time, with progress, validation and TensorBoard logs.

A folder holds a run: `checkpoint.pt` (the newest state, replaced atomically), `logs/` (TensorBoard). The learning rate
rises, stays, and falls to nothing over the last part of the steps; a run that was made longer (`steps`) goes on from
its newest checkpoint, and `stable.pt` is the one from before the fall.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard.writer import SummaryWriter

from earmark.errors import OptionError
from earmark.learn.batches import Batches, Material, Pairs
from earmark.learn.encoders import make_encoder
from earmark.learn.objectives.contrastive import Memory, contrastive_loss
from earmark.learn.recipe import Recipe
from earmark.learn.validation import Validation

BATCHES_AHEAD = 4
AVERAGE = 0.998  # of the weights, a step: some 500 steps
MEMORY_AFTER_STEPS = 500  # before, yesterday's vectors say little about today's (Wang et al. 2020, section 3.2)
LARGEST_GRADIENT = 1.0  # norm, beyond which a step is shortened


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    step: int
    steps: int
    loss: float  # mean of the last steps
    hit_rate: float | None  # of the last validation
    pairs_a_second: float
    seconds_left: float


class Run:
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
    ) -> None:
        self.recipe, self._material, self._validation = recipe, material, validation
        self.folder, self._workers = folder, workers
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.manual_seed(recipe.seed)
        shape = recipe.log_mel
        self._encoder = make_encoder(
            recipe.encoder, bands=shape.bands, frames=shape.segment_frames, **recipe.encoder_options
        ).to(self._device, memory_format=torch.channels_last)
        self._average = AveragedModel(self._encoder, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE), use_buffers=True)
        self._optimiser = torch.optim.AdamW(
            self._encoder.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self._memory = Memory(recipe.memory, alike=recipe.memory_alike)
        self.step = 0
        self.hit_rate: float | None = None

    @property
    def averaged(self) -> nn.Module:
        """The encoder whose weights are the mean of the last steps'."""
        return self._average.module

    def resume(self) -> bool:
        """Take up the newest checkpoint, if there is one; raises OptionError when it is of another recipe."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        state = torch.load(path, map_location=self._device, weights_only=True)
        if state["digest"] != self.recipe.digest:
            raise OptionError(f"{path} was made by another recipe than {self.recipe.name}; give another folder")
        self._encoder.load_state_dict(state["encoder"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.step, self.hit_rate = state["step"], state["hit_rate"]
        return True

    def save(self, name: str = "checkpoint.pt") -> None:
        """Write a checkpoint; whoever reads sees the old one or the new one."""
        state = {
            "digest": self.recipe.digest,
            "recipe": msgspec.json.encode(self.recipe).decode(),
            "step": self.step,
            "hit_rate": self.hit_rate,
            "encoder": self._encoder.state_dict(),
            "average": self._average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }
        part = self.folder / f"{name}.part"
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / name)

    def train(
        self,
        *,
        progress: Callable[[Progress], object] | None = None,
        report_steps: int = 20,
        validate_steps: int = 500,
        save_seconds: float = 120.0,
    ) -> None:
        """Learn until the recipe's last step; an interruption leaves a checkpoint."""
        self.folder.mkdir(parents=True, exist_ok=True)
        writer = SummaryWriter(str(self.folder / "logs"), purge_step=self.step)
        losses: deque[float] = deque(maxlen=report_steps)
        saved = began = time.monotonic()
        first = self.step
        try:
            with _ahead(self._material, self.recipe, first, self._workers) as batches:
                while self.step < self.recipe.steps:
                    losses.append(self._learn(next(batches)))
                    self.step += 1
                    if self.step == self._fall_begins:
                        self.save("stable.pt")
                    if self.step % validate_steps == 0 or self.step == self.recipe.steps:
                        self.hit_rate = self._validation.hit_rate(self.averaged, self._device)
                        writer.add_scalar("validation/hit_rate", self.hit_rate, self.step)
                    if self.step % report_steps == 0:
                        told = self._told(losses, first, time.monotonic() - began)
                        writer.add_scalar("training/loss", told.loss, self.step)
                        writer.add_scalar("training/learning_rate", self._rate(), self.step)
                        writer.add_scalar("training/pairs_a_second", told.pairs_a_second, self.step)
                        if progress is not None:
                            progress(told)
                    if time.monotonic() - saved > save_seconds:
                        self.save()
                        saved = time.monotonic()
        finally:
            self.save()
            writer.close()

    @property
    def _fall_begins(self) -> int:
        return round(self.recipe.steps * (1 - self.recipe.decay_share))

    def _rate(self) -> float:
        """Return the learning rate of the next step."""
        warmth = min((self.step + 1) / max(self.recipe.warm_up_steps, 1), 1.0)
        left = (self.recipe.steps - self.step) / max(self.recipe.steps - self._fall_begins, 1)
        return self.recipe.learning_rate * warmth * min(left, 1.0)

    def _learn(self, pairs: Pairs) -> float:
        self._encoder.train()
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate()
        tracks = torch.from_numpy(pairs.tracks).to(self._device)
        segments = torch.from_numpy(np.concatenate([pairs.anchors, pairs.positives])[:, None])
        segments = segments.to(self._device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            vectors: Tensor = self._encoder(segments)
        anchors, positives = vectors.float().chunk(2)
        others, allowed = self._memory.recall(anchors, tracks)
        loss = contrastive_loss(anchors, positives, temperature=self.recipe.temperature, others=others, allowed=allowed)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._encoder.parameters(), LARGEST_GRADIENT)
        self._optimiser.step()
        self._average.update_parameters(self._encoder)
        if self.step >= MEMORY_AFTER_STEPS:
            self._memory.remember(anchors, tracks)
        return float(loss.detach())

    def _told(self, losses: deque[float], first: int, seconds: float) -> Progress:
        speed = (self.step - first) / seconds
        return Progress(
            step=self.step,
            steps=self.recipe.steps,
            loss=float(np.mean(losses)),
            hit_rate=self.hit_rate,
            pairs_a_second=speed * self.recipe.batch,
            seconds_left=(self.recipe.steps - self.step) / speed,
        )


_batches: Batches | None = None  # of a worker process


def _begin(material: Material, recipe: Recipe) -> None:
    global _batches
    torch.set_num_threads(1)
    _batches = Batches(material, recipe)


def _make(number: int) -> Pairs:
    assert _batches is not None  # the pool's initialiser made it
    return _batches.pairs(number)


@contextmanager
def _ahead(material: Material, recipe: Recipe, first: int, workers: int) -> Iterator[Iterator[Pairs]]:
    """Give the batches from `first` on, made by other processes while the network learns."""
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(material, recipe))
    waiting: deque[Future[Pairs]] = deque(pool.submit(_make, first + ahead) for ahead in range(BATCHES_AHEAD))

    def batches() -> Iterator[Pairs]:
        number = first + BATCHES_AHEAD
        while True:
            yield waiting.popleft().result()
            waiting.append(pool.submit(_make, number))
            number += 1

    try:
        yield batches()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
