"""`earmark train`: learn a fingerprint, or a relief, from recordings."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, INTERRUPTED
from earmark.apps.cli.options import add_output, count
from earmark.apps.cli.output import Output
from earmark.apps.text import amount, clock, size
from earmark.errors import OptionError

if TYPE_CHECKING:
    from earmark.learn.corpus import Gathered
    from earmark.learn.pcm import Sounds
    from earmark.learn.recipe import Recipe
    from earmark.learn.salience.recipe import ReliefRecipe
    from earmark.learn.salience.references import References
    from earmark.learn.salience.training import ReliefRun
    from earmark.learn.trainer import Progress
    from earmark.learn.training import Run

NEEDED = ("torch", "onnx", "onnxscript", "onnxruntime", "tensorboard")
CORES_A_WORKER = 4  # cores for each process that makes batches: it keeps three others busy
EPILOGUE = """\
--data is what `python -m earmark.datasets debian FOLDER` fetched, or any folder of music; what lies in its folders
noise and speech is that. --out gets the decoded sounds, checkpoints, logs for TensorBoard and, at the end, the models.
Ctrl-C keeps what was learned; run it again with --resume to go on.
"""

Tell = Callable[[str, int, int, str], None]  # stage, done, total, more about it


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--config", "--recipe", default="laptop", metavar="NAME|FILE",
        help="the recipe: laptop, talk, relief, or a .toml file (default: laptop)",
    )  # fmt: skip
    parser.add_argument("--data", required=True, metavar="FOLDER", help="recordings to learn from")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the run is kept")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in --out")
    parser.add_argument("--steps", type=count, metavar="N", help="batches to learn from (default: the recipe's)")
    parser.add_argument("--rooms", metavar="FILE", help="rooms to play in, .npz (default: the recipe's are made)")
    parser.add_argument("--validate", type=count, default=500, metavar="N", help="every N steps (default: 500)")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1 and so on (default: a GPU if there is one)")
    parser.add_argument("--workers", type=count, metavar="N", help="processes that make batches (default: a core in 4)")
    parser.add_argument("--licence", default="", metavar="SPDX", help="the model's licence, to be written into it")
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Gather, learn, export."""
    check_installed()
    # Numpy multiplies small matrices here: OpenBLAS's threads would wait for each other five times as long.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from earmark.learn.corpus import gather
    from earmark.learn.recipe import Recipe

    output, out = Output.of(options), Path(options.out)
    recipe = recipe_of(options)
    refuse_what_is_there(out, recipe, resume=options.resume)
    pairs = recipe if isinstance(recipe, Recipe) else recipe.clips
    with watching(output) as tell:
        gathered = gather(
            Path(options.data), pairs, folder=out, rooms=Path(options.rooms) if options.rooms else None,
            tell=lambda stage, done, total: tell(stage, done, total, ""),
        )  # fmt: skip
        mention_failed(output, gathered.failed)
        training = assemble(options, recipe, gathered, tell)
        training.resume()
        try:
            training.train(progress=teller(output, tell), validate_steps=options.validate)
        except KeyboardInterrupt:
            output.remark(
                f"earmark: interrupted after {training.step:,} of {recipe.steps:,} steps; what was learned is kept: "
                "run the same command with --resume to go on"
            )
            return INTERRUPTED
    show(output, training, exported(options, recipe, gathered))
    return DONE


