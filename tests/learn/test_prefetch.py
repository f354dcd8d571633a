from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from earmark.errors import EarmarkError
from earmark.learn.pairs import PairBatches, Pairs, RawPairs
from earmark.learn.prefetch import prefetched_pairs


def test_batches_come_in_order_and_as_this_process_would_make_them(training_set, recipe):
    own = PairBatches(training_set, recipe)
    with prefetched_pairs(training_set, recipe, first=3) as batches:
        for number in range(3, 10):
            found, wanted = next(batches), own.pairs(number)
            assert isinstance(found, Pairs)
            assert np.array_equal(found.tracks, wanted.tracks)
            assert np.allclose(found.positives, wanted.positives, atol=1e-4)  # sums on one thread and on more


def test_two_workers_make_the_same_batches_as_one_raw_if_asked_for(training_set, recipe):
    with prefetched_pairs(training_set, recipe, first=0, workers=2, raw=True) as batches:
        made = [next(batches) for _ in range(6)]
    own = PairBatches(training_set, recipe)
    for number, found in enumerate(made):
        assert isinstance(found, RawPairs)
        assert np.array_equal(found.music, own.raw(number).music)


def test_a_worker_that_ends_is_an_error_that_says_so(training_set, recipe):
    with prefetched_pairs(training_set, recipe, first=4) as batches:
        next(batches)
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(EarmarkError, match=r"a process that makes batches ended at batch \d+.*resume"):
            list(batches)


def test_what_is_wrong_in_a_worker_is_raised_here(training_set, recipe):
    with (
        prefetched_pairs(training_set, replace(recipe, batch=100), first=0) as batches,
        pytest.raises(EarmarkError, match="batch 0 cannot be made: OptionError: a batch of 100 pairs"),
    ):
        next(batches)


def test_no_worker_is_left(training_set, recipe):
    with prefetched_pairs(training_set, recipe, first=0, workers=2):
        assert len(multiprocessing.active_children()) == 2
    assert multiprocessing.active_children() == []


def runs(process: str) -> bool:
    status = Path("/proc", process, "stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_worker_ends_when_its_parent_has(recipe_file, music, tmp_path):
    program = f"""
import os, sys
from pathlib import Path
from multiprocessing import active_children
from earmark.learn.prefetch import prefetched_pairs
from earmark.learn.pairs import TrainingSet
from earmark.learn.recipe import read_fingerprint_recipe
from earmark.learn.pcm import prepare
if __name__ == "__main__":
    sounds = prepare([Path(name) for name in sys.argv[1:]], rate=8_000, folder=Path({str(tmp_path)!r}))
    recipe = read_fingerprint_recipe({str(recipe_file)!r})
    with prefetched_pairs(TrainingSet(sounds, None, None, (), ()), recipe, first=0) as batches:
        next(batches)
        print(active_children()[0].pid, flush=True)
        os._exit(0)
"""
    script = tmp_path / "parent.py"
    script.write_text(program)
    done = subprocess.run(
        [sys.executable, script, *map(str, music[:8])], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    deadline = time.monotonic() + 10
    while runs(done.stdout.strip()):
        assert time.monotonic() < deadline, "the worker is still there"
        time.sleep(0.1)


def test_the_environment_is_as_before(training_set, recipe):
    before = dict(os.environ)
    with prefetched_pairs(training_set, recipe, first=0):
        assert dict(os.environ) == before
