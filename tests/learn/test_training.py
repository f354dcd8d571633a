from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
import torch
from msgspec.structs import replace

from earmark.errors import EarmarkError, OptionError
from earmark.learn.checkpoint import read_checkpoint
from earmark.learn.pairs import TrainingSet
from earmark.learn.training import FingerprintRun
from earmark.learn.validation import Validation


@pytest.fixture(scope="module")
def validation(training_set, sounds, music, recipe):
    known = sounds.only([str(path) for path in music[:3]])
    return Validation(TrainingSet(known, None, None, training_set.rooms, ()), recipe, queries=32)


@pytest.fixture
def run(recipe, training_set, validation, tmp_path):
    """run(folder="run", ...) returns a run of the tiny recipe; what is given beside replaces its numbers."""

    def make(
        *, folder: str = "run", distort_on_device: bool | None = None, device: str | None = None, **numbers
    ) -> FingerprintRun:
        return FingerprintRun(
            replace(recipe, **numbers), training_set, validation, folder=tmp_path / folder, device=device,
            distort_on_device=distort_on_device,
        )  # fmt: skip

    return make


def interrupt_at(step: int):
    def interrupt(progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return interrupt


def test_it_learns_and_says_how_it_goes(run):
    told = []
    learned = run()
    learned.train(progress=told.append, report_steps=5, validate_steps=10)
    assert [progress.step for progress in told] == [5, 10, 15, 20]
    assert told[-1].loss < 0.8 * told[0].loss
    assert told[0].hit_rate is None
    assert told[1].hit_rate is not None
    assert told[0].seconds_left > 0
    assert told[-1].seconds_left == 0
    assert all(progress.pairs_a_second > 0 for progress in told)
    assert list((learned.folder / "logs").glob("events.*"))
    state = read_checkpoint(learned.folder / "checkpoint.pt", recipe=learned.recipe)
    assert (state["step"], state["hit_rate"]) == (20, told[-1].hit_rate)
    assert read_checkpoint(learned.folder / "stable.pt")["step"] == 14  # where the last 30 % begin


def test_a_run_that_was_interrupted_comes_to_the_same_weights(run, monkeypatch):
    monkeypatch.setattr("earmark.learn.objectives.contrastive.MEMORY_AFTER_STEPS", 4)
    whole, first, second = (
        run(objective_options={"memory": 24}),
        run(objective_options={"memory": 24}, folder="parts"),
        run(objective_options={"memory": 24}, folder="parts"),
    )
    assert not whole.resume()
    whole.train()
    with pytest.raises(KeyboardInterrupt):
        first.train(progress=interrupt_at(9), report_steps=9)
    assert second.resume()
    assert second.step == 9
    second.train()
    for name, weight in whole.averaged.state_dict().items():
        assert torch.allclose(weight, second.averaged.state_dict()[name], atol=1e-5), name
    states = [read_checkpoint(one.folder / "checkpoint.pt") for one in (whole, second)]
    assert torch.allclose(*(state["objective"]["vectors"] for state in states), atol=1e-4)


def test_a_longer_run_of_the_same_recipe_goes_on(run):
    run(steps=4).train()
    longer = run(steps=6)
    assert longer.resume()
    longer.train()
    assert longer.step == 6


def test_a_checkpoint_of_another_recipe_is_refused(run):
    run(steps=2).train()
    with pytest.raises(OptionError, match="another recipe"):
        run(objective_options={"temperature": 0.2}).resume()


@pytest.mark.parametrize("former", [{}, {"memory": {"vectors": torch.ones(3, 16), "tracks": torch.arange(3)}}])
def test_a_checkpoint_of_an_earlier_release_can_be_taken_up(run, former):
    made = run(steps=2)
    made.train()
    path = made.folder / "checkpoint.pt"
    state = read_checkpoint(path)
    del state["objective"]
    torch.save(state | former, path)
    resumed = run()
    assert resumed.resume()
    assert resumed.state()["objective"].keys() == former.get("memory", {}).keys()


def test_a_device_that_distorts_learns_the_same(run):
    losses = []
    for on_device in (False, True):
        told = []
        run(folder=str(on_device), distort_on_device=on_device, steps=3).train(progress=told.append, report_steps=1)
        losses.append([progress.loss for progress in told])
    assert losses[0][0] == pytest.approx(losses[1][0], rel=0.01)  # bfloat16 rounds at 2 ** -8
    assert losses[0] == pytest.approx(losses[1], rel=0.1)  # and the steps' small differences add up


def test_a_loss_that_is_no_number_ends_the_run_with_the_weights_of_before(run):
    made = run(learning_rate=1e30, warm_up_steps=0)
    with pytest.raises(EarmarkError, match=r"give a smaller learning_rate than 1e\+30"):
        made.train()
    state = read_checkpoint(made.folder / "checkpoint.pt")
    assert all(torch.isfinite(weight).all() for name, weight in state["encoder"].items() if name.endswith("weight"))


def test_when_a_worker_dies_what_was_learned_is_kept(run):
    def kill(progress) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)

    made = run(steps=200)
    with pytest.raises(EarmarkError, match="what was learned is kept"):
        made.train(progress=kill, report_steps=2)
    assert read_checkpoint(made.folder / "checkpoint.pt")["step"] >= 2


def test_too_little_music_is_said_before_anything_is_made(run, tmp_path):
    with pytest.raises(OptionError, match="each of another track"):
        run(batch=100)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["abacus", "cuda:77"])
def test_a_device_that_is_not_there_is_refused(run, name):
    with pytest.raises(OptionError, match="cannot be used"):
        run(device=name)
