from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earmark import distort
from earmark.distort.chain import NONE
from earmark.distort.filters import CURVE_POINTS
from earmark.errors import OptionError
from tests.distort.conftest import RATE

SPARE = 1_600  # 0.2 s to either side
GOLDEN_OFFSETS = [1418, 1535, 358]
GOLDEN_SNR = [1.74528, 4.4756, 5.64779]
GOLDEN_SAMPLES = [-0.147473, -0.29961, 0.239335]


@pytest.fixture(scope="module")
def channel():
    generator = np.random.default_rng(5)
    return distort.Channel(
        rate=RATE,
        samples=RATE,
        rooms=[distort.room_response(t60, rate=RATE, generator=generator) for t60 in (0.1, 0.4, 0.8)],
        microphones=[distort.microphone_response(rate=RATE, generator=generator) for _ in range(3)],
    )


@pytest.fixture
def windows(recordings):
    return np.concatenate([recordings[:, start : start + 2 * RATE + 2 * SPARE] for start in (8_000, 40_000, 90_000)])


@pytest.fixture
def noise():
    generators = distort.clip_generators(9, range(24))
    return np.stack(
        [distort.coloured_noise(RATE, rate=RATE, slope_decibels=-3, generator=generator) for generator in generators]
    )


def nothing(count):
    """Return draws by which nothing happens."""
    none = np.full(count, NONE)
    zeros = np.zeros(count)
    curves = np.zeros((count, CURVE_POINTS), np.float32)
    return distort.Draws(np.zeros(count, np.int64), none, none, curves, np.full(count, np.inf), zeros)


def test_a_batch_is_as_its_clips_alone(windows, noise, channel):
    draws = distort.draw(distort.Ranges(), channel, distort.clip_generators(1, range(24)))
    together = distort.distort(windows, noise, draws, channel)
    for row in range(24):
        one = distort.draw(distort.Ranges(), channel, distort.clip_generators(1, [row]))
        alone = distort.distort(windows[row : row + 1], noise[row : row + 1], one, channel)
        np.testing.assert_allclose(together[row], alone[0], atol=2e-6)


def test_nothing_happens_when_nothing_is_drawn(windows, noise, channel):
    out = distort.distort(windows, noise, nothing(24), channel)
    np.testing.assert_allclose(out, windows[:, RATE + SPARE : 2 * RATE + SPARE], atol=1e-6)


def test_an_offset_is_exact_to_the_sample(windows, noise, channel):
    offsets = np.linspace(-SPARE, SPARE, 24).astype(np.int64)
    out = distort.distort(windows, noise, replace(nothing(24), offsets=offsets), channel)
    for row, offset in enumerate(offsets):
        start = RATE + SPARE + int(offset)
        np.testing.assert_allclose(out[row], windows[row, start : start + RATE], atol=1e-6)


def test_a_room_is_that_of_the_plain_function(windows, noise, channel):
    generator = np.random.default_rng(5)
    rooms = [distort.room_response(t60, rate=RATE, generator=generator) for t60 in (0.1, 0.4, 0.8)]
    numbers = np.arange(24) % 3
    out = distort.distort(windows, noise, replace(nothing(24), rooms=numbers), channel)
    for row in range(24):
        wet = distort.reverberate(windows[row, SPARE : SPARE + 2 * RATE], rooms[numbers[row]], history=RATE)
        np.testing.assert_allclose(out[row], wet, atol=1e-5)


def test_the_ratio_holds_for_what_comes_out(windows, noise, channel):
    draws = distort.draw(distort.Ranges(gain_decibels=(0, 0)), channel, distort.clip_generators(2, range(24)))
    noisy = distort.distort(windows, noise, draws, channel)
    clean = distort.distort(windows, noise, replace(draws, snr_decibels=np.full(24, np.inf)), channel)
    added = np.mean((noisy.astype(np.float64) - clean) ** 2, axis=-1)
    snr = 10 * np.log10(distort.active_power(clean, rate=RATE) / added)
    np.testing.assert_allclose(snr, draws.snr_decibels, atol=0.1)


def test_draws_keep_to_their_ranges(channel):
    ranges = distort.Ranges(room_share=0.5, microphone_share=1.0, noise_share=0.25, snr_decibels=(3, 6))
    draws = distort.draw(ranges, channel, distort.clip_generators(3, range(2_000)))
    assert np.abs(draws.offsets).max() <= 1_600
    assert set(draws.rooms) == {NONE, 0, 1, 2}
    assert set(draws.microphones) == {0, 1, 2}
    assert np.mean(draws.rooms == NONE) == pytest.approx(0.5, abs=0.05)
    assert np.mean(np.isfinite(draws.snr_decibels)) == pytest.approx(0.25, abs=0.05)
    heard = draws.snr_decibels[np.isfinite(draws.snr_decibels)]
    assert 3 <= heard.min() < heard.max() <= 6


def test_the_same_seed_gives_the_same_clips_anywhere(windows, noise, channel):
    """Figures kept from the machine that this was written on."""
    draws = distort.draw(distort.Ranges(), channel, distort.clip_generators(4, range(3)))
    np.testing.assert_array_equal(draws.offsets, GOLDEN_OFFSETS)
    np.testing.assert_allclose(draws.snr_decibels, GOLDEN_SNR, atol=1e-4)
    tone = np.sin(np.arange(windows.shape[1]) * 0.3).astype(np.float32) * np.float32(0.5)
    hiss = np.sin(np.arange(RATE) ** 1.5 * 0.01).astype(np.float32)
    out = distort.distort(np.stack([tone] * 3), np.stack([hiss] * 3), draws, channel)
    np.testing.assert_allclose(out[:, 4_000], GOLDEN_SAMPLES, atol=1e-5)


def test_music_that_is_too_short_for_the_offsets_is_refused(windows, noise, channel):
    draws = replace(nothing(24), offsets=np.full(24, 1_601))
    with pytest.raises(OptionError, match="music of 19200 and noise of 8000 samples; give 19202 and 8000"):
        distort.distort(windows, noise, draws, channel)


def test_a_channel_without_rooms_or_microphones_passes_everything(windows, noise):
    plain = distort.Channel(rate=RATE, samples=RATE)
    draws = distort.draw(distort.Ranges(), plain, distort.clip_generators(1, range(24)))
    assert set(draws.rooms) == set(draws.microphones) == {NONE}
    assert np.isfinite(distort.distort(windows, noise, draws, plain)).all()
