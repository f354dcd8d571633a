"""Training by one call, without the command line."""

from __future__ import annotations

import os

import onnxruntime
import pytest
import torch

from earmark.errors import OptionError
from earmark.learn import prepare, train
from earmark.learn.recipe import FingerprintRecipe, Rooms
from earmark.learn.salience.recipe import SalienceRecipe
from earmark.learn.salience.training import SalienceRun
from earmark.learn.task import find_recipe, make_task

ROOMS = Rooms(count=2, t60_seconds=(0.1, 0.2))
TINY = FingerprintRecipe(
    name="tiny", batch=4, steps=6, warm_up_steps=2, validation_share=0.4, rooms=ROOMS,
    encoder_options={"widths": [4], "blocks": [1], "hidden": 8, "dimensions": 8},
)  # fmt: skip
TINY_SALIENCE = SalienceRecipe(
    name="tiny", batch=4, steps=3, clip_frames=16, widths=(4, 4, 4), other_windows=8, validation_share=0.4, rooms=ROOMS
)


@pytest.fixture
def data(music, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for path in music[:9]:
        (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(autouse=True)
def as_many_threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_recordings_become_models_by_one_call(data, tmp_path):
    reports, stages = [], set()
    whole, small = train(
        data, tmp_path / "run", TINY, device="cpu", workers=1, licence="CC0-1.0", progress=reports.append,
        tell=lambda stage, done, total: stages.add(stage),
    )  # fmt: skip
    assert (whole.name, small.name) == ("model.onnx", "model-int8.onnx")
    assert reports[-1].step == 6
    assert stages == {"decoding music", "making rooms"}
    said = onnxruntime.InferenceSession(whole).get_modelmeta().custom_metadata_map
    assert (said["recipe"], said["licence"], said["step"]) == ("tiny", "CC0-1.0", "6")
    assert torch.get_num_threads() == max((os.cpu_count() or 1) - 1, 1)


def test_a_run_goes_on_only_if_that_is_asked_for(data, tmp_path):
    prepare(data, tmp_path / "run", TINY, device="cpu").run.train()
    with pytest.raises(OptionError, match="holds a run that came to step 6"):
        prepare(data, tmp_path / "run", TINY, device="cpu")
    longer = prepare(data, tmp_path / "run", TINY, steps=8, resume=True, device="cpu")
    assert (longer.run.step, longer.recipe.steps) == (6, 8)
    with pytest.raises(OptionError, match="another recipe than tiny"):
        prepare(data, tmp_path / "run", TINY_SALIENCE, resume=True, device="cpu")


def test_a_salience_recipe_becomes_a_salience_run(data, tmp_path):
    stages = []
    training = prepare(
        data, tmp_path / "run", TINY_SALIENCE, device="cpu", tell=lambda stage, done, total: stages.append(stage)
    )
    assert isinstance(training.run, SalienceRun)
    assert {"finding peaks to learn", "finding peaks to validate"} < set(stages)
    training.run.train()
    (model,) = training.export()
    assert [one.name for one in onnxruntime.InferenceSession(model).get_inputs()] == ["contrasts"]


def test_a_recipe_names_its_task(tmp_path):
    assert find_recipe("talk")[1].task == "vectors"
    assert find_recipe("salience")[1] == find_recipe("relief")[1]
    (tmp_path / "own.toml").write_text('name = "own"\ntask = "cooking"\n')
    with pytest.raises(OptionError, match="task 'cooking' is not known: choose one of vectors, salience"):
        find_recipe(tmp_path / "own.toml")
    with pytest.raises(OptionError, match="is not known"):
        make_task("cooking")
