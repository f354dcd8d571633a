"""The training loop: resumable at any time, with progress, validation and TensorBoard logs.

A folder holds a run: `checkpoint.pt` (the newest state, replaced atomically), `logs/` (TensorBoard). The learning rate
rises, stays, and falls to nothing over the last part of the steps; a run that was made longer (`steps`) goes on from
its newest checkpoint, and `stable.pt` is the one from before the fall.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard.writer import SummaryWriter

from earmark.errors import EarmarkError, OptionError
from earmark.learn.checkpoint import CHECKPOINT, STABLE, read_checkpoint, write_checkpoint
from earmark.learn.recipe import Schedule

LARGEST_GRADIENT = 1.0  # norm, beyond which a step is shortened

Tensors = tuple[Tensor, ...] | list[Tensor]
Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    step: int
    steps: int
    loss: float  # mean of the last steps
    hit_rate: float | None  # of the last validation
    pairs_a_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Average:
    """How weights are averaged: each step counts `most` times as much as the next.

    In the beginning it is less: when the run knew nothing must not outweigh the rest. After n steps, (n + 1) /
    (n + `early`) is kept, so a larger `early` forgets faster.
    """

    most: float
    early: int

    def __call__(self, averages: Tensors, weights: Tensors, count: Tensor | int) -> None:
        """Bring averages of `count` steps up to date with one more."""
        keep = min(self.most, (int(count) + 1) / (int(count) + self.early))
        get_ema_multi_avg_fn(keep)(averages, weights, count)  # type: ignore[no-untyped-call]


class Loop(ABC, Generic[Batch]):
    """A training run in a folder."""

    def __init__(self, recipe: Schedule, network: nn.Module, *, folder: Path, average: Average) -> None:
        """`network` is on the device it learns on."""
        self.schedule, self.folder = recipe, folder
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        self._optimiser = torch.optim.AdamW(
            [*self.network.parameters(), *self.more_parameters()],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        self.step = 0
        self.hit_rate: float | None = None

    @property
    def averaged(self) -> nn.Module:
        """The network whose weights are the mean of the last steps'."""
        return self._average.module

    def more_parameters(self) -> Iterable[nn.Parameter]:
        """Return what is learned beside the network, and is not averaged."""
        return ()

    @abstractmethod
    def batches(self) -> AbstractContextManager[Iterator[Batch]]:
        """Give the batches from number `step` on, without end."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Return a batch's loss."""

    @abstractmethod
    def validated(self) -> float:
        """Return the hit rate of the averaged weights."""

    def learned(self) -> None:
        """Do what is to be done after a step."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps beside the network."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned, as part of a checkpoint."""

    def resume(self) -> bool:
        """Take up the newest checkpoint, if there is one; raises OptionError when it is of another recipe."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return False
        device = next(self.network.parameters()).device
        state = read_checkpoint(path, recipe=self.schedule, device=device)
        self.network.load_state_dict(state["encoder"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.restore(state)
        self.step, self.hit_rate = state["step"], state["hit_rate"]
        return True

    def save(self, name: str = CHECKPOINT) -> None:
        """Write a checkpoint; whoever reads sees the old one or the new one."""
        state = {
            "digest": self.schedule.digest,
            "recipe": msgspec.json.encode(self.schedule).decode(),
            "step": self.step,
            "hit_rate": self.hit_rate,
            "encoder": self.network.state_dict(),
            "average": self._average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }
        write_checkpoint(self.folder / name, state | self.state())

    def train(
        self,
        *,
        progress: Callable[[Progress], object] | None = None,
        report_steps: int = 20,
        validate_steps: int = 500,
        save_seconds: float = 120.0,
    ) -> None:
        """Learn until the recipe's last step; an interruption leaves a checkpoint.

        Raises EarmarkError when the loss is no number any more, or a worker ended.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        writer = SummaryWriter(str(self.folder / "logs"), purge_step=self.step)
        losses: deque[float] = deque(maxlen=report_steps)
        saved = began = time.monotonic()
        first = self.step
        try:
            with self.batches() as batches:
                while self.step < self.schedule.steps:
                    losses.append(self._learn(next(batches)))
                    self.step += 1
                    last = self.step == self.schedule.steps
                    if self.step == self._fall_begins:
                        self.save(STABLE)
                    if self.step % validate_steps == 0 or last:
                        self.hit_rate = self.validated()
                        writer.add_scalar("validation/hit_rate", self.hit_rate, self.step)
                    if self.step % report_steps == 0 or last:
                        told = self._told(losses, first, time.monotonic() - began)
                        self._log(writer, told)
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
        return round(self.schedule.steps * (1 - self.schedule.decay_share))

    def _rate(self) -> float:
        """Return the learning rate of the next step."""
        steps = self.schedule.steps
        warmth = min((self.step + 1) / max(self.schedule.warm_up_steps, 1), 1.0)
        left = (steps - self.step) / max(steps - self._fall_begins, 1)
        return self.schedule.learning_rate * warmth * min(left, 1.0)

    def _learn(self, batch: Batch) -> float:
        """Take one step and return its loss."""
        self.network.train()
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate()
        loss = self.loss(batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        gradient = nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        if not math.isfinite(gradient):
            raise EarmarkError(
                f"step {self.step}: the loss is {float(loss.detach()):g} and its gradient {float(gradient):g}; "
                f"what was learned before is kept: give a smaller learning_rate than {self.schedule.learning_rate:g}"
            )
        self._optimiser.step()
        self._average.update_parameters(self.network)
        self.learned()
        return float(loss.detach())

    def _told(self, losses: deque[float], first: int, seconds: float) -> Progress:
        speed = (self.step - first) / seconds
        return Progress(
            step=self.step,
            steps=self.schedule.steps,
            loss=float(np.mean(losses)),
            hit_rate=self.hit_rate,
            pairs_a_second=speed * self.schedule.batch,
            seconds_left=(self.schedule.steps - self.step) / speed,
        )

    def _log(self, writer: SummaryWriter, told: Progress) -> None:
        for name in ("loss", "pairs_a_second"):
            writer.add_scalar(f"training/{name}", getattr(told, name), told.step)
        writer.add_scalar("training/learning_rate", self._rate(), told.step)


def device_of(name: str | None) -> torch.device:
    """Return the device of a name of torch's (default: the first GPU, else the CPU); raises OptionError."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # no such kind; none of the kind; torch built without it
        reason = str(error).partition("\n")[0]
        raise OptionError(f"device {name!r} cannot be used ({reason}); give cpu, or a GPU as cuda") from error
    return device
