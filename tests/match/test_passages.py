"""Passages: which of them are of one place, which of them go on in each other, and which of them stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from earmark.match.passages import GAP_SECONDS, ONE_DIAGONAL_SECONDS, Passage, best_of_each_track, non_overlapping


def passage(
    track: int, start: float, reference: float, *, odds: float = 3.0, seconds: float = 10.0, speed: float = 1.0
) -> Passage:
    end, reference_end = start + seconds, reference + speed * seconds
    return Passage(track, odds, start, end, reference, reference_end, speed, 1.0, 0.001, {})


# --- one place


def test_the_second_of_the_track_is_known_before_and_after_a_passage_too() -> None:
    one = passage(1, 4.0, 30.0, speed=1.5)
    assert [one.reference_at(second) for second in (0.0, 4.0, 6.0, 24.0)] == [24.0, 30.0, 33.0, 60.0]


def test_passages_on_one_diagonal_are_of_one_place_wherever_in_the_clip_they_are() -> None:
    one = passage(1, 0.0, 30.0)
    assert one.lies_on(passage(1, 40.0, 70.0))
    assert passage(1, 40.0, 70.0).lies_on(one)
    assert one.lies_on(passage(1, 3.0, 33.0, seconds=1.0))
    assert one.lies_on(passage(1, 0.0, 30.0 + 0.9 * ONE_DIAGONAL_SECONDS))


@pytest.mark.parametrize("other", [passage(2, 0.0, 30.0), passage(1, 0.0, 31.0), passage(1, 20.0, 30.0)])
def test_another_track_or_a_repetition_is_another_place(other: Passage) -> None:
    assert not passage(1, 0.0, 30.0).lies_on(other)


def test_at_another_speed_a_place_is_told_by_the_middle() -> None:
    slow = passage(1, 0.0, 30.0, speed=1.04)
    turned = passage(1, 0.0, 30.2)  # both lie at 35.2 s in the middle
    assert slow.lies_on(turned)
    assert turned.lies_on(slow)
    assert not slow.lies_on(passage(1, 0.0, 29.5))


# --- what goes on


def test_a_recording_goes_on_beside_and_right_after_a_passage() -> None:
    one = passage(1, 0.0, 30.0)
    for start in (0.0, 5.0, 10.0, 10.0 + 0.9 * GAP_SECONDS):
        assert one.goes_on_in(passage(1, start, 30.0 + start))
    assert not one.goes_on_in(passage(1, 10.1 + GAP_SECONDS, 40.1 + GAP_SECONDS))


def test_a_repetition_or_another_track_does_not_go_on() -> None:
    one = passage(1, 0.0, 30.0)
    assert not one.goes_on_in(passage(1, 10.0, 41.0))
    assert not one.goes_on_in(passage(1, 10.0, 30.0))
    assert not one.goes_on_in(passage(2, 10.0, 40.0))


def test_two_that_are_joined_reach_from_the_first_to_the_last_and_are_as_sure_as_the_surer() -> None:
    first, later = passage(1, 0.0, 30.0, odds=3.0), passage(1, 10.5, 40.6, odds=9.0)
    whole = first.joined_with(later)
    assert (whole.query_start, whole.query_end) == (0.0, 20.5)
    assert (whole.reference_start, whole.reference_end) == (30.0, 50.6)
    assert (whole.log_odds, whole.track) == (9.0, 1)
    inside = first.joined_with(passage(1, 2.0, 32.0, odds=1.0, seconds=3.0))
    assert inside == first


# --- which stay


def test_half_of_the_shorter_ones_time_is_an_overlap() -> None:
    long = passage(1, 0.0, 50.0)
    assert long.overlaps(passage(2, 7.0, 0.0, seconds=5.0))
    assert not long.overlaps(passage(2, 8.0, 0.0, seconds=5.0))
    assert not long.overlaps(passage(2, 10.0, 0.0))


def test_of_two_at_the_same_time_the_surer_stays() -> None:
    sure, less = passage(1, 0, 50, odds=9.0), passage(2, 1, 0, odds=2.0)
    assert non_overlapping([sure, less]) == [sure]
    assert non_overlapping([sure, replace(less, query_start=8.0, query_end=30.0)])[1].track == 2


def test_one_recording_after_another_comes_in_order_of_time() -> None:
    found = [passage(2, 10, 0, odds=9.0), passage(1, 0, 50)]
    assert [part.track for part in non_overlapping(found)] == [1, 2]


def test_each_track_has_one_best_place() -> None:
    found = [passage(1, 0, 50, odds=9.0), passage(2, 0, 1), passage(1, 0, 70)]
    assert [(part.track, part.reference_start) for part in best_of_each_track(found)] == [(1, 50), (2, 1)]
