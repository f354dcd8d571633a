"""Files that hold the state of a run: replaced atomically, and read without running what is in them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import torch

from earmark.errors import OptionError
from earmark.learn.recipe import Schedule

CHECKPOINT = "checkpoint.pt"  # in a run's folder: the newest state
STABLE = "stable.pt"  # the state before the learning rate fell
AVERAGED = "module."  # before the names of an AveragedModel's weights
KEYS = {"digest", "recipe", "step", "hit_rate", "encoder", "average", "optimiser"}


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state; whoever reads sees the old one or the new one."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_checkpoint(
    path: Path, *, recipe: Schedule | None = None, device: torch.device | None = None
) -> dict[str, Any]:
    """Return a state, its tensors on `device` (default: the CPU).

    `encoder` and `average` hold the weights as they are and averaged over the last steps. Raises OptionError when the
    file is no checkpoint, or not of `recipe`.
    """
    if not path.is_file():
        raise OptionError(f"{path} is not there; train first, or give the checkpoint.pt of another run")
    if not zipfile.is_zipfile(path):  # torch would take it for its older format and say little
        raise OptionError(f"{path} is no checkpoint, or a damaged one; give the checkpoint.pt of a run")
    try:
        state = torch.load(path, map_location=device or "cpu", weights_only=True)
    except Exception as error:  # torch's reader has no kinds of its own
        raise OptionError(f"{path} is no checkpoint, or a damaged one ({error}); give the one of a run") from error
    absent = KEYS.difference(state) if isinstance(state, dict) else KEYS
    if absent:
        raise OptionError(f"{path} has no {', '.join(sorted(absent))}; give the checkpoint.pt of a run")
    if recipe is not None and state["digest"] != recipe.digest:
        raise OptionError(f"{path} was made by another recipe than {recipe.name}; give that one, or another folder")
    return dict(state)


def averaged_weights(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return a network's weights, averaged over the last steps, of a checkpoint's state."""
    average: dict[str, torch.Tensor] = state["average"]
    return {name.removeprefix(AVERAGED): value for name, value in average.items() if name.startswith(AVERAGED)}
