from __future__ import annotations

import numpy as np
import pytest

from earmark.distort import active_power, add_noise, add_speech, coloured_noise
from tests.distort.conftest import RATE


def decibels(ratio):
    return 10 * np.log10(ratio)


@pytest.mark.parametrize("wanted", [-5.0, 0.0, 10.0, 20.0])
def test_noise_stands_at_the_ratio_that_was_asked_for(recordings, wanted):
    music = recordings[:, 4 * RATE : 6 * RATE]
    noise = np.stack([coloured_noise(2 * RATE, rate=RATE, slope_decibels=-3, generator=np.random.default_rng(7))] * 8)
    added = add_noise(music, noise, wanted, rate=RATE).astype(np.float64) - music
    snr = decibels(active_power(music, rate=RATE) / np.mean(added**2, axis=-1))
    np.testing.assert_allclose(snr, wanted, atol=0.1)


def test_pauses_do_not_count_as_music(recordings):
    music = recordings[0, 4 * RATE : 6 * RATE].copy()
    power = active_power(music[:RATE], rate=RATE)
    music[RATE:] = 0
    assert active_power(music, rate=RATE) == pytest.approx(power)
    assert np.mean(music**2) == pytest.approx(np.mean(music[:RATE] ** 2) / 2)


def test_a_clip_without_pauses_has_its_mean_square_as_active_power():
    tone = np.sin(np.arange(RATE) * 0.7).astype(np.float32)
    assert active_power(tone, rate=RATE) == pytest.approx(np.mean(tone**2), rel=1e-3)


def test_a_clip_shorter_than_a_frame_has_a_power():
    assert active_power(np.full(10, 0.5, np.float32), rate=RATE) == pytest.approx(0.25)


def test_nothing_is_added_to_silence_and_silence_adds_nothing(recordings):
    music, silence = recordings[0, :RATE], np.zeros(RATE, np.float32)
    np.testing.assert_array_equal(add_noise(silence, music, 0, rate=RATE), silence)
    np.testing.assert_array_equal(add_noise(music, silence, 0, rate=RATE), music)
    np.testing.assert_array_equal(add_noise(music, music, np.inf, rate=RATE), music)


def test_each_clip_of_a_batch_gets_its_own_ratio_and_is_as_it_is_alone(recordings):
    music, noise, ratios = recordings[:3, :RATE], recordings[3:6, :RATE], np.array([0.0, 5.0, np.inf])
    together = add_noise(music, noise, ratios, rate=RATE)
    for row, ratio in enumerate(ratios):
        np.testing.assert_array_equal(together[row], add_noise(music[row], noise[row], ratio, rate=RATE))


@pytest.mark.parametrize("wanted", [5.0, 0.0, -5.0])
def test_speech_stands_at_the_ratio_of_what_is_active(recordings, wanted):
    """A voice that is silent half of the time is as loud, while it speaks, as one that never pauses."""
    music, voice = recordings[0], recordings[1].copy()
    voice[len(voice) // 2 :] = 0
    added = add_speech(music, voice, wanted, rate=RATE) - music
    ratio = active_power(music, rate=RATE) / active_power(added, rate=RATE)
    assert 10 * np.log10(ratio) == pytest.approx(wanted, abs=0.05)


def test_silent_speech_adds_nothing(recordings):
    assert np.array_equal(add_speech(recordings[0], np.zeros_like(recordings[0]), 0.0, rate=RATE), recordings[0])
