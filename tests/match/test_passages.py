"""Windows of a long clip are merged where one recording goes on."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from earmark.match.passages import Merging, Passage, best_of_each_track, non_overlapping


def merge_windows(found: list[Passage], *, looks: int) -> list[Passage]:
    """The passages that windows found, merged as a session does."""
    merging = Merging()
    merging.add(found)
    return merging.passages(looks=looks)


def passage(track: int, start: float, reference: float, *, odds: float = 3.0, seconds: float = 10.0) -> Passage:
    return Passage(track, odds, start, start + seconds, reference, reference + seconds, 1.0, 1.0, 0.001, {})


def test_windows_on_one_diagonal_become_one_passage_and_their_evidence_adds_up() -> None:
    [whole] = merge_windows([passage(1, 0, 30), passage(1, 10, 40.1), passage(1, 20, 50)], looks=3)
    assert (whole.query_start, whole.query_end) == (0, 30)
    assert (whole.reference_start, whole.reference_end) == (30, 60)
    assert whole.log_odds == pytest.approx(9 - math.log(3))
    assert whole.speed == pytest.approx(1.0)


def test_a_window_that_heard_nothing_does_not_undo_the_others() -> None:
    [whole] = merge_windows([passage(1, 0, 30), passage(1, 10, 40, odds=-4.0)], looks=2)
    assert whole.log_odds == pytest.approx(3 - math.log(2))


def test_another_place_of_the_track_is_another_passage() -> None:
    found = merge_windows([passage(1, 0, 30), passage(1, 10, 95)], looks=2)
    assert [(part.reference_start, part.query_start) for part in found] == [(30, 0), (95, 10)]


def test_many_windows_make_a_lone_match_less_sure() -> None:
    [lone] = merge_windows([passage(1, 0, 30)], looks=100)
    assert lone.log_odds == pytest.approx(3 - math.log(100))


def test_one_recording_after_another_comes_in_order_of_time() -> None:
    found = merge_windows([passage(2, 10, 0, odds=9.0), passage(1, 0, 50)], looks=2)
    assert [part.track for part in found] == [2, 1]
    assert [part.track for part in non_overlapping(found)] == [1, 2]


def test_of_two_at_the_same_time_the_surer_stays() -> None:
    sure, less = passage(1, 0, 50, odds=9.0), passage(2, 1, 0, odds=2.0)
    assert non_overlapping([sure, less]) == [sure]
    assert non_overlapping([sure, replace(less, query_start=8.0, query_end=30.0)])[1].track == 2


def test_each_track_has_one_best_place() -> None:
    found = [passage(1, 0, 50, odds=9.0), passage(2, 0, 1), passage(1, 0, 70)]
    assert [(part.track, part.reference_start) for part in best_of_each_track(found)] == [(1, 50), (2, 1)]


def test_an_unlikely_window_does_not_bend_the_diagonal_of_a_sure_one() -> None:
    sure = passage(2, 10.0, 30.0, odds=9.0)
    unlikely = passage(2, 8.5, 28.9, odds=-3.0, seconds=1.5)
    [whole] = merge_windows([unlikely, sure], looks=2)
    assert (whole.query_start, whole.query_end) == (8.5, 20.0)
    assert whole.speed == 1.0
    assert whole.reference_start == pytest.approx(28.5)
    assert whole.reference_end == pytest.approx(40.0)
