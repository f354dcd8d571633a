from __future__ import annotations

import pytest
import torch
from msgspec.structs import replace

from earmark.errors import EarmarkError, OptionError
from earmark.learn.checkpoint import read_checkpoint
from earmark.learn.pairs import TrainingSet
from earmark.learn.salience.references import find_references
from earmark.learn.salience.training import SalienceRun, SalienceValidation


@pytest.fixture(scope="module")
def validation(training_set, sounds, music, recipe, tmp_path_factory):
    known = TrainingSet(sounds.only([str(path) for path in music[:3]]), None, None, training_set.rooms, ())
    return SalienceValidation(
        known, find_references(known.music, recipe, folder=tmp_path_factory.mktemp("known")), recipe, clips=48
    )


@pytest.fixture
def run(recipe, training_set, references, validation, tmp_path):
    """run(folder="run", ...) returns a run of the tiny recipe; what is given beside replaces its numbers."""

    def make(*, folder: str = "run", device: str | None = None, **numbers) -> SalienceRun:
        made = replace(recipe, **numbers)
        return SalienceRun(made, training_set, references, validation, folder=tmp_path / folder, device=device)

    return make


def test_it_learns_and_says_how_it_goes(run):
    told = []
    learned = run(steps=60)
    untaught = learned.validate()
    learned.train(progress=told.append, report_steps=10, validate_steps=30)
    assert [progress.step for progress in told] == [10, 20, 30, 40, 50, 60]
    assert told[-1].loss < 0.6 * told[0].loss
    assert told[0].hit_rate is None
    assert told[-1].hit_rate > max(untaught, 0.2)  # of about a thousand windows one is right
    state = read_checkpoint(learned.folder / "checkpoint.pt", recipe=learned.recipe)
    assert (state["step"], state["hit_rate"]) == (60, told[-1].hit_rate)
    assert read_checkpoint(learned.folder / "stable.pt")["step"] == 36  # where the last 40 % begin
    assert list((learned.folder / "logs").glob("events.*"))


def test_a_run_that_was_interrupted_comes_to_the_same_weights(run):
    def interrupt(progress) -> None:
        raise KeyboardInterrupt

    whole, first, second = run(steps=12), run(steps=12, folder="parts"), run(steps=12, folder="parts")
    assert not whole.resume()
    whole.train()
    with pytest.raises(KeyboardInterrupt):
        first.train(progress=interrupt, report_steps=5)
    assert second.resume()
    assert second.step == 5
    second.train()
    states = [read_checkpoint(one.folder / "checkpoint.pt") for one in (whole, second)]
    for part in ("average", "objective"):
        for name, weights in states[0][part].items():
            assert torch.allclose(weights, states[1][part][name], atol=1e-5), name


def test_validation_has_clips_of_music_that_is_not_learned_from(validation):
    assert sum(len(batch.contrasts) for batch in validation.batches) == 48
    assert {len(batch.windows) for batch in validation.batches} == {3 + 3 + 990}


def test_a_checkpoint_of_another_recipe_is_refused(run):
    run(steps=2).train()
    with pytest.raises(OptionError, match="another recipe"):
        run(steps=2, other_windows=7).resume()


def test_a_loss_that_is_no_number_ends_the_run_with_the_weights_of_before(run):
    made = run(learning_rate=1e30, warm_up_steps=0)
    with pytest.raises(EarmarkError, match=r"give a smaller learning_rate than 1e\+30"):
        made.train()
    state = read_checkpoint(made.folder / "checkpoint.pt")
    assert all(torch.isfinite(weights).all() for name, weights in state["encoder"].items() if name.endswith("weight"))


def test_too_little_music_is_said_before_anything_is_made(run, tmp_path):
    with pytest.raises(OptionError, match="each of another track"):
        run(batch=100)
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_refused(run):
    with pytest.raises(OptionError, match="cannot be used"):
        run(device="abacus")
