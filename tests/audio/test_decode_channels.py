"""Films and concerts have more channels than two, each in its own plane in most codecs."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from earmark.audio.decode import load

RATE = 48_000


def surround(codec: str, container: str, layout: str, channels: int) -> bytes:
    """Return a second of the same tone in every channel."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    spool = io.BytesIO()
    with av.open(spool, "w", format=container) as out:
        stream = out.add_stream(codec, rate=RATE, layout=layout)
        context = stream.codec_context
        packed = av.AudioFrame.from_ndarray(np.repeat(tone, channels)[None], format="flt", layout=layout)
        packed.sample_rate = RATE
        resampler = av.AudioResampler(
            format=context.format, layout=layout, rate=RATE, frame_size=context.frame_size or 1_024
        )
        for frame in [*resampler.resample(packed), *resampler.resample(None)]:
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return spool.getvalue()


@pytest.mark.parametrize(
    ("codec", "container", "layout", "channels"),
    [
        ("aac", "ipod", "5.1", 6),
        ("aac", "ipod", "7.1", 8),
        ("libopus", "ogg", "7.1", 8),
        ("flac", "flac", "7.1", 8),
        ("aac", "ipod", "hexadecagonal", 16),
        ("pcm_f32le", "wav", "hexadecagonal", 16),
    ],
)
def test_sound_of_many_channels_is_mixed(codec: str, container: str, layout: str, channels: int) -> None:
    samples, report = load(surround(codec, container, layout, channels), rate=8_000)
    assert report.complete
    middle = samples[2_000:6_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() * 2 == 440  # bins of 2 Hz
    assert np.std(middle) == pytest.approx(0.5 / np.sqrt(2), rel=0.3)  # a codec leaves the low-frequency channel out
