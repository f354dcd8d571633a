"""Files of every format, encoded from samples with FFmpeg."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

# Name: (codec, container, bit rate)
FORMATS: dict[str, tuple[str, str, int | None]] = {
    "wav": ("pcm_s16le", "wav", None),
    "wav24": ("pcm_s24le", "wav", None),
    "wavfloat": ("pcm_f32le", "wav", None),
    "aiff": ("pcm_s16be", "aiff", None),
    "flac": ("flac", "flac", None),
    "mp3": ("libmp3lame", "mp3", 128_000),
    "ogg": ("vorbis", "ogg", None),
    "opus": ("libopus", "ogg", 64_000),
    "m4a": ("aac", "ipod", 128_000),
    "aac": ("aac", "adts", 128_000),
    "wma": ("wmav2", "asf", 128_000),
    "webm": ("libopus", "webm", 64_000),
    "mka": ("aac", "matroska", 128_000),
    "ts": ("aac", "mpegts", 128_000),
}


@dataclass(frozen=True)
class Picture:
    """What else lies in the file: a stream of pictures before the sound."""

    codec: str = "mjpeg"
    frames: int = 1


def music(seconds: float, rate: int = 44_100, *, channels: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """Return something like music: notes that begin and decay, shape (n, channels)."""
    rng = np.random.default_rng(seed)
    sound = np.zeros((int(seconds * rate), channels))
    for begin in np.arange(0, seconds, 0.12):
        times = np.arange(int(min(0.5, seconds - begin) * rate)) / rate
        hertz = 110 * 2 ** (rng.integers(0, 48) / 12)
        note = np.sin(2 * np.pi * hertz * times) * np.exp(-times * 8) * 0.2
        first = int(begin * rate)
        sound[first : first + len(note)] += note[:, None] * rng.uniform(0.4, 1.0, channels)
    return np.clip(sound, -0.95, 0.95).astype(np.float32)


def encode(
    samples: NDArray[np.float32],
    rate: int,
    *,
    codec: str,
    container: str,
    bit_rate: int | None = None,
    tags: Mapping[str, str] | None = None,
    picture: Picture | None = None,
    streams: int = 1,
) -> bytes:
    """Return samples (n,) or (n, channels) as a file; `streams` writes them so many times, each half as loud."""
    planes = np.atleast_2d(samples.T if samples.ndim == 2 else samples)
    layout = {1: "mono", 2: "stereo"}.get(len(planes), f"{len(planes)}c")
    spool = io.BytesIO()
    with av.open(spool, "w", format=container) as out:
        out.metadata.update(tags or {})
        shown = _picture_stream(out, picture) if picture is not None else None
        sounds = [_sound_stream(out, rate, codec, layout, bit_rate) for _ in range(streams)]
        if shown is not None and picture is not None:
            _write_pictures(out, shown, picture)
        for number, stream in enumerate(sounds):
            _write_sound(out, stream, planes * np.float32(0.5**number), rate, layout)
    return spool.getvalue()


def encode_as(name: str, samples: NDArray[np.float32], rate: int = 44_100, **more: object) -> bytes:
    """Return samples as a file of one of `FORMATS`."""
    codec, container, bit_rate = FORMATS[name]
    return encode(samples, rate, codec=codec, container=container, bit_rate=bit_rate, **more)  # type: ignore[arg-type]


def _sound_stream(
    out: av.container.OutputContainer, rate: int, codec: str, layout: str, bit_rate: int | None
) -> av.AudioStream:
    stream = out.add_stream(codec, rate=48_000 if codec == "libopus" else rate, layout=layout)
    assert isinstance(stream, av.AudioStream)
    if bit_rate:
        stream.bit_rate = bit_rate
    if codec == "vorbis":
        stream.codec_context.options = {"strict": "experimental"}  # FFmpeg's own encoder; good enough for stereo
    if codec == "flac":
        stream.codec_context.format = "s16"
    return stream


def _write_sound(
    out: av.container.OutputContainer, stream: av.AudioStream, planes: NDArray[np.float32], rate: int, layout: str
) -> None:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes, np.float32), format="fltp", layout=layout)
    frame.sample_rate = rate
    context = stream.codec_context
    resampler = av.AudioResampler(
        format=context.format, layout=layout, rate=context.rate, frame_size=context.frame_size or 1_152
    )
    begin = 0
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        part.pts, part.time_base = begin, Fraction(1, context.rate)
        begin += part.samples
        out.mux(stream.encode(part))
    out.mux(stream.encode(None))


def _picture_stream(out: av.container.OutputContainer, picture: Picture) -> av.VideoStream:
    stream = out.add_stream(picture.codec, rate=1)
    assert isinstance(stream, av.VideoStream)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuvj420p" if picture.codec == "mjpeg" else "yuv420p"
    return stream


def _write_pictures(out: av.container.OutputContainer, stream: av.VideoStream, picture: Picture) -> None:
    for number in range(picture.frames):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 40 * number % 255, np.uint8), format="rgb24")
        frame.pts = number
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def web_file(name: str, sound: NDArray[np.float32]) -> bytes:
    """Return sound at 44.1 kHz as a file like those on the web."""
    if name == "ogg":  # FFmpeg's own Vorbis encoder writes pages of 3 s, which nobody else does
        file = io.BytesIO()
        soundfile.write(file, sound, 44_100, format="OGG")
        return file.getvalue()
    content = encode_as(name, sound)
    return with_index_first(content) if name == "m4a" else content


def with_index_first(content: bytes) -> bytes:
    """Return an mp4 file with its index before the sound, as files made for the web have it."""
    boxes, at = [], 0
    while at < len(content):
        size = struct.unpack(">I", content[at : at + 4])[0]
        boxes.append(content[at : at + size])
        at += size
    index = bytearray(boxes.pop(next(n for n, box in enumerate(boxes) if box[4:8] == b"moov")))
    table = index.index(b"stco")  # 4 bytes of version and flags, the count, then the places of the chunks
    count = struct.unpack(">I", index[table + 8 : table + 12])[0]
    for entry in range(table + 12, table + 12 + 4 * count, 4):
        index[entry : entry + 4] = struct.pack(">I", struct.unpack(">I", index[entry : entry + 4])[0] + len(index))
    return b"".join([boxes[0], bytes(index), *boxes[1:]])