def check_installed() -> None:
    """Raise OptionError when what only training needs is not installed."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        raise OptionError(f"{', '.join(absent)} not installed; pip install 'earmark[train]'")


def recipe_of(options: argparse.Namespace) -> Recipe | ReliefRecipe:
    """Return the recipe that the options name."""
    import msgspec

    from earmark.learn.recipe import learns, read_recipe
    from earmark.learn.salience.recipe import read_relief_recipe

    recipe = read_relief_recipe(options.config) if learns(options.config) == "relief" else read_recipe(options.config)
    return msgspec.structs.replace(recipe, steps=options.steps) if options.steps else recipe


def refuse_what_is_there(out: Path, recipe: Recipe | ReliefRecipe, *, resume: bool) -> None:
    """Raise OptionError when the folder holds a run of another recipe, or one that nobody asked to go on."""
    from earmark.learn.checkpoint import CHECKPOINT, read_checkpoint

    if (out / CHECKPOINT).exists():
        state = read_checkpoint(out / CHECKPOINT, recipe=recipe)
        if not resume:
            raise OptionError(
                f"{out} holds a run that came to step {state['step']:,}; "
                "give --resume to go on with it, or another folder as --out"
            )


def assemble(
    options: argparse.Namespace, recipe: Recipe | ReliefRecipe, gathered: Gathered, tell: Tell
) -> Run | ReliefRun:
    """Return the run, which has yet to begin."""
    import torch

    from earmark.learn.recipe import Recipe
    from earmark.learn.training import Run
    from earmark.learn.validation import Validation

    cores = os.cpu_count() or 1
    workers = options.workers or max(cores // CORES_A_WORKER, 1)
    torch.set_num_threads(max(cores - workers, 1))
    folder = Path(options.out)
    if isinstance(recipe, Recipe):
        validation = Validation(gathered.validation, recipe)
        return Run(recipe, gathered.training, validation, folder=folder, device=options.device, workers=workers)
    return relief_run(recipe, gathered, tell, folder=folder, device=options.device, workers=workers)


def relief_run(
    recipe: ReliefRecipe, gathered: Gathered, tell: Tell, *, folder: Path, device: str | None, workers: int
) -> ReliefRun:
    """Return a run that learns a relief, once the peaks of all recordings are found."""
    from earmark.learn.salience.references import find_references
    from earmark.learn.salience.training import ReliefRun, ReliefValidation

    def peaks(music: Sounds, purpose: str) -> References:
        told = lambda done, total: tell(f"finding peaks to {purpose}", done, total, "")  # noqa: E731
        return find_references(music, recipe, folder=folder, progress=told)

    known, unknown = peaks(gathered.training.music, "learn"), peaks(gathered.validation.music, "validate")
    validation = ReliefValidation(gathered.validation, unknown, recipe)
    return ReliefRun(recipe, gathered.training, known, validation, folder=folder, device=device, workers=workers)


def exported(options: argparse.Namespace, recipe: Recipe | ReliefRecipe, gathered: Gathered) -> tuple[Path, ...]:
    """Write what came of a run, for use without torch."""
    from earmark.learn.checkpoint import CHECKPOINT
    from earmark.learn.corpus import export_models, export_relief_model
    from earmark.learn.recipe import Recipe

    out = Path(options.out)
    if isinstance(recipe, Recipe):
        return export_models(out / CHECKPOINT, gathered.training, out, licence=options.licence)
    return export_relief_model(out / CHECKPOINT, out, licence=options.licence)


def mention_failed(output: Output, failed: Sequence[tuple[str, str]]) -> None:
    """Say which files there is nothing to learn from: all with --verbose, else how many."""
    if output.verbose:
        for path, reason in failed:
            output.remark(f"left out: {path}: {reason}")
    elif failed:
        path, reason = failed[0]
        output.remark(f"left out: {amount(len(failed), 'file')}, as {path} ({reason})")


def teller(output: Output, tell: Tell) -> Callable[[Progress], None]:
    """Return what is called while it learns."""

    def learned(progress: Progress) -> None:
        names = ("step", "steps", "loss", "hit_rate", "pairs_a_second", "seconds_left")
        output.record({"status": "learning", **{name: getattr(progress, name) for name in names}})
        tell("learning", progress.step, progress.steps, line(progress))

    return learned


def line(progress: Progress) -> str:
    """Return how a run is going."""
    hit_rate = "" if progress.hit_rate is None else f", hit rate {progress.hit_rate:.1%}"
    left = clock(progress.seconds_left).partition(".")[0]
    return f"loss {progress.loss:.3f}{hit_rate}, {progress.pairs_a_second:,.0f} pairs/s, {left} left"


@contextlib.contextmanager
def watching(output: Output) -> Iterator[Tell]:
    """Give what is to be called with progress: bars, lines of --verbose, or nothing."""
    if output.verbose:
        yield lambda stage, done, total, more: output.remark(f"{stage} {done}/{total} {more}".rstrip())
    elif output.interactive:
        with bars() as tell:
            yield tell
    else:
        yield lambda stage, done, total, more: None


@contextlib.contextmanager
def bars() -> Iterator[Tell]:
    """Draw a bar for each stage."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[more]}"))
    with Bars(*columns, console=Console(stderr=True)) as drawing:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, done: int, total: int, more: str) -> None:
            if stage not in tasks:
                tasks[stage] = drawing.add_task(stage, total=total, more=more)
            drawing.update(tasks[stage], completed=done, more=more)

        yield tell


def show(output: Output, training: Run | ReliefRun, models: tuple[Path, ...]) -> None:
    """Print what came of it."""
    done = {"status": "done", "steps": training.step, "hit_rate": training.hit_rate, "models": list(map(str, models))}
    output.record(done)
    hit_rate = "" if training.hit_rate is None else f"; {training.hit_rate:.1%} of the validation is found"
    output.line(f"{training.step:,} steps{hit_rate}")
    output.line("Wrote " + ", ".join(f"{path} ({size(path.stat().st_size)})" for path in models) + ".")
