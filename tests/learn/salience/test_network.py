from __future__ import annotations

import pytest
import torch

from earmark.learn.salience.network import SalienceNetwork

REACH_FRAMES = 48  # of the paths through the coarsest grid, to each side


@pytest.fixture(scope="module")
def network() -> SalienceNetwork:
    torch.manual_seed(3)
    return SalienceNetwork((4, 6, 8)).eval()


@pytest.mark.parametrize(("clips", "frames", "bins"), [(1, 8, 16), (2, 64, 496), (3, 40, 32)])
def test_each_place_has_a_logit(network, clips, frames, bins):
    with torch.inference_mode():
        assert network(torch.randn(clips, 2, frames, bins)).shape == (clips, frames, bins)


def test_the_shipped_size_is_small_enough_for_every_clip():
    assert sum(weights.numel() for weights in SalienceNetwork().parameters()) == 107_520


def test_before_it_has_learned_a_peak_is_rare(network):
    with torch.inference_mode():
        assert torch.sigmoid(network(torch.randn(1, 2, 64, 64))).mean() < 0.02


def test_a_logit_stands_where_its_place_is():
    """Trained on single loud places, the full-resolution path alone learns which of the eight under one it is."""
    torch.manual_seed(0)
    network = SalienceNetwork((4, 4, 4))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        wanted = (torch.rand(4, 16, 32) < 0.05).float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(torch.stack([wanted, wanted], dim=1) * 4), wanted
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    seen = torch.zeros(1, 2, 16, 32)
    seen[0, :, 5, 19] = 4
    with torch.inference_mode():
        assert int(network.eval()(seen).argmax()) == 5 * 32 + 19


def test_a_place_does_not_depend_on_frames_far_away(network):
    seen = torch.randn(1, 2, 160, 64)
    changed = seen.clone()
    changed[:, :, 120:] = torch.randn(1, 2, 40, 64)
    with torch.inference_mode():
        one, other = network(seen), network(changed)
    assert torch.equal(one[:, : 120 - REACH_FRAMES], other[:, : 120 - REACH_FRAMES])
    assert not torch.allclose(one[:, 118:120], other[:, 118:120])
