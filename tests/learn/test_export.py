from __future__ import annotations

import dataclasses
import json

import numpy as np
import onnxruntime
import pytest
import torch
from msgspec.structs import replace

from earmark.errors import OptionError
from earmark.fingerprints.mel import LogMel
from earmark.learn.encoders import Encoder, make_encoder
from earmark.learn.export import Trained, export_models, export_onnx, quantise, read_metadata, read_trained
from earmark.learn.pairs import PairBatches
from earmark.learn.training import FingerprintRun
from earmark.learn.validation import Validation


@pytest.fixture(scope="module")
def checkpoint(recipe, training_set, tmp_path_factory):
    """Of a short run."""
    folder = tmp_path_factory.mktemp("run")
    FingerprintRun(
        replace(recipe, steps=12), training_set, Validation(training_set, recipe, queries=8), folder=folder
    ).train()
    return folder / "checkpoint.pt"


@pytest.fixture(scope="module")
def trained(checkpoint):
    return read_trained(checkpoint)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    export_onnx(trained, path, licence="CC0-1.0")
    return path


@pytest.fixture(scope="module")
def segments(training_set, recipe):
    pairs = PairBatches(training_set, recipe).pairs(50)
    return np.concatenate([pairs.anchors, pairs.positives])


def run(path, segments):
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return session.run(["vectors"], {"segments": segments[:, None]})[0]


def of_torch(trained, segments):
    with torch.inference_mode():
        return trained.network(torch.from_numpy(segments[:, None])).numpy()


@pytest.mark.parametrize("count", [1, 2, 16])
def test_it_gives_what_torch_gives_for_any_number_of_segments(exported, trained, segments, count):
    vectors = run(exported, segments[:count])
    assert vectors.shape == (count, 16)
    assert np.allclose(vectors, of_torch(trained, segments[:count]), atol=1e-4)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_weights_are_the_averaged_ones_or_the_last_ones(checkpoint, trained, segments):
    last = read_trained(checkpoint, averaged=False)
    state = torch.load(checkpoint, weights_only=True)
    for name, weight in last.network.state_dict().items():
        assert torch.equal(weight, state["encoder"][name])
    for name, weight in trained.network.state_dict().items():
        assert torch.equal(weight, state["average"][f"module.{name}"])


def test_the_file_says_what_it_is(exported, trained, recipe):
    said = read_metadata(exported)
    assert LogMel(**json.loads(said["front_end"])) == recipe.log_mel
    assert (said["recipe"], said["digest"], said["step"]) == ("tiny", recipe.digest, "12")
    assert (said["dimensions"], said["licence"], said["precision"]) == ("16", "CC0-1.0", "float32")
    assert len(said["sha256"]) == 64
    session = onnxruntime.InferenceSession(exported.read_bytes())
    assert session.get_modelmeta().custom_metadata_map == said
    assert session.get_inputs()[0].shape == ["n", 1, 64, 32]
    assert session.get_outputs()[0].shape == ["n", 16]


def test_the_same_weights_make_the_same_file_which_tells_nothing_of_this_machine(exported, trained, tmp_path):
    export_onnx(trained, tmp_path / "again.onnx", licence="CC0-1.0")
    content = exported.read_bytes()
    assert (tmp_path / "again.onnx").read_bytes() == content
    assert b"site-packages" not in content
    assert b".py" not in content


@pytest.mark.parametrize("reduce_range", [True, False])
def test_in_8_bits_vectors_stay_nearly_the_same(exported, trained, segments, tmp_path, reduce_range):
    small = tmp_path / "small.onnx"
    quantise(exported, small, segments, reduce_range=reduce_range)
    vectors = run(small, segments)
    assert (vectors * of_torch(trained, segments)).sum(axis=1).min() > 0.99
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    said = read_metadata(small)
    assert said.pop("precision") == ("int8 with 7-bit weights" if reduce_range else "int8")
    assert said == {name: value for name, value in read_metadata(exported).items() if name != "precision"}


def test_a_large_model_is_smaller_in_8_bits(recipe, segments, tmp_path):
    network = make_encoder("convolutional", bands=64, frames=32, widths=[8, 64], blocks=[1, 1]).eval()
    export_onnx(Trained(network, recipe, "", 0), tmp_path / "whole.onnx")
    quantise(tmp_path / "whole.onnx", tmp_path / "small.onnx", segments)
    assert (tmp_path / "small.onnx").stat().st_size < 0.3 * (tmp_path / "whole.onnx").stat().st_size


def test_another_front_end_is_written_with_the_model(recipe, tmp_path):
    shape = {"bands": 32, "segment_frames": 16}
    network = make_encoder("convolutional", bands=32, frames=16, widths=[4], blocks=[1], dimensions=8).eval()
    other = replace(recipe, front_end=shape)
    export_onnx(Trained(network, other, "", 0), tmp_path / "model.onnx")
    assert json.loads(read_metadata(tmp_path / "model.onnx")["front_end"]) == dataclasses.asdict(other.log_mel)


def test_what_is_no_checkpoint_cannot_be_exported(tmp_path):
    (tmp_path / "checkpoint.pt").write_text("weights")
    with pytest.raises(OptionError, match="is no checkpoint"):
        read_trained(tmp_path / "checkpoint.pt")


def test_models_cannot_be_made_of_a_run_that_is_not_there(training_set, tmp_path):
    with pytest.raises(OptionError, match="train first"):
        export_models(tmp_path / "checkpoint.pt", training_set, tmp_path)


class TwoOutputs(Encoder):
    """Vectors and their signs."""

    outputs = ("vectors", "codes")

    def __init__(self, inner: Encoder) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, segments):
        vectors = self.inner(segments)
        return vectors, (vectors > 0).float()


def test_every_output_of_an_encoder_has_its_name(recipe, segments, tmp_path):
    network = TwoOutputs(make_encoder("convolutional", bands=64, frames=32, widths=[4], blocks=[1], dimensions=8))
    trained = Trained(network.eval(), recipe, "", 0)
    export_onnx(trained, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes())
    assert [one.name for one in session.get_outputs()] == ["vectors", "codes"]
    vectors, codes = session.run(["vectors", "codes"], {"segments": segments[:, None]})
    assert np.array_equal(codes, vectors > 0)
    assert read_metadata(tmp_path / "model.onnx")["dimensions"] == "8"
