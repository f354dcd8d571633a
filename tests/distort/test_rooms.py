from __future__ import annotations

import numpy as np
import pytest

from earmark.distort import aligned_response, reverberate, reverberation_seconds, room_response
from earmark.errors import OptionError
from tests.distort.conftest import RATE


@pytest.mark.parametrize("t60", [0.1, 0.2, 0.4, 0.6, 0.8])
def test_a_made_room_has_the_reverberation_time_that_was_asked_for(t60):
    for seed in range(10):
        response = room_response(t60, rate=RATE, generator=np.random.default_rng(seed))
        measured = reverberation_seconds(response, rate=RATE)
        assert abs(measured - t60) <= max(0.1 * t60, 0.03)


def test_schroeders_time_of_an_exact_decay_is_exact():
    seconds = np.arange(RATE) / RATE
    assert reverberation_seconds(10 ** (-3 * seconds / 0.5), rate=RATE) == pytest.approx(0.5, rel=0.01)


def test_a_response_that_hardly_decays_is_refused():
    with pytest.raises(OptionError, match="decays by less than 25 dB"):
        reverberation_seconds(np.r_[np.ones(10), 0.9], rate=RATE)
    with pytest.raises(OptionError, match="t60_seconds=0"):
        room_response(0, rate=RATE, generator=np.random.default_rng(0))


def test_a_made_room_has_unit_energy_and_as_much_direct_sound_as_was_asked_for():
    response = room_response(0.4, rate=RATE, generator=np.random.default_rng(1), direct_decibels=6.0).astype(np.float64)
    assert np.sum(response**2) == pytest.approx(1)
    assert 10 * np.log10(response[0] ** 2 / np.sum(response[1:] ** 2)) == pytest.approx(6.0, abs=0.01)


def test_an_aligned_response_begins_with_its_direct_sound():
    response = np.r_[np.zeros(40), 0.01, 2.0, 0.5, -0.25]
    np.testing.assert_allclose(aligned_response(response), np.array([2, 0.5, -0.25]) / np.sqrt(4.3125), rtol=1e-6)


def test_a_room_is_a_full_linear_convolution_with_what_was_played_before(recordings):
    heard = recordings[0, 3 * RATE : 5 * RATE]
    response = room_response(0.5, rate=RATE, generator=np.random.default_rng(2))
    wet = reverberate(heard, response, history=RATE)
    expected = np.convolve(heard.astype(np.float64), response)[RATE : 2 * RATE]
    np.testing.assert_allclose(wet, expected, atol=1e-5)


def test_the_direct_sound_stays_in_its_place(recordings):
    music = recordings[0, 3 * RATE : 5 * RATE]
    wet = reverberate(music, room_response(0.3, rate=RATE, generator=np.random.default_rng(4)), history=RATE)
    likeness = np.correlate(np.pad(wet, 200), music[RATE:], mode="valid")
    assert int(np.argmax(likeness)) - 200 == 0


def test_each_clip_may_have_its_own_room(recordings):
    music = recordings[:3, : 2 * RATE]
    rooms = np.stack([room_response(0.4, rate=RATE, generator=np.random.default_rng(seed)) for seed in range(3)])
    together = reverberate(music, rooms, history=RATE)
    assert together.shape == (3, RATE)
    for row in range(3):
        np.testing.assert_allclose(together[row], reverberate(music[row], rooms[row], history=RATE), atol=1e-6)
