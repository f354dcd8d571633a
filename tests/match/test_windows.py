"""Windows of a sound: those on the grid stay when more sound comes, and the last one ends with it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.match.windows import HOP_SECONDS, WINDOW_SECONDS, last_window, pieces_of, whole_windows

FRAME_SECONDS = (0.03125, 192 / 11_025, 64 / 5_512, 0.128)  # of several kinds of fingerprint
frames = st.sampled_from(FRAME_SECONDS)
lengths = st.floats(WINDOW_SECONDS, 200.0)


def is_on_a_frame(second: float, frame: float) -> bool:
    return abs(second / frame - round(second / frame)) < 1e-6


@pytest.mark.parametrize(
    ("seconds", "begins"),
    [(4.9, []), (5.0, [0.0]), (7.4, [0.0]), (8.0, [0.0, 2.5]), (12.4, [0.0, 2.5, 5.0]), (12.5, [0.0, 2.5, 5.0, 7.5])],
)
def test_golden_windows(seconds: float, begins: list[float]) -> None:
    assert whole_windows(seconds, 0.03125) == [(begin, begin + WINDOW_SECONDS) for begin in begins]


@pytest.mark.parametrize(
    ("seconds", "window"), [(3.0, (0.0, 3.0)), (5.0, (0.0, 5.0)), (8.0, (3.0, 8.0)), (9.99, (4.96875, 9.99))]
)
def test_golden_last_windows(seconds: float, window: tuple[float, float]) -> None:
    assert last_window(seconds, 0.03125) == window


@given(lengths, frames)
def test_windows_cover_a_sound_and_reach_half_into_each_other(seconds: float, frame: float) -> None:
    found = [*whole_windows(seconds, frame), last_window(seconds, frame)]
    assert found[0][0] == 0.0
    assert found[-1][1] == seconds
    for begin, end in found:
        assert WINDOW_SECONDS - 1e-9 <= end - begin <= WINDOW_SECONDS + frame + 1e-9
        assert is_on_a_frame(begin, frame)
    for (begin, _), (after, _) in pairwise(found):
        assert after - begin <= HOP_SECONDS + 1.5 * frame
    assert all(after - begin > 0 for (begin, _), (after, _) in pairwise(found[:-1]))


@given(lengths, frames, st.floats(0.0, 30.0))
def test_windows_on_the_grid_stay_when_more_sound_comes(seconds: float, frame: float, more: float) -> None:
    known, later = whole_windows(seconds, frame), whole_windows(seconds + more, frame)
    assert later[: len(known)] == known


@given(lengths, frames, st.floats(0.0, 210.0))
def test_since_leaves_out_the_windows_that_began_before(seconds: float, frame: float, since: float) -> None:
    every = whole_windows(seconds, frame)
    assert whole_windows(seconds, frame, since=since) == [one for one in every if one[0] >= since]


@given(st.floats(0.0, 100.0), st.floats(0.5, 80.0), st.floats(2.0, 20.0), frames)
def test_pieces_are_equal_and_none_too_long(start: float, length: float, longest: float, frame: float) -> None:
    found = pieces_of(start, start + length, longest, frame)
    assert found[0][0] == pytest.approx(start, abs=frame)
    assert found[-1][1] == pytest.approx(start + length, abs=frame)
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert all(is_on_a_frame(begin, frame) for begin, _ in found)
    sizes = [end - begin for begin, end in found]
    assert max(sizes) <= longest + frame
    assert max(sizes) - min(sizes) <= 2 * frame + 1e-9
    assert len(found) == 1 or length / (len(found) - 1) > longest - 1e-6
