from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import OptionError
from earmark.evaluation.metrics import (
    Share,
    first_rank,
    mean_reciprocal_rank,
    recall_at,
    reliability,
    threshold_at,
    wilson_interval,
)


def test_recall_counts_queries_whose_right_candidate_is_among_the_first():
    ranks = [1, 2, 0, 5, 1]
    assert [recall_at(ranks, k).hits for k in (1, 2, 5)] == [2, 3, 4]
    assert recall_at(ranks, 1).value == 0.4


def test_reciprocal_ranks_are_averaged_with_nothing_for_what_was_not_found():
    assert mean_reciprocal_rank([1, 2, 0, 4]) == pytest.approx((1 + 1 / 2 + 0 + 1 / 4) / 4)


def test_the_rank_is_that_of_the_first_right_one():
    assert first_rank([False, True, True]) == 2
    assert first_rank([False]) == first_rank([]) == 0


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (1, 1, 0.2065, 1.0)],
)
def test_intervals_are_wilsons(hits, total, low, high):
    """The third is Newcombe's example (Statistics in Medicine 17, 1998): 0.2553 to 0.3662."""
    assert wilson_interval(hits, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 1_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_an_interval_holds_its_share(counts):
    hits, total = counts
    low, high = wilson_interval(hits, total)
    assert 0 <= low <= hits / total + 1e-12
    assert hits / total - 1e-12 <= high <= 1


def test_the_threshold_is_that_of_the_hardest_kind_of_negative():
    easy, hard = np.full(200, 0.1), np.linspace(0, 0.995, 200)
    threshold = threshold_at(0.01, [easy, hard])
    assert np.sum(hard > threshold) == 2
    assert threshold_at(0.01, [[-math.inf] * 100]) == -math.inf
    assert math.isnan(threshold_at(0.01, []))


def test_calibration_of_a_case_worked_by_hand():
    result = reliability([0.95, 0.95, 0.95, 0.95, 0.15, 0.05], [True, True, True, False, False, False])
    np.testing.assert_allclose(result.confidence, [0.05, 0.15, 0.95])
    np.testing.assert_allclose(result.accuracy, [0.0, 0.0, 0.75])
    assert result.counts.tolist() == [1, 1, 4]
    assert result.expected_error == pytest.approx((0.05 + 0.15 + 4 * 0.2) / 6)
    assert result.brier == pytest.approx((3 * 0.05**2 + 0.95**2 + 0.15**2 + 0.05**2) / 6)


def test_a_confidence_of_one_is_in_the_last_bin():
    assert reliability([1.0, 1.0], [True, True]).expected_error == 0


def test_figures_of_nothing_are_refused():
    with pytest.raises(OptionError, match="0 queries"):
        Share.of([])
    with pytest.raises(OptionError, match="0 queries"):
        mean_reciprocal_rank([])
    with pytest.raises(OptionError, match="5 of 4"):
        wilson_interval(5, 4)
    with pytest.raises(OptionError, match="k=0"):
        recall_at([1], 0)
    with pytest.raises(OptionError, match="give probabilities"):
        reliability([1.2], [True])
