"""Waveprint: golden values of an independent straight-line implementation, the same for any blocks and levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.audio.decode import load
from earmark.errors import OptionError, SpecMismatch
from earmark.fingerprints.wavelets import ImageShape, haar, largest_signs
from earmark.fingerprints.waveprint import FRONT_END, HashShape, Waveprint, band_keys, min_hashes
from earmark.match.compare.sets import equal_shares

RATE, WINDOW, HOP = 5_512, 2_048, 64  # docs/waveprint.md, "Where the numbers are from"
BANDS, FRAMES, LOW, HIGH = 32, 128, 100.0, 2_000.0
WAVELETS, PERMUTATIONS, LARGEST, ENTRIES, KEY_BITS = 100, 100, 255, 4, 21
KNEE = 0.1  # share of an image's mean power
SIGNS = 2 * BANDS * FRAMES

# Of `noise()`, by the functions below.
GOLDEN_SIGNATURE = [
    3, 95, 76, 49, 71, 6, 237, 13, 1, 59, 71, 40, 6, 125, 20, 36, 122, 255, 46, 74, 179, 193, 152, 124, 2, 8, 14,
    56, 3, 80, 91, 138, 234, 137, 84, 9, 22, 41, 35, 12, 145, 8, 255, 140, 32, 39, 17, 10, 97, 11, 18, 12, 9, 0, 6,
    47, 153, 79, 59, 82, 84, 157, 6, 165, 114, 60, 137, 161, 255, 51, 73, 43, 2, 145, 29, 75, 34, 22, 139, 35, 23,
    10, 98, 10, 22, 174, 180, 32, 31, 169, 255, 16, 68, 19, 15, 21, 69, 29, 205, 37,
]  # fmt: skip
GOLDEN_KEYS = [
    1865775, 1548012, 949602, 1580667, 854458, 432771, 1352404, 1655656, 1317216, 469762, 1527874, 65153, 1580083,
    1275096, 1318635, 540222, 1205403, 1496062, 1208174, 48815, 1852173, 1855514, 1546707, 68399, 934620,
]  # fmt: skip


def noise(seconds: float, seed: int = 4) -> np.ndarray:
    """Return noise whose colour changes, by a generator that is written out here."""
    state, values = seed, []
    for _ in range(round(seconds * RATE)):
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        values.append((state >> 33) / 2**30 - 1)
    times = np.arange(len(values)) / RATE
    melody = sum(np.sin(2 * np.pi * tone * times + 3 * np.sin(times * tone / 90)) for tone in (330, 523, 784, 1_319))
    return (0.05 * np.array(values) + 0.1 * melody).astype(np.float32)


# --- the paper in straight lines, with nothing of earmark


def spectral_image(samples: np.ndarray, start: int) -> list[list[float]]:
    """Return the image that begins at a frame, [band][frame], of power."""
    taper = [0.5 - 0.5 * math.cos(2 * math.pi * n / (WINDOW - 1)) for n in range(WINDOW)]
    edges = [LOW * (HIGH / LOW) ** (band / BANDS) for band in range(BANDS + 1)]
    image = [[0.0] * FRAMES for _ in range(BANDS)]
    for frame in range(FRAMES):
        piece = samples[(start + frame) * HOP : (start + frame) * HOP + WINDOW].astype(np.float64)
        power = np.abs(np.fft.rfft(piece * taper)) ** 2
        for band in range(BANDS):
            energy = 0.0
            for bin_ in range(len(power)):
                low, high = (bin_ - 0.5) * RATE / WINDOW, (bin_ + 0.5) * RATE / WINDOW
                inside = min(high, edges[band + 1]) - max(low, edges[band])
                energy += max(inside, 0.0) / (high - low) * power[bin_]
            image[band][frame] = energy
    return image


def haar_functions(length: int) -> list[list[float]]:
    """Return the orthonormal Haar functions on so many points: the constant, then from wide to narrow."""
    functions = [[1 / math.sqrt(length)] * length]
    width = length
    while width > 1:
        height = 1 / math.sqrt(width)
        for first in range(0, length, width):
            one = [0.0] * length
            for point in range(width):
                one[first + point] = height if point < width // 2 else -height
            functions.append(one)
        width //= 2
    return functions


def kept_signs(image: list[list[float]]) -> set[int]:
    """Return 2 * place + 1 of the largest positive wavelets, and 2 * place of the largest negative ones."""
    mean = sum(map(sum, image)) / (BANDS * FRAMES)
    pressed = [[math.log(1 + power / (KNEE * mean)) for power in row] for row in image]
    wavelets = np.array(haar_functions(BANDS)) @ np.array(pressed) @ np.array(haar_functions(FRAMES)).T
    wavelets[:, 0] = 0.0  # the mean of each band
    values = {FRAMES * band + frame: wavelets[band, frame] for band in range(BANDS) for frame in range(FRAMES)}
    largest = sorted(values, key=lambda place: -abs(values[place]))[:WAVELETS]
    return {2 * place + (values[place] > 0) for place in largest}


def mixed(number: int) -> int:
    """Return a hash of a number (SplitMix64)."""
    number = (number + 1) * 0x9E3779B97F4A7C15 % 2**64
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return number ^ number >> 31


def signature_of(signs: set[int]) -> list[int]:
    """Return where the first sign stands in each permutation."""
    signature = []
    for permutation in range(PERMUTATIONS):
        order = sorted(range(SIGNS), key=lambda sign: mixed((2_008 << 32) + permutation * SIGNS + sign))
        signature.append(min(next(place for place, sign in enumerate(order) if sign in signs), LARGEST))
    return signature


def keys_of(signature: Sequence[int]) -> list[int]:
    """Return a key of each four bytes and their number."""
    keys = []
    for number in range(PERMUTATIONS // ENTRIES):
        band = signature[ENTRIES * number : ENTRIES * (number + 1)]
        key = sum(value << 8 * place for place, value in enumerate(band))
        key = (key ^ number * 0x9E3779B9 % 2**32) * 0x85EBCA6B % 2**32
        key = (key ^ key >> 13) * 0xC2B2AE35 % 2**32
        keys.append((key ^ key >> 16) >> 32 - KEY_BITS)
    return keys


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return noise(3.0)


@pytest.fixture(scope="module")
def music_samples(music: Sequence[Path]) -> np.ndarray:
    return load(music[1], rate=RATE)[0]


def signatures(samples: np.ndarray, *, query: bool = False) -> np.ndarray:
    return Waveprint().extract(samples, query=query).layers["signatures"].values


# --- golden values


def test_an_image_keeps_the_signs_that_the_paper_says(sound: np.ndarray) -> None:
    image = np.array(spectral_image(sound, 32))
    [found] = largest_signs(image[None].astype(np.float32), ImageShape())
    assert len(set(found.tolist())) == WAVELETS
    assert len(set(found.tolist()) & kept_signs(image.tolist())) >= WAVELETS - 1  # the 100th and 101st may be as large


def test_golden_signatures_and_keys_are_those_of_straight_lines(sound: np.ndarray) -> None:
    fingerprint = Waveprint().extract(sound)
    layer = fingerprint.layers["signatures"]
    row = layer.frames.tolist().index(32)
    expected = signature_of(kept_signs(spectral_image(sound, 32)))
    assert expected == GOLDEN_SIGNATURE
    assert keys_of(expected) == GOLDEN_KEYS
    assert np.mean(layer.values[row] == expected) >= 0.98  # float32, and a wavelet at the edge of the 100
    keys = Waveprint().keys(fingerprint)["bands"]
    assert keys_of(layer.values[row].tolist()) == keys.values[keys.frames == 32].tolist()


def test_a_min_hash_is_the_place_of_the_first_sign_in_each_permutation() -> None:
    signs = np.random.default_rng(5).choice(SIGNS, WAVELETS, replace=False)
    [found] = min_hashes(signs[None], Waveprint().shape)
    assert found.tolist() == signature_of(set(signs.tolist()))


def test_wavelets_are_the_products_with_haar_functions() -> None:
    images = np.random.default_rng(6).normal(size=(3, BANDS, FRAMES)).astype(np.float32)
    expected = np.array(haar_functions(BANDS)) @ images.astype(np.float64) @ np.array(haar_functions(FRAMES)).T
    assert haar(images) == pytest.approx(expected, abs=1e-4)


def test_the_spec_is_what_catalogs_are_made_with() -> None:
    assert str(Waveprint().spec) == "waveprint/1/0f9da500"


# --- what signatures are like


@settings(deadline=None)
@given(common=st.integers(0, WAVELETS), seed=st.integers(0, 1_000))
def test_as_many_entries_are_equal_as_signs_are_shared(common: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).choice(SIGNS, 2 * WAVELETS - common, replace=False)
    one, other = drawn[:WAVELETS], drawn[len(drawn) - WAVELETS :]
    [[share]] = equal_shares(*(min_hashes(signs[None], Waveprint().shape) for signs in (one, other)))
    jaccard = common / len(drawn)
    assert abs(share - jaccard) <= 5 * math.sqrt(jaccard * (1 - jaccard) / PERMUTATIONS) + 0.03


@pytest.mark.parametrize("gain", [0.01, 0.25, 4.0])
def test_level_does_not_matter(music_samples: np.ndarray, gain: float) -> None:
    part = music_samples[: 10 * RATE]
    assert np.mean(signatures(part) == signatures(part * np.float32(gain))) > 0.99


def test_silence_has_no_signature(music_samples: np.ndarray) -> None:
    assert not len(signatures(np.zeros(5 * RATE, np.float32)))
    part, silence = music_samples[: 4 * RATE], np.zeros(20 * RATE, np.float32)
    layer = Waveprint().extract(np.concatenate([part, silence, part])).layers["signatures"]
    times = layer.frames * layer.frame_seconds
    assert ((times < 4.0) | (times > 22.0)).all()
    assert (times > 22.0).any()


def test_a_sound_shorter_than_an_image_has_no_signature(music_samples: np.ndarray) -> None:
    needed = (FRAMES - 1) * HOP + WINDOW
    for query in (False, True):
        assert not len(signatures(music_samples[: needed - 1], query=query))
        assert len(signatures(music_samples[:needed], query=query)) == 1
        assert not len(signatures(music_samples[:0], query=query))


def test_half_a_stride_is_every_second_image(music_samples: np.ndarray) -> None:
    part = music_samples[: 12 * RATE]
    quarter, half = (Waveprint(stride=stride).extract(part).layers["signatures"] for stride in ("quarter", "half"))
    assert np.array_equal(quarter.frames[::2], half.frames)
    assert np.array_equal(quarter.values[::2], half.values)


@settings(deadline=None)  # the first one makes the permutations
@given(seed=st.integers(0, 1_000), exponent=st.integers(-30, 12), length=st.integers(0, 4 * RATE))
def test_any_sound_has_a_fingerprint(seed: int, exponent: int, length: int) -> None:
    samples = np.random.default_rng(seed).normal(size=length).astype(np.float32) * np.float32(10.0**exponent)
    maker = Waveprint()
    fingerprint = maker.extract(samples, query=True)
    layer = fingerprint.layers["signatures"]
    assert layer.values.shape == (len(layer.frames), PERMUTATIONS)
    assert len(maker.keys(fingerprint, query=True)["bands"].values) == len(layer.frames) * PERMUTATIONS // ENTRIES
    again = maker.unpack(maker.pack(fingerprint)).layers["signatures"]
    assert np.array_equal(again.values, layer.values)


def test_keys_are_narrow_and_those_of_other_bands_are_others() -> None:
    alike = np.zeros((1, PERMUTATIONS), np.uint8)
    keys = band_keys(alike, HashShape())
    assert keys.dtype == np.uint32
    assert int(keys.max()) < 1 << KEY_BITS
    assert len(set(keys[0].tolist())) == PERMUTATIONS // ENTRIES


# --- what is refused


def test_an_unknown_stride_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match="'third' is not known: choose one of quarter, half"):
        Waveprint(stride="third")


def test_the_fingerprint_of_another_stride_is_refused(music_samples: np.ndarray) -> None:
    packed = Waveprint(stride="half").pack(Waveprint(stride="half").extract(music_samples[: 5 * RATE]))
    with pytest.raises(SpecMismatch, match="make both with the same fingerprinter and settings"):
        Waveprint().unpack(packed)


@pytest.mark.parametrize("cut", [0, 1, 30, -1])
def test_damage_is_told(music_samples: np.ndarray, cut: int) -> None:
    packed = Waveprint().pack(Waveprint().extract(music_samples[: 5 * RATE]))
    with pytest.raises((ValueError, msgspec.DecodeError)):
        Waveprint().unpack(packed[:cut])


def test_the_front_end_is_that_of_the_paper() -> None:
    assert (FRONT_END.rate, FRONT_END.window, FRONT_END.hop) == (RATE, WINDOW, HOP)
    assert FRONT_END.low_bin * FRONT_END.hertz_per_bin <= LOW
    assert (FRONT_END.high_bin - 0.5) * FRONT_END.hertz_per_bin >= HIGH
