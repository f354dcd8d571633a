"""Fingerprints survive packing exactly, and nothing that bytes say of their size is believed."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.audio.decode import load
from earmark.fingerprints.packing import (
    LARGEST_SEGMENTS,
    PackedPeaks,
    PeakPacking,
    pack_vectors,
    unpack_vectors,
)
from earmark.fingerprints.peaks import PeakShape, PeakStream
from earmark.fingerprints.salience import local_contrast
from earmark.fingerprints.shazam import FRONT_END, peak_layers
from earmark.types import CompressedSalience, Layer, SalienceMap
from tests.audio.spectra import power_chunks

FRAME = FRONT_END.frame_seconds
PACKING = PeakPacking(FRONT_END)
SHAPE = PeakShape()


def packed(peaks: Layer, strongest: Layer, seconds: float) -> PackedPeaks:
    written = PACKING.pack(peaks, strongest, spec="shazam/2/0", seconds=seconds)
    return msgspec.msgpack.decode(written, type=PackedPeaks)


def former_packed(peaks: Layer, strongest: Layer, seconds: float) -> PackedPeaks:
    """The same as releases up to 0.1 packed them: a byte a frame, a byte and three bits a peak."""
    bins, kept = peaks.values - FRONT_END.low_bin, set(zip(strongest.frames, strongest.values, strict=True))
    frames = int(peaks.frames[-1]) + 1 if len(peaks.frames) else 0
    is_strongest = [place in kept for place in zip(peaks.frames, peaks.values, strict=True)]
    threes = np.stack([bins >> 8 & 1, bins >> 9 & 1, np.array(is_strongest, np.int32)], axis=1)
    planes = np.bincount(peaks.frames, minlength=frames).astype(np.uint8), (bins & 255).astype(np.uint8)
    body = b"".join(plane.tobytes() for plane in (*planes, np.packbits(threes.astype(np.uint8))))
    return PackedPeaks("shazam/1/0", seconds, frames, len(bins), zlib.compress(body, 0))


@pytest.fixture(scope="module")
def clip(music: Sequence[Path]) -> tuple[Layer, Layer]:
    """The peaks of 4 s, all and the strongest, with a salience map."""
    samples = load(music[0], rate=FRONT_END.rate)[0][:44_100]
    stream = PeakStream(SHAPE, keep=45, salience=local_contrast)
    peaks = stream.take(power_chunks([samples], FRONT_END, frames=SHAPE.chunk_frames))
    layers = peak_layers(peaks, 20, FRONT_END)
    return layers["peaks"], layers["strongest"]


def assert_equal(one: Layer, other: Layer) -> None:
    assert np.array_equal(one.frames, other.frames)
    assert np.array_equal(one.values, other.values)
    assert (one.frames.dtype, one.values.dtype, one.frame_seconds) == (np.int32, np.int32, other.frame_seconds)


@given(
    places=st.sets(st.tuples(st.integers(0, 300), st.integers(0, 735)), max_size=80),
    flags=st.integers(0, 1 << 30),
)
def test_packing_loses_nothing(places: set[tuple[int, int]], flags: int) -> None:
    ordered = sorted(places)
    frames = np.array([frame for frame, _ in ordered], np.int32)
    bins = np.array([place for _, place in ordered], np.int32) + np.int32(FRONT_END.low_bin)
    kept = np.array([flags >> (number % 30) & 1 for number in range(len(ordered))], bool)
    parts = packed(Layer(frames, bins, FRAME), Layer(frames[kept], bins[kept], FRAME), 6.5)
    peaks, strongest = PACKING.unpack(parts)
    assert_equal(peaks, Layer(frames, bins, FRAME))
    assert_equal(strongest, Layer(frames[kept], bins[kept], FRAME))
    assert (parts.seconds, parts.spec) == (6.5, "shazam/2/0")
    assert (peaks.weights, strongest.weights) == (None, None)
    former, strongest = PACKING.unpack(former_packed(peaks, strongest, 6.5))
    assert_equal(former, peaks)
    assert_equal(strongest, Layer(frames[kept], bins[kept], FRAME))


def test_where_all_peaks_are_the_strongest_they_are_one_layer(clip: tuple[Layer, Layer]) -> None:
    peaks, strongest = PACKING.unpack(packed(clip[0], clip[0], 4.0))
    assert peaks is strongest


def test_a_salience_map_survives_packing_and_counts_bins_from_0_hertz(clip: tuple[Layer, Layer]) -> None:
    written = PACKING.pack(*clip, spec="", seconds=4.0)
    peaks, strongest = PACKING.unpack(msgspec.msgpack.decode(written, type=PackedPeaks))
    assert isinstance(peaks.weights, SalienceMap)
    assert isinstance(clip[0].weights, SalienceMap)
    assert np.array_equal(peaks.weights.packed, clip[0].weights.packed)
    assert_equal(peaks, clip[0])
    assert_equal(strongest, clip[1])
    assert len(written) < clip[0].weights.packed.size / 2
    unpacked = peaks.weights.unpacked()
    assert unpacked.shape == (len(clip[0].weights.packed), FRONT_END.high_bin)
    assert not unpacked[:, : FRONT_END.low_bin].any()
    assert unpacked.any()


def blocks(*compressed: bytes) -> bytes:
    return b"".join(len(block).to_bytes(4, "little") + block for block in compressed)


def test_a_long_map_stays_compressed_and_gives_the_same_windows() -> None:
    width = (FRONT_END.high_bin - FRONT_END.low_bin) // 2
    rows = np.random.default_rng(3).integers(0, 4, (5_000, width), np.uint8)
    whole = SalienceMap(rows, FRONT_END.low_bin)
    frames, values = np.array([0, 4_990], np.int32), np.array([FRONT_END.low_bin] * 2, np.int32)
    long = Layer(frames, values, FRAME, whole)
    read, _ = PACKING.unpack(packed(long, long, 5_000 * FRAME))
    assert isinstance(read.weights, CompressedSalience)
    for first, last in ((0, 600), (1_000, 1_100), (1_024, 2_048), (2_000, 4_500), (4_900, 5_100), (6_000, 6_100)):
        window, expected = read.weights.between(first, last), whole.between(first, last)
        assert np.array_equal(window.packed, expected.packed)
        assert (window.first_bin, window.first_frame) == (expected.first_bin, expected.first_frame)
    again, _ = PACKING.unpack(packed(read, read, 5_000 * FRAME))
    assert np.array_equal(again.weights.between(0, 5_000).packed, rows)


def test_a_forged_map_or_peaks_that_do_not_add_up_are_refused(clip: tuple[Layer, Layer]) -> None:
    good = packed(*clip, 4.0)
    assert isinstance(clip[0].weights, SalienceMap)
    short = blocks(zlib.compress(clip[0].weights.packed.tobytes()[:-1]))
    whole = zlib.compress(clip[0].weights.packed.tobytes())
    forged = (
        {"salience": blocks(zlib.compress(bytes(1 << 26)))}, {"salience": good.salience[:-9]}, {"salience": short},
        {"salience": blocks(whole, whole)}, {"salience": good.salience + b"\0"}, {"salience": b"\xff" * 9},
        {"seconds": 1.0}, {"peaks": good.peaks - 1}, {"peaks": good.peaks + 1}, {"peaks": -1}, {"peaks": 1 << 60},
        {"frames": -1}, {"frames": 1 << 40}, {"frames": good.frames - 1}, {"body": b""}, {"body": good.body[:-40]},
        {"body": zlib.compress(bytes(1 << 26))}, {"seconds": float("nan")}, {"seconds": -5.0}, {"form": 0}, {"form": 7},
        {"body": bytes(len(good.body))}, {"body": b"\xff" * len(good.body)}, {"body": good.body + bytes(9)},
    )  # fmt: skip
    for changed in forged:
        with pytest.raises((ValueError, zlib.error)):
            PACKING.unpack(msgspec.structs.replace(good, **changed))
    assert PACKING.unpack(good)[0].weights is not None


def test_a_bin_beyond_the_highest_is_refused() -> None:
    one = Layer(np.array([3], np.int32), np.array([FRONT_END.high_bin], np.int32), FRAME)
    with pytest.raises(ValueError, match="beyond the highest bin"):
        PACKING.unpack(packed(one, one, 4.0))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_whatever_damaged_peaks_hold_nothing_worse_happens(clip: tuple[Layer, Layer], data: st.DataObject) -> None:
    written = bytearray(PACKING.pack(*clip, spec="", seconds=4.0))
    for _ in range(data.draw(st.integers(1, 4))):
        written[data.draw(st.integers(0, min(len(written) - 1, 4_000)))] = data.draw(st.integers(0, 255))
    try:
        peaks, strongest = PACKING.unpack(msgspec.msgpack.decode(bytes(written), type=PackedPeaks))
    except (ValueError, zlib.error):
        return
    assert len(peaks.frames) == len(peaks.values)
    assert (np.diff(peaks.frames) >= 0).all()
    assert np.isin(strongest.frames, peaks.frames).all()
    assert not len(peaks.values) or FRONT_END.low_bin <= peaks.values.min() <= peaks.values.max() < FRONT_END.high_bin


# --- vectors


@given(
    hop=st.sampled_from([1, 4, 16]),
    first=st.integers(-2, 1_000),
    present=st.lists(st.booleans(), max_size=70),
    seed=st.integers(0, 9),
)
def test_vectors_with_any_gaps_survive_packing(hop: int, first: int, present: list[bool], seed: int) -> None:
    frames = ((np.flatnonzero(present) + first) * hop).astype(np.int32)
    vectors = np.random.default_rng(seed).integers(-127, 128, (len(frames), 16)).astype(np.int8)
    again, rows = unpack_vectors(*pack_vectors(frames, vectors.tobytes()))
    assert np.array_equal(again, frames)
    assert rows == vectors.tobytes()
    assert again.dtype == np.int32


def test_a_vector_takes_its_components_and_a_bit() -> None:
    frames = np.arange(0, 8_000, 16, dtype=np.int32)
    first, hop, places, body = pack_vectors(frames, bytes(500 * 128))
    assert (first, hop, places) == (0, 16, 500)
    assert len(body) == 500 * 128 + 63


@settings(max_examples=200)
@given(
    first=st.integers(-(1 << 63), 1 << 63),
    hop=st.integers(-3, 1 << 63),
    places=st.integers(-1, LARGEST_SEGMENTS + 1),
    body=st.binary(max_size=200),
)
def test_wild_bytes_are_vectors_of_increasing_frames_or_refused(first: int, hop: int, places: int, body: bytes) -> None:
    for few in (places, places % 40):
        try:
            frames, rows = unpack_vectors(first, hop, few, body)
        except ValueError:
            continue
        assert len(frames) <= max(few, 0)
        assert body.endswith(rows)
        assert (np.diff(frames) > 0).all()


@settings(max_examples=100)
@given(first=st.integers(-100, 100), hop=st.integers(1, 40), places=st.integers(0, 40), body=st.binary(max_size=60))
def test_likely_bytes_are_vectors_of_increasing_frames_or_refused(
    first: int, hop: int, places: int, body: bytes
) -> None:
    try:
        frames, rows = unpack_vectors(first, hop, places, body)
    except ValueError:
        return
    assert len(frames) <= places
    assert body.endswith(rows)
    assert (np.diff(frames) > 0).all()


@pytest.mark.parametrize("shape", [{"frames": 0, "peaks": 0}, {"frames": -11, "peaks": 8}])
def test_a_body_is_not_unpacked_beyond_what_it_says_even_if_that_is_nothing(
    clip: tuple[Layer, Layer], shape: dict[str, int]
) -> None:
    body = zlib.compress(bytes(1 << 24), 9)
    forged = msgspec.structs.replace(packed(*clip, 4.0), body=body, **shape)
    tracemalloc.start()
    with pytest.raises(ValueError, match="a fingerprint of"):
        PACKING.unpack(forged)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 20


@settings(deadline=None, max_examples=100)
@given(
    frames=st.one_of(st.integers(-80, 200), st.integers(-(1 << 63), 1 << 63)),
    peaks=st.one_of(st.integers(-80, 200), st.integers(-(1 << 63), 1 << 63)),
    seconds=st.floats(),
    content=st.binary(max_size=400),
    is_compressed=st.booleans(),
)
def test_wild_numbers_of_peaks_are_refused_or_those_of_the_body(
    frames: int, peaks: int, seconds: float, content: bytes, is_compressed: bool
) -> None:
    body = zlib.compress(content) if is_compressed else content
    try:
        every, strongest = PACKING.unpack_stored(PackedPeaks("", seconds, frames, peaks, body))
    except (ValueError, OverflowError, zlib.error):
        return
    assert len(every.frames) == len(every.values) == peaks
    assert len(strongest.frames) <= peaks
    assert not peaks or 0 <= every.frames.min() <= every.frames.max() < frames
