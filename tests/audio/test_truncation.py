"""Files that are shorter than they declare: their sound is kept, and the report says that they are not complete."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from earmark.audio.decode import load
from tests.audio.encoding import encode_as, music, web_file

RATE = 11_025
SECONDS = 12.0
SOUND = music(SECONDS)

# The longest stretch of sound that stands or falls together: a page of Ogg, a packet of WMA, the end of an AAC frame.
LARGEST_PART = {"ogg": 1.0, "opus": 1.0, "wma": 0.6, "flac": 0.3}


@pytest.mark.parametrize("name", ["wav", "aiff", "flac", "mp3", "ogg", "opus", "m4a", "aac", "wma", "webm", "mka"])
def test_a_truncated_file_keeps_its_sound_and_is_not_complete(name: str) -> None:
    content = web_file(name, SOUND)
    assert load(content, rate=RATE)[1].complete
    for share in np.linspace(0.25, 0.95, 8):
        samples, report = load(content[: int(len(content) * share)], rate=RATE)
        sound = int(len(content) * share) / len(content) * SECONDS
        assert len(samples) / RATE >= 0.95 * sound - LARGEST_PART.get(name, 0.1), (name, share)
        assert not report.complete, (name, share)


def test_a_wav_file_that_was_written_into_a_pipe_is_complete() -> None:
    content = bytearray(encode_as("wav", SOUND))
    place = content.index(b"data") + 4
    for unknown in (0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF - 36, 0):
        content[place : place + 4] = struct.pack("<I", unknown)
        _, report = load(bytes(content), rate=RATE)
        assert report.seconds == pytest.approx(SECONDS, abs=0.01)
        assert report.complete, unknown
