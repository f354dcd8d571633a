"""Whatever numbers a file writes its samples with, they mean the same sound."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from earmark.audio.decode import load

RATE = 8_000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
INTEGERS, FLOATS = 1, 3  # format tags of WAV


def wav(tag: int, numbers: np.ndarray) -> bytes:
    body, width = numbers.tobytes(), numbers.dtype.itemsize
    form = struct.pack("<HHIIHH", tag, 1, RATE, RATE * width, width, 8 * width)
    return b"RIFF" + struct.pack("<I", 36 + len(body)) + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + (
        struct.pack("<I", len(body)) + body
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tag", "numbers", "step"),
    [
        (INTEGERS, np.round(TONE * 128 + 128).astype("u1"), 2**-7),
        (INTEGERS, np.round(TONE * 2.0**15).astype("<i2"), 2**-15),
        (INTEGERS, np.round(TONE * 2.0**31).astype("<i4"), 2**-23),
        (INTEGERS, np.round(TONE * 2.0**63).astype("<i8"), 2**-23),
        (FLOATS, TONE.astype("<f4"), 2**-23),
        (FLOATS, TONE.astype("<f8"), 2**-23),
    ],
    ids=["u8", "s16", "s32", "s64", "float", "double"],
)
def test_every_kind_of_number_gives_the_same_sound(tag: int, numbers: np.ndarray, step: float) -> None:
    samples, report = load(wav(tag, numbers), rate=RATE)
    assert report.complete
    assert samples == pytest.approx(TONE, abs=step)
