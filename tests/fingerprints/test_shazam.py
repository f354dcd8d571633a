"""Landmarks: golden values, the same for any blocks, packed without loss."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.audio.decode import load
from earmark.audio.stft import power_chunks
from earmark.errors import OptionError, SpecMismatch
from earmark.fingerprints.peaks import CHUNK_FRAMES
from earmark.fingerprints.salience import standing_out, whole
from earmark.fingerprints.shazam import (
    BIN_MASK,
    FRONT_END,
    LANDMARK_BITS,
    PAIRED,
    Packed,
    Shazam,
    hertz,
    landmarks,
)
from earmark.types import Fingerprint

# Of the first bundled excerpt, made with FFmpeg 8.1 and soxr 0.1.3 on x86-64.
GOLDEN_PEAKS, GOLDEN_LANDMARKS = 2160, 4197
GOLDEN_FIRST_CODES = [370588, 368989, 369693, 372509, 371486, 6217, 6224, 7964, 7389, 6815, 138011, 136924, 138652]


@pytest.fixture(scope="module")
def samples(music: Sequence[Path]) -> np.ndarray:
    return load(music[0], rate=FRONT_END.rate)[0]


def chord(seconds: float, *tones: float) -> np.ndarray:
    times = np.arange(int(seconds * FRONT_END.rate)) / FRONT_END.rate
    return (sum(np.sin(2 * np.pi * tone * times) for tone in tones) / len(tones) * 0.5).astype(np.float32)


def test_the_constellation_of_short_tones_is_where_they_sound() -> None:
    silence = np.zeros(FRONT_END.rate // 2, np.float32)
    sound = np.concatenate([silence, chord(0.1, 500.0), silence, chord(0.1, 2000.0), silence])
    fingerprint = Shazam().extract(sound)
    times = fingerprint.frames * FRONT_END.frame_seconds + Shazam().lead_seconds
    low = np.abs(hertz(fingerprint.features) - 500.0) < 8
    high = np.abs(hertz(fingerprint.features) - 2000.0) < 8
    assert low.any()
    assert high.any()
    assert np.abs(times[low] - 0.55).min() < 0.02
    assert np.abs(times[high] - 1.15).min() < 0.02


def test_a_landmark_holds_the_anchor_the_interval_and_the_time_between() -> None:
    frames, codes = landmarks(np.array([10, 15, 15, 60], np.int32), np.array([100, 110, 400, 90], np.uint32), fan_out=5)
    # 15 - 10 = 5 frames; (110 - 100 + 64) >> 1 = 37; 100 >> 1 = 50. Bin 400 and frame 60 lie outside the target zone.
    assert frames.tolist() == [10]
    assert codes.tolist() == [50 << 12 | 37 << 6 | 5]


def test_an_anchor_has_no_more_targets_than_its_fan_out_and_takes_the_first() -> None:
    frames, codes = landmarks(np.arange(0, 20, 2, dtype=np.int32), np.full(10, 300, np.uint32), fan_out=3)
    assert np.bincount(frames).max() == 3
    assert (codes[frames == 0] & 63).tolist() == [2, 4, 6]


def test_golden_landmarks_of_bundled_music(samples: np.ndarray) -> None:
    fingerprint = Shazam().extract(samples)
    frames, codes = Shazam().terms(fingerprint)
    assert str(fingerprint.spec) == "shazam/1/69cfd4f5"
    # Decoders may differ in the last bit, so a peak or two may differ between machines: the bulk is golden.
    assert len(fingerprint.frames) == pytest.approx(GOLDEN_PEAKS, abs=8)
    assert len(codes) == pytest.approx(GOLDEN_LANDMARKS, abs=40)
    assert int(codes.max()) < 1 << LANDMARK_BITS
    assert np.isin(GOLDEN_FIRST_CODES, codes[frames < 60]).mean() >= 0.9


@pytest.mark.parametrize("size", [1, 977, 11_025, 200_000])
def test_any_size_of_blocks_gives_the_same_fingerprint(samples: np.ndarray, size: int) -> None:
    part = samples[: 40_000 if size == 1 else 300_000]
    whole = Shazam().extract(part)
    blocks = Shazam().extract(part[first : first + size] for first in range(0, len(part), size))
    assert np.array_equal(whole.frames, blocks.frames)
    assert np.array_equal(whole.features, blocks.features)
    assert whole.seconds == blocks.seconds


def test_louder_music_has_the_same_constellation(samples: np.ndarray) -> None:
    quiet, loud = Shazam().extract(samples * np.float32(0.25)), Shazam().extract(samples)
    common = np.intersect1d(quiet.frames * 1024 + quiet.features, loud.frames * 1024 + loud.features)
    assert len(common) > 0.98 * len(loud.frames)


def test_a_query_keeps_more_peaks_than_a_reference(samples: np.ndarray) -> None:
    clip = samples[:55_125]
    assert len(Shazam().extract(clip, query=True).frames) > len(Shazam().extract(clip).frames)
    assert len(Shazam(density="lean").extract(clip).frames) < len(Shazam().extract(clip).frames)


def test_silence_and_nothing_have_no_peaks() -> None:
    for sound in (np.zeros(0, np.float32), np.zeros(50_000, np.float32), np.full(50_000, 0.5, np.float32)):
        fingerprint = Shazam().extract(sound)
        assert not len(fingerprint.frames)
        assert Shazam().unpack(Shazam().pack(fingerprint)).seconds == fingerprint.seconds


@given(
    places=st.sets(st.tuples(st.integers(0, 300), st.integers(0, 735)), max_size=80),
    flags=st.integers(0, 1 << 30),
)
def test_packing_loses_nothing(places: set[tuple[int, int]], flags: int) -> None:
    ordered = sorted(places)
    frames = np.array([frame for frame, _ in ordered], np.int32)
    paired = np.array([flags >> (number % 30) & 1 for number in range(len(ordered))], np.uint32) * PAIRED
    features = np.array([place for _, place in ordered], np.uint32) | paired
    shazam = Shazam()
    again = shazam.unpack(shazam.pack(Fingerprint(shazam.spec, 6.5, frames, features)))
    assert np.array_equal(again.frames, frames)
    assert np.array_equal(again.features, features)
    assert (again.seconds, again.spec) == (6.5, shazam.spec)


def test_a_fingerprint_takes_little_more_than_half_a_megabyte_an_hour(samples: np.ndarray) -> None:
    packed = Shazam().pack(Shazam().extract(samples))
    assert len(packed) / (len(samples) / FRONT_END.rate) * 3600 < 600_000


def test_fingerprints_of_another_density_are_refused(samples: np.ndarray) -> None:
    lean = Shazam(density="lean")
    packed = lean.pack(lean.extract(samples[:20_000]))
    with pytest.raises(SpecMismatch, match=r"shazam/1/\w+ meets one of shazam/1/69cfd4f5"):
        Shazam().unpack(packed)


def test_an_unknown_density_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(OptionError, match="'thick' is not known: choose one of default, lean"):
        Shazam(density="thick")


def test_features_hold_bins_below_the_paired_bit(samples: np.ndarray) -> None:
    features = Shazam().extract(samples).features.astype(np.uint32)
    assert int((features & BIN_MASK).max()) < FRONT_END.high_bin - FRONT_END.low_bin
    assert 0 < np.count_nonzero(features & PAIRED) < len(features)


def test_prominent_points_are_those_that_are_paired(samples: np.ndarray) -> None:
    fingerprint = Shazam().extract(samples)
    frames, bins = Shazam().points(fingerprint)
    some_frames, some_bins = Shazam().points(fingerprint, prominent=True)
    paired = fingerprint.features.astype(np.uint32) & PAIRED != 0
    assert np.array_equal(some_frames, frames[paired])
    assert np.array_equal(some_bins, bins[paired])


def test_a_clips_relief_survives_packing_and_counts_bins_from_0_hertz(samples: np.ndarray) -> None:
    maker = Shazam()
    chunks = list(power_chunks([samples[:44_100]], FRONT_END, frames=CHUNK_FRAMES))
    frames, features, relief = maker.of_power(chunks, query=True, relief=standing_out)
    assert relief is not None
    packed = maker.pack(Fingerprint(maker.spec, 4.0, frames, features, relief=relief))
    unpacked = maker.unpack(packed)
    assert np.array_equal(unpacked.relief, relief)
    assert np.array_equal(unpacked.features, features)
    assert len(packed) < relief.size / 2
    from_0_hertz = maker.relief(unpacked)
    assert from_0_hertz is not None
    assert from_0_hertz.shape == (len(relief), FRONT_END.high_bin)
    assert not from_0_hertz[:, : FRONT_END.low_bin].any()
    assert np.array_equal(from_0_hertz[:, FRONT_END.low_bin :], whole(relief))


def test_a_recording_has_no_relief(samples: np.ndarray) -> None:
    maker = Shazam()
    fingerprint = maker.extract(samples)
    assert maker.relief(maker.unpack(maker.pack(fingerprint))) is None


def test_a_forged_relief_or_peaks_that_do_not_add_up_are_refused(samples: np.ndarray) -> None:
    maker = Shazam()
    frames, features, relief = maker.of_power(
        power_chunks([samples[:44_100]], FRONT_END, frames=CHUNK_FRAMES), query=True, relief=standing_out
    )
    assert relief is not None
    good = msgspec.msgpack.decode(
        maker.pack(Fingerprint(maker.spec, 4.0, frames, features, relief=relief)), type=Packed
    )
    bomb = zlib.compress(bytes(1 << 26))
    forged = (
        {"relief": bomb}, {"relief": good.relief[:-9]}, {"relief": zlib.compress(relief.tobytes()[:-1])},
        {"seconds": 1.0}, {"peaks": good.peaks - 1},
    )  # fmt: skip
    for changed in forged:
        with pytest.raises((ValueError, zlib.error)):
            maker.unpack(msgspec.msgpack.encode(msgspec.structs.replace(good, **changed)))
    assert maker.unpack(msgspec.msgpack.encode(good)).relief is not None
