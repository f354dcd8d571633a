from __future__ import annotations

import numpy as np
import torch

from earmark.learn.encoders.head import SLICE_HIDDEN, DivideAndEncode


def elu(values):
    return np.where(values > 0, values, np.expm1(values))


def test_it_is_as_many_small_networks_as_dimensions():
    torch.manual_seed(0)
    dimensions, each = 128, 6
    head = DivideAndEncode(dimensions * each, dimensions)
    features = torch.randn(3, dimensions * each)
    inner, outer = (layer.weight.detach().double().numpy()[:, :, 0] for layer in (head.inner, head.outer))
    inner_bias, outer_bias = (layer.bias.detach().double().numpy() for layer in (head.inner, head.outer))
    wanted = np.empty((3, dimensions))
    for number in range(dimensions):
        part = features.double().numpy()[:, number * each : (number + 1) * each]
        rows = slice(number * SLICE_HIDDEN, (number + 1) * SLICE_HIDDEN)
        hidden = elu(part @ inner[rows].T + inner_bias[rows])
        wanted[:, number] = hidden @ outer[number] + outer_bias[number]
    assert np.allclose(head(features).detach().numpy(), wanted, atol=1e-5)


def test_a_number_depends_on_its_own_slice_alone():
    head = DivideAndEncode(8 * 4, 8)
    features = torch.randn(1, 8 * 4)
    changed = features.clone()
    changed[0, 3 * 4 : 4 * 4] += 1
    moved = (head(features) != head(changed))[0]
    assert moved.tolist() == [number == 3 for number in range(8)]
