"""Training from Python: `train` does all of it, `prepare` returns a run that can be driven step by step.

A task turns a recipe into a run, and a run's checkpoint into models: `vectors` (fingerprints) or `salience`.
This module loads torch when it is first used, so that the processes that make batches need not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from earmark.errors import OptionError

if TYPE_CHECKING:
    from earmark.learn.corpus import Gathered, Tell
    from earmark.learn.recipe import Recipe
    from earmark.learn.trainer import Progress, Trainer

TASKS = ("vectors", "salience")
CORES_PER_WORKER = 4  # cores; one makes batches as fast as three learn from them


class Task(Protocol):
    """What can be learned."""

    def recipe(self, source: str | Path) -> Recipe:
        """Return a recipe by name or from a TOML file; raises OptionError."""

    def run(
        self, recipe: Any, gathered: Gathered, *, folder: Path, device: str | None, workers: int, tell: Tell
    ) -> Trainer[Any]:
        """Return a run that has not begun; `recipe` is one that `self.recipe` returned."""

    def export(self, checkpoint: Path, gathered: Gathered, folder: Path, *, licence: str) -> tuple[Path, ...]:
        """Write a run's models to `folder`, for use without torch, and return their paths."""


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A run in its folder, ready to begin or to go on: call `run.train()`, then `export()`."""

    task: Task
    recipe: Recipe
    gathered: Gathered
    run: Trainer[Any]

    def export(self, *, licence: str = "") -> tuple[Path, ...]:
        """Write the models of the newest checkpoint to the run's folder and return their paths."""
        from earmark.learn.checkpoint import CHECKPOINT

        folder = self.run.folder
        return self.task.export(folder / CHECKPOINT, self.gathered, folder, licence=licence)


def train(
    data: str | Path,
    folder: str | Path,
    recipe: str | Path | Recipe = "laptop",
    *,
    licence: str = "",
    progress: Callable[[Progress], object] | None = None,
    validate_steps: int = 500,
    **options: Any,
) -> tuple[Path, ...]:
    """Train on the recordings in `data` until the recipe's last step and return the paths of the exported models.

    `recipe` is a name (`laptop`, `small`, `talk`, `salience`), a TOML file or a recipe; `folder` gets decoded sounds,
    checkpoints, logs and models. An interrupted run goes on with resume=True. `options` are those of `prepare`.
    Raises OptionError for what cannot be trained, EarmarkError when training fails.
    """
    training = prepare(data, folder, recipe, **options)
    training.run.train(progress=progress, validate_steps=validate_steps)
    return training.export(licence=licence)


def prepare(
    data: str | Path,
    folder: str | Path,
    recipe: str | Path | Recipe = "laptop",
    *,
    steps: int | None = None,
    batch: int | None = None,
    rooms: str | Path | None = None,
    resume: bool = False,
    device: str | None = None,
    workers: int | None = None,
    tell: Tell | None = None,
) -> Training:
    """Decode the recordings in `data` and return a run, at its newest checkpoint with `resume`.

    `steps` and `batch` replace those of the recipe; `rooms` is a file of room responses (default: rooms are made).
    `device` is torch's name of one (default: a GPU if there is one). `workers` processes make batches (default: one
    for 4 cores), and torch is set to use the other cores. `tell(stage, done, total)` is called meanwhile. Raises
    OptionError when there is no music, when an option cannot be used, or `folder` holds another run.
    """
    import torch
    from msgspec.structs import replace

    from earmark.learn.checkpoint import refuse_other_run
    from earmark.learn.corpus import gather
    from earmark.learn.recipe import check_schedule

    folder, say = Path(folder), tell or (lambda stage, done, total: None)
    task, chosen = find_recipe(recipe)
    chosen = replace(chosen, steps=steps or chosen.steps, batch=batch or chosen.batch)
    check_schedule(chosen, "the options")
    _check_device(device)
    if rooms is not None and not Path(rooms).is_file():
        raise OptionError(f"{rooms} is no file; `python -m earmark.datasets rooms FILE` makes it")
    refuse_other_run(folder, chosen, resume=resume)
    gathered = gather(Path(data), chosen, folder=folder, rooms=Path(rooms) if rooms else None, tell=say)
    cores = os.cpu_count() or 1
    makers = workers or max(cores // CORES_PER_WORKER, 1)
    torch.set_num_threads(max(cores - makers, 1))
    run = task.run(chosen, gathered, folder=folder, device=device, workers=makers, tell=say)
    run.resume()
    return Training(task, chosen, gathered, run)


def _check_device(name: str | None) -> None:
    """Raise OptionError for a device that torch does not know, or that this machine has not."""
    import torch

    if name is None:
        return
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise OptionError(f"device {name!r} cannot be used ({reason}); give cpu, or leave it out") from error


def find_recipe(recipe: str | Path | Recipe) -> tuple[Task, Recipe]:
    """Return a recipe, by name, from a TOML file or as given, and the task that it is for; raises OptionError."""
    from earmark.learn.recipe import Recipe, task_name

    if isinstance(recipe, Recipe):
        return make_task(recipe.task), recipe
    task = make_task(task_name(recipe))
    return task, task.recipe(recipe)


def make_task(name: str) -> Task:
    """Return a task by name; raises OptionError when it is not known."""
    if name not in TASKS:
        raise OptionError(f"task {name!r} is not known: choose one of {', '.join(TASKS)}")
    if name == "salience":
        from earmark.learn.salience.training import SalienceTask

        return SalienceTask()
    from earmark.learn.training import FingerprintTask

    return FingerprintTask()
