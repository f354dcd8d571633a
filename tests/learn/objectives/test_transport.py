from __future__ import annotations

import numpy as np
import torch

from earmark.learn.objectives.transport import Recent, balanced_targets


def scores(rows: int = 24, clusters: int = 6) -> torch.Tensor:
    """Most rows would choose the first cluster."""
    drawn = torch.rand(rows, clusters, generator=torch.Generator().manual_seed(4)) - 0.5
    drawn[:, 0] += 0.4
    return drawn


def test_rows_sum_to_1_and_columns_to_equal_shares():
    found = balanced_targets(scores(), rounds=200)
    assert torch.allclose(found.sum(dim=1), torch.ones(24))
    assert torch.allclose(found.sum(dim=0), torch.full((6,), 4.0), atol=1e-3)
    assert torch.bincount(scores().argmax(dim=1), minlength=6).max() > 8


def test_it_is_the_best_of_all_balanced_assignments_when_entropy_weighs_little():
    few = scores(4, 2)
    choices = [rows for rows in np.ndindex(2, 2, 2, 2) if sum(rows) == 2]  # two rows in each cluster
    best = max(choices, key=lambda rows: sum(float(few[row, column]) for row, column in enumerate(rows)))
    found = balanced_targets(few, epsilon=0.005, rounds=300)
    assert found.argmax(dim=1).tolist() == list(best)


def test_a_cluster_that_is_far_from_all_rows_gets_its_share_and_no_nan():
    far = torch.cat([torch.ones(8, 1), -torch.ones(8, 1)], dim=1)
    found = balanced_targets(far)
    assert torch.allclose(found, torch.full((8, 2), 0.5))


def test_the_newest_pairs_are_kept_side_by_side():
    recent = Recent(3)
    first, second = torch.arange(4.0).reshape(2, 2), torch.arange(4.0, 8).reshape(2, 2)
    assert torch.equal(recent.behind(0, first), first)
    recent.remember(first, -first)
    recent.remember(second, -second)
    assert torch.equal(recent.behind(1, first), torch.cat([first, -second, -first[:1]]))
    other = Recent(3)
    other.restore(recent.state())
    assert torch.equal(other.behind(0, first), recent.behind(0, first))
