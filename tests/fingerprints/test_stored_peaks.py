"""A recording's peaks are the same whether they are unpacked at once or where they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.audio.decode import load
from earmark.fingerprints.packing import PackedPeaks, PeakPacking
from earmark.fingerprints.peaks import PeakShape, PeakStream
from earmark.fingerprints.shazam import FRONT_END, peak_layers
from earmark.fingerprints.stored_peaks import PeakPlanes
from earmark.types import Layer
from tests.audio.spectra import power_chunks

PACKING = PeakPacking(FRONT_END)
SHAPE = PeakShape()
SECONDS = 20.0


@pytest.fixture(scope="module")
def packed(music: Sequence[Path]) -> PackedPeaks:
    """The peaks of 20 s of a recording."""
    samples = load(music[1], rate=FRONT_END.rate)[0][: round(SECONDS * FRONT_END.rate)]
    stream = PeakStream(SHAPE, keep=30)
    layers = peak_layers(stream.take(power_chunks([samples], FRONT_END, frames=SHAPE.chunk_frames)), 12, FRONT_END)
    written = PACKING.pack(layers["peaks"], layers["strongest"], spec="shazam/2/0", seconds=SECONDS)
    return msgspec.msgpack.decode(written, type=PackedPeaks)


def assert_alike(one: Layer, other: Layer) -> None:
    assert np.array_equal(one.frames, other.frames)
    assert np.array_equal(one.values, other.values)
    assert (one.frames.dtype, one.values.dtype, one.frame_seconds) == (np.int32, np.int32, other.frame_seconds)


def test_a_whole_recording_is_unpacked_as_a_clip_is(packed: PackedPeaks) -> None:
    for stored, whole in zip(PACKING.unpack_stored(packed), PACKING.unpack(packed), strict=True):
        assert len(whole.frames) > 100
        assert_alike(stored, whole)
        assert_alike(stored.unpacked(), whole)
        assert_alike(stored.between(4.0, 9.5), whole.between(4.0, 9.5))
        assert stored.weights is None


@settings(deadline=None, max_examples=60)
@given(edges=st.lists(st.tuples(st.floats(-300, 1_500), st.floats(-300, 1_500)), min_size=1, max_size=8))
def test_so_is_what_lies_between_two_frames_whatever_was_looked_at_before(
    packed: PackedPeaks, edges: list[tuple[float, float]]
) -> None:
    every, strongest = PACKING.unpack_stored(packed)
    wholes = PACKING.unpack(packed)
    for first, last in edges:
        for stored, whole in zip((every, strongest), wholes, strict=True):
            frames, bins = stored.within(first, last)
            expected, values = whole.within(first, last)
            assert np.array_equal(frames, expected)
            assert np.array_equal(bins, values)


def test_it_takes_a_third_of_the_memory(packed: PackedPeaks) -> None:
    stored, whole = (sum(one.nbytes for one in unpack(packed)) for unpack in (PACKING.unpack_stored, PACKING.unpack))
    assert stored < whole / 3


@given(low=st.lists(st.integers(0, 1_023), min_size=1, max_size=20), bins=st.integers(1, 1_024))
def test_bins_are_refused_if_one_of_them_is_beyond_the_highest(low: list[int], bins: int) -> None:
    values = np.array(low, np.uint32)
    planes = [
        np.array([len(low)], np.uint8),
        (values & 0xFF).astype(np.uint8),
        np.packbits((values[:, None] >> np.array([8, 9, 10], np.uint32) & 1) == 1),
    ]
    shape = {"frames": 1, "peaks": len(low), "first_bin": 0, "bins": bins}
    if max(low) < bins:
        frames, found, is_strongest = PeakPlanes.of(np.concatenate(planes), **shape).all()
        assert (found.tolist(), frames.tolist(), is_strongest.any()) == (low, [0] * len(low), False)
    else:
        with pytest.raises(ValueError, match="beyond the highest bin"):
            PeakPlanes.of(np.concatenate(planes), **shape)


def test_a_clip_is_no_recording(packed: PackedPeaks) -> None:
    with pytest.raises(ValueError, match="a clip's"):
        PACKING.unpack_stored(msgspec.structs.replace(packed, salience=b"\0" * 8))
