"""Every kind of file that people keep sound in is read, or refused with the reason."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.signal

from earmark.audio.container import allowed_formats
from earmark.audio.decode import load
from earmark.errors import MediaError
from tests.audio.encoding import encode, music

RATE = 8_000
SECONDS = 4.0
SOUND = music(SECONDS)
REFERENCE = scipy.signal.resample_poly(SOUND.mean(axis=1), 80, 441).astype(np.float32)

# Codec, FFmpeg's name of the container, rate, channels
KINDS = {
    "WavPack": ("wavpack", "wv", 44_100, 2),
    "True Audio": ("tta", "tta", 44_100, 2),
    "AC-3": ("ac3", "ac3", 44_100, 2),
    "E-AC-3": ("eac3", "eac3", 44_100, 2),
    "MP2": ("mp2", "mp2", 44_100, 2),
    "ALAC in CAF": ("alac", "caf", 44_100, 2),
    "Wave64": ("pcm_s16le", "w64", 44_100, 2),
    "AU": ("pcm_s16be", "au", 44_100, 2),
    "VOC": ("pcm_u8", "voc", 8_000, 1),
    "ADPCM in WAV": ("adpcm_ima_wav", "wav", 44_100, 2),
    "AAC in LATM": ("aac", "latm", 44_100, 2),
    "AAC in FLV": ("aac", "flv", 44_100, 2),
    "MP3 in NUT": ("libmp3lame", "nut", 44_100, 2),
    "MP2 in AVI": ("mp2", "avi", 44_100, 2),
    "AC-3 in VOB": ("ac3", "vob", 44_100, 2),
    "AC-3 in RealMedia": ("ac3", "rm", 44_100, 2),
    "AMR": ("libopencore_amrnb", "amr", 8_000, 1),
    "AC-3 in S/PDIF": ("ac3", "spdif", 44_100, 2),
}


def likeness(samples: np.ndarray) -> float:
    """Return the correlation with the reference, wherever it is highest."""
    correlation = scipy.signal.correlate(samples, REFERENCE, mode="full")
    return float(correlation.max() / np.sqrt((samples**2).sum() * (REFERENCE**2).sum()))


@pytest.mark.parametrize("name", KINDS)
def test_it_is_read(name: str) -> None:
    codec, container, rate, channels = KINDS[name]
    sound = SOUND if channels == 2 else SOUND.mean(axis=1)
    if rate != 44_100:
        sound = scipy.signal.resample_poly(sound, 80, 441).astype(np.float32)
    samples, report = load(
        encode(sound, rate, codec=codec, container=container, bit_rate=12_200 if container == "amr" else None),
        rate=RATE,
    )
    assert report.seconds == pytest.approx(SECONDS, abs=0.2)
    assert likeness(samples) > (0.6 if codec == "libopencore_amrnb" else 0.95)


def test_dsd_is_read() -> None:
    ones = np.interp(np.arange(int(SECONDS * 2_822_400)) / 64, np.arange(len(SOUND)), SOUND.mean(axis=1))
    bits = np.diff(np.floor(np.cumsum((ones * 0.5 + 1) / 2)), prepend=0).astype(np.uint8)  # sigma-delta of first order
    packed = np.packbits(bits, bitorder="little")
    packed = np.pad(packed, (0, -len(packed) % 4096))
    head = b"DSD " + struct.pack("<QQQ", 28, 28 + 52 + 12 + len(packed), 0)
    form = b"fmt " + struct.pack("<QIIIIIIQII", 52, 1, 0, 1, 1, 2_822_400, 1, len(bits), 4096, 0)
    samples, _ = load(head + form + b"data" + struct.pack("<Q", 12 + len(packed)) + packed.tobytes(), rate=RATE)
    assert likeness(samples) > 0.9


@pytest.mark.parametrize(("codec", "suffix", "rate"), [("g722", ".g722", 16_000), ("aptx", ".aptx", 48_000)])
def test_sound_without_a_header_is_told_by_its_name(tmp_path: Path, codec: str, suffix: str, rate: int) -> None:
    sound = scipy.signal.resample_poly(SOUND if codec == "aptx" else SOUND.mean(axis=1), rate // 100, 441)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encode(sound.astype(np.float32), rate, codec=codec, container=suffix.removeprefix(".")))
    samples, _ = load(path, rate=RATE)
    assert likeness(samples) > 0.9
    with pytest.raises(MediaError, match=r"^unreadable: "):
        load(path.read_bytes(), rate=RATE)


@pytest.mark.parametrize(
    "text",
    [
        b"1\n00:00:01,000 --> 00:00:02,000\nhello\n",
        b"#EXTM3U\n#EXT-X-VERSION:3\nhttp://x/y.ts\n",
        b"ffconcat version 1.0\n",
    ],
)
def test_what_holds_no_sound_is_unsupported_in_a_persons_words(text: bytes) -> None:
    with pytest.raises(MediaError) as caught:
        load(text, rate=RATE)
    assert caught.value.code in ("unsupported", "unreadable")
    assert not {"Errno", "<none>", "Error:"} & set(str(caught.value).split())


def test_nothing_that_names_other_files_is_allowed() -> None:
    allowed = set(allowed_formats().split(","))
    assert not {"hls", "concat", "dash", "imf", "image2", "lavfi", "rtp", "rtsp", "sdp", "vobsub", "png_pipe"} & allowed
    assert {"wv", "tta", "ape", "mpc", "mpc8", "dsf", "iff", "amr", "dts", "truehd", "mpeg", "flv", "nut"} <= allowed
