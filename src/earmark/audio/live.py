"""Decoding of sound that is still being recorded: what a browser's MediaRecorder sends, block by block as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from earmark.audio.container import options
from earmark.errors import MediaError
from earmark.types import Samples

FORMATS = "matroska,webm,ogg,mp4,mov,m4a,wav,flac,mp3,aac"  # that can be read without going back
# Chromium's first cluster holds the stream's description; probing for longer would only delay the first sound.
PROBE = {"probesize": "32768", "analyzeduration": "0"}
BUFFER_BYTES = 1 << 13  # most that FFmpeg asks for at once: half a second of Opus at 128 kbit/s
MOST_DAMAGED_IN_A_ROW = 100  # packets; after more the stream is given up


def decode_live(read: Callable[[int], bytes], *, rate: int) -> Iterator[Samples]:
    """Yield mono float32 blocks, (n,), at `rate` Hz, as soon as `read(most bytes)` has given what they are made of.

    `read` waits for bytes and returns those there are, none at the end. Raises MediaError.
    """
    import av

    try:
        container = av.open(
            _Arriving(read),
            mode="r",
            options={**options(), **PROBE, "format_whitelist": FORMATS},
            metadata_errors="replace",
            buffer_size=BUFFER_BYTES,
        )
    except Exception as error:  # PyAV raises FFmpegError, and IndexError or ValueError on some damaged files
        text = f"{type(error).__name__}: {error}"[:200]
        raise MediaError("unreadable", f"this is no sound that can be read as it comes ({text})") from error
    with container:
        if not container.streams.audio:
            raise MediaError("no_audio", "there is no sound in it; send what a microphone records")
        resampler = AudioResampler(format="flt", layout="mono", rate=rate)
        damaged, packets = 0, container.demux(container.streams.audio[0])
        while damaged < MOST_DAMAGED_IN_A_ROW:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = [mono for frame in packet.decode() for mono in resampler.resample(frame)]
            except (FFmpegError, IndexError, ValueError):
                damaged += 1
                continue
            damaged = 0
            for mono in frames:
                yield np.nan_to_num(mono.to_ndarray().reshape(-1), nan=0.0, posinf=0.0, neginf=0.0)
        raise MediaError("unreadable", f"{damaged} packets in a row were damaged")


class _Arriving:
    """A file that can be read once from its beginning."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.read = read
