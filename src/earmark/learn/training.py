"""The training loop: resumable at any time, with progress, validation and TensorBoard logs.

A folder holds a run: `checkpoint.pt` (the newest state, replaced atomically), `logs/` (TensorBoard). The learning rate
rises, stays, and falls to nothing over the last part of the steps; a run that was made longer (`steps`) goes on from
its newest checkpoint, and `stable.pt` is the one from before the fall.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard.writer import SummaryWriter

from earmark.errors import EarmarkError, OptionError
from earmark.fingerprint.logmel import Spectrogram
from earmark.learn.ahead import made_ahead
from earmark.learn.batches import Batches, Material, Pairs, Raw
from earmark.learn.checkpoint import CHECKPOINT, STABLE, read_checkpoint, write_checkpoint
from earmark.learn.encoders import make_encoder
from earmark.learn.objectives.contrastive import Memory, contrastive_loss
from earmark.learn.recipe import Recipe
from earmark.learn.tensors import ChannelTensors, segments_of
from earmark.learn.validation import Validation

AVERAGE = 0.998  # of the weights, a step: some 500 steps
MEMORY_AFTER_STEPS = 500  # before, yesterday's vectors say little about today's (Wang et al. 2020, section 3.2)
LARGEST_GRADIENT = 1.0  # norm, beyond which a step is shortened
SEGMENTS_AT_ONCE = 256  # in validation

Tensors = tuple[Tensor, ...] | list[Tensor]


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
        distort_on_device: bool | None = None,
    ) -> None:
        """`device` is torch's name of one (default: the first GPU, else the CPU); a GPU also distorts."""
        self.recipe, self._material, self._validation = recipe, material, validation
        self.folder, self._workers = folder, workers
        self._device = _device(device)
        on_device = self._device.type == "cuda" if distort_on_device is None else distort_on_device
        channel = Batches(material, recipe).channel
        self._channel = ChannelTensors.of(channel, self._device) if on_device else None
        torch.manual_seed(recipe.seed)
        shape = recipe.log_mel
        encoder = make_encoder(
            recipe.encoder, bands=shape.bands, frames=shape.segment_frames, **recipe.encoder_options
        ).to(self._device)
        self._encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = AveragedModel(self._encoder, multi_avg_fn=average_weights, use_buffers=True)
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
        path = self.folder / CHECKPOINT
        if not path.exists():
            return False
        state = read_checkpoint(path, recipe=self.recipe, device=self._device)
        self._encoder.load_state_dict(state["encoder"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._memory.restore(state.get("memory", {}))
        self.step, self.hit_rate = state["step"], state["hit_rate"]
        return True

    def save(self, name: str = CHECKPOINT) -> None:
        """Write a checkpoint; whoever reads sees the old one or the new one."""
        state = {
            "digest": self.recipe.digest,
            "recipe": msgspec.json.encode(self.recipe).decode(),
            "step": self.step,
            "hit_rate": self.hit_rate,
            "encoder": self._encoder.state_dict(),
            "average": self._average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "memory": self._memory.state(),
        }
        write_checkpoint(self.folder / name, state)

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
        first, raw = self.step, self._channel is not None
        try:
            with made_ahead(self._material, self.recipe, first=first, workers=self._workers, raw=raw) as batches:
                while self.step < self.recipe.steps:
                    losses.append(self._learn(next(batches)))
                    self.step += 1
                    last = self.step == self.recipe.steps
                    if self.step == self._fall_begins:
                        self.save(STABLE)
                    if self.step % validate_steps == 0 or last:
                        self.hit_rate = self._validation.hit_rate(self._encoded)
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
        return round(self.recipe.steps * (1 - self.recipe.decay_share))

    def _rate(self) -> float:
        """Return the learning rate of the next step."""
        warmth = min((self.step + 1) / max(self.recipe.warm_up_steps, 1), 1.0)
        left = (self.recipe.steps - self.step) / max(self.recipe.steps - self._fall_begins, 1)
        return self.recipe.learning_rate * warmth * min(left, 1.0)

    def _learn(self, batch: Pairs | Raw) -> float:
        """Take one step and return its loss."""
        self._encoder.train()
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate()
        tracks = torch.from_numpy(batch.tracks).to(self._device)
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            vectors: Tensor = self._encoder(self._segments(batch))
        anchors, positives = vectors.float().chunk(2)
        others, allowed = self._memory.recall(anchors, tracks)
        loss = contrastive_loss(anchors, positives, temperature=self.recipe.temperature, others=others, allowed=allowed)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        gradient = nn.utils.clip_grad_norm_(self._encoder.parameters(), LARGEST_GRADIENT)
        if not math.isfinite(gradient):
            raise EarmarkError(
                f"step {self.step}: the loss is {float(loss.detach()):g} and its gradient {float(gradient):g}; "
                f"what was learned before is kept: give a smaller learning_rate than {self.recipe.learning_rate:g}"
            )
        self._optimiser.step()
        self._average.update_parameters(self._encoder)
        if self.step >= MEMORY_AFTER_STEPS:
            self._memory.remember(anchors, tracks)
        return float(loss.detach())

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

    def _log(self, writer: SummaryWriter, told: Progress) -> None:
        for name in ("loss", "pairs_a_second"):
            writer.add_scalar(f"training/{name}", getattr(told, name), told.step)
        writer.add_scalar("training/learning_rate", self._rate(), told.step)


def average_weights(averages: Tensors, weights: Tensors, count: Tensor | int) -> None:
    """Bring averages of `count` steps up to date with one more.

    Each step weighs `AVERAGE` times as much as the next. In the first thousand it is less: a run's beginning, when it
    knew nothing, must not outweigh the rest, so the average is mostly of the later half.
    """
    keep = min(AVERAGE, (int(count) + 1) / (int(count) + 3))
    get_ema_multi_avg_fn(keep)(averages, weights, count)  # type: ignore[no-untyped-call]


def _device(name: str | None) -> torch.device:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # no such kind; none of the kind; torch built without it
        reason = str(error).partition("\n")[0]
        raise OptionError(f"device {name!r} cannot be used ({reason}); give cpu, or a GPU as cuda") from error
    return device
