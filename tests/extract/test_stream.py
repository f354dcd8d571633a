"""Sound in blocks has the fingerprint of the whole, at whatever rate it comes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import OptionError
from earmark.extract.fingerprint import extract_samples
from earmark.extract.parts import fingerprints_of_parts
from earmark.extract.stream import ExtractionStream
from earmark.fingerprints import make

MAKER = make("shazam")


def test_blocks_have_the_fingerprint_of_the_whole(music: Sequence[Path], alike) -> None:
    samples = load(music[0], rate=MAKER.rate)[0][: 6 * MAKER.rate]
    stream = ExtractionStream(MAKER, MAKER.rate)
    for block in np.array_split(samples, 37):
        stream.push(block)
    stream.end()
    found, whole = stream.take(since_seconds=0.0), extract_samples(samples, MAKER.rate, MAKER, query=True)
    assert alike(found.fingerprint, whole.fingerprint)
    assert (found.seconds, found.silent, found.features) == (whole.seconds, False, whole.features)


def test_another_rate_is_resampled_and_seconds_stay_seconds(music: Sequence[Path]) -> None:
    stream = ExtractionStream(MAKER, 16_000)
    for block in np.array_split(load(music[0], rate=16_000)[0][: 6 * 16_000], 5):
        stream.push(block)
    stream.end()
    found = stream.take(since_seconds=2.0)
    assert stream.seconds == found.seconds == 6.0
    assert found.fingerprint.seconds == pytest.approx(4.0, abs=0.01)
    assert found.features > 100


def test_silence_is_said_to_be_silent() -> None:
    stream = ExtractionStream(MAKER, MAKER.rate)
    stream.push(np.full(MAKER.rate, 5e-5, np.float32))
    assert stream.take(since_seconds=0.0).silent


def test_a_rate_that_is_none_is_refused() -> None:
    with pytest.raises(OptionError, match="rate=0"):
        ExtractionStream(MAKER, 0)


def test_of_sound_that_is_looked_at_as_a_recording_parts_are_at_hand_as_of_the_whole(
    music: Sequence[Path], alike
) -> None:
    samples, frame = load(music[0], rate=MAKER.rate)[0][: 24 * MAKER.rate], MAKER.plan.channels[0].frame_seconds
    spans = [(700 * frame, 900 * frame), (1_000 * frame, 1_300 * frame)]
    stream = ExtractionStream(MAKER, MAKER.rate, is_close=False)
    for number, block in enumerate(np.array_split(samples, 48)):
        stream.push(block)
        if number == 25:
            stream.take(since_seconds=8.0)  # what is older is not kept
    assert alike(stream.take(since_seconds=12.0).fingerprint, MAKER.extract(samples, query=False).between(12.0, 24.0))
    for part, whole in zip(stream.parts(spans), fingerprints_of_parts([samples], MAKER, spans), strict=True):
        assert alike(part, whole)
    assert sum(map(len, stream._kept)) < 14 * MAKER.rate
