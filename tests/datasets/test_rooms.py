from __future__ import annotations

import numpy as np
import pytest

from earmark.datasets.rooms import load_rooms, save_rooms, synthesise_room, synthesise_rooms
from earmark.distort import reverberation_seconds
from earmark.errors import OptionError

RATE = 8_000


@pytest.fixture(scope="module")
def rooms():
    return tuple(synthesise_rooms(6, rate=RATE, seed=1))


@pytest.mark.parametrize("t60", [0.1, 0.3, 0.8])
def test_a_room_has_the_time_that_was_asked_for(t60):
    room = synthesise_room(t60, rate=RATE, generator=np.random.default_rng(2))
    assert abs(room.t60_seconds - t60) <= max(0.1 * t60, 0.03)


def test_the_time_that_is_stored_is_the_one_that_is_measured(rooms):
    for room in rooms:
        assert 0.07 <= room.t60_seconds <= 0.88
        assert reverberation_seconds(room.response, rate=RATE) == pytest.approx(room.t60_seconds)


def test_the_direct_sound_comes_first_and_the_energy_is_one(rooms):
    for room in rooms:
        assert int(np.argmax(np.abs(room.response))) == 0
        assert np.sum(room.response.astype(np.float64) ** 2) == pytest.approx(1, abs=1e-5)
        assert room.distance_metres >= 0.5


def test_a_room_of_a_seed_is_always_the_same(rooms):
    again = list(synthesise_rooms(2, rate=RATE, seed=1))
    for room, other in zip(rooms[:2], again, strict=True):
        np.testing.assert_allclose(room.response, other.response, atol=1e-5)
    assert rooms[0].t60_seconds != rooms[1].t60_seconds


def test_rooms_are_kept_in_a_file(rooms, tmp_path):
    save_rooms(tmp_path / "rooms.npz", rooms)
    for room, loaded in zip(rooms, load_rooms(tmp_path / "rooms.npz"), strict=True):
        np.testing.assert_array_equal(loaded.response, room.response)
        assert (loaded.rate, loaded.t60_seconds, loaded.size_metres) == (RATE, room.t60_seconds, room.size_metres)
    with pytest.raises(OptionError, match="rooms of 0 rates"):
        save_rooms(tmp_path / "none.npz", [])
