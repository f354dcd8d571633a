"""The spectrogram's bins and frames are where the front end says."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.audio.stft import FrontEnd, power_chunks

FRONT_END = FrontEnd(rate=8000, window=800, hop=200, low_bin=10, high_bin=110)  # 10 Hz a bin, 100-1100 Hz


def spectrogram(samples: np.ndarray, frames: int = 64) -> np.ndarray:
    return np.concatenate(list(power_chunks([samples.astype(np.float32)], FRONT_END, frames=frames)))


@pytest.mark.parametrize("hertz", [110, 440, 1000])
def test_a_tone_is_in_the_bin_of_its_frequency(hertz: int) -> None:
    power = spectrogram(np.sin(2 * np.pi * hertz * np.arange(8000) / 8000))
    assert set(power.argmax(axis=1) + FRONT_END.low_bin) == {hertz / FRONT_END.hertz_per_bin}


def test_a_full_scale_tone_has_the_power_that_the_window_gives_it() -> None:
    power = spectrogram(np.sin(2 * np.pi * 440 * np.arange(8000) / 8000))
    assert power.max() == pytest.approx((np.hanning(800).sum() / 2) ** 2, rel=1e-4)


def test_a_click_is_in_the_frames_whose_window_holds_it() -> None:
    samples = np.zeros(8000)
    samples[4000] = 1.0
    loud = np.flatnonzero(spectrogram(samples).sum(axis=1) > 1e-6)
    assert loud.min() * 200 + 800 > 4000 > loud.max() * 200
    assert (loud.min(), loud.max()) == (17, 19)


def test_frames_are_counted_as_they_come() -> None:
    for samples in (0, 1, 799, 800, 999, 1000, 8000):
        chunks = list(power_chunks([np.ones(samples, np.float32)], FRONT_END, frames=7))
        assert sum(len(chunk) for chunk in chunks) == FRONT_END.frames_in(samples)
        assert all(len(chunk) == 7 for chunk in chunks[:-1])
