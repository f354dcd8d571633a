"""Edit distance and local alignment, against the textbook's recurrences cell by cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from earmark.match.compare.sequence import GapCosts, Path, edit_distance, edit_path, local_alignment

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
SAME = SIZES.flatmap(lambda size: arrays(np.bool_, size))
SCORES = SIZES.flatmap(lambda size: arrays(np.float32, size, elements=st.integers(-4, 5).map(float)))
GAPS = st.builds(
    GapCosts,
    open=st.integers(0, 6).map(float),
    extend=st.sampled_from([0.0, 0.5, 1.0]),
    drift=st.sampled_from([1.0, 2.0, 3.0]),
    back=st.sampled_from([math.inf, 4.0, 7.0]),
)


def letters(one: str, other: str) -> np.ndarray:
    return np.array([[a == b for b in other] for a in one], bool).reshape(len(one), len(other))


def levenshtein(same: np.ndarray, *, is_inside: bool) -> np.ndarray:
    rows, columns = same.shape
    cost = np.zeros((rows + 1, columns + 1), int)
    cost[:, 0] = range(rows + 1)
    cost[0] = 0 if is_inside else range(columns + 1)
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            change = cost[i - 1, j - 1] + (0 if same[i - 1, j - 1] else 1)
            cost[i, j] = min(change, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    return cost


def smith_waterman(scores: np.ndarray, gaps: GapCosts) -> float:
    """The best score, by every gap of every length (Smith and Waterman, 1981, before Gotoh made it quick)."""
    rows, columns = scores.shape
    best = np.zeros((rows + 1, columns + 1))
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            above = [best[i - k, j] - price(gaps, k) for k in range(1, i + 1)]
            left = [best[i, j - k] - price(gaps, k) for k in range(1, j + 1)]
            back = [best[i - 1, k] - gaps.back - (k - j) * gaps.extend for k in range(j, columns + 1)]
            before = max(best[i - 1, j - 1], *back)
            best[i, j] = max(0.0, before + scores[i - 1, j - 1], *above, *left)
    return float(best.max())


def price(gaps: GapCosts, length: int) -> float:
    return min(length * gaps.drift, gaps.open + length * gaps.extend)


def worth(path: Path, scores: np.ndarray, gaps: GapCosts) -> float:
    """What a path's pairs and gaps come to."""
    total = float(scores[path.rows, path.columns].sum())
    for down, along in zip(np.diff(path.rows).tolist(), np.diff(path.columns).tolist(), strict=True):
        gap = sum(price(gaps, step - 1) for step in (down, along) if step > 1) if along > 0 else math.inf
        back = gaps.back - along * gaps.extend if along <= 0 else math.inf
        total -= min(gap, back + (price(gaps, down - 1) if down > 1 else 0.0))
    return total


@pytest.mark.parametrize(
    ("one", "other", "distance"), [("kitten", "sitting", 3), ("saturday", "sunday", 3), ("abc", "abc", 0), ("a", "", 1)]
)
def test_it_counts_the_fewest_edits(one: str, other: str, distance: int) -> None:
    assert edit_distance(letters(one, other)) == distance


def test_a_word_lies_in_a_sentence_where_it_takes_the_fewest_edits() -> None:
    path = edit_path(letters("annealing", "an annual meeting of annealling experts"))
    assert path.score == 1
    assert (path.columns[0], path.columns[-1]) == (21, 30)


def test_the_first_of_equal_places_is_taken() -> None:
    assert edit_path(letters("abc", "xabcxabcx")).columns.tolist() == [1, 2, 3]


def test_what_is_nowhere_has_no_pair_and_a_whole_distance() -> None:
    path = edit_path(letters("abc", "xyz"))
    assert path.score == 3
    assert path.rows.size == 0


@given(SAME)
def test_edits_are_as_few_as_the_textbook_says(same: np.ndarray) -> None:
    assert edit_distance(same) == levenshtein(same, is_inside=False)[-1, -1]
    path = edit_path(same)
    assert path.score == levenshtein(same, is_inside=True)[-1].min()
    assert same[path.rows, path.columns].all()
    assert (np.diff(path.rows) > 0).all()
    assert (np.diff(path.columns) > 0).all()


@given(SCORES, GAPS)
def test_no_alignment_is_better_and_its_path_is_worth_its_score(scores: np.ndarray, gaps: GapCosts) -> None:
    path = local_alignment(scores, gaps)
    assert path.score == pytest.approx(smith_waterman(scores, gaps), abs=1e-4)
    if len(path.rows):
        assert worth(path, scores, gaps) == pytest.approx(path.score, abs=1e-4)
        assert (np.diff(path.rows) > 0).all()
        assert math.isfinite(gaps.back) or (np.diff(path.columns) > 0).all()


def test_what_is_repeated_goes_back_where_that_is_allowed() -> None:
    scores = np.full((30, 20), -1.0, np.float32)
    scores[np.arange(15), np.arange(15)] = scores[np.arange(15, 30), np.arange(5, 20)] = 1.0
    path = local_alignment(scores, GapCosts(open=4.0, extend=0.1, drift=2.0, back=6.0))
    assert path.score == pytest.approx(30 - 6 - 0.9)
    assert path.pieces() == [(0, 15), (15, 30)]
    assert local_alignment(scores, GapCosts(open=4.0, extend=0.1, drift=2.0)).score < path.score


def test_a_cut_is_bridged_and_told_as_two_pieces() -> None:
    scores = np.full((20, 30), -1.0, np.float32)
    scores[np.arange(10), np.arange(10)] = scores[np.arange(10, 20), np.arange(18, 28)] = 1.0
    path = local_alignment(scores, GapCosts(open=4.0, extend=0.1, drift=2.0))
    assert path.score == pytest.approx(20 - 4.8)
    assert path.pieces() == [(0, 10), (10, 20)]
    assert path.columns.tolist() == [*range(10), *range(18, 28)]


def test_a_clock_that_drifts_stays_in_one_piece() -> None:
    scores = np.full((40, 42), -1.0, np.float32)
    rows = np.arange(40)
    scores[rows, rows + rows // 16] = 1.0
    path = local_alignment(scores, GapCosts(open=8.0, extend=0.1, drift=1.5))
    assert path.pieces(drift=1) == [(0, 40)]


def test_a_gap_of_rows_parts_a_diagonal_where_it_is_long() -> None:
    path = Path(np.array([0, 1, 2, 6, 7]), np.array([5, 6, 7, 11, 12]), 1.0)
    assert path.pieces(gap=2) == [(0, 3), (3, 5)]
    assert path.pieces(gap=3) == [(0, 5)]
    assert Path(np.zeros(0, int), np.zeros(0, int), 0.0).pieces() == []
