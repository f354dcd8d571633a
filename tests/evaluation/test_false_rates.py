"""What false answers were counted says of those that will be given, as far as chance allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from earmark.errors import OptionError
from earmark.evaluation.false_rates import COUNTED_CONFIDENCES, count_false, exact_limits, upper_limit


def test_where_none_of_many_was_false_the_share_is_at_most_three_over_their_number() -> None:
    assert upper_limit(0, 3_000) == pytest.approx(3 / 3_000, rel=0.02)
    assert upper_limit(0, 1) == 0.95
    assert upper_limit(5, 5) == 1.0


def test_limits_are_those_of_clopper_and_pearson() -> None:
    assert exact_limits(3, 10) == pytest.approx((0.0667, 0.6525), abs=1e-4)
    assert exact_limits(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert exact_limits(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)


@pytest.mark.parametrize("counts", [(1, 0), (-1, 5), (6, 5)])
def test_limits_of_no_clips_or_of_more_false_ones_than_clips_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="at least one"):
        exact_limits(*counts)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.001, 0.5), st.sampled_from([10, 100, 1_000]))
def test_a_share_is_above_its_upper_limit_once_in_twenty_times_at_most(share: float, clips: int) -> None:
    missed = sum(binom.pmf(count, clips, share) for count in range(clips + 1) if upper_limit(count, clips) < share)
    assert missed <= 0.05


def test_clips_count_at_every_threshold_that_they_reach() -> None:
    rates = count_false({5.0: [0.0, 0.6, 0.93], 1.0: [0.1, 0.97]}, threshold=0.92, tracks=7)
    rates.check()
    assert rates.thresholds == tuple(sorted((*COUNTED_CONFIDENCES, 0.92)))
    assert (rates.tracks, rates.seconds, rates.clips) == (7, (1.0, 5.0), (2, 3))
    counted = dict(zip(rates.thresholds, zip(*rates.false, strict=True), strict=True))
    assert (counted[0.5], counted[0.92], counted[0.97], counted[0.98]) == ((1, 2), (1, 1), (1, 0), (0, 0))
    assert rates.most[0][-1] == upper_limit(0, 2)
