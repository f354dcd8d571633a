from __future__ import annotations

import numpy as np
import pytest

from earmark.distort import high_pass, low_pass, microphone_response
from earmark.distort.filters import apply_curve, equaliser_curve
from tests.distort.conftest import RATE


def gain_at(hertz, change):
    """Return by how many dB `change` makes a tone louder, measured in its middle."""
    tone = np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE).astype(np.float32)
    middle = slice(RATE // 2, 3 * RATE // 2)
    return 10 * np.log10(np.mean(change(tone)[middle] ** 2) / np.mean(tone[middle] ** 2))


def test_a_pass_is_3_db_down_at_its_frequency_and_falls_12_db_an_octave():
    high, low = (lambda tone: high_pass(tone, 300, rate=RATE)), (lambda tone: low_pass(tone, 1_000, rate=RATE))
    assert gain_at(300, high) == pytest.approx(-3, abs=0.3)
    assert gain_at(75, high) - gain_at(150, high) == pytest.approx(-12, abs=1.0)
    assert gain_at(1_000, low) == pytest.approx(-3, abs=0.3)
    assert gain_at(3_000, high) == pytest.approx(0, abs=0.1)
    assert gain_at(100, low) == pytest.approx(0, abs=0.1)


def test_an_equaliser_goes_through_its_points():
    curve = equaliser_curve([6.0, 0.0, -6.0])  # at 30, 346 and 4,000 Hz
    change = lambda tone: apply_curve(tone, curve, rate=RATE)  # noqa: E731
    assert gain_at(40, change) == pytest.approx(5.3, abs=0.4)
    assert gain_at(np.sqrt(30 * RATE / 2), change) == pytest.approx(0, abs=0.3)
    assert gain_at(3_600, change) == pytest.approx(-5.5, abs=0.4)


def test_filters_move_nothing_in_time():
    click = np.zeros(RATE, np.float32)
    click[1234] = 1
    for filtered in (high_pass(click, 200, rate=RATE), low_pass(click, 2_000, rate=RATE)):
        assert int(np.argmax(filtered)) == 1234


def test_filters_do_the_same_to_a_clip_alone_and_in_a_batch(recordings):
    clips, hertz = recordings[:4, :RATE], np.array([100.0, 200.0, 400.0, 800.0])
    together = high_pass(clips, hertz, rate=RATE)
    for row in range(4):
        np.testing.assert_allclose(together[row], high_pass(clips[row], hertz[row], rate=RATE), atol=1e-6)


def test_a_microphone_answers_at_once_and_is_different_each_time():
    responses = [microphone_response(rate=RATE, generator=np.random.default_rng(seed)) for seed in range(5)]
    for response in responses:
        assert int(np.argmax(np.abs(response))) == 0  # of minimum phase
        assert np.sum(response.astype(np.float64) ** 2) == pytest.approx(1)
    assert np.abs(responses[0] - responses[1]).max() > 0.01
