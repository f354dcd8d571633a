"""The spectrogram's bins and frames are where the front end says."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.audio.stft import FrontEnd, PowerStream, power
from tests.audio.spectra import power_chunks

FRONT_END = FrontEnd(rate=8000, window=800, hop=200, low_bin=10, high_bin=110)  # 10 Hz a bin, 100-1100 Hz


def spectrogram(samples: np.ndarray, frames: int = 64) -> np.ndarray:
    return np.concatenate(list(power_chunks([samples.astype(np.float32)], FRONT_END, frames=frames)))


@pytest.mark.parametrize("hertz", [110, 440, 1000])
def test_a_tone_is_in_the_bin_of_its_frequency(hertz: int) -> None:
    spectra = spectrogram(np.sin(2 * np.pi * hertz * np.arange(8000) / 8000))
    assert set(spectra.argmax(axis=1) + FRONT_END.low_bin) == {hertz / FRONT_END.hertz_per_bin}


def test_a_full_scale_tone_has_the_power_that_the_window_gives_it() -> None:
    spectra = spectrogram(np.sin(2 * np.pi * 440 * np.arange(8000) / 8000))
    assert spectra.max() == pytest.approx((np.hanning(800).sum() / 2) ** 2, rel=1e-4)


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


def test_what_is_left_is_told_without_being_taken_away() -> None:
    sound = np.random.default_rng(1).normal(size=8000).astype(np.float32)
    stream = PowerStream(FRONT_END, frames=7)
    done = list(stream.push(sound[:5000]))
    [once], [again] = list(stream.rest()), list(stream.rest())
    assert np.array_equal(once, again)
    assert sum(map(len, done)) + len(once) == FRONT_END.frames_in(5000)
    longer = np.concatenate([*done, *stream.rest(sound[5000:])])
    assert np.array_equal(longer, spectrogram(sound, frames=7))
    whole = np.concatenate([*done, *stream.push(sound[5000:]), *stream.rest()])
    assert np.array_equal(whole, longer)


def test_the_power_of_a_window_is_the_square_of_its_spectrum() -> None:
    window = np.random.default_rng(2).normal(size=800).astype(np.float32)
    wanted = np.abs(np.fft.rfft(window * np.hanning(800)))[10:110] ** 2
    assert power(window[None], FRONT_END)[0] == pytest.approx(wanted, rel=1e-3)
