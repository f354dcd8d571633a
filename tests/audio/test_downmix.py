"""Channels become one, the same however the sound is cut, and nothing is lost where they cancel."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from earmark.audio.downmix import Mixer, scaled

RATE = 4_000
NOISE = np.random.default_rng(1).normal(0, 0.1, 3 * RATE + 700).astype(np.float32)
OPPOSED = np.stack([NOISE, NOISE])
OPPOSED[1, RATE : 2 * RATE] *= -0.95  # in the second second, the right channel is nearly the left one's negative


def mixed(planes: np.ndarray, cuts: list[int]) -> np.ndarray:
    mixer = Mixer(RATE, len(planes))
    parts = [mixer.mix(part) for part in np.split(planes, sorted(cuts), axis=1)]
    return np.concatenate([*parts, mixer.flush()])


@given(st.lists(st.integers(0, len(NOISE)), max_size=20))
def test_the_mix_is_the_same_to_the_last_bit_however_the_sound_is_cut(cuts: list[int]) -> None:
    assert np.array_equal(mixed(OPPOSED, cuts), mixed(OPPOSED, []))


def test_the_louder_channel_stands_for_all_only_while_they_cancel() -> None:
    assert np.allclose(mixed(OPPOSED, []), NOISE)  # everywhere, also where the mean is a fortieth of it


def test_independent_channels_and_silence_are_mixed() -> None:
    planes = np.stack([NOISE, NOISE[::-1], np.zeros_like(NOISE)])
    assert np.allclose(mixed(planes, []), planes.mean(axis=0), atol=1e-6)
    assert not mixed(np.zeros((2, 2 * RATE), np.float32), [5]).any()


def test_integers_become_floats_from_minus_one_to_one() -> None:
    assert scaled(np.array([-32_768, 0, 16_384], np.int16)).tolist() == [-1, 0, 0.5]
    assert scaled(np.array([0, 128, 192], np.uint8)).tolist() == [-1, 0, 0.5]
    assert scaled(np.array([-(2**31), 2**30], np.int32)).tolist() == [-1, 0.5]
