"""Decoding reads what people have, and says clearly what it cannot read."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from earmark.audio.container import open_regular
from earmark.audio.decode import MediaReport, decode, load
from earmark.errors import MediaError, OptionError
from tests.audio.encoding import FORMATS, Picture, encode, encode_as, music

RATE = 11_025
SECONDS = 4.0
SOUND = music(SECONDS)
REFERENCE = scipy.signal.resample_poly(SOUND.mean(axis=1), 1, 4).astype(np.float32)  # 44,100 to 11,025 Hz


def lag_and_likeness(samples: np.ndarray, reference: np.ndarray) -> tuple[int, float]:
    """Return by how many samples a sound comes late, and its correlation with the reference there."""
    correlation = scipy.signal.correlate(samples, reference, mode="full")
    lag = int(correlation.argmax()) - len(reference) + 1
    return lag, float(correlation.max() / np.sqrt((samples**2).sum() * (reference**2).sum()))


def code_of(source: object, **options: object) -> str:
    with pytest.raises(MediaError) as caught:
        load(source, rate=RATE, **options)  # type: ignore[arg-type]
    return caught.value.code


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_sound_at_the_same_time(name: str) -> None:
    samples, report = load(encode_as(name, SOUND), rate=RATE)
    lag, likeness = lag_and_likeness(samples, REFERENCE)
    # What an encoder puts in front is known only where the container says it; the one used here says nothing for these.
    frame = {"aac": 1_200, "ts": 1_200, "m4a": 300, "wma": 600}
    assert abs(lag) <= frame.get(name, 8)
    assert likeness > 0.98
    assert report.seconds == pytest.approx(SECONDS, abs=0.15)
    assert report.complete
    assert report.damaged_packets == 0


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_any_rate_can_be_asked_for(rate: int) -> None:
    samples, _ = load(encode_as("wav", SOUND), rate=rate)
    assert len(samples) == pytest.approx(SECONDS * rate, abs=2)
    assert samples.dtype == np.float32


@pytest.mark.parametrize("source_rate", [8_000, 22_050, 96_000, 192_000])
def test_files_of_any_usual_rate_are_read(source_rate: int) -> None:
    samples, _ = load(encode_as("wav", music(1.0, source_rate), source_rate), rate=RATE)
    assert len(samples) == pytest.approx(RATE, abs=3)


def test_a_path_bytes_and_a_file_object_give_the_same(tmp_path: Path) -> None:
    content = encode_as("flac", SOUND)
    path = tmp_path / "sound.dat"  # the name says nothing; the content decides
    path.write_bytes(content)
    whole = load(content, rate=RATE)[0]
    assert np.array_equal(load(path, rate=RATE)[0], whole)
    assert np.array_equal(load(str(path), rate=RATE)[0], whole)
    with path.open("rb") as file:
        assert np.array_equal(load(file, rate=RATE)[0], whole)


def test_all_channels_are_mixed() -> None:
    planes = np.stack([SOUND[:, 0], SOUND[:, 0], np.zeros(len(SOUND), np.float32), np.zeros(len(SOUND), np.float32)], 1)
    samples, _ = load(encode_as("wavfloat", planes), rate=44_100)
    assert samples == pytest.approx(planes.mean(axis=1), abs=1e-5)


def test_channels_that_cancel_give_way_to_the_louder_one() -> None:
    cancelling = np.stack([SOUND[:, 0], -0.9 * SOUND[:, 0]], axis=1)
    samples, _ = load(encode_as("wavfloat", cancelling), rate=RATE)
    lag, likeness = lag_and_likeness(samples, scipy.signal.resample_poly(SOUND[:, 0], 1, 4).astype(np.float32))
    assert abs(lag) <= 2
    assert likeness > 0.99


def test_a_declared_length_is_not_believed() -> None:
    content = bytearray(encode_as("wav", SOUND))
    size = content.index(b"data") + 4
    content[size : size + 4] = struct.pack("<I", 0xFFFFFFF0)
    assert load(bytes(content), rate=RATE)[1].seconds == pytest.approx(SECONDS, abs=0.01)


def test_nothing_is_too_short() -> None:
    assert code_of(b"") == "too_short"
    content = encode_as("wav", SOUND[:100])
    assert code_of(content[: content.index(b"data") + 8]) == "too_short"


def test_numbers_that_are_not_finite_become_silence_and_many_of_them_are_refused() -> None:
    few = SOUND.copy()
    few[100:120] = np.nan
    few[200] = np.inf
    samples, report = load(encode_as("wavfloat", few), rate=RATE)
    assert np.isfinite(samples).all()
    assert report.replaced_samples == 42
    many = SOUND.copy()
    many[: len(many) // 10] = np.nan
    assert code_of(encode_as("wavfloat", many)) == "unreadable"


@pytest.mark.parametrize("rate", [1, 1_000, 768_000, 2**31 - 1])
def test_a_rate_out_of_reach_is_refused_before_anything_is_made_of_it(rate: int) -> None:
    content = bytearray(encode_as("wav", SOUND[:4_000]))
    content[24:28] = struct.pack("<I", rate)
    assert code_of(bytes(content)) in ("unsupported", "unreadable")


def test_64_channels_are_read_and_more_are_refused() -> None:
    many = np.repeat(SOUND[:8_000, :1], 64, axis=1)
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + many.nbytes, b"WAVE", b"fmt ", 16, 3, 64, 44_100,
                         44_100 * 256, 256, 32, b"data", many.nbytes)  # fmt: skip
    assert load(header + many.tobytes(), rate=RATE)[1].complete
    more = header[:22] + struct.pack("<H", 200) + header[24:]
    assert code_of(more + many.tobytes()) in ("unsupported", "unreadable")


def test_a_file_that_declares_more_than_asked_for_is_refused_unread() -> None:
    silence = encode_as("flac", np.zeros((60 * 44_100, 1), np.float32))
    assert len(silence) < 200_000
    with pytest.raises(MediaError, match=r"too_long: longer than 10 s") as caught:
        load(silence, rate=RATE, max_seconds=10)
    assert caught.value.partial == 0.0


@pytest.mark.parametrize(
    "playlist",
    [
        b"ffconcat version 1.0\nfile secret.wav\n",
        b"#EXTM3U\n#EXTINF:5,\nsecret.wav\n",
        b"[playlist]\nFile1=secret.wav\n",
    ],
)
def test_a_playlist_opens_nothing(playlist: bytes, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encode_as("wav", SOUND))
    before = secret.stat().st_atime_ns
    os.utime(secret, ns=(0, secret.stat().st_mtime_ns))
    upload = tmp_path / "upload.mp3"
    upload.write_bytes(playlist)
    assert code_of(upload) in ("unreadable", "unsupported")
    assert secret.stat().st_atime_ns == 0 < before


@pytest.mark.parametrize("name", ["http://127.0.0.1:9/a.mp3", "concat:a.mp3|b.mp3", "subfile,,start,0,end,9,,:a.mp3"])
def test_a_url_is_a_path_that_is_not_there(name: str) -> None:
    assert code_of(name) == "unreadable"


def test_a_picture_has_no_audio() -> None:
    header = b"\x89PNG\r\n\x1a\n"
    ihdr = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", ihdr), (b"IDAT", zlib.compress(b"\0\0\0\0")), (b"IEND", b"")]
    png = header + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    assert code_of(png) == "unsupported"


def test_the_sound_of_a_video_is_read_and_cover_art_is_passed_over() -> None:
    video = encode(SOUND, 44_100, codec="aac", container="matroska", picture=Picture("mpeg4", frames=5))
    cover = encode(SOUND, 44_100, codec="aac", container="matroska", picture=Picture("mjpeg"))
    for content in (video, cover):
        assert lag_and_likeness(load(content, rate=RATE)[0], REFERENCE)[1] > 0.98


def test_a_video_without_sound_has_no_audio() -> None:
    silent = encode(SOUND, 44_100, codec="aac", container="matroska", picture=Picture("mpeg4", 3), streams=0)
    assert code_of(silent) == "no_audio"


def test_one_of_several_audio_streams_is_chosen() -> None:
    content = encode(SOUND, 44_100, codec="flac", container="matroska", streams=2)
    with decode(content, rate=RATE) as first, decode(content, rate=RATE, stream=1) as second:
        loud, soft = (np.concatenate(list(decoder)) for decoder in (first, second))
    assert np.std(soft) == pytest.approx(0.5 * np.std(loud), rel=0.1)
    with (
        pytest.raises(OptionError, match="stream=2; the file has 2 audio streams"),
        decode(content, rate=RATE, stream=2),
    ):
        pass


def test_tags_are_valid_text_without_control_characters() -> None:
    content = encode_as("flac", SOUND, tags={"title": "Caf\x1b[31m\u202eé\n  song", "artist": "x" * 9_000})
    tags = load(content, rate=RATE)[1].tags
    assert tags["title"] == "Caf[31mé   song"
    assert len(tags["artist"]) == 1_024


def test_a_tag_that_is_no_utf_8_does_not_stop_the_file() -> None:
    frame = b"TIT2" + struct.pack(">I", 6) + b"\0\0" + b"\x03caf\xe9\0"
    size = len(frame)
    header = b"ID3\x04\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    samples, report = load(header + frame + encode_as("mp3", SOUND), rate=RATE)
    assert len(samples) > 3 * RATE
    assert report.tags.get("title", "").startswith("caf")


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    fifo, loop, missing = tmp_path / "fifo", tmp_path / "loop", tmp_path / "missing"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    for path in (fifo, loop, missing, tmp_path, Path("/dev/zero"), Path("/dev/random")):
        with pytest.raises(MediaError) as caught:
            open_regular(path)
        assert caught.value.code == "unreadable"
        assert str(path) in str(caught.value)


def test_a_name_that_is_no_utf_8_is_read_and_shown_escaped(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    with open(path, "wb") as file:  # noqa: PTH123 - pathlib has no bytes
        file.write(encode_as("wav", SOUND[:9_000]))
    assert len(load(os.fsdecode(path), rate=RATE)[0]) > 2_000
    with pytest.raises(MediaError, match=r"caf\\xe9x.wav"):
        open_regular(os.fsdecode(path.replace(b".wav", b"x.wav")))


def test_random_bytes_and_text_are_unreadable() -> None:
    assert code_of(np.random.default_rng(0).bytes(50_000)) == "unreadable"
    assert code_of(b"Dear diary, today I listened to music.\n" * 50) == "unreadable"


def test_a_stream_that_cannot_be_sought_says_so() -> None:
    read, write = os.pipe()
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert code_of(pipe) == "unreadable"


def test_memory_does_not_grow_with_the_length_of_the_file() -> None:
    content = encode_as("flac", np.zeros((20 * 60 * 8_000, 1), np.float32), 8_000)
    tracemalloc.start()
    with decode(io.BytesIO(content), rate=RATE) as decoder:
        total = sum(len(block) for block in decoder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == pytest.approx(20 * 60 * RATE, rel=1e-3)
    assert peak < 8_000_000


def test_a_rate_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(OptionError, match="rate=0; give 4000 to 384000 Hz"):
        decode(b"", rate=0)


def test_the_report_grows_while_the_file_is_read() -> None:
    with decode(encode_as("wav", music(20.0)), rate=RATE) as decoder:
        next(iter(decoder))
        report = decoder.report
        assert isinstance(report, MediaReport)
        assert 0 < report.seconds < 20
        assert not report.complete


def test_it_says_after_every_minute_how_much_came_out() -> None:
    told: list[float] = []
    content = encode_as("flac", np.zeros((200 * 8_000, 1), np.float32), 8_000)
    with decode(content, rate=RATE, report_seconds=told.append) as decoder:
        assert sum(map(len, decoder)) == pytest.approx(200 * RATE, rel=1e-3)
    assert told == pytest.approx([60, 120, 180], abs=15)  # whole blocks, of some seconds each
    assert len(told) == 3
