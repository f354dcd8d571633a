"""Landmarks of music: golden values, the same for any blocks, packed without loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import OptionError, SpecMismatch
from earmark.fingerprints.landmarks import LANDMARK_BITS
from earmark.fingerprints.shazam import DENSITIES, FRONT_END, Shazam
from earmark.types import Fingerprint, Layer

# Of the first bundled excerpt, made with FFmpeg 8.1 and soxr 0.1.3 on x86-64.
GOLDEN_PEAKS, GOLDEN_LANDMARKS = 2160, 4197
GOLDEN_FIRST_CODES = [370588, 368989, 369693, 372509, 371486, 6217, 6224, 7964, 7389, 6815, 138011, 136924, 138652]


@pytest.fixture(scope="module")
def samples(music: Sequence[Path]) -> np.ndarray:
    return load(music[0], rate=FRONT_END.rate)[0]


def peaks(fingerprint: Fingerprint) -> Layer:
    return fingerprint.layers["peaks"]


def chord(seconds: float, *tones: float) -> np.ndarray:
    times = np.arange(int(seconds * FRONT_END.rate)) / FRONT_END.rate
    return (sum(np.sin(2 * np.pi * tone * times) for tone in tones) / len(tones) * 0.5).astype(np.float32)


def test_the_constellation_of_short_tones_is_where_they_sound() -> None:
    silence = np.zeros(FRONT_END.rate // 2, np.float32)
    sound = np.concatenate([silence, chord(0.1, 500.0), silence, chord(0.1, 2000.0), silence])
    found = peaks(Shazam().extract(sound))
    [rule] = Shazam().plan.compare
    times = found.frames * FRONT_END.frame_seconds + rule.options["frame_centre_seconds"]
    hertz = found.values * FRONT_END.hertz_per_bin
    low, high = np.abs(hertz - 500.0) < 8, np.abs(hertz - 2000.0) < 8
    assert low.any()
    assert high.any()
    assert np.abs(times[low] - 0.55).min() < 0.02
    assert np.abs(times[high] - 1.15).min() < 0.02


def test_golden_landmarks_of_bundled_music(samples: np.ndarray) -> None:
    fingerprint = Shazam().extract(samples)
    keys = Shazam().keys(fingerprint)["landmarks"]
    assert str(fingerprint.spec) == "shazam/2/8573dc9a"
    # Decoders may differ in the last bit, so a peak or two may differ between machines: the bulk is golden.
    assert len(peaks(fingerprint).frames) == pytest.approx(GOLDEN_PEAKS, abs=8)
    assert len(keys.values) == pytest.approx(GOLDEN_LANDMARKS, abs=40)
    assert int(keys.values.max()) < 1 << LANDMARK_BITS
    assert np.isin(GOLDEN_FIRST_CODES, keys.values[keys.frames < 60]).mean() >= 0.9


@pytest.mark.parametrize("size", [1, 977, 11_025, 200_000])
def test_any_size_of_blocks_gives_the_same_fingerprint(samples: np.ndarray, size: int) -> None:
    part = samples[: 40_000 if size == 1 else 300_000]
    whole = Shazam().extract(part)
    blocks = Shazam().extract(part[first : first + size] for first in range(0, len(part), size))
    for name in ("peaks", "strongest"):
        assert np.array_equal(whole.layers[name].frames, blocks.layers[name].frames)
        assert np.array_equal(whole.layers[name].values, blocks.layers[name].values)
    assert whole.seconds == blocks.seconds


def test_louder_music_has_the_same_constellation(samples: np.ndarray) -> None:
    quiet, loud = (peaks(Shazam().extract(samples * np.float32(gain))) for gain in (0.25, 1.0))
    common = np.intersect1d(quiet.frames * 1024 + quiet.values, loud.frames * 1024 + loud.values)
    assert len(common) > 0.98 * len(loud.frames)


def test_a_query_keeps_more_peaks_than_a_reference(samples: np.ndarray) -> None:
    clip = samples[:55_125]
    reference = peaks(Shazam().extract(clip))
    assert len(peaks(Shazam().extract(clip, query=True)).frames) > len(reference.frames)
    assert len(peaks(Shazam(density="lean").extract(clip)).frames) < len(reference.frames)


def test_silence_and_nothing_have_no_peaks() -> None:
    for sound in (np.zeros(0, np.float32), np.zeros(50_000, np.float32), np.full(50_000, 0.5, np.float32)):
        fingerprint = Shazam().extract(sound)
        assert not len(peaks(fingerprint).frames)
        assert fingerprint.seconds == len(sound) / FRONT_END.rate
        assert Shazam().unpack(Shazam().pack(fingerprint)).seconds == fingerprint.seconds


def test_a_fingerprint_takes_little_more_than_half_a_megabyte_an_hour(samples: np.ndarray) -> None:
    packed = Shazam().pack(Shazam().extract(samples))
    assert len(packed) / (len(samples) / FRONT_END.rate) * 3600 < 600_000


def test_fingerprints_of_another_density_are_refused(samples: np.ndarray) -> None:
    lean = Shazam(density="lean")
    fingerprint = lean.extract(samples[:20_000])
    for refused in (
        lambda: Shazam().unpack(lean.pack(fingerprint)),
        lambda: Shazam().pack(fingerprint),
        lambda: Shazam().keys(fingerprint),
    ):
        with pytest.raises(SpecMismatch, match=r"shazam/2/\w+ meets one of shazam/2/8573dc9a"):
            refused()


@pytest.mark.parametrize(("density", "formerly"), [("default", "shazam/1/69cfd4f5"), ("lean", "shazam/1/8f462d85")])
def test_equal_fingerprints_of_the_release_before_are_accepted(density: str, formerly: str) -> None:
    maker = Shazam(density=density)
    assert maker.accepts(formerly)
    assert maker.accepts(maker.spec)
    assert not any(maker.accepts(other) for other in ("shazam/1/00000000", "neural/1/a5214f85"))
    assert sum(Shazam(density=one).accepts(formerly) for one in DENSITIES) == 1


def test_an_unknown_density_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(OptionError, match="'thick' is not known: choose one of default, lean"):
        Shazam(density="thick")


def test_bins_count_from_0_hertz_and_lie_within_the_band(samples: np.ndarray) -> None:
    bins = peaks(Shazam().extract(samples)).values
    assert FRONT_END.low_bin <= bins.min() <= bins.max() < FRONT_END.high_bin
    assert bins.dtype == np.int32


def test_the_strongest_are_some_of_the_peaks_and_landmarks_are_made_of_them_alone(samples: np.ndarray) -> None:
    fingerprint = Shazam().extract(samples)
    every, strongest = (fingerprint.layers[name] for name in ("peaks", "strongest"))
    assert 0 < len(strongest.frames) < len(every.frames)
    places = every.frames.astype(np.int64) << 16 | every.values
    assert np.isin(strongest.frames.astype(np.int64) << 16 | strongest.values, places).all()
    blocks = np.bincount(strongest.frames // 32)
    assert blocks.max() == DENSITIES["default"].paired
    alone = Fingerprint(fingerprint.spec, fingerprint.seconds, {"strongest": strongest})
    keys, others = (Shazam().keys(one)["landmarks"] for one in (fingerprint, alone))
    assert np.array_equal(keys.values, others.values)


def test_of_a_query_all_peaks_are_paired_with_more_targets(samples: np.ndarray) -> None:
    fingerprint = Shazam().extract(samples[:55_125], query=True)
    assert fingerprint.layers["strongest"] is fingerprint.layers["peaks"]
    stored, asked = (Shazam().keys(fingerprint, query=query)["landmarks"] for query in (False, True))
    assert np.bincount(stored.frames).max() <= 5 * np.bincount(peaks(fingerprint).frames).max()
    assert len(asked.values) > 1.5 * len(stored.values)


def test_a_recording_and_a_clip_have_no_salience_map(samples: np.ndarray) -> None:
    for query in (False, True):
        fingerprint = Shazam().extract(samples[:55_125], query=query)
        assert peaks(Shazam().unpack(Shazam().pack(fingerprint))).weights is None
