"""Batches made by other processes while the network learns from the ones before."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process

from earmark.errors import EarmarkError
from earmark.learn.batches import Batches, Material, Pairs, Raw
from earmark.learn.recipe import Recipe

AHEAD = 4  # batches
# A worker multiplies small matrices: with a thread a core, OpenBLAS's threads wait for each other five times as long.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

# A pool calls functions by their names, so what its initialiser makes can be kept only in the worker's module.
_batches: Batches | None = None


@contextmanager
def made_ahead(
    material: Material, recipe: Recipe, *, first: int, workers: int = 1, raw: bool = False
) -> Iterator[Iterator[Pairs | Raw]]:
    """Give the batches from number `first` on, without end; with `raw` as they are before the room.

    Raises EarmarkError when a worker ends.
    """
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(material, recipe))
    make = _raw if raw else _pairs
    with _environment(ONE_THREAD):  # the first call starts the workers
        waiting: deque[Future[Pairs | Raw]] = deque(pool.submit(make, first + ahead) for ahead in range(AHEAD))

    def batches() -> Iterator[Pairs | Raw]:
        number = first + AHEAD
        try:
            while True:
                yield waiting.popleft().result()
                waiting.append(pool.submit(make, number))
                number += 1
        except BrokenProcessPool as error:
            raise EarmarkError(
                f"a process that makes batches ended at batch {number - AHEAD}, perhaps for want of memory; "
                "what was learned is kept: resume, with fewer workers or a smaller batch"
            ) from error

    try:
        yield batches()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(material: Material, recipe: Recipe) -> None:
    global _batches
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to decide on
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    _batches = Batches(material, recipe)


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _pairs(number: int) -> Pairs:
    assert _batches is not None  # the pool's initialiser made it
    return _batches.pairs(number)


def _raw(number: int) -> Raw:
    assert _batches is not None
    return _batches.raw(number)


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
