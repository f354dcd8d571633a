"""Times are those that a player shows: sound that begins after the picture, or pauses; and the sound that it plays."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import OptionError
from tests.audio.encoding import music

RATE = 8_000


def video(container: str, parts: list[tuple[float, np.ndarray]], *, codec: str = "aac") -> bytes:
    """Return a video of 2 s whose sound consists of parts, each (the second at which it begins, samples)."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        picture = out.add_stream("mpeg4" if container != "webm" else "libvpx", rate=5)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        sound = out.add_stream(codec, rate=48_000, layout="mono")
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            out.mux(picture.encode(frame))
        out.mux(picture.encode(None))
        size = sound.codec_context.frame_size or 1_024
        for begin, samples in parts:
            for first in range(0, len(samples) - size, size):
                frame = av.AudioFrame.from_ndarray(samples[None, first : first + size], format="fltp", layout="mono")
                frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
                frame.pts = round(begin * 48_000) + first
                out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return file.getvalue()


def onset_seconds(samples: np.ndarray, after: float = 0.0) -> float:
    """Return the first second after a time at which there is sound."""
    first = int(after * RATE)
    return (first + int(np.argmax(np.abs(samples[first:]) > 0.02))) / RATE


SOUND = music(3.0, 48_000, channels=1)[:, 0]


@pytest.mark.parametrize("container", ["matroska", "mp4", "mov", "mpegts"])
def test_sound_that_begins_after_the_picture_keeps_the_players_time(container: str) -> None:
    samples, report = load(video(container, [(2.0, SOUND)]), rate=RATE)
    assert onset_seconds(samples) == pytest.approx(2.0, abs=0.05)
    assert report.filled_seconds == 0.0


@pytest.mark.parametrize("codec", ["libmp3lame", "mp2", "ac3"])
def test_empty_chunks_of_an_avi_file_are_time_without_sound(codec: str) -> None:
    samples, report = load(video("avi", [(1.5, SOUND)], codec=codec), rate=RATE)
    assert onset_seconds(samples, after=0.2) == pytest.approx(1.5, abs=0.06)  # 0.2: FFmpeg writes one frame at 0
    assert (report.filled_seconds, report.complete) == (0.0, True)


def test_an_avi_file_without_empty_chunks_is_as_long_as_its_sound() -> None:
    samples, _ = load(video("avi", [(0.0, SOUND)], codec="libmp3lame"), rate=RATE)
    assert len(samples) / RATE == pytest.approx(3.0, abs=0.06)


@pytest.mark.parametrize("pause", [20.0, 90.0])
def test_a_pause_is_as_long_as_in_the_player(pause: float) -> None:
    content = video("matroska", [(0.0, SOUND), (3.0 + pause, SOUND)])
    samples, report = load(content, rate=RATE)
    assert onset_seconds(samples, 3.2) == pytest.approx(3.0 + pause, abs=0.05)
    assert report.seconds == pytest.approx(6.0 + pause, abs=0.1)


def test_the_default_stream_is_read_or_the_one_that_is_asked_for() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as out:
        for number in range(2):
            sound = out.add_stream("pcm_s16le", rate=8_000, layout="mono")
            sound.disposition = av.stream.Disposition.default if number else av.stream.Disposition(0)
        for number, sound in enumerate(out.streams.audio):
            samples = np.full((1, 8_000), 8_000 if number else 2_000, np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8_000, 0
            out.mux(sound.encode(frame))
    content = file.getvalue()

    def level(stream: int | None) -> float:
        from earmark.audio.decode import decode

        with decode(content, rate=8_000, stream=stream) as decoder:
            return float(np.concatenate(list(decoder))[4_000])

    assert (level(None), level(0), level(1)) == pytest.approx(
        (8_000 / 32_768, 2_000 / 32_768, 8_000 / 32_768), abs=0.01
    )
    with pytest.raises(OptionError, match="stream=2; the file has 2 audio streams"):
        level(2)
