"""Peaks are found where they are, the prominent ones first, whatever the chunks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.fingerprints.peaks import CHUNK_BLOCKS, Peaks, PeakShape, PeakStream, Salience, running_maximum
from earmark.fingerprints.salience import local_contrast
from earmark.types import SalienceMap

SHAPE = PeakShape()
BLOCK_FRAMES, CHUNK_FRAMES, FLOOR = SHAPE.block_frames, SHAPE.chunk_frames, SHAPE.floor


def find_peaks(chunks: Sequence[np.ndarray], *, keep: int, salience: Salience | None = None) -> Peaks:
    """Of a whole spectrogram; the last chunk may be shorter."""
    stream = PeakStream(SHAPE, keep=keep, salience=salience)
    for chunk in chunks[:-1]:
        stream.push(chunk)
    return stream.take(chunks[-1:])


def assert_equal(one: Peaks, other: Peaks) -> None:
    assert np.array_equal(one.frames, other.frames)
    assert np.array_equal(one.bins, other.bins)
    assert np.array_equal(one.ranks, other.ranks)


def landscape(frames: int, hills: dict[tuple[int, int], float]) -> list[np.ndarray]:
    power = np.full((frames, 64), np.exp(FLOOR + 2), np.float32)
    for place, height in hills.items():
        power[place] = np.exp(FLOOR + height)
    return [power[first : first + CHUNK_FRAMES] for first in range(0, frames, CHUNK_FRAMES)]


def test_a_hill_is_a_peak_and_flat_ground_is_none() -> None:
    peaks = find_peaks(landscape(100, {(40, 20): 9.0}), keep=10)
    assert (peaks.frames.tolist(), peaks.bins.tolist(), peaks.ranks.tolist()) == ([40], [20], [0])
    assert not len(find_peaks(landscape(100, {}), keep=10).frames)


def test_a_lower_hill_beside_a_higher_one_is_none_and_further_off_it_is() -> None:
    near = find_peaks(landscape(100, {(40, 20): 9.0, (43, 28): 8.0}), keep=10)
    assert near.frames.tolist() == [40]
    far = find_peaks(landscape(100, {(40, 20): 9.0, (44, 20): 8.0, (41, 29): 7.0}), keep=10)
    assert sorted(far.frames.tolist()) == [40, 41, 44]


def test_each_block_keeps_its_most_prominent_peaks() -> None:
    hills = {(frame, 10 + 20 * (frame % 2)): 5.0 + frame / 100 for frame in range(0, 2 * BLOCK_FRAMES, 5)}
    peaks = find_peaks(landscape(2 * BLOCK_FRAMES, hills), keep=2)
    blocks = peaks.frames // BLOCK_FRAMES
    assert blocks.tolist() == [0, 0, 1, 1]
    assert all(sorted(peaks.ranks[blocks == block].tolist()) == [0, 1] for block in (0, 1))
    assert 30 in peaks.frames  # the highest of its block


def test_a_peak_is_found_on_both_sides_of_a_border_between_chunks() -> None:
    border = CHUNK_FRAMES
    peaks = find_peaks(landscape(2 * CHUNK_FRAMES, {(border - 1, 20): 9.0, (border, 50): 9.0}), keep=10)
    assert peaks.frames.tolist() == [border - 1, border]
    hidden = find_peaks(landscape(2 * CHUNK_FRAMES, {(border - 1, 20): 9.0, (border + 1, 20): 8.0}), keep=10)
    assert hidden.frames.tolist() == [border - 1]


@given(reach=st.integers(0, 30), size=st.integers(1, 40), seed=st.integers(0, 99))
def test_the_running_maximum_is_the_maximum_within_reach(reach: int, size: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(size, 3)).astype(np.float32)
    expected = [values[max(at - reach, 0) : at + reach + 1].max(axis=0) for at in range(size)]
    assert np.array_equal(running_maximum(values, reach, axis=0), np.array(expected))
    assert np.array_equal(running_maximum(values.T.copy(), reach, axis=1), np.array(expected).T)


def test_the_salience_map_is_asked_for_and_does_not_depend_on_chunks() -> None:
    rng = np.random.default_rng(4)
    power = np.exp(rng.normal(-8, 2, (CHUNK_FRAMES + 90, 64))).astype(np.float32)
    peaks = find_peaks([power[:CHUNK_FRAMES], power[CHUNK_FRAMES:]], keep=10, salience=local_contrast)
    assert peaks.salience is not None
    unpacked = SalienceMap(peaks.salience, 0).unpacked()
    assert np.array_equal(unpacked, local_contrast(np.log(power + np.float32(1e-10))))
    assert peaks.salience.shape == (len(power), 32)
    assert find_peaks([power[:CHUNK_FRAMES], power[CHUNK_FRAMES:]], keep=10).salience is None


def hilly(chunks: int, seed: int = 4) -> list[np.ndarray]:
    power = np.exp(np.random.default_rng(seed).normal(-8, 2, (chunks * CHUNK_FRAMES, 64))).astype(np.float32)
    return np.split(power, chunks)


def test_a_shape_says_how_long_its_chunks_are() -> None:
    assert SHAPE.chunk_frames == CHUNK_BLOCKS * 32 == 512
    assert PeakShape(block_frames=8).chunk_frames == CHUNK_BLOCKS * 8


@pytest.mark.parametrize("chunks", [1, 2, 4])
@pytest.mark.parametrize("frames", [0, 1, 5, 90, 500])
def test_what_is_taken_is_as_if_the_spectrogram_ended_there_and_nothing_is_lost(chunks: int, frames: int) -> None:
    *heard, last = hilly(chunks + 1)
    stream = PeakStream(SHAPE, keep=10)
    for chunk in heard:
        stream.push(chunk)
    rest = [last[:frames]] if frames else []
    assert_equal(stream.take(rest), stream.take(rest))
    assert_equal(stream.take(rest), find_peaks([*heard, *rest], keep=10))
    assert_equal(stream.take([last]), find_peaks([*heard, last], keep=10))
    stream.push(last)
    assert_equal(stream.take([]), find_peaks([*heard, last], keep=10))


def test_before_anything_came_there_are_no_peaks() -> None:
    nothing = PeakStream(SHAPE, keep=10).take([])
    assert (len(nothing.frames), len(nothing.bins), len(nothing.ranks)) == (0, 0, 0)
    assert (nothing.salience, nothing.first_frame) == (None, 0)


def test_what_is_forgotten_is_not_given_out_again_and_the_rest_is_what_it_was() -> None:
    chunks = hilly(6)
    whole = find_peaks(chunks, keep=10, salience=local_contrast)
    stream = PeakStream(SHAPE, keep=10, salience=local_contrast)
    for number, chunk in enumerate(chunks):
        stream.push(chunk)
        stream.forget(max(number - 2, 0) * CHUNK_FRAMES + 7)
        assert len(stream._done) <= 3
    kept = stream.take([])
    first = kept.first_frame
    assert first == 3 * CHUNK_FRAMES
    late = whole.frames >= first
    assert_equal(kept, Peaks(whole.frames[late], whole.bins[late], whole.ranks[late]))
    assert kept.salience is not None
    assert whole.salience is not None
    assert np.array_equal(kept.salience, whole.salience[first:])
    stream.forget(0)
    stream.forget(first)
    assert stream.take([]).first_frame == first
