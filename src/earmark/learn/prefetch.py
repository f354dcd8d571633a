"""Batches made by other processes while the network learns from the ones before."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from earmark.errors import EarmarkError
from earmark.learn.pairs import Batches, Material, Pairs, Raw
from earmark.learn.recipe import Recipe

# A worker multiplies small matrices: with a thread a core, OpenBLAS's threads wait for each other five times as long.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
WITHOUT_END = 1 << 62


Made = TypeVar("Made")
Maker = Callable[[int], Made]  # makes batches by their numbers


def made_ahead(
    material: Material, recipe: Recipe, *, first: int, workers: int = 1, raw: bool = False
) -> AbstractContextManager[Iterator[Pairs | Raw]]:
    """Give the batches of pairs from number `first` on, without end; with `raw` as they are before the room."""
    return made_elsewhere(partial(_pairs, material, recipe, raw), first=first, workers=workers)


@contextmanager
def made_elsewhere(prepare: Callable[[], Maker[Made]], *, first: int, workers: int = 1) -> Iterator[Iterator[Made]]:
    """Give the batches from number `first` on, without end, of a maker that each worker prepares for itself.

    Each worker makes its next batch while the last one is learned from, and has it in a pipe of its own: when the
    process ends, so does the pipe. Raises EarmarkError when one does, or fails.
    """
    with ExitStack() as stack:
        pipes = [
            stack.enter_context(_worker(prepare, range(first + number, WITHOUT_END, workers)))
            for number in range(workers)
        ]
        yield _received(pipes, first)


def _pairs(material: Material, recipe: Recipe, raw: bool) -> Maker[Pairs | Raw]:
    batches = Batches(material, recipe)
    return batches.raw if raw else batches.pairs


def _received(pipes: list[Connection], first: int) -> Iterator[Made]:
    for number, pipe in enumerate(cycle(pipes), start=first):
        try:
            batch: Made | str = pipe.recv()
        except (EOFError, OSError) as error:
            raise EarmarkError(
                f"a process that makes batches ended at batch {number}, perhaps for want of memory; what was learned "
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
    except Exception as error:  # whatever it is, the parent is to tell it
        with contextlib.suppress(BrokenPipeError):
            pipe.send(f"{type(error).__name__}: {error}")


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back; processes that are started meanwhile never get it: it is the parent's to decide on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables for processes that are started meanwhile."""
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
