"""What holds of every encoder with every objective: it trains, resumes, and is exported as it was learned."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import count, product

import numpy as np
import onnxruntime
import pytest
import torch
from msgspec.structs import replace

from earmark.learn import encoders, objectives
from earmark.learn.codes import Coded
from earmark.learn.export import export_onnx, quantise, read_metadata, read_trained
from earmark.learn.pairs import PairBatches
from earmark.learn.training import FingerprintRun
from earmark.learn.validation import Validation

ENCODERS = {
    "convolutional": {"widths": [4, 8], "blocks": [1, 1], "hidden": 8},
    "attention": {"widths": [8], "stride": 2, "divided": True},
    "separable": {"widths": [4, 8], "hidden": 8, "divided": False},
    "transformer": {"patch_frames": 2, "width": 16, "layers": 1, "heads": 2, "inner": 16, "divided": True},
    "recurrent": {"width": 8, "layers": 1, "pooled": 2, "hidden": 8},
}
OBJECTIVES = {
    "contrastive": {"memory": 12},
    "triplet": {},
    "balanced": {"bits": 6, "group_bits": 3, "recent": 12},
    "codebook": {"codewords": 6, "recent": 12},
}
STEPS, INTERRUPTED = 4, 2


class OneProcess(FingerprintRun):
    """A run that makes its batches itself: a process for each would take longer than to learn from them."""

    def batches(self):
        pairs = PairBatches(self._training_set, self.recipe)
        return nullcontext(pairs.pairs(number) for number in count(self.step))


@pytest.fixture(scope="module")
def short(recipe):
    """The tiny recipe for segments of an eighth of a second."""
    return replace(recipe, front_end={"bands": 16, "segment_frames": 4}, steps=STEPS, warm_up_steps=1)


@pytest.fixture(scope="module")
def validation(training_set, short):
    return Validation(training_set, short, queries=8)


@pytest.fixture
def run(short, training_set, validation, tmp_path):
    def make(encoder: str, objective: str, *, folder: str = "run") -> FingerprintRun:
        numbers = {
            "encoder": encoder,
            "encoder_options": ENCODERS[encoder] | {"dimensions": 16},
            "objective": objective,
            "objective_options": OBJECTIVES[objective],
        }
        return OneProcess(replace(short, **numbers), training_set, validation, folder=tmp_path / folder, device="cpu")

    return make


def interrupt(progress) -> None:
    if progress.step == INTERRUPTED:
        raise KeyboardInterrupt


def test_all_of_them_are_tried():
    assert set(ENCODERS) == set(encoders.NAMES)
    assert set(OBJECTIVES) == set(objectives.NAMES)


@pytest.mark.parametrize(("encoder", "objective"), list(product(ENCODERS, OBJECTIVES)))
def test_it_trains_and_an_interrupted_run_comes_to_the_same_weights(run, monkeypatch, encoder, objective):
    monkeypatch.setattr("earmark.learn.objectives.contrastive.MEMORY_AFTER_STEPS", 1)
    whole, first, second = (run(encoder, objective, folder=name) for name in ("whole", "parts", "parts"))
    before = {name: weight.clone() for name, weight in whole.network.named_parameters()}
    told = []
    whole.train(progress=told.append, report_steps=STEPS)
    assert np.isfinite(told[-1].loss)
    still = [name for name, weight in whole.network.named_parameters() if torch.equal(weight, before[name])]
    assert still == []
    with pytest.raises(KeyboardInterrupt):
        first.train(progress=interrupt, report_steps=1)
    assert second.resume()
    second.train()
    resumed = second.averaged.state_dict()
    for name, weight in whole.averaged.state_dict().items():
        assert torch.allclose(weight, resumed[name], atol=1e-6), name


@pytest.mark.parametrize(
    ("encoder", "objective"),  # test_export.py has the convolutional one, and codes are made of vectors, whosesoever
    [("attention", "triplet"), ("separable", "balanced"), ("transformer", "codebook"), ("recurrent", "contrastive")],
)
def test_every_exported_output_is_torchs_and_8_bits_change_little(run, validation, tmp_path, encoder, objective):
    made = run(encoder, objective)
    made.train()
    trained = read_trained(tmp_path / "run" / "checkpoint.pt")
    export_onnx(trained, tmp_path / "model.onnx")
    segments = validation.catalog.segments[:5, None]
    with torch.inference_mode():
        wanted = trained.network(torch.from_numpy(segments))
    session = onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes())
    assert [one.name for one in session.get_outputs()] == list(trained.network.outputs)
    found = session.run(None, {"segments": segments})
    for own, theirs in zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        assert np.allclose(own, theirs.numpy(), atol=1e-4)
    quantise(tmp_path / "model.onnx", tmp_path / "small.onnx", validation.catalog.segments[:64])
    small = onnxruntime.InferenceSession((tmp_path / "small.onnx").read_bytes()).run(
        ["vectors"], {"segments": segments}
    )
    assert (small[0] * found[0]).sum(axis=1).mean() > 0.98
    assert ("codes" in read_metadata(tmp_path / "model.onnx")) == isinstance(trained.network, Coded)
