"""Batches that other processes make while the network learns from earlier ones."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import cycle
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from typing import TypeVar

from earmark.errors import EarmarkError
from earmark.learn.pairs import PairBatches, Pairs, RawPairs, TrainingSet
from earmark.learn.recipe import FingerprintRecipe

# Threads of a worker: it multiplies small matrices, for which OpenBLAS on all cores takes five times as long.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
WITHOUT_END = 1 << 62  # number of a batch that no run comes to

Made = TypeVar("Made")
Maker = Callable[[int], Made]  # function from a batch's number to the batch


def prefetched_pairs(
    training_set: TrainingSet, recipe: FingerprintRecipe, *, first: int, workers: int = 1, raw: bool = False
) -> AbstractContextManager[Iterator[Pairs | RawPairs]]:
    """Return a context whose iterator yields the batches of pairs from number `first` on, with `raw` undistorted."""
    return prefetched(partial(_pairs, training_set, recipe, raw), first=first, workers=workers)


@contextmanager
def prefetched(prepare: Callable[[], Maker[Made]], *, first: int, workers: int = 1) -> Iterator[Iterator[Made]]:
    """Yield an iterator over the batches from number `first` on, without end; each worker prepares its own maker.

    A worker makes its next batch while the last one is learned from, and sends it through a pipe of its own, which
    ends with the process. Raises EarmarkError when a worker ends or fails.
    """
    with ExitStack() as stack:
        pipes = [
            stack.enter_context(_worker(prepare, range(first + number, WITHOUT_END, workers)))
            for number in range(workers)
        ]
        yield _received(pipes, first)


def _pairs(training_set: TrainingSet, recipe: FingerprintRecipe, raw: bool) -> Maker[Pairs | RawPairs]:
    batches = PairBatches(training_set, recipe)
    return batches.raw if raw else batches.pairs


def _received(pipes: list[Connection], first: int) -> Iterator[Made]:
    for number, pipe in enumerate(cycle(pipes), start=first):
        try:
            batch: Made | str = pipe.recv()
        except (EOFError, OSError) as error:
            raise EarmarkError(
                f"a process that makes batches ended at batch {number}, perhaps without memory left; what was learned "
                "is kept: resume, with fewer workers or a smaller batch"
            ) from error
        if isinstance(batch, str):
            raise EarmarkError(f"batch {number} cannot be made: {batch}")
        yield batch


@contextmanager
def _worker(prepare: Callable[[], Maker[Made]], numbers: range) -> Iterator[Connection]:
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, prepare, numbers), daemon=True)
    resource_tracker.ensure_running()  # which unblocks interrupts, and else would be started in the block below
    with _environment(ONE_THREAD), _without_interrupts():
        process.start()
    theirs.close()  # or the pipe would stay open when the process ends
    try:
        yield ours
    finally:
        ours.close()
        process.terminate()
        process.join()


def _work(pipe: Connection, prepare: Callable[[], Maker[Made]], numbers: range) -> None:
    """Send batches until nobody receives them; runs in the worker."""
    try:
        make = prepare()
        for number in numbers:
            pipe.send(make(number))
    except BrokenPipeError:
        return
    except Exception as error:  # any error: the parent raises an EarmarkError
        with contextlib.suppress(BrokenPipeError):
            pipe.send(f"{type(error).__name__}: {error}")


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT for processes that are started meanwhile: only the parent handles Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
