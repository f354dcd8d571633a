"""Damaged files: undamaged sound keeps its time, and the report says what was lost."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.audio.decode import load
from earmark.errors import MediaError
from tests.audio.encoding import encode_as, music, web_file

RATE = 11_025
SECONDS = 12.0
SOUND = music(SECONDS)
REFERENCE = scipy.signal.resample_poly(SOUND.mean(axis=1), 1, 4).astype(np.float32)


def lag_seconds_after(begin: float, samples: np.ndarray) -> float:
    """Return how much later than in the reference the sound from `begin` on comes."""
    late, right = samples[int(begin * RATE) :], REFERENCE[int(begin * RATE) :]
    return (int(scipy.signal.correlate(late, right, mode="full").argmax()) - len(right) + 1) / RATE


@pytest.mark.parametrize("name", ["mp3", "flac", "ogg", "opus", "m4a", "wma", "webm", "mka", "ts"])
def test_sound_after_damage_keeps_its_time(name: str) -> None:
    content = web_file(name, SOUND)
    before = lag_seconds_after(9.0, load(content, rate=RATE)[0])
    for seed, length in enumerate((100, 500, 2_000, 6_000)):
        damaged, random = bytearray(content), np.random.default_rng(seed)
        begin = int(len(content) * random.uniform(0.25, 0.4))
        damaged[begin : begin + length] = random.bytes(length)
        samples, _ = load(bytes(damaged), rate=RATE)
        assert lag_seconds_after(9.0, samples) == pytest.approx(before, abs=0.05), (name, seed)


def test_damage_is_counted_and_filled_with_silence() -> None:
    content = bytearray(web_file("mp3", SOUND))
    middle = len(content) // 3
    content[middle : middle + 4_000] = b"\x55" * 4_000
    samples, report = load(bytes(content), rate=RATE)
    assert report.damaged_packets >= 1
    assert 0.1 < report.filled_seconds < 0.5
    assert report.seconds == pytest.approx(SECONDS, abs=0.1)
    begin = int((SECONDS / 3 + 0.1) * RATE)
    assert np.abs(samples[begin : begin + 500]).max() < 0.01
    assert not report.complete


@pytest.mark.parametrize("name", ["mp3", "aac"])
def test_a_stream_that_changes_its_rate_and_channels_is_read_on(name: str) -> None:
    second = scipy.signal.resample_poly(SOUND[:, :1], 160, 147).astype(np.float32)
    samples, _ = load(encode_as(name, SOUND) + encode_as(name, second, 48_000), rate=RATE)
    assert len(samples) / RATE == pytest.approx(2 * SECONDS, abs=0.3)
    again = samples[-int(6 * RATE) :]
    right = scipy.signal.resample_poly(SOUND[:, 0], 1, 4)[-int(6 * RATE) :]
    likeness = scipy.signal.correlate(again, right).max() / np.sqrt((again**2).sum() * (right**2).sum())
    assert likeness > 0.95


def test_chained_ogg_files_are_read_one_after_the_other() -> None:
    content = web_file("ogg", SOUND)
    samples, report = load(content + content, rate=RATE)
    assert report.seconds == pytest.approx(2 * SECONDS, abs=0.05)
    passage = REFERENCE[5 * RATE : 7 * RATE]
    likeness = scipy.signal.correlate(samples, passage, mode="valid")
    middle = int(SECONDS * RATE)
    assert likeness[:middle].argmax() == pytest.approx(5 * RATE, abs=10)
    assert middle + likeness[middle:].argmax() == pytest.approx(5 * RATE + middle, abs=100)


WHOLE = {name: encode_as(name, SOUND[:66_150]) for name in ("wav", "mp3", "flac", "opus", "m4a", "mka", "ts", "aiff")}


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(WHOLE)), seed=st.integers(0, 2**32 - 1))
def test_whatever_is_damaged_there_is_sound_or_a_media_error(name: str, seed: int) -> None:
    content, random = bytearray(WHOLE[name]), np.random.default_rng(seed)
    for place in random.integers(0, len(content), random.integers(1, 65)):
        content[place] = random.integers(0, 256)
    if random.random() < 0.3:
        del content[random.integers(1, len(content)) :]
    with contextlib.suppress(MediaError):
        samples, report = load(bytes(content), rate=RATE, max_seconds=60)
        assert np.isfinite(samples).all()
        assert len(samples) / RATE == report.seconds
