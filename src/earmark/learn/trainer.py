"""The training loop, whatever is learned: resumable at any step, with progress, validation and TensorBoard logs.

A folder holds a run: `checkpoint.pt` (the newest state), `stable.pt` (the state before the learning rate fell) and
`logs/`. The learning rate rises linearly, stays, and falls linearly to zero; a longer run resumes from `checkpoint.pt`.
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
from earmark.learn.recipe import Recipe

LARGEST_GRADIENT = 1.0  # norm; larger gradients are scaled down to it

Tensors = tuple[Tensor, ...] | list[Tensor]
Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    step: int
    steps: int
    loss: float  # mean over the steps since the last report
    hit_rate: float | None  # share found in the last validation
    pairs_a_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Average:
    """Exponential moving average of weights, with a shorter memory at the start of a run.

    After n steps the average is multiplied by min(`most`, (n + 1) / (n + `early`)): a larger `early` forgets the first
    steps faster.
    """

    most: float  # largest factor that an average is multiplied by in a step
    early: int

    def __call__(self, averages: Tensors, weights: Tensors, count: Tensor | int) -> None:
        """Update averages of `count` steps by one more."""
        keep = min(self.most, (int(count) + 1) / (int(count) + self.early))
        get_ema_multi_avg_fn(keep)(averages, weights, count)  # type: ignore[no-untyped-call]


class Trainer(ABC, Generic[Batch]):
    """A training run in a folder."""

    def __init__(
        self, recipe: Recipe, network: nn.Module, *, folder: Path, average: Average, device: torch.device
    ) -> None:
        """`network` is moved to `device`; what `more_parameters` returns is there already."""
        self.schedule, self.folder, self.device = recipe, folder, device
        self._halves = multiplies_bfloat16(device)
        # In float32, torch 2.13 writes beyond its memory in convolutions of few channels that come last (AVX2).
        self._layout = torch.channels_last if self._halves else torch.contiguous_format
        self.network = network.to(device).to(memory_format=self._layout)  # type: ignore[call-overload]
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
        """The network with averaged weights."""
        return self._average.module

    def precision(self) -> torch.autocast:
        """Return a context in which the network computes in bfloat16, where that is faster."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._halves)

    def laid_out(self, maps: Tensor) -> Tensor:
        """Return maps, (b, c, h, w), on the device, as the network takes them fastest."""
        return maps.to(self.device).contiguous(memory_format=self._layout)

    def more_parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters that are learned in addition to the network and not averaged."""
        return ()

    @abstractmethod
    def batches(self) -> AbstractContextManager[Iterator[Batch]]:
        """Return a context whose iterator yields the batches from number `step` on, without end."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Return a batch's loss."""

    @abstractmethod
    def validate(self) -> float:
        """Return the hit rate of the averaged weights."""

    def after_step(self) -> None:
        """Update whatever depends on the last batch; called after every step."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps besides the weights."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned, as part of a checkpoint."""

    def resume(self) -> bool:
        """Load the newest checkpoint, and return whether there is one; raises OptionError for another recipe's."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return False
        state = read_checkpoint(path, recipe=self.schedule, device=self.device)
        self.network.load_state_dict(state["encoder"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.restore(state)
        self.step, self.hit_rate = state["step"], state["hit_rate"]
        return True

    def save(self, name: str = CHECKPOINT) -> None:
        """Write a checkpoint; a reader sees the old one or the new one."""
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
        """Train until the recipe's last step; an interruption leaves a checkpoint.

        `progress` is called every `report_steps` steps. Raises EarmarkError when the loss is not finite, or a worker
        ended.
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
                        self.hit_rate = self.validate()
                        writer.add_scalar("validation/hit_rate", self.hit_rate, self.step)
                    if self.step % report_steps == 0 or last:
                        state = self._progress(losses, first, time.monotonic() - began)
                        self._log(writer, state)
                        if progress is not None:
                            progress(state)
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
        self.after_step()
        return float(loss.detach())

    def _progress(self, losses: deque[float], first: int, seconds: float) -> Progress:
        speed = (self.step - first) / seconds
        return Progress(
            step=self.step,
            steps=self.schedule.steps,
            loss=float(np.mean(losses)),
            hit_rate=self.hit_rate,
            pairs_a_second=speed * self.schedule.batch,
            seconds_left=(self.schedule.steps - self.step) / speed,
        )

    def _log(self, writer: SummaryWriter, state: Progress) -> None:
        for name in ("loss", "pairs_a_second"):
            writer.add_scalar(f"training/{name}", getattr(state, name), state.step)
        writer.add_scalar("training/learning_rate", self._rate(), state.step)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Return whether a device is faster with bfloat16; a processor without AVX-512 takes ten times as long."""
    return device.type != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def device_of(name: str | None) -> torch.device:
    """Return torch's device of this name (default: the first GPU, else the CPU); raises OptionError."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # no such kind; none of the kind; torch built without it
        reason = str(error).partition("\n")[0]
        raise OptionError(f"device {name!r} cannot be used ({reason}); give cpu, or a GPU as cuda") from error
    return device
