"""Peaks are found where they are, the prominent ones first, whatever the chunks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from earmark.fingerprints.peaks import (
    BLOCK_FRAMES,
    CHUNK_FRAMES,
    FLOOR,
    PeakRule,
    find_peaks,
    running_maximum,
)
from earmark.fingerprints.salience import standing_out, whole

RULE = PeakRule(frames=3, bins=8)


def landscape(frames: int, hills: dict[tuple[int, int], float]) -> list[np.ndarray]:
    power = np.full((frames, 64), np.exp(FLOOR + 2), np.float32)
    for place, height in hills.items():
        power[place] = np.exp(FLOOR + height)
    return [power[first : first + CHUNK_FRAMES] for first in range(0, frames, CHUNK_FRAMES)]


def test_a_hill_is_a_peak_and_flat_ground_is_none() -> None:
    peaks = find_peaks(landscape(100, {(40, 20): 9.0}), RULE, keep=10)
    assert (peaks.frames.tolist(), peaks.bins.tolist(), peaks.ranks.tolist()) == ([40], [20], [0])
    assert not len(find_peaks(landscape(100, {}), RULE, keep=10).frames)


def test_a_lower_hill_beside_a_higher_one_is_none_and_further_off_it_is() -> None:
    near = find_peaks(landscape(100, {(40, 20): 9.0, (43, 28): 8.0}), RULE, keep=10)
    assert near.frames.tolist() == [40]
    far = find_peaks(landscape(100, {(40, 20): 9.0, (44, 20): 8.0, (41, 29): 7.0}), RULE, keep=10)
    assert sorted(far.frames.tolist()) == [40, 41, 44]


def test_each_block_keeps_its_most_prominent_peaks() -> None:
    hills = {(frame, 10 + 20 * (frame % 2)): 5.0 + frame / 100 for frame in range(0, 2 * BLOCK_FRAMES, 5)}
    peaks = find_peaks(landscape(2 * BLOCK_FRAMES, hills), RULE, keep=2)
    blocks = peaks.frames // BLOCK_FRAMES
    assert blocks.tolist() == [0, 0, 1, 1]
    assert all(sorted(peaks.ranks[blocks == block].tolist()) == [0, 1] for block in (0, 1))
    assert 30 in peaks.frames  # the highest of its block


def test_a_peak_is_found_on_both_sides_of_a_border_between_chunks() -> None:
    border = CHUNK_FRAMES
    peaks = find_peaks(landscape(2 * CHUNK_FRAMES, {(border - 1, 20): 9.0, (border, 50): 9.0}), RULE, keep=10)
    assert peaks.frames.tolist() == [border - 1, border]
    hidden = find_peaks(landscape(2 * CHUNK_FRAMES, {(border - 1, 20): 9.0, (border + 1, 20): 8.0}), RULE, keep=10)
    assert hidden.frames.tolist() == [border - 1]


@given(reach=st.integers(0, 30), size=st.integers(1, 40), seed=st.integers(0, 99))
def test_the_running_maximum_is_the_maximum_within_reach(reach: int, size: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(size, 3)).astype(np.float32)
    expected = [values[max(at - reach, 0) : at + reach + 1].max(axis=0) for at in range(size)]
    assert np.array_equal(running_maximum(values, reach, axis=0), np.array(expected))
    assert np.array_equal(running_maximum(values.T.copy(), reach, axis=1), np.array(expected).T)


def test_the_relief_is_asked_for_and_does_not_depend_on_chunks() -> None:
    rng = np.random.default_rng(4)
    power = np.exp(rng.normal(-8, 2, (CHUNK_FRAMES + 90, 64))).astype(np.float32)
    peaks = find_peaks([power[:CHUNK_FRAMES], power[CHUNK_FRAMES:]], RULE, keep=10, relief=standing_out)
    assert peaks.relief is not None
    assert np.array_equal(whole(peaks.relief), standing_out(np.log(power + np.float32(1e-10))))
    assert peaks.relief.shape == (len(power), 32)
    assert find_peaks([power], RULE, keep=10).relief is None
