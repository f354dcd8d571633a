"""Segments are the same whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.audio.framing import SegmentStream, segments
from earmark.errors import OptionError
from tests.audio.spectra import segment_chunks


def test_segments_start_every_hop_and_the_last_part_is_left_out() -> None:
    cut = segments(np.arange(10, dtype=np.float32), length=4, hop=3)
    assert cut.tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert segments(np.arange(9, dtype=np.float32), length=4, hop=3).shape == (2, 4)


def test_sound_shorter_than_a_segment_is_padded_to_one() -> None:
    assert segments(np.ones(2, np.float32), length=4, hop=1).tolist() == [[1, 1, 0, 0]]
    assert segments(np.zeros(0, np.float32), length=4, hop=1).shape == (0, 4)


def test_a_hop_that_would_leave_gaps_is_refused() -> None:
    with pytest.raises(OptionError, match="hop=5; give 1 to length=4"):
        list(segment_chunks([np.zeros(9, np.float32)], length=4, hop=5, count=1))


@given(
    total=st.integers(0, 400),
    length=st.integers(1, 40),
    hop=st.integers(1, 40),
    count=st.integers(1, 9),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_chunks_are_the_same_segments_however_the_sound_is_cut(
    total: int, length: int, hop: int, count: int, cuts: list[int]
) -> None:
    hop = min(hop, length)
    sound = np.arange(total, dtype=np.float32)
    whole = list(segment_chunks([sound], length=length, hop=hop, count=count))
    parts = list(segment_chunks(np.split(sound, sorted(cut for cut in cuts if cut <= total)), length=length, hop=hop,
                                count=count))  # fmt: skip
    assert [chunk.tolist() for chunk in whole] == [chunk.tolist() for chunk in parts]
    expected = segments(sound, length=length, hop=hop)
    assert np.array_equal(np.concatenate([expected[:0], *whole]), expected)


@given(total=st.integers(0, 200), cut=st.integers(0, 200), hop=st.integers(1, 9), count=st.integers(1, 5))
def test_what_is_left_is_as_if_the_sound_ended_there_and_stays(total: int, cut: int, hop: int, count: int) -> None:
    sound, cut = np.arange(total, dtype=np.float32), min(cut, total)
    stream = SegmentStream(length=9, hop=hop, count=count)
    done = list(stream.push(sound[:cut]))
    for _ in range(2):
        ended = np.concatenate([segments(sound[:0], length=9, hop=hop), *done, *stream.rest()])
        assert np.array_equal(ended, segments(sound[:cut], length=9, hop=hop))
        longer = np.concatenate([segments(sound[:0], length=9, hop=hop), *done, *stream.rest(sound[cut:])])
        assert np.array_equal(longer, segments(sound, length=9, hop=hop))


def test_what_segments_no_longer_need_is_let_go_of() -> None:
    stream = SegmentStream(length=8, hop=4, count=3)
    held = []
    for first in range(0, 4_000, 5):
        list(stream.push(np.arange(first, first + 5, dtype=np.float32)))
        held.append(sum(map(len, stream._pending)))
    assert max(held) < 2 * 4 + 8
