"""ICY metadata, as it should be and as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.streams.icy import IcyDemuxer, interval_of
from tests.streams.servers import with_metadata


@given(
    sound=st.binary(max_size=400),
    titles=st.lists(
        st.text(st.characters(exclude_characters="\0';", exclude_categories=("C", "Z")), min_size=1, max_size=40)
    ),
    interval=st.integers(1, 60),
    sizes=st.lists(st.integers(1, 50), min_size=1),
)
def test_sound_and_titles_come_apart_whatever_the_pieces(
    sound: bytes, titles: list[str], interval: int, sizes: list[int]
) -> None:
    stream = with_metadata(sound, interval, [title.encode() for title in titles])
    demuxer, heard, told, place, number = IcyDemuxer(interval), b"", list[str](), 0, 0
    while place < len(stream):
        size = sizes[number % len(sizes)]
        part, found = demuxer.push(stream[place : place + size])
        heard, told, place, number = heard + part, told + found, place + size, number + 1
    assert heard == sound
    assert told == titles[: len(sound) // interval]


@given(stream=st.binary(max_size=2_000), interval=st.integers(1, 100))
def test_no_bytes_make_it_fail_and_none_are_made_up(stream: bytes, interval: int) -> None:
    sound, _ = IcyDemuxer(interval).push(stream)
    assert len(sound) <= len(stream)
    assert sound[:interval] == stream[:interval]


def test_where_a_block_is_none_all_is_sound_from_there_on() -> None:
    stream = bytes(range(256)) * 20
    assert IcyDemuxer(100).push(stream) == (stream, [])


@pytest.mark.parametrize(
    ("text", "interval"), [("8192", 8_192), (None, 0), ("", 0), ("-1", 0), ("x", 0), ("9" * 30, 0)]
)
def test_an_interval_that_is_none_means_no_metadata(text: str | None, interval: int) -> None:
    assert interval_of(text) == interval
