"""Windows of a sound: they cover it, half-way into each other, and what has settled stays when more sound comes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.match.windows import (
    HOP_SECONDS,
    LONGEST_AT_ONCE_SECONDS,
    WINDOW_SECONDS,
    pieces_of,
    settled_before,
    windows_of,
)

FRAME_SECONDS = (0.03125, 192 / 11_025, 64 / 5_512, 0.128)  # of several kinds of fingerprint
frames = st.sampled_from(FRAME_SECONDS)
lengths = st.floats(LONGEST_AT_ONCE_SECONDS + 1e-3, 200.0)


def is_on_a_frame(second: float, frame: float) -> bool:
    return abs(second / frame - round(second / frame)) < 1e-6


@pytest.mark.parametrize("seconds", [0.0, 0.3, 5.0, LONGEST_AT_ONCE_SECONDS])
def test_a_short_sound_is_one_window(seconds: float) -> None:
    assert windows_of(seconds, 0.03125) == [(0.0, seconds)]
    assert windows_of(seconds, 0.03125, since=1.0) == []
    assert settled_before(seconds, 0.03125) == 0.0


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (8.0, [0.0, 3.0]),
        (10.0, [0.0, 2.5, 5.0]),
        (12.0, [0.0, 2.5, 5.0, 7.0]),
        (12.5, [0.0, 2.5, 5.0, 7.5]),
        (13.0, [0.0, 2.5, 5.0, 8.0]),
        (14.0, [0.0, 2.5, 5.0, 7.5, 9.0]),
    ],
)
def test_golden_windows(seconds: float, wanted: list[float]) -> None:
    assert windows_of(seconds, 0.03125) == [(begin, begin + WINDOW_SECONDS) for begin in wanted]


@given(lengths, frames)
def test_windows_cover_a_sound_and_reach_into_each_other(seconds: float, frame: float) -> None:
    found = windows_of(seconds, frame)
    assert found[0][0] == 0.0
    assert seconds - frame <= found[-1][1] <= seconds  # the last one ends with the sound
    for begin, end in found:
        assert end - begin == pytest.approx(WINDOW_SECONDS)
        assert is_on_a_frame(begin, frame)
    for (begin, _), (after, _) in pairwise(found):
        assert 0 < after - begin <= 1.5 * HOP_SECONDS + 2 * frame


@given(lengths, frames, st.floats(0.0, 30.0))
def test_since_leaves_out_the_windows_that_began_before(seconds: float, frame: float, since: float) -> None:
    assert windows_of(seconds, frame, since=since) == [one for one in windows_of(seconds, frame) if one[0] >= since]


@given(lengths, frames)
def test_all_but_the_last_window_of_a_sound_stay_when_more_comes(seconds: float, frame: float) -> None:
    settled = settled_before(seconds, frame)
    assert is_on_a_frame(settled, frame)
    assert seconds - WINDOW_SECONDS < settled + frame  # what begins later has not ended
    before = [one for one in windows_of(seconds, frame)[:-1] if one[0] < settled]
    assert before == windows_of(seconds + 20.0, frame)[: len(before)]


@given(lengths, frames, st.floats(0.1, 20.0))
def test_what_comes_later_is_looked_at_to_its_end(seconds: float, frame: float, more: float) -> None:
    """Of sound that was heard before, windows had settled; the new ones begin before those end."""
    known = [one for one in windows_of(seconds, frame) if one[0] < settled_before(seconds, frame)]
    new = windows_of(seconds + more, frame, since=settled_before(seconds, frame))
    assert max(end for _, end in [*known, *new]) >= seconds + more - 2 * frame
    assert all(begin <= max(end for _, end in known) for begin, _ in new[:1])


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
