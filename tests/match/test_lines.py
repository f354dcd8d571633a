"""Lines: windows that lie on one place of one track are one line; a repetition is another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.match.lines import LARGEST_BEND_SECONDS, ONE_LINE_SECONDS, Lines, Strand
from tests.match.strands import HOP, line, strand, windows

BEGINS = [0.0, 2.5, 5.0, 7.5, 10.0]


def of(*strands: Strand) -> Lines:
    """Lines of windows that came one after another."""
    lines = Lines()
    for one in strands:
        lines.add([one])
    return lines


def begins_of(lines: Lines) -> list[list[float]]:
    return [[one.begin for one in each.strands] for each in lines]


# --- one window


@given(st.floats(0, 300), st.floats(-100, 300), st.floats(0.5, 2.0), st.floats(0, 400))
def test_a_second_of_the_sound_is_one_of_the_track_and_the_other_way_round(
    begin: float, start: float, speed: float, second: float
) -> None:
    one = strand(3, begin, start, speed=speed)
    assert one.reference_at(begin) == start
    assert one.reference_at(begin + 2.0) == pytest.approx(start + 2 * speed)
    assert one.sound_at(one.reference_at(second)) == pytest.approx(second, abs=1e-6)
    assert one.middle == pytest.approx(begin + 2.5)


# --- a line


def test_a_line_goes_from_the_first_window_to_the_last() -> None:
    whole = line(7, *windows(3, BEGINS, 40.0))
    assert (whole.number, whole.track, whole.begin, whole.end) == (7, 3, 0.0, 15.0)
    assert whole.reference_at(6.0) == 46.0


def test_a_line_lies_within_its_track() -> None:
    assert line(0, *windows(3, BEGINS, 40.0)).inside == (0.0, 15.0)
    assert line(0, *windows(3, BEGINS, -4.0)).inside == (4.0, 15.0)  # the track begins with second 4
    assert line(0, *windows(3, BEGINS, 40.0, length=52.0)).inside == (0.0, 12.0)
    assert line(0, *windows(3, BEGINS, -4.0, speed=2.0, length=10.0)).inside == (2.0, 7.0)


def test_a_moment_is_of_the_window_whose_middle_is_nearest() -> None:
    bent = line(0, *(strand(3, begin, 40.0 + begin + 0.01 * begin) for begin in BEGINS))
    found = list(bent.parts(0.0, 15.0))
    assert [(one.begin, low, high) for one, low, high in found] == [
        (0.0, 0.0, 3.75), (2.5, 3.75, 6.25), (5.0, 6.25, 8.75), (7.5, 8.75, 11.25), (10.0, 11.25, 15.0)
    ]  # fmt: skip
    for one, low, high in found:
        for second in (low + 0.01, high - 0.01):
            assert bent.reference_at(second) == one.reference_at(second)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True), st.floats(-5, 110), st.floats(0, 110))
def test_parts_follow_one_another_and_leave_nothing_out(numbers: list[int], start: float, seconds: float) -> None:
    whole = line(0, *windows(3, [HOP * number for number in sorted(numbers)], 40.0))
    parts = list(whole.parts(start, start + seconds))
    assert all(one[2] <= other[1] for one, other in pairwise(parts))
    inside = [max(min(one.end, start + seconds) - max(one.begin, start), 0.0) for one in whole.strands]
    overlaps = [
        max(min(one.end, start + seconds) - max(other.begin, start), 0.0) for one, other in pairwise(whole.strands)
    ]
    assert sum(high - low for _, low, high in parts) == pytest.approx(sum(inside) - sum(overlaps), abs=1e-9)
    for one, low, high in parts:
        assert one.begin <= low < high <= one.end


def test_a_straight_line_is_told_through_windows_that_lie_beside_it_a_little() -> None:
    beside = [0.02, -0.02, 0.0, -0.02, 0.02]
    whole = line(0, *(strand(3, begin, 40 + 1.01 * begin + off) for begin, off in zip(BEGINS, beside, strict=True)))
    straight = whole.straight(0.0, 15.0)
    assert straight is not None
    assert straight.speed == pytest.approx(1.01, abs=3 * straight.error)
    assert 0 < straight.error < 0.005
    assert straight.reference_at(7.5) == pytest.approx(40.0 + 1.01 * 5 + 2.5, abs=0.03)
    assert straight.reference_at(1.0) - straight.reference_at(0.0) == pytest.approx(straight.speed)


def test_the_more_windows_agree_the_surer_is_the_speed_of_their_line() -> None:
    short, long = (line(0, *windows(3, [HOP * number for number in range(count)], 40.0)) for count in (4, 12))
    one, other = short.straight(0.0, 99.0), long.straight(0.0, 99.0)
    assert one is not None
    assert other is not None
    assert 0 < other.error < one.error / 3
    assert other.speed == pytest.approx(1.0)


def test_where_a_line_bends_or_is_short_no_straight_line_is_told() -> None:
    bent = line(0, *(strand(3, begin, 40 + begin + (begin - 5) ** 2 * LARGEST_BEND_SECONDS / 5) for begin in BEGINS))
    assert bent.straight(0.0, 15.0) is None
    assert line(0, strand(3, 0.0, 40.0), strand(3, 2.5, 42.7)).straight(0.0, 7.5) is None
    assert line(0, *windows(3, BEGINS, 40.0)).straight(0.0, 3.0) is None  # of two windows alone


# --- which windows are of a line


def test_windows_on_one_diagonal_become_one_line() -> None:
    [whole] = of(*windows(3, BEGINS, 40.0))
    assert (whole.begin, whole.end, len(whole.strands)) == (0.0, 15.0, 5)


def test_a_line_may_bend_a_little_from_window_to_window() -> None:
    step = 0.9 * ONE_LINE_SECONDS
    assert len(list(of(*(strand(3, begin, 40.0 + begin + step * begin / HOP) for begin in BEGINS)))) == 1


@pytest.mark.parametrize("beside", [1.1 * ONE_LINE_SECONDS, -2.0, 8.0])
def test_a_repetition_is_another_line(beside: float) -> None:
    assert begins_of(of(strand(3, 0.0, 40.0), strand(3, 2.5, 42.5 + beside))) == [[0.0], [2.5]]


def test_another_track_is_another_line() -> None:
    lines = of(strand(3, 0.0, 40.0), strand(4, 2.5, 42.5), strand(3, 2.5, 42.5), strand(4, 5.0, 45.0))
    assert {one.track: [each.begin for each in one.strands] for one in lines} == {3: [0.0, 2.5], 4: [2.5, 5.0]}


def test_windows_that_do_not_touch_are_no_line() -> None:
    assert len(list(of(strand(3, 0.0, 40.0), strand(3, 5.0, 45.0)))) == 1
    assert len(list(of(strand(3, 0.0, 40.0), strand(3, 5.1, 45.1)))) == 2


def test_two_places_of_one_window_are_two_lines_and_both_go_on() -> None:
    lines = Lines()
    for begin in BEGINS:
        lines.add([strand(3, begin, 40.0 + begin), strand(3, begin, 48.0 + begin)])
    assert [len(one.strands) for one in lines] == [5, 5]
    assert [one.reference_at(0.0) for one in lines] == [40.0, 48.0]


def test_lines_are_followed_backwards_too() -> None:
    [whole] = of(*reversed(windows(3, BEGINS, 40.0)))
    assert [one.begin for one in whole.strands] == BEGINS


@pytest.mark.parametrize("again", BEGINS)
def test_a_line_has_one_place_in_each_window(again: float) -> None:
    lines = of(*windows(3, BEGINS, 40.0), strand(3, again, 40.05 + again))
    longest = max(lines, key=lambda one: len(one.strands))
    assert [one.begin for one in longest.strands] == BEGINS


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 1 << 16))
def test_no_window_is_lost_and_every_line_has_a_number_of_its_own(tracks: Sequence[int], seed: int) -> None:
    draw, lines = np.random.default_rng(seed), Lines()
    strands = [
        strand(track, HOP * number, HOP * number + float(draw.integers(3) * 8)) for number, track in enumerate(tracks)
    ]
    for one in strands:
        lines.add([one])
    found = [one for each in lines for one in each.strands]
    assert sorted(found, key=lambda one: one.begin) == strands
    assert len({each.number for each in lines}) == len(list(lines))
    for each in lines:
        assert {one.track for one in each.strands} == {each.track}
        for one, other in pairwise(each.strands):
            assert abs(one.reference_at(other.begin) - other.reference_at(other.begin)) < ONE_LINE_SECONDS


# --- copies, forgetting


def test_a_copy_goes_on_by_itself() -> None:
    lines = of(*windows(3, [0.0, 2.5], 40.0))
    more = lines.with_more(windows(3, [5.0], 40.0) + windows(4, [5.0], 0.0))
    assert begins_of(lines) == [[0.0, 2.5]]
    assert begins_of(more) == [[0.0, 2.5, 5.0], [5.0]]
    assert len({one.number for one in more}) == 2


def test_windows_that_ended_before_a_second_are_forgotten_and_a_line_keeps_its_number() -> None:
    lines = of(*windows(3, BEGINS, 40.0), *windows(4, [0.0, 2.5], 0.0))
    number = next(one.number for one in lines if one.track == 3)
    lines.forget(before=8.0)
    assert begins_of(lines) == [[5.0, 7.5, 10.0]]
    assert [one.number for one in lines] == [number]
    lines.add(windows(3, [12.5], 40.0))
    assert begins_of(lines) == [[5.0, 7.5, 10.0, 12.5]]
    lines.forget(before=99.0)
    assert list(lines) == []


def test_a_track_that_is_dropped_has_no_lines() -> None:
    lines = of(*windows(3, [0.0, 2.5], 40.0), *windows(4, [0.0, 2.5], 40.0))
    lines.drop(3)
    lines.drop(99)
    assert [one.track for one in lines] == [4]


def test_lines_that_ended_are_forgotten_except_those_of_tracks_that_are_kept() -> None:
    lines = Lines()
    lines.add([strand(1, 0.0, 10.0), strand(2, 0.0, 10.0), strand(3, 0.0, 10.0)])
    lines.add([strand(3, 2.5, 12.5)])
    lines.forget_ended(before=6.0, but={1})
    assert [(one.track, one.begin) for one in lines] == [(1, 0.0), (3, 0.0)]
