"""`earmark train`: learn a fingerprint, or a salience map, from recordings."""

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
from earmark.apps.text import amount, lasting, size
from earmark.errors import OptionError

if TYPE_CHECKING:
    from earmark.learn import Training
    from earmark.learn.trainer import Progress

NEEDED = ("torch", "onnx", "onnxscript", "onnxruntime", "tensorboard")
EPILOGUE = """\
--data is a folder that `python -m earmark.datasets debian FOLDER` fetched, or any folder of music, whose subfolders
noise and speech have noise and speech. --out gets the decoded sounds, checkpoints, logs for TensorBoard and, at the
end, the models. Ctrl-C keeps what was learned; run the command again with --resume to go on.
"""

Tell = Callable[[str, int, int, str], None]  # stage, done, total, more about it


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--config", "--recipe", default="laptop", metavar="NAME|FILE",
        help="the recipe: laptop, small, talk, salience, or a .toml file (default: laptop)",
    )  # fmt: skip
    parser.add_argument("--data", required=True, metavar="FOLDER", help="recordings to learn from")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the run is kept")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in --out")
    parser.add_argument("--steps", type=count, metavar="N", help="batches to learn from (default: the recipe's)")
    parser.add_argument("--batch", type=count, metavar="N", help="pairs in a batch (default: the recipe's)")
    parser.add_argument("--rooms", metavar="FILE", help="rooms to play in, .npz (default: the recipe's are made)")
    parser.add_argument("--validate", type=count, default=500, metavar="N", help="every N steps (default: 500)")
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1 and so on (default: a GPU if there is one)")
    parser.add_argument("--workers", type=count, metavar="N", help="processes that make batches (default: a core in 4)")
    parser.add_argument("--licence", default="", metavar="SPDX", help="the model's licence, to be written into it")
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Train and export."""
    check_installed()
    # Numpy multiplies small matrices here, for which OpenBLAS on all cores takes five times as long.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from earmark.learn import prepare

    output = Output.of(options)
    names = ("steps", "batch", "rooms", "resume", "device", "workers")
    given = {name: getattr(options, name) for name in names}
    with watching(output) as tell:
        say = lambda stage, done, total: tell(stage, done, total, "")  # noqa: E731
        training = prepare(options.data, options.out, options.config, tell=say, **given)
        mention_failed(output, training.gathered.failed)
        if options.resume and not training.run.step:
            output.remark(f"{options.out} has no checkpoint to go on from: the run begins")
        try:
            training.run.train(progress=teller(output, tell), validate_steps=options.validate)
        except KeyboardInterrupt:
            output.record({"status": "interrupted", "steps": training.run.step})
            output.remark(
                f"earmark: interrupted after {training.run.step:,} of {training.recipe.steps:,} steps; "
                "what was learned is kept: run the same command with --resume to go on"
            )
            return INTERRUPTED
    show(output, training, training.export(licence=options.licence))
    return DONE


def check_installed() -> None:
    """Raise OptionError when what only training needs is not installed."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        raise OptionError(f"{', '.join(absent)} not installed; pip install 'earmark[train]'")


def mention_failed(output: Output, failed: Sequence[tuple[str, str]]) -> None:
    """Print which files were left out and why: all with --verbose, else how many and the first."""
    if output.verbose:
        for path, reason in failed:
            output.remark(f"left out: {path}: {reason}")
    elif failed:
        path, reason = failed[0]
        output.remark(f"left out: {amount(len(failed), 'file')}, as {path} ({reason})")


def teller(output: Output, tell: Tell) -> Callable[[Progress], None]:
    """Return the callback that prints the progress of a run."""

    first: list[int] = []

    def report(progress: Progress) -> None:
        if not (first or output.interactive or output.verbose) and progress.step < progress.steps:
            output.remark(
                f"about {lasting(progress.seconds_left)} for {amount(progress.steps - progress.step, 'step')}"
            )
        first.append(progress.step)
        names = ("step", "steps", "loss", "hit_rate", "pairs_a_second", "seconds_left")
        output.record({"status": "learning", **{name: getattr(progress, name) for name in names}})
        tell("learning", progress.step, progress.steps, line(progress))

    return report


def line(progress: Progress) -> str:
    """Return the progress of a run as one line."""
    hit_rate = "" if progress.hit_rate is None else f", hit rate {progress.hit_rate:.1%}"
    left = lasting(progress.seconds_left)
    return f"loss {progress.loss:.3f}{hit_rate}, {progress.pairs_a_second:,.0f} pairs/s, {left} left"


@contextlib.contextmanager
def watching(output: Output) -> Iterator[Tell]:
    """Yield the callback for progress: bars, lines with --verbose, or nothing."""
    if output.verbose:
        yield lambda stage, done, total, more: output.remark(f"{stage} {done}/{total} {more}".rstrip())
    elif output.interactive:
        with bars() as tell:
            yield tell
    else:
        yield lambda stage, done, total, more: None


@contextlib.contextmanager
def bars() -> Iterator[Tell]:
    """Yield a callback that draws a bar for each stage."""
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


def show(output: Output, training: Training, models: tuple[Path, ...]) -> None:
    """Print the outcome of a run."""
    run = training.run
    output.record({"status": "done", "steps": run.step, "hit_rate": run.hit_rate, "models": list(map(str, models))})
    hit_rate = "" if run.hit_rate is None else f"; {run.hit_rate:.1%} of the validation is found"
    output.line(f"{run.step:,} steps{hit_rate}")
    output.line("Wrote " + ", ".join(f"{path} ({size(path.stat().st_size)})" for path in models) + ".")
