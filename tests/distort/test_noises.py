from __future__ import annotations

import numpy as np
import pytest

from earmark.distort import coloured_noise
from tests.distort.conftest import RATE


@pytest.mark.parametrize("slope", [0.0, -3.0, -6.0])
def test_coloured_noise_has_unit_power_and_its_slope(slope):
    noise = coloured_noise(1 << 17, rate=RATE, slope_decibels=slope, generator=np.random.default_rng(3))
    power = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = [power[(hertz >= low) & (hertz < 1.1 * low)].mean() for low in (100, 200, 400, 800, 1600)]
    assert np.mean(noise**2) == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(np.diff(10 * np.log10(octaves)), slope, atol=0.6)
