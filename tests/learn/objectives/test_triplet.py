from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from earmark.errors import OptionError
from earmark.learn.objectives import make_objective
from earmark.learn.objectives.triplet import triplet_loss


def pairs(count: int, dimensions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors, and copies of them that are not far away."""
    generator = torch.Generator().manual_seed(count)
    anchors = torch.randn(count, dimensions, generator=generator)
    positives = anchors + 0.7 * torch.randn(count, dimensions, generator=generator)
    return functional.normalize(anchors, dim=1), functional.normalize(positives, dim=1)


def plain_loss(anchors, positives, margin, semi_hard):
    """The triplets one by one."""
    vectors, count, losses = np.concatenate([anchors, positives]), len(anchors), []
    for row, vector in enumerate(vectors):
        partner = (row + count) % (2 * count)
        near = ((vector - vectors[partner]) ** 2).sum()
        others = [((vector - vectors[k]) ** 2).sum() for k in range(2 * count) if k not in (row, partner)]
        fitting = [far for far in others if near < far < near + margin]
        negative = min(fitting) if semi_hard and fitting else min(others)
        losses.append(max(0.0, near - negative + margin))
    active = [loss for loss in losses if loss > 0]
    return np.mean(active) if active else 0.0


@pytest.mark.parametrize("semi_hard", [True, False])
@pytest.mark.parametrize("margin", [0.1, 0.5])
def test_the_loss_is_that_of_a_plain_loop(margin, semi_hard):
    anchors, positives = pairs(9, 6)
    found = triplet_loss(anchors, positives, margin=margin, semi_hard=semi_hard)
    wanted = plain_loss(anchors.double().numpy(), positives.double().numpy(), margin, semi_hard)
    assert float(found) == pytest.approx(wanted, rel=1e-4)


def test_triplets_that_are_right_do_not_dilute_the_others():
    axes = torch.eye(3)
    turned = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0.6, 0.8]])  # one of three is near another's
    distance = 2 - 2 * 0.6  # of the third copy to the second axis, and to its twin
    own = 2 - 2 * 0.8
    found = triplet_loss(axes, turned, margin=0.5, semi_hard=False)
    # the second axis and its copy (partner at 0) and the third axis (its nearest other at 2) and its copy
    losses = [0 - distance + 0.5] * 2 + [own - 2 + 0.5, own - distance + 0.5]
    assert float(found) == pytest.approx(np.mean([loss for loss in losses if loss > 0]))


def test_vectors_that_are_far_enough_apart_have_no_loss_and_a_gradient_of_zero():
    anchors = torch.eye(4).requires_grad_()
    loss = triplet_loss(anchors, torch.eye(4), margin=0.5, semi_hard=True)
    loss.backward()
    assert float(loss.detach()) == 0
    assert not anchors.grad.any()


@pytest.mark.parametrize("options", [{"margin": 0}, {"mining": "easy"}, {"temperature": 1}])
def test_senseless_options_are_refused(options):
    with pytest.raises(OptionError, match="correct the recipe"):
        make_objective("triplet", **options)
