"""Samples in memory are taken when they make sense, and refused with a reason when not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from earmark.audio.arrays import to_mono
from earmark.errors import OptionError
from tests.audio.encoding import music

RATE = 11_025
SOUND = music(2.0)
REFERENCE = scipy.signal.resample_poly(SOUND.mean(axis=1), 1, 4).astype(np.float32)


def test_samples_are_taken_as_they_are_when_they_make_sense() -> None:
    assert to_mono(REFERENCE, RATE, to_rate=RATE) == pytest.approx(REFERENCE)
    assert to_mono((SOUND * 32_767).astype(np.int16), 44_100, to_rate=RATE) == pytest.approx(
        to_mono(SOUND, 44_100, to_rate=RATE), abs=1e-3
    )


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros((2, 3, 4)), 8_000, "samples of shape"),
        (np.zeros((2, 99)), 8_000, r"samples of shape \(2, 99\); give \(n,\) or \(n, channels\), as samples.T is"),
        (np.zeros(9), 100, "samples at 100 Hz; give 4,000 to 384,000 Hz"),
        (np.zeros(9), "8000", "a rate of type str; give"),
        (8_000, np.zeros(9), r"a rate of type ndarray; give \(samples, rate\)"),
        (np.array(["a"]), 8_000, "samples of type"),
        (np.array([0.0, np.nan]), 8_000, "1 samples are not finite"),
    ],
)
def test_samples_that_make_no_sense_are_refused(samples: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        to_mono(samples, rate, to_rate=RATE)
