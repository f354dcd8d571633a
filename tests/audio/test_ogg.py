"""Ogg Vorbis whose headers come a second time, in front of the sound: FFmpeg refuses it, here it is read."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from earmark.audio.decode import load
from earmark.errors import MediaError
from tests.audio.encoding import music

RATE = 44_100


def checksum(content: bytes) -> int:
    """Return the checksum of a page as RFC 3533 describes it, bit by bit."""
    rest = 0
    for value in content:
        rest ^= value << 24
        for _ in range(8):
            rest = rest << 1 ^ (0x104C11DB7 if rest & 0x80000000 else 0)
    return rest


def page(head: bytes, lacing: bytes, body: bytes) -> bytes:
    """Return a page with its checksum; `head` is another page's."""
    parts = [head[:22], bytes(4), bytes([len(lacing)]) + lacing + body]
    parts[1] = checksum(b"".join(parts)).to_bytes(4, "little")
    return b"".join(parts)


def pages_of(content: bytes) -> list[bytes]:
    starts, at = [], 0
    while at < len(content):
        starts.append(at)
        count = content[at + 26]
        at += 27 + count + sum(content[at + 27 : at + 27 + count])
    return [content[start:end] for start, end in pairwise([*starts, len(content)])]


def parts(one: bytes) -> tuple[bytes, bytes]:
    """Return (lacing, body) of a page."""
    behind = 27 + one[26]
    return one[27:behind], one[behind:]


@pytest.fixture(scope="module")
def plain() -> bytes:
    spool = io.BytesIO()
    soundfile.write(spool, music(2.0), RATE, format="OGG", subtype="VORBIS")
    return spool.getvalue()


def with_headers_twice(content: bytes, *, granule: int) -> bytes:
    """Return the file as some editors write it: all three headers again, on a page before the sound."""
    first, second, *rest = pages_of(content)
    (one, body), (other, more) = parts(first), parts(second)
    head = rest[0][:5] + b"\0" + granule.to_bytes(8, "little", signed=True) + rest[0][14:26]
    return b"".join([first, second, page(head, one + other, body + more), *rest])


@pytest.mark.parametrize("granule", [-104, -1, 0])
def test_headers_that_come_twice_count_once(plain, granule):
    expected, report = load(plain, rate=RATE)
    found, again = load(with_headers_twice(plain, granule=granule), rate=RATE)
    np.testing.assert_array_equal(found, expected)
    assert (again.complete, again.damaged_packets) == (report.complete, 0)


def test_sound_on_the_page_of_the_second_headers_is_kept(plain):
    first, second, sound, *rest = pages_of(plain)
    bodies = [parts(one) for one in (first, second, sound)]
    lacing, body = (b"".join(column) for column in zip(*bodies, strict=True))
    found, report = load(b"".join([first, second, page(sound[:26], lacing, body), *rest]), rate=RATE)
    expected, _ = load(plain, rate=RATE)
    np.testing.assert_array_equal(found, expected)
    assert report.complete


@pytest.mark.parametrize("size", [40, 300, 3_000])
def test_what_ends_within_its_headers_is_refused(plain, size):
    with pytest.raises(MediaError, match="unreadable"):
        load(with_headers_twice(plain, granule=0)[:size], rate=RATE)
