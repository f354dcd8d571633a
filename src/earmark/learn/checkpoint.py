"""Checkpoints: files with the state of a run, replaced atomically and read without running code in them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

from earmark.atomic import written_beside
from earmark.errors import OptionError
from earmark.learn.recipe import Recipe

CHECKPOINT = "checkpoint.pt"  # file in a run's folder: the newest state
STABLE = "stable.pt"  # file in a run's folder: the state before the learning rate fell
AVERAGED = "module."  # prefix of the names of an AveragedModel's weights
KEYS = {"digest", "recipe", "step", "hit_rate", "encoder", "average", "optimiser"}


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state; a reader sees the old one or the new one."""
    with written_beside(path) as part, part.open("wb") as file:
        torch.save(state, file)


def read_checkpoint(path: Path, *, recipe: Recipe | None = None, device: torch.device | None = None) -> dict[str, Any]:
    """Return a state, its tensors on `device` (default: the CPU).

    `encoder` and `average` are the weights of the last step and their average over the last steps. Raises OptionError
    when the file is no checkpoint, or one of another recipe than `recipe`.
    """
    if not path.is_file():
        raise OptionError(f"{path} is not there; train first, or give the checkpoint.pt of another run")
    if not zipfile.is_zipfile(path):  # torch would take it for its older format and say little
        raise OptionError(f"{path} is no checkpoint, or a damaged one; give the checkpoint.pt of a run")
    try:
        state = torch.load(path, map_location=device or "cpu", weights_only=True)
    except Exception as error:  # torch's reader raises whatever its parts raise
        raise OptionError(f"{path} is no checkpoint, or a damaged one ({error}); give the one of a run") from error
    absent = KEYS.difference(state) if isinstance(state, dict) else KEYS
    if absent:
        raise OptionError(f"{path} has no {', '.join(sorted(absent))}; give the checkpoint.pt of a run")
    if recipe is not None and state["digest"] != recipe.digest:
        raise OptionError(f"{path} was made by another recipe than {recipe.name}; give that one, or another folder")
    return dict(state)


def refuse_other_run(folder: Path, recipe: Recipe, *, resume: bool) -> None:
    """Raise OptionError when a folder holds a run of another recipe, or any run unless `resume` is set."""
    if (folder / CHECKPOINT).exists():
        state = read_checkpoint(folder / CHECKPOINT, recipe=recipe)
        if not resume:
            raise OptionError(
                f"{folder} holds a run that came to step {state['step']:,}; "
                "give --resume to go on with it, or another folder as --out"
            )


def averaged_weights(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the weights in a checkpoint's state, averaged over the last steps, by name."""
    average: dict[str, torch.Tensor] = state["average"]
    return {name.removeprefix(AVERAGED): value for name, value in average.items() if name.startswith(AVERAGED)}
