from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
import torch
from msgspec.structs import replace

from earmark.audio.stft import FrontEnd
from earmark.errors import OptionError
from earmark.fingerprints.salience import HIGHEST, STEPS, SalienceNet, contrast_features
from earmark.learn.export import Trained, read_metadata, read_trained
from earmark.learn.salience.export import SalienceModel, export_salience, read_trained_salience
from earmark.learn.salience.network import SalienceNetwork
from earmark.learn.salience.training import SalienceRun, SalienceValidation


@pytest.fixture(scope="module")
def checkpoint(recipe, training_set, references, tmp_path_factory):
    """Of a run of seconds."""
    folder = tmp_path_factory.mktemp("run")
    validation = SalienceValidation(training_set, references, recipe, clips=6)
    SalienceRun(recipe, training_set, references, validation, folder=folder).train()
    return folder / "checkpoint.pt"


@pytest.fixture(scope="module")
def trained(checkpoint):
    return read_trained_salience(checkpoint)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "relief.onnx"
    export_salience(trained, path, licence="CC0-1.0")
    return path


def spectra(*shape):
    """Log power like that of noise."""
    return np.log(np.random.default_rng(8).exponential(size=shape)).astype(np.float32) - 3


@pytest.mark.parametrize(("clips", "frames"), [(1, 8), (1, 320), (3, 64)])
def test_it_gives_what_torch_gives_for_any_number_of_clips_and_frames(exported, trained, clips, frames):
    seen = contrast_features(spectra(clips, frames, 496))
    session = onnxruntime.InferenceSession(exported.read_bytes(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["relief"], {"contrasts": seen})
    with torch.inference_mode():
        logits = trained.network.network(torch.from_numpy(seen))
        wanted = torch.nn.functional.softplus(logits + trained.network.offset).numpy()
    assert found.shape == (clips, frames, 496)
    assert np.allclose(found, wanted, atol=1e-4)


def test_what_is_exported_is_averaged(checkpoint, trained):
    state = torch.load(checkpoint, weights_only=True)
    for name, weights in trained.network.network.state_dict().items():
        assert torch.equal(weights, state["average"][f"module.{name}"])
    assert trained.network.offset == state["objective"]["offset"]


@pytest.mark.parametrize("frames", [1, 63, 200])
def test_a_query_gets_its_salience_map_by_it(exported, trained, frames):
    learned = SalienceNet(exported)
    assert learned.front_end == FrontEnd(8_000, 1_024, 125, 4, 500) == trained.recipe.spectrum
    log_power = spectra(frames, 496)
    found = learned(log_power)
    assert found.shape == log_power.shape
    padded = np.pad(log_power, ((0, -frames % 8), (0, 0)), mode="edge")
    with torch.inference_mode():
        nepers = trained.network(torch.from_numpy(contrast_features(padded)[None]))[0].numpy()[:frames]
    assert np.abs(found - np.clip(nepers * STEPS, 0, HIGHEST)).max() <= 0.5 + 1e-3


def test_the_file_says_what_it_is(exported, recipe):
    said = read_metadata(exported)
    assert json.loads(said["front_end"]) == {"rate": 8000, "window": 1024, "hop": 125, "low_bin": 4, "high_bin": 500}
    assert (said["recipe"], said["digest"], said["step"]) == ("tiny", recipe.digest, "20")
    assert (said["licence"], said["precision"], len(said["sha256"])) == ("CC0-1.0", "float32", 64)


def test_the_same_weights_make_the_same_file_which_tells_nothing_of_this_machine(exported, trained, tmp_path):
    export_salience(trained, tmp_path / "again.onnx", licence="CC0-1.0")
    content = exported.read_bytes()
    assert (tmp_path / "again.onnx").read_bytes() == content
    assert b"site-packages" not in content
    assert b".py" not in content


def test_another_band_can_be_exported(recipe, tmp_path):
    narrow = replace(recipe, front_end={"high_bin": 4 + 64})
    model = SalienceModel(SalienceNetwork((4, 4, 4)), 4.0).eval()
    export_salience(Trained(model, narrow, narrow.digest, 0), tmp_path / "narrow.onnx")
    assert SalienceNet(tmp_path / "narrow.onnx")(spectra(16, 64)).shape == (16, 64)


def test_a_salience_network_is_no_encoder_and_the_other_way_round(checkpoint, tmp_path):
    with pytest.raises(OptionError, match="a run that learned something else"):
        read_trained(checkpoint)
    (tmp_path / "checkpoint.pt").write_text("weights")
    with pytest.raises(OptionError, match="is no checkpoint"):
        read_trained_salience(tmp_path / "checkpoint.pt")
