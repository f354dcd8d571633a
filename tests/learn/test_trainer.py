from __future__ import annotations

import pytest
import torch

from earmark.learn.trainer import Average


def test_an_average_begins_with_the_later_half_and_then_forgets_evenly():
    average_weights = Average(most=0.998, early=3)
    average = [torch.zeros(1)]
    for count, value in enumerate([1.0, 2.0], start=1):
        average_weights(average, [torch.tensor([value])], torch.tensor(count))
    assert float(average[0]) == pytest.approx(0.6 * 0.5 + 0.4 * 2)  # worked by hand: 2 / 4 and 3 / 5 are kept
    for count in range(3, 300):
        average_weights(average, [torch.tensor([float(count)])], torch.tensor(count))
    assert float(average[0]) == pytest.approx(2 / 3 * 300, rel=0.01)
    late = [torch.zeros(1)]
    average_weights(late, [torch.ones(1)], torch.tensor(5_000))
    assert float(late[0]) == pytest.approx(1 - average_weights.most)


def test_the_earlier_it_forgets_the_less_the_beginning_counts():
    averages = [torch.zeros(1)], [torch.zeros(1)]
    for early, average in zip((3, 10), averages, strict=True):
        for count in range(1, 100):
            Average(most=0.995, early=early)(average, [torch.tensor([float(count)])], torch.tensor(count))
    assert float(averages[0][0]) == pytest.approx(2 / 3 * 100, rel=0.02)
    assert float(averages[1][0]) == pytest.approx(9 / 10 * 100, rel=0.02)
