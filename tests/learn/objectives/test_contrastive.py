from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from earmark.learn.objectives.contrastive import Memory, contrastive_loss


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def plain_loss(anchors, positives, temperature, others=None, allowed=None):
    """NT-Xent term by term: each of the 2 b vectors against its partner and all that is not itself."""
    rows, losses = len(anchors), []
    for side, partners in ((anchors, positives), (positives, anchors)):
        for row in range(rows):
            likeness = [side[row] @ partner / temperature for partner in partners]
            likeness += [side[row] @ side[other] / temperature for other in range(rows) if other != row]
            if others is not None:
                likeness += [side[row] @ others[k] / temperature for k in range(len(others)) if allowed[row, k]]
            losses.append(np.log(np.sum(np.exp(likeness))) - likeness[row])
    return np.mean(losses)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_the_loss_is_that_of_a_plain_loop(temperature):
    anchors, positives = unit(6, 16), unit(6, 16, seed=1)
    found = contrastive_loss(anchors, positives, temperature=temperature)
    wanted = plain_loss(anchors.double().numpy(), positives.double().numpy(), temperature)
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_other_vectors_count_against_a_pair_where_they_may():
    anchors, positives, others = unit(4, 8), unit(4, 8, seed=1), unit(5, 8, seed=2)
    allowed = torch.rand(4, 5, generator=torch.Generator().manual_seed(3)) > 0.4
    found = contrastive_loss(anchors, positives, temperature=0.2, others=others, allowed=allowed)
    arrays = (one.double().numpy() for one in (anchors, positives))
    assert float(found) == pytest.approx(plain_loss(*arrays, 0.2, others.double().numpy(), allowed.numpy()), rel=1e-5)
    none = torch.zeros(4, 5, dtype=torch.bool)
    without = contrastive_loss(anchors, positives, temperature=0.2)
    assert contrastive_loss(anchors, positives, temperature=0.2, others=others, allowed=none) == without


def test_values_worked_by_hand():
    axes = torch.eye(2)
    # each vector meets its partner (e to the 1) and two that are at right angles (1 each)
    assert float(contrastive_loss(axes, axes, temperature=1.0)) == pytest.approx(np.log(np.e + 2) - 1)
    # partners exchanged: the own partner is at a right angle, the other one alike
    assert float(contrastive_loss(axes, axes.flip(0), temperature=1.0)) == pytest.approx(np.log(np.e + 2))
    # all four the same: one of three
    assert float(contrastive_loss(torch.ones(2, 1), torch.ones(2, 1), temperature=0.05)) == pytest.approx(np.log(3))


def test_the_loss_pulls_partners_together():
    anchors, positives = unit(8, 4), unit(8, 4, seed=1).requires_grad_()
    contrastive_loss(anchors, positives, temperature=0.1).backward()
    nearer = functional.normalize(positives - 0.01 * positives.grad, dim=1)
    assert (anchors * nearer).sum() > (anchors * positives).sum()


def test_a_new_memory_recalls_nothing():
    assert Memory(8, alike=0.7).recall(unit(2, 4), torch.tensor([0, 1])) == (None, None)


def test_a_memory_keeps_the_newest():
    memory, first, second = Memory(5, alike=0.7), unit(3, 4), unit(3, 4, seed=1)
    memory.remember(first, torch.tensor([0, 1, 2]))
    memory.remember(second, torch.tensor([3, 4, 5]))
    vectors, allowed = memory.recall(unit(1, 4, seed=2), torch.tensor([9]))
    assert torch.equal(vectors, torch.cat([second, first[:2]]))
    assert allowed.shape == (1, 5)


def test_only_what_is_of_the_same_track_and_alike_is_no_negative():
    memory = Memory(4, alike=0.7)
    memory.remember(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), torch.tensor([1, 1, 2]))
    _, allowed = memory.recall(torch.tensor([[0.9, (1 - 0.81) ** 0.5]]), torch.tensor([1]))
    #                        same track, alike; same track, unlike; another track, alike
    assert allowed.tolist() == [[False, True, True]]


def test_a_memory_of_no_size_remembers_nothing():
    memory = Memory(0, alike=0.7)
    memory.remember(unit(3, 4), torch.arange(3))
    assert memory.recall(unit(3, 4), torch.arange(3)) == (None, None)


def test_what_is_remembered_has_no_gradient():
    memory = Memory(4, alike=0.7)
    memory.remember(unit(2, 4).requires_grad_() * 1, torch.arange(2))
    vectors, _ = memory.recall(unit(1, 4), torch.arange(1))
    assert not vectors.requires_grad


def test_a_restored_memory_recalls_the_same():
    memory, other = Memory(4, alike=0.7), Memory(4, alike=0.7)
    other.restore(memory.state())
    assert other.recall(unit(1, 4), torch.arange(1)) == (None, None)
    memory.remember(unit(3, 4), torch.arange(3))
    other.restore(memory.state())
    assert torch.equal(other.recall(unit(1, 4), torch.arange(1))[0], unit(3, 4))
