from __future__ import annotations

import numpy as np
import pytest

from earmark.distort.timing import change_speed, change_tempo, slice_padded
from earmark.errors import OptionError
from tests.distort.conftest import RATE


def tone_hertz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * RATE / len(samples)


def test_a_slice_is_exact_to_the_sample_with_zeros_outside(recordings):
    recording = recordings[0]
    np.testing.assert_array_equal(slice_padded(recording, 777, 500), recording[777:1277])
    np.testing.assert_array_equal(slice_padded(recording, -3, 5), [0, 0, 0, *recording[:2]])
    np.testing.assert_array_equal(slice_padded(recording, len(recording) - 2, 4), [*recording[-2:], 0, 0])
    slices = slice_padded(recordings[:2], np.array([10, 20]), 100)
    np.testing.assert_array_equal(slices, np.stack([recordings[0, 10:110], recordings[1, 20:120]]))


@pytest.mark.parametrize("speed", [0.5, 0.96, 1.0, 1.02, 1.04, 2.0])
def test_speed_moves_every_event_to_its_sample(speed):
    for place in (100, 3_000, 7_900):
        pulse = np.exp(-0.5 * ((np.arange(RATE) - place) / 6) ** 2).astype(np.float32)
        played = change_speed(pulse, speed)
        assert len(played) == round(RATE / speed)
        assert abs(int(np.argmax(played)) - place / speed) <= 1


def test_speed_changes_the_pitch_with_the_tempo():
    tone = np.sin(2 * np.pi * 500 * np.arange(4 * RATE) / RATE).astype(np.float32)
    assert tone_hertz(change_speed(tone, 1.04)) == pytest.approx(520, abs=0.5)


def test_tempo_keeps_the_pitch():
    tone = np.sin(2 * np.pi * 500 * np.arange(4 * RATE) / RATE).astype(np.float32)
    quick = change_tempo(tone, 1.04, rate=RATE)
    assert len(quick) == round(4 * RATE / 1.04)
    assert tone_hertz(quick) == pytest.approx(500, abs=1.5)


def test_tempo_moves_events_in_proportion(recordings):
    clicks = recordings[0, : 8 * RATE] * 0.01
    places = np.arange(1, 8) * RATE
    for place in places:
        clicks[place : place + 40] = 1.0
    quick = change_tempo(clicks, 1.04, rate=RATE)
    for place in places:
        expected = round(place / 1.04)
        found = expected - 600 + int(np.argmax(np.abs(quick[expected - 600 : expected + 600]) > 0.5))
        assert abs(found - expected) <= 0.05 * RATE  # atempo copies windows of some tens of milliseconds


def test_a_batch_is_as_its_clips_alone(recordings):
    clips, factors = recordings[:3, :RATE], np.array([0.98, 1.0, 1.02])
    for change in (
        change_speed,
        lambda samples, factor, length: change_tempo(samples, factor, rate=RATE, length=length),
    ):
        together = change(clips, factors, length=7_000)
        assert together.shape == (3, 7_000)
        for row in range(3):
            np.testing.assert_allclose(together[row], change(clips[row], factors[row], length=7_000), atol=1e-6)


def test_what_makes_no_sense_is_refused(recordings):
    with pytest.raises(OptionError, match="a factor of 3"):
        change_speed(recordings[0], 3.0)
    with pytest.raises(OptionError, match="give length="):
        change_speed(recordings[:2], np.array([1.0, 1.1]))
