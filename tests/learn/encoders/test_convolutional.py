from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from earmark.errors import OptionError
from earmark.learn.encoders import make_encoder
from earmark.learn.encoders.convolutional import Convolutional, ResidualBlock
from earmark.learn.encoders.head import DivideAndEncode


def test_each_stage_halves_both_sides():
    encoder = Convolutional(bands=64, frames=32, widths=(8, 16, 32, 64), blocks=(1, 2, 1, 1)).eval()
    sizes = []
    for layer in encoder.body:
        if isinstance(layer, ResidualBlock):
            layer.register_forward_hook(lambda module, given, made: sizes.append(tuple(made.shape[1:])))
    assert encoder(torch.randn(3, 1, 64, 32)).shape == (3, 128)
    assert sizes == [(8, 32, 16), (16, 16, 8), (16, 16, 8), (32, 8, 4), (64, 4, 2)]


def test_the_shipped_shape_is_small():
    encoder = Convolutional(bands=64, frames=32)
    assert sum(one.numel() for one in encoder.parameters()) < 2.5e6


def test_widths_and_blocks_go_together():
    with pytest.raises(OptionError, match="correct the recipe"):
        make_encoder("convolutional", bands=64, frames=32, widths=(8, 16), blocks=(1,))


def test_a_divided_head_is_divide_and_encode():
    encoder = Convolutional(bands=16, frames=16, widths=(8, 16), blocks=(1, 1), dimensions=16, divided=True)
    assert isinstance(encoder.head, DivideAndEncode)


def test_a_block_is_two_convolutions_beside_a_shortcut():
    torch.manual_seed(0)
    block = ResidualBlock(4, 4, stride=1).eval()
    maps = torch.randn(1, 4, 5, 5)
    inner = functional.relu(functional.conv2d(maps, block.first.weight, padding=1) / (1 + 1e-5) ** 0.5)
    wanted = functional.relu(functional.conv2d(inner, block.second.weight, padding=1) / (1 + 1e-5) ** 0.5 + maps)
    assert torch.allclose(block(maps), wanted, atol=1e-5)
