"""What a file says of its own size is not believed, not even for a moment."""

from __future__ import annotations

import io
import struct

import pytest

from earmark.audio.container import LARGEST_READ_BYTES
from earmark.audio.decode import load
from earmark.errors import MediaError
from tests.audio.encoding import encode_as, music


class Watched(io.BytesIO):
    """A file that notes how much was asked of it at once."""

    most = 0

    def read(self, count: int | None = -1) -> bytes:
        assert count is not None
        self.most = max(self.most, count)
        return super().read(count)


def test_no_more_is_read_at_once_than_a_sound_file_needs_whatever_a_header_declares() -> None:
    sound = encode_as("wav", music(1.0))
    place = sound.index(b"data")
    title = b"LIST" + struct.pack("<I", 200_000_012) + b"INFOINAM" + struct.pack("<I", 200_000_000)
    file = Watched(sound[:place] + title + sound[place:])
    with pytest.raises(MediaError, match="unreadable"):
        load(file, rate=8_000)
    assert 0 < file.most <= LARGEST_READ_BYTES


def test_an_mp4_file_without_its_end_is_called_that() -> None:
    content = encode_as("m4a", music(1.0))
    with pytest.raises(MediaError, match="the end of an MP4 file is missing"):
        load(content[: len(content) // 2], rate=8_000)


def test_an_address_is_told_from_a_file_that_is_not_there() -> None:
    with pytest.raises(MediaError, match="an address, and earmark reads files: download it first"):
        load("https://example.org/a.mp3", rate=8_000)
    with pytest.raises(MediaError, match="No such file or directory"):
        load("absent.mp3", rate=8_000)
