"""What every encoder promises, whatever network it is."""

from __future__ import annotations

import pytest
import torch

from earmark.errors import OptionError
from earmark.learn.encoders import NAMES, make_encoder

BANDS, FRAMES, DIMENSIONS = 16, 24, 16
SMALL = {
    "convolutional": {"widths": [4, 8], "blocks": [1, 1], "hidden": 16},
    "convolutional, divided": {"widths": [4, 8], "blocks": [1, 1], "divided": True},
    "attention": {"widths": [4, 8, 16]},
    "attention, not divided": {"widths": [4, 8, 16], "stride": 2, "hidden": 16, "divided": False},
    "separable": {"widths": [4, 8, 16]},
    "separable, not divided": {"widths": [4, 8, 16, 32, 64], "hidden": 16, "divided": False},
    "transformer": {"width": 16, "layers": 2, "heads": 2, "inner": 16, "hidden": 16},
    "transformer, divided": {"patch_frames": 7, "width": 16, "layers": 1, "heads": 1, "divided": True},
    "recurrent": {"width": 8, "hidden": 16},
    "recurrent, divided": {"width": 8, "pooled": 5, "divided": True},
}


@pytest.fixture(params=SMALL)
def make(request):
    def made(**options):
        torch.manual_seed(5)
        name = request.param.partition(",")[0]
        settings = SMALL[request.param] | {"dimensions": DIMENSIONS} | options
        return make_encoder(name, bands=BANDS, frames=FRAMES, **settings)

    return made


@pytest.fixture
def segments():
    return torch.randn(6, 1, BANDS, FRAMES, generator=torch.Generator().manual_seed(1))


def test_all_encoders_are_tried():
    assert {name.partition(",")[0] for name in SMALL} == set(NAMES)


def test_segments_become_vectors_of_length_1(make, segments):
    vectors = make().eval()(segments)
    assert vectors.shape == (len(segments), DIMENSIONS)
    assert vectors.dtype == torch.float32
    assert torch.allclose(vectors.norm(dim=1), torch.ones(len(segments)), atol=1e-5)


def test_a_vector_does_not_depend_on_its_batch(make, segments):
    encoder = make().eval()
    together = encoder(segments)
    alone = torch.cat([encoder(one[None]) for one in segments])
    assert torch.allclose(together, alone, atol=1e-5)


def test_different_segments_have_different_vectors(make, segments):
    vectors = make().train()(segments)
    assert (vectors @ vectors.T - torch.eye(len(segments))).max() < 1


def test_silence_has_a_vector_of_numbers(make):
    assert torch.isfinite(make().eval()(torch.zeros(2, 1, BANDS, FRAMES))).all()


def test_every_weight_is_learned(make, segments):
    encoder = make().train()
    (encoder(segments) * torch.randn(len(segments), DIMENSIONS)).sum().backward()
    still = [name for name, weight in encoder.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []


def test_half_precision_gives_float32_vectors_near_those_of_full(make, segments):
    encoder = make().eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        vectors = encoder(segments)
    assert vectors.dtype == torch.float32
    assert (vectors * encoder(segments)).sum(dim=1).min() > 0.99


def test_weights_are_those_of_the_seed_and_can_be_given_to_another(make, segments):
    first, second = make().eval(), make().eval()
    assert torch.equal(first(segments), second(segments))
    torch.manual_seed(6)
    for weight in second.parameters():
        torch.nn.init.normal_(weight)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(segments), second(segments))


def test_an_option_it_does_not_have_is_refused(make):
    with pytest.raises(OptionError, match=r"depth.*correct the recipe"):
        make(depth=3)


def test_an_encoder_that_is_not_known_is_refused():
    with pytest.raises(OptionError, match="choose one of convolutional, attention"):
        make_encoder("foundation", bands=BANDS, frames=FRAMES)
