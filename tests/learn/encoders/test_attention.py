from __future__ import annotations

import numpy as np
import pytest
import torch

from earmark.learn.encoders.attention import Attention, AttentiveBlock, SpectroTemporalAttention

TABLE = [(32, 64, 96), (64, 32, 48), (128, 16, 24), (256, 8, 12), (512, 4, 6), (1024, 2, 3)]


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return Attention(bands=64, frames=96).eval()


def test_the_maps_have_the_talks_sizes(encoder):
    sizes, features = [], []
    hooks = [encoder.front.register_forward_hook(lambda module, given, made: sizes.append(made.shape[1:]))]
    hooks += [
        block.register_forward_hook(lambda module, given, made: sizes.append(made.shape[1:]))
        for block in encoder.blocks
    ]
    hooks.append(encoder.head.register_forward_hook(lambda module, given, made: features.append(given[0].shape[1])))
    vectors = encoder(torch.randn(2, 1, 64, 96))
    for hook in hooks:
        hook.remove()
    assert [tuple(size) for size in sizes] == [(32, 64, 96), *TABLE]
    assert features == [6_144]
    assert vectors.shape == (2, 128)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2))


def test_it_has_the_talks_number_of_parameters(encoder):
    assert sum(one.numel() for one in encoder.parameters()) == pytest.approx(19.9e6, rel=0.01)


def softmax(values):
    powers = np.exp(values)
    return powers / powers.sum()


def test_attention_is_the_papers_formula():
    torch.manual_seed(1)
    attention = SpectroTemporalAttention(3, (5, 7))
    maps = torch.randn(2, 3, 5, 7)
    spectral, temporal = (one.detach().double().numpy() for one in (attention.spectral, attention.temporal))
    wanted = np.empty((2, 3, 5, 7))
    for clip in range(2):
        for channel in range(3):
            x = maps[clip, channel].double().numpy()
            bands = softmax(
                np.array([np.tanh(sum(x[f, t] * spectral[channel, t] for t in range(7))) for f in range(5)])
            )
            times = softmax(
                np.array([np.tanh(sum(x[f, t] * temporal[channel, f] for f in range(5))) for t in range(7)])
            )
            wanted[clip, channel] = x * 100 * np.outer(bands, times)
    assert np.allclose(attention(maps).detach().numpy(), wanted, atol=1e-5)


def test_a_block_of_stride_1_adds_its_input_itself():
    block = AttentiveBlock(4, 4, (6, 6), stride=1).eval()
    assert isinstance(block.shortcut, torch.nn.Identity)
    assert block(torch.randn(1, 4, 6, 6)).shape == (1, 4, 6, 6)
    assert AttentiveBlock(4, 8, (3, 3), stride=2).eval()(torch.randn(1, 4, 6, 6)).shape == (1, 8, 3, 3)
