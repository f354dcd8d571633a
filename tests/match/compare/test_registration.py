"""Peaks of a clip are brought to lie on a recording's, whatever its tempo and pitch."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.match.compare.registration import RegistrationSettings, register
from earmark.types import Layer
from tests.match.compare.layers import peaks

SETTINGS = RegistrationSettings()
FRAMES = 320  # of a clip, 5 s


def recording(seed: int = 1, frames: int = 2_400, count: int = 3_000) -> Layer:
    rng = np.random.default_rng(seed)
    return peaks(np.sort(rng.integers(0, frames, count)), rng.integers(20, 400, count))


def clip(reference: Layer, start: float, speed: float, pitch: float, *, keep: float = 0.6, noise: int = 200) -> Layer:
    rng = np.random.default_rng(7)
    at = (reference.frames + rng.uniform(-0.4, 0.4, len(reference.frames)) - start) / speed
    heard = (at >= 0) & (at < FRAMES) & (rng.random(len(at)) < keep)
    frames = np.concatenate([np.rint(at[heard]), rng.integers(0, FRAMES, noise)]).astype(np.int32)
    bins = np.concatenate([np.rint(reference.values[heard] * pitch), rng.integers(20, 500, noise)]).astype(np.int32)
    order = np.lexsort((bins, frames))
    return peaks(frames[order], bins[order])


@pytest.mark.parametrize(
    ("speed", "pitch"), [(1.0, 1.0), (1.25, 1.25), (0.75, 0.75), (1.15, 1.0), (0.85, 1.0), (1.0, 1.12), (1.0, 0.88)]
)
@pytest.mark.parametrize("error", [-0.06, 0.0, 0.06])
def test_speed_and_pitch_are_found_from_a_rough_place(speed: float, pitch: float, error: float) -> None:
    reference = recording()
    rough = speed * (1 + error)
    start = 500.0 + (speed - rough) * FRAMES / 2 + 6  # right in the clip's middle but for 6 frames
    found = register(clip(reference, 500.0, speed, pitch), reference, start, rough, widest=1.35, settings=SETTINGS)
    assert found is not None
    at, warp = found
    assert at == pytest.approx(500.0, abs=1.0)
    assert warp.speed == pytest.approx(speed, rel=0.002)
    assert warp.pitch == pytest.approx(pitch, rel=0.002)


def test_no_more_is_told_than_was_looked_for() -> None:
    reference = recording()
    found = register(clip(reference, 500.0, 1.0, 1.2), reference, 500.0, 1.0, widest=1.1, settings=SETTINGS)
    assert found is None or found[1].pitch == pytest.approx(1.0, abs=0.12)


def test_where_there_are_no_peaks_nothing_agrees() -> None:
    reference = recording()
    query = clip(reference, 500.0, 1.0, 1.0)
    assert register(query, reference, 9_000.0, 1.0, widest=1.35, settings=SETTINGS) is None
    few = peaks(query.frames[:3], query.values[:3])
    assert register(few, reference, 500.0, 1.0, widest=1.35, settings=SETTINGS) is None
