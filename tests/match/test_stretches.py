"""Stretches: where lines agree, and which of them explain a sound, as trying all paths would find."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from earmark.match.lines import Line
from earmark.match.stretches import (
    BRIDGED_SECONDS,
    COMPARED_SECONDS,
    GOES_ON_SECONDS,
    IDLE_LOG_ODDS,
    LARGEST_RATE,
    STEP_SECONDS,
    SWITCH_LOG_ODDS,
    WEAKEST_SHARE,
    Evidence,
    Stretch,
    agreeing,
    comparable,
    evidence_of,
    explain,
    extended,
    settled,
    stretches_of,
)
from tests.match.strands import line, scores, strand

NONE = -1  # of the states of a path
PER_SECOND = 40  # scores


def evidence(number: int, first: int, values: Sequence[float], *, track: int = 0) -> Evidence:
    """What a line says, step by step, from a step on."""
    begin, seconds = first * STEP_SECONDS, len(values) * STEP_SECONDS
    whole = line(number, strand(track, begin, 100.0 + begin, seconds=seconds))
    heard = np.ones(len(values), bool)
    best, said = (begin, begin + seconds), np.array(values, np.float64)
    return Evidence(whole, first, said, heard, {"peaks": 1.0}, 0.0, best, evidence_of(whole).parts)


def agreeing_line(
    number: int,
    parts: Sequence[tuple[float, float, float]],
    *,
    track: int = 0,
    begin: float = 0.0,
    end: float = 20.0,
    reference: float = 100.0,
    length: float = 1_000.0,
    noise: float = 1.0,
    correlation: float = 1.0,
) -> Line:
    """A line whose scores have a mean in each (start, end, mean), and none elsewhere; one window."""
    draw = np.random.default_rng(number)
    seconds = np.sort(draw.uniform(begin, end, round((end - begin) * PER_SECOND)))
    values = noise * draw.normal(size=len(seconds))
    for start, stop, mean in parts:
        values[(seconds >= start) & (seconds < stop)] += mean
    one = scores(seconds, values, correlation=correlation)
    return line(
        number, strand(track, begin, reference, seconds=end - begin, length=length, scores={"peaks": one})
    )  # fmt: skip


def spans(stretches: Sequence[Stretch]) -> list[tuple[int, float, float]]:
    return [(one.line.number, round(one.start, 1), round(one.end, 1)) for one in stretches]


# --- one line: agreement or none


def best_of_all(values: Sequence[float]) -> tuple[float, list[bool]]:
    """The likeliest of all paths through two states, and what it is worth."""
    best, states = -math.inf, list[bool]()
    for path in product([False, True], repeat=len(values)):
        changes = sum(one != other for one, other in pairwise([False, *path, False]))
        worth = sum(value for value, inside in zip(values, path, strict=True) if inside) - SWITCH_LOG_ODDS * changes
        if worth > best + 1e-9:
            best, states = worth, list(path)
    return best, states


@pytest.mark.parametrize("seed", range(40))
def test_agreement_is_the_likeliest_of_all_paths(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.5, 5.0, 10)
    found = agreeing(values)
    worth, states = best_of_all(values.tolist())
    inside = [any(low <= step < high for low, high, _ in found) for step in range(len(values))]
    assert inside == states
    assert sum(total for *_, total in found) - 2 * SWITCH_LOG_ODDS * len(found) == pytest.approx(worth)
    for low, high, total in found:
        assert total == pytest.approx(values[low:high].sum())


def test_golden_agreement() -> None:
    assert agreeing(np.zeros(0)) == []
    assert agreeing(np.full(10, -1.0)) == []
    assert agreeing(np.full(8, 1.0)) == []  # as much as it costs to begin and to end
    assert agreeing(np.full(9, 1.0)) == [(0, 9, 9.0)]
    assert agreeing(np.array([-1.0] * 5 + [3.0] * 4 + [-1.0] * 5)) == [(5, 9, 12.0)]
    assert agreeing(np.array([3.0] * 4 + [-7.0] + [3.0] * 4)) == [(0, 9, 17.0)]  # a moment's doubt costs less than 8
    assert agreeing(np.array([3.0] * 4 + [-9.0] + [3.0] * 4)) == [(0, 4, 12.0), (5, 9, 12.0)]
    assert agreeing(np.array([3.0] * 4 + [-np.inf] * 2 + [3.0] * 4)) == [(0, 4, 12.0), (6, 10, 12.0)]


# --- many lines: which of them, or none


def likeliest_path(lines: Sequence[Evidence]) -> tuple[float, list[int]]:
    """The likeliest of all paths through lines and none of them, and what it is worth."""
    best, states, last = -math.inf, list[int](), max(one.last for one in lines)
    options = [
        [NONE, *(number for number, one in enumerate(lines) if one.first <= step < one.last)] for step in range(last)
    ]
    for path in product(*options):
        changes = sum(one != other for one, other in pairwise([NONE, *path, NONE]))
        worth = -SWITCH_LOG_ODDS * changes
        for step, state in enumerate(path):
            if state != NONE:
                worth += float(lines[state].values[step - lines[state].first])
        if worth > best + 1e-9:
            best, states = worth, list(path)
    return best, states


@pytest.mark.parametrize("seed", range(25))
def test_the_explanation_is_the_likeliest_of_all_paths(seed: int) -> None:
    draw = np.random.default_rng(seed)
    lines = []
    for number in range(3):
        first = int(draw.integers(0, 3))
        count = int(draw.integers(2, 7 - first))
        lines.append(evidence(number, first, draw.normal(1.0, 5.0, count), track=number))
    found = explain(lines)
    worth, states = likeliest_path(lines)
    path = [NONE] * len(states)
    for one in found:
        for step in range(round(one.start / STEP_SECONDS), round(one.end / STEP_SECONDS)):
            assert path[step] == NONE  # none overlaps another
            path[step] = one.line.number
    assert path == states
    edges = [NONE, *path, NONE]
    changes = sum(one != other for one, other in pairwise(edges))
    assert sum(one.support for one in found) - SWITCH_LOG_ODDS * changes == pytest.approx(worth)
    assert [one.start for one in found] == sorted(one.start for one in found)


def test_golden_explanations() -> None:
    one, other = evidence(1, 0, [3.0] * 8 + [-3.0] * 8), evidence(2, 4, [1.0] * 4 + [3.0] * 8)
    assert spans(explain([one, other])) == [(1, 0.0, 0.8), (2, 0.8, 1.6)]
    assert spans(explain([other, one])) == [(1, 0.0, 0.8), (2, 0.8, 1.6)]
    assert spans(explain([one])) == [(1, 0.0, 0.8)]
    slightly = evidence(3, 0, [3.0] * 4 + [3.9] * 4 + [-3.0] * 8)
    assert spans(explain([one, slightly])) == [(3, 0.0, 0.8)]  # no change for what is hardly better
    assert explain([]) == []
    assert explain([evidence(1, 3, [0.5] * 12)]) == []
    assert spans(explain([evidence(1, 3, [1.5] * 12)])) == [(1, 0.3, 1.5)]


def test_a_line_is_left_for_none_and_taken_up_again() -> None:
    whole = evidence(1, 0, [3.0] * 5 + [-4.0] * 5 + [3.0] * 5)
    assert spans(explain([whole])) == [(1, 0.0, 0.5), (1, 1.0, 1.5)]


def test_what_is_left_out_of_a_line_does_not_explain_anything() -> None:
    one, other = evidence(1, 0, [3.0] * 12), evidence(2, 0, [2.0] * 12, track=1)
    [first] = explain([one, other])
    assert spans([first]) == [(1, 0.0, 1.2)]
    assert spans(explain([one.without(first), other])) == [(2, 0.0, 1.2)]
    assert spans(explain([one.without(replace(first, end=0.4)), other.without(first)])) == [(1, 0.4, 1.2)]
    assert (one.values == 3.0).all()  # what was there stays


# --- evidence of a line


@pytest.mark.parametrize("strength", [0.7, 1.5, 3.0])
def test_a_stretch_begins_and_ends_where_agreement_does(strength: float) -> None:
    found = stretches_of(evidence_of(agreeing_line(1, [(6.0, 11.0, strength)])))
    assert len(found) == 1
    assert (found[0].start, found[0].end) == pytest.approx((6.0, 11.0), abs=0.5 / strength)
    assert found[0].seconds == pytest.approx(5.0, abs=1.0 / strength)
    assert found[0].support > 6
    assert found[0].overlap(0.0, 8.0) == pytest.approx(2.0, abs=0.5 / strength)
    assert found[0].overlap(15.0, 20.0) == 0.0


def test_two_parts_of_a_line_may_agree() -> None:
    first, second = stretches_of(evidence_of(agreeing_line(1, [(2.0, 6.0, 1.5), (12.0, 15.0, 1.5)])))
    assert (first.start, first.end) == pytest.approx((2.0, 6.0), abs=0.3)
    assert (second.start, second.end) == pytest.approx((12.0, 15.0), abs=0.3)


def test_chance_seldom_agrees_and_never_for_long() -> None:
    found = [one for number in range(200) for one in stretches_of(evidence_of(agreeing_line(number, [], end=10.0)))]
    assert len(found) < 60  # strength is told by the best second, so that some do
    assert sum(one.support >= 6.0 for one in found) <= 40
    assert max((one.seconds for one in found), default=0.0) < 3.0


def test_golden_log_odds_of_a_step() -> None:
    """Scores normal about a strength m against scores about zero: m x - m^2 / 2 each, less where they correlate."""
    seconds = [0.05 + 0.1 * step for step in range(30)]
    values = [2.0] * 20 + [0.0] * 10
    found = evidence_of(line(1, strand(0, 0.0, 50.0, seconds=3.0, scores={"peaks": scores(seconds, values)})))
    assert (found.first, found.last, found.strengths) == (0, 30, {"peaks": 2.0})
    assert found.values + IDLE_LOG_ODDS == pytest.approx(np.array([2.0] * 20 + [-2.0] * 10))
    assert (found.support, found.best) == (pytest.approx(40.0 - 20 * IDLE_LOG_ODDS), (0.0, pytest.approx(2.0)))
    assert found.rate == pytest.approx(found.support / 2)
    assert found.heard.all()
    together = scores(seconds, values, correlation=4.0)
    less = evidence_of(line(1, strand(0, 0.0, 50.0, seconds=3.0, scores={"peaks": together})))
    assert less.values + IDLE_LOG_ODDS == pytest.approx((found.values + IDLE_LOG_ODDS) / 4)


def test_layers_speak_together() -> None:
    seconds = [0.05 + 0.1 * step for step in range(30)]
    one, other = scores(seconds, [1.0] * 30), scores(seconds[::5], [2.0] * 6)
    found = evidence_of(line(1, strand(0, 0.0, 50.0, seconds=3.0, scores={"vectors": other, "peaks": one})))
    assert found.strengths == {"vectors": 2.0, "peaks": 1.0}
    assert found.values.sum() == pytest.approx(30 * 0.5 + 6 * 2.0 - 30 * IDLE_LOG_ODDS)


def test_silence_at_the_end_of_a_stretch_is_no_part_of_it() -> None:
    """Nothing speaks between 4 and 8 s, nor after 12 s; something does before and after the line."""
    seconds = [0.05 + 0.1 * step for step in range(120) if not 40 <= step < 80]
    values = [-1.0] * 10 + [2.0] * 30 + [2.0] * 30 + [-1.0] * 10
    found = evidence_of(line(1, strand(0, 0.0, 50.0, seconds=16.0, scores={"peaks": scores(seconds, values)})))
    assert found.values[40:80] == pytest.approx(-IDLE_LOG_ODDS)
    assert not found.heard[40:80].any()
    assert spans(stretches_of(found)) == [(1, 1.0, 11.0)]  # across a pause it goes on


def test_a_stretch_reaches_to_where_nothing_speaks_any_more() -> None:
    """The first score of a line that is told by segments of a second is half a second after it begins."""
    coarse = scores([0.5 + 0.5 * step for step in range(19)], [2.0] * 19)
    found = evidence_of(line(1, strand(0, 0.0, 50.0, seconds=10.0, scores={"vectors": coarse})))
    assert spans(stretches_of(found)) == [(1, 0.0, 10.0)]


def test_beside_its_track_a_line_says_no() -> None:
    early = evidence_of(agreeing_line(1, [(0.0, 20.0, 2.0)], reference=-4.0))
    late = evidence_of(agreeing_line(1, [(0.0, 20.0, 2.0)], reference=985.0))
    assert np.isneginf(early.values[:40]).all()
    assert np.isfinite(early.values[40:]).all()
    assert np.isneginf(late.values[150:]).all()
    assert spans(stretches_of(early)) == [(1, 4.0, 20.0)]
    assert spans(stretches_of(late)) == [(1, 0.0, 15.0)]


def test_a_line_without_scores_says_nothing() -> None:
    empty = scores([], [])
    for whole in (line(1, strand(0, 0.0, 50.0, scores={"peaks": empty})), line(1, strand(0, 0.0, 50.0))):
        if whole.strands[0].scores:
            found = evidence_of(whole)
            assert stretches_of(found) == []
            assert (found.support, found.strengths) == (0.0, {"peaks": 0.0})


def test_the_sum_of_a_part_is_that_of_its_steps_and_no_more_than_impossible_beside_the_line() -> None:
    one = evidence(1, 20, [1.0] * 10 + [2.0] * 10)
    assert one.sum(2.0, 4.0) == 30.0
    assert one.sum(2.5, 3.5) == 15.0
    assert one.sum(1.9, 4.1) == 30.0  # a step beside is rounding
    assert one.sum(1.0, 3.0) == -math.inf
    assert one.sum(3.0, 5.0) == -math.inf


def test_a_line_that_is_soft_at_its_ends_is_heard_there_by_a_share_of_its_best() -> None:
    one = evidence_of(agreeing_line(1, [(4.0, 7.0, 0.6), (7.0, 13.0, 3.0), (13.0, 16.0, 0.6)]))
    assert (one.begins(0.1), one.ends(0.1)) == pytest.approx((4.0, 16.0), abs=0.5)
    assert (one.begins(0.8), one.ends(0.8)) == pytest.approx((7.0, 13.0), abs=0.5)
    assert one.share(8.0, 12.0) == pytest.approx(1.0, abs=0.1)
    assert one.share(4.0, 7.0) == pytest.approx(0.2, abs=0.1)
    assert one.share(30.0, 31.0) == 0.0


# --- lines of one measure


@pytest.mark.parametrize(("strength", "start"), [(0.4, 0.0), (0.0, 3.0)], ids=["soft", "something else"])
def test_the_ends_of_a_sound_are_of_a_stretch_that_is_heard_there_softly(strength: float, start: float) -> None:
    one = evidence_of(agreeing_line(1, [(0.0, 3.0, strength), (3.0, 17.0, 2.0), (17.0, 20.0, strength)]))
    [found] = extended([stretch(one, 3.0, 17.0)], [one], end=20.0)
    assert (found.start, found.end) == (start, 20.0 - start)


def test_what_was_left_out_of_a_line_is_no_soft_end_of_it() -> None:
    one = evidence_of(agreeing_line(1, [(0.0, 3.0, 0.4), (3.0, 20.0, 2.0)]))
    [found] = extended([stretch(one, 3.0, 20.0)], [one.without(stretch(one, 0.0, 3.0))], end=20.0)
    assert found.start == 3.0


def test_no_line_counts_more_at_a_moment_than_it_may() -> None:
    [clear] = comparable([evidence_of(agreeing_line(1, [(2.0, 18.0, 5.0)]))])
    [plain] = comparable([evidence_of(agreeing_line(2, [(2.0, 18.0, 0.5)], correlation=4.0))])
    for one in (clear, plain):
        [stretch] = stretches_of(one)
        assert (stretch.start, stretch.end) == pytest.approx((2.0, 18.0), abs=1.5)
    agreed = clear.values[30:170]
    assert agreed.mean() / STEP_SECONDS == pytest.approx(LARGEST_RATE, rel=0.25)
    assert plain.values[30:170].mean() / STEP_SECONDS < LARGEST_RATE / 2


def test_two_lines_of_a_track_at_the_same_time_are_measured_by_the_better_one() -> None:
    """A repetition that agrees for a moment must not look as likely there as the line that goes on."""
    better = agreeing_line(1, [(2.0, 18.0, 2.0)])
    repetition = agreeing_line(2, [(2.0, 18.0, 0.4)])
    other = replace(repetition, strands=tuple(replace(one, track=7) for one in repetition.strands))
    _, measured = comparable([evidence_of(better), evidence_of(repetition)])
    _, alone = comparable([evidence_of(better), evidence_of(other)])
    assert measured.values[30:170].sum() < 0 < alone.values[30:170].sum()
    assert WEAKEST_SHARE * 2.0 / 2 > 0.4  # half of what the better one's share asks for


def test_lines_that_agree_at_other_times_have_measures_of_their_own() -> None:
    loud, soft = agreeing_line(1, [(1.0, 9.0, 3.0)]), agreeing_line(2, [(12.0, 19.0, 0.8)])
    found = comparable([evidence_of(loud), evidence_of(soft)])
    assert [len(stretches_of(one)) for one in found] == [1, 1]
    assert COMPARED_SECONDS == 1.0
    [stretch] = stretches_of(found[1])
    assert (stretch.start, stretch.end) == pytest.approx((12.0, 19.0), abs=0.8)  # 0.8 deviations are not much


# --- what goes on


def stretch(one: Evidence, start: float, end: float) -> Stretch:
    return Stretch(one.line, start, end, one.sum(start, end))


@pytest.mark.parametrize(("share", "goes_on"), [(1.0, True), (0.6, True), (0.4, False), (-1.0, False)])
def test_a_line_goes_on_where_it_agrees_half_as_well_as_what_follows(share: float, goes_on: bool) -> None:
    one = evidence(1, 0, [3.0] * 50 + [3.0 * share] * 30)
    other = evidence(2, 0, [-3.0] * 50 + [3.0] * 30, track=1)
    found = settled([stretch(one, 0.0, 5.0), stretch(other, 5.0, 8.0)], [one, other])
    assert spans(found) == ([(1, 0.0, 8.0)] if goes_on else [(1, 0.0, 5.0), (2, 5.0, 8.0)])
    if goes_on:
        assert found[0].support == pytest.approx(150 + 90 * share)


def test_a_line_may_have_begun_before_it_was_told() -> None:
    one, other = evidence(1, 0, [3.0] * 20 + [-3.0] * 60), evidence(2, 0, [2.0] * 20 + [3.0] * 60)
    assert spans(settled([stretch(one, 0.0, 2.0), stretch(other, 2.0, 8.0)], [one, other])) == [(2, 0.0, 8.0)]


def test_what_lies_between_is_taken_too_and_what_lies_apart_stays() -> None:
    one = evidence(1, 0, [3.0] * 90)
    other = evidence(2, 0, [3.0] * 90)
    third = stretch(one, 6.0, 9.0)
    between = [stretch(one, 0.0, 3.0), stretch(other, 3.2, 6.0), third]
    assert spans(settled(between, [one, other])) == [(1, 0.0, 9.0)]
    another, gap = evidence(3, 0, [3.0] * 90, track=1), 3.1 + GOES_ON_SECONDS
    apart = [stretch(one, 0.0, 3.0), stretch(another, gap, 6.0)]
    assert settled(apart, [one, another]) == apart
    repeated = [stretch(one, 0.0, 3.0), stretch(other, gap, 6.0)]  # of the same track: another round of it, perhaps
    assert spans(settled(repeated, [one, other])) == [(1, 0.0, 6.0)]
    gap = 3.1 + BRIDGED_SECONDS
    apart = [stretch(one, 0.0, 3.0), stretch(other, gap, 9.0)]
    assert settled(apart, [one, other]) == apart
    again = [stretch(one, 0.0, 3.0), stretch(one, 3.2, 6.0)]
    [whole] = settled(again, [one])  # one line that was left for a moment
    assert (spans([whole]), whole.support) == ([(1, 0.0, 6.0)], 180.0)


def test_a_line_that_does_not_reach_there_does_not_go_on() -> None:
    one, other = evidence(1, 0, [3.0] * 50), evidence(2, 50, [3.0] * 30, track=1)
    both = [stretch(one, 0.0, 5.0), stretch(other, 5.0, 8.0)]
    assert settled(both, [one, other]) == both
