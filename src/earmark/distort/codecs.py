"""Lossy codecs: clips encoded and decoded, without the codec's delay."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft

from earmark.audio.decode import load
from earmark.errors import OptionError
from earmark.types import Samples

LONGEST_DELAY_SECONDS = 0.25  # seconds of delay, at most; AAC's 2,112 samples are the longest known here
PROBE_SECONDS = 1.0  # length of the noise on which a delay is measured


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder of FFmpeg's, the container it goes into, and the rates it takes."""

    encoder: str
    container: str
    rates: tuple[int, ...]  # Hz; the first that is at least the clip's rate is used


CODECS = {
    "mp3": Codec("libmp3lame", "mp3", (8_000, 16_000, 24_000, 48_000)),
    "aac": Codec("aac", "ipod", (8_000, 16_000, 24_000, 48_000)),
    "opus": Codec("libopus", "ogg", (8_000, 16_000, 24_000, 48_000)),
    "mulaw": Codec("pcm_mulaw", "wav", (8_000,)),  # G.711: the telephone, whatever the clip's rate
}


def transcode(samples: Samples, codec: str, *, rate: int, bit_rate: int = 64_000) -> Samples:
    """Return samples encoded and decoded by a codec of `CODECS`, at their positions.

    The codec's delay is measured on noise, once for each setting, and removed. Samples beyond full scale are clipped.
    """
    if codec not in CODECS:
        raise OptionError(f"codec={codec!r}; give one of {', '.join(CODECS)}")
    delay = _delay(codec, rate, bit_rate)
    clips = [_placed(_coded(clip, codec, rate, bit_rate), delay, len(clip)) for clip in np.atleast_2d(samples)]
    return np.stack(clips).reshape(samples.shape)


def _placed(decoded: Samples, delay: int, length: int) -> Samples:
    """Return `length` decoded samples from the delay on, padded with zeros."""
    placed = np.zeros(length, np.float32)
    found = np.concatenate([np.zeros(max(-delay, 0), np.float32), decoded[max(delay, 0) :]])[:length]
    placed[: len(found)] = found
    return placed


@lru_cache(maxsize=64)
def _delay(codec: str, rate: int, bit_rate: int) -> int:
    probe = np.random.default_rng(0).standard_normal(round(PROBE_SECONDS * rate)).astype(np.float32) * np.float32(0.1)
    decoded = _coded(probe, codec, rate, bit_rate)
    length = len(probe) + len(decoded)
    likeness = fft.irfft(fft.rfft(decoded, length) * np.conj(fft.rfft(probe, length)), length)
    reach = round(LONGEST_DELAY_SECONDS * rate)
    lags = np.arange(-reach, reach + 1)
    return int(lags[np.argmax(likeness[lags])])


def _coded(samples: Samples, codec: str, rate: int, bit_rate: int) -> Samples:
    settings = CODECS[codec]
    encoded_rate = next((known for known in settings.rates if known >= rate), settings.rates[-1])
    given = samples if encoded_rate == rate else soxr.resample(samples, rate, encoded_rate)
    try:
        encoded = _encoded(given, settings, encoded_rate, bit_rate)
    except av.FFmpegError as error:
        raise OptionError(
            f"{codec} at {bit_rate} bit/s and {encoded_rate} Hz: {error}; give another bit rate"
        ) from error
    return load(encoded, rate=rate)[0]


def _encoded(samples: Samples, settings: Codec, rate: int, bit_rate: int) -> bytes:
    spool = io.BytesIO()
    with av.open(spool, "w", format=settings.container) as container:
        stream: Any = container.add_stream(settings.encoder, rate=rate, layout="mono")
        if settings.encoder != "pcm_mulaw":  # it has only one
            stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(_integers(samples)[None], format="s16", layout="mono")
        frame.sample_rate = rate
        context = stream.codec_context
        converter = av.AudioResampler(
            format=context.format, layout="mono", rate=rate, frame_size=context.frame_size or 1024
        )
        for part in [*converter.resample(frame), *converter.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return spool.getvalue()


def _integers(samples: Samples) -> NDArray[np.int16]:
    return np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)
