"""Sound in blocks has the fingerprint of the whole, at whatever rate it comes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import OptionError
from earmark.extract.fingerprint import extract_samples
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
