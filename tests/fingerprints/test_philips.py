"""Words of 32 bits, against a straight-line reading of the paper's formulas, and which of their bits are turned."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.errors import OptionError, SpecMismatch
from earmark.fingerprints import make
from earmark.fingerprints.philips import Philips

RATE, WINDOW, HOP, BANDS = 5_512, 2_048, 64, 33


@pytest.fixture(scope="module")
def sound(music: Sequence[Path]) -> np.ndarray:
    return load(music[0], rate=RATE)[0][3 * RATE : 6 * RATE]


@pytest.fixture(scope="module")
def piece(sound: np.ndarray) -> np.ndarray:
    """As much as a straight-line implementation goes through in a second."""
    return sound[: 6 * RATE // 5]


def words_of(samples: np.ndarray, *, power: float, speed: float = 1.0) -> tuple[list[int], list[list[float]]]:
    """Return (words, differences of each bit) of frames 1, 2, …, one sum at a time (section 4.2 of the paper)."""
    window = [0.5 - 0.5 * np.cos(2 * np.pi * n / (WINDOW - 1)) for n in range(WINDOW)]
    edges = [speed * 300 * (2_000 / 300) ** (m / BANDS) * WINDOW / RATE for m in range(BANDS + 1)]
    energies = []
    for first in range(0, len(samples) - WINDOW + 1, HOP):
        spectrum = np.abs(np.fft.rfft(samples[first : first + WINDOW].astype(float) * window)) ** 2
        energies.append([])
        for low, high in itertools.pairwise(edges):
            shares = [max(min(b + 0.5, high) - max(b - 0.5, low), 0.0) for b in range(len(spectrum))]
            energies[-1].append(float(np.dot(shares, spectrum)) ** power)
    words, differences = [], []
    for before, here in itertools.pairwise(energies):
        differences.append([(here[m] - here[m + 1]) - (before[m] - before[m + 1]) for m in range(BANDS - 1)])
        words.append(sum(1 << m for m, difference in enumerate(differences[-1]) if difference > 0))
    return words, differences


@pytest.mark.parametrize(("variant", "power"), [("default", 0.5), ("paper", 1.0)])
def test_a_word_is_the_signs_of_differences_of_energy_between_bands_and_frames(
    piece: np.ndarray, variant: str, power: float
) -> None:
    expected, differences = words_of(piece, power=power)
    layer = Philips(variant=variant).extract(piece).layers["bits"]
    assert layer.frames.tolist() == list(range(1, len(expected) + 1))
    wrong = [
        (frame, bit)
        for frame, (word, right) in enumerate(zip(layer.values[:, 0].tolist(), expected, strict=True))
        for bit in range(BANDS - 1)
        if (word ^ right) >> bit & 1
    ]
    largest = max(abs(one) for row in differences for one in row)
    assert len(wrong) < 0.001 * 32 * len(expected)
    assert all(abs(differences[frame][bit]) < 1e-5 * largest for frame, bit in wrong)  # it computes in float32


def test_a_clip_has_the_words_of_five_speeds(piece: np.ndarray) -> None:
    maker = Philips()
    words = maker.extract(piece, query=True).layers["bits"].values
    for column, speed in enumerate(maker.speeds):
        expected = np.array(words_of(piece, power=0.5, speed=speed)[0], np.uint32)
        assert np.bitwise_count(words[:, column] ^ expected).mean() < 0.03


def test_bits_are_turned_from_the_least_reliable_on(piece: np.ndarray) -> None:
    maker = Philips()
    layer = maker.extract(piece, query=True).layers["bits"]
    differences = np.abs(words_of(piece, power=0.5)[1])[:, 6:]
    weakest = layer.weights.reshape(len(layer.frames), len(maker.speeds), -1)[:, 0]
    reliability = np.take_along_axis(differences, weakest.astype(int) - 6, axis=1)
    assert (np.diff(reliability, axis=1) > -1e-4).all()
    assert (reliability[:, -1] <= np.median(differences, axis=1)).all()


def test_a_word_is_looked_up_as_it_is_and_with_the_likeliest_bits_turned(sound: np.ndarray) -> None:
    maker = Philips()
    clip = maker.extract(sound, query=True)
    layer, keys = clip.layers["bits"], maker.keys(clip, query=True)["words"]
    tried = maker.query.tried + 4 * maker.query.tried_beside
    assert len(keys.values) == tried * len(layer.frames)
    first = keys.values[:tried]
    own = layer.values[0, 0] >> 6
    weakest = layer.weights[0, :8].astype(int) - 6
    assert first[:3].tolist() == [own, own ^ (1 << weakest[0]), own ^ (1 << weakest[1])]
    turned = np.bitwise_count(first[: maker.query.tried] ^ own)
    assert turned.max() <= maker.query.most_turned
    assert len(set(first[: maker.query.tried].tolist())) == maker.query.tried
    assert first[maker.query.tried] == layer.values[0, 1] >> 6


def test_a_recording_is_stored_by_the_upper_bits_of_its_words(sound: np.ndarray) -> None:
    for variant, dropped in (("default", 6), ("paper", 0)):
        maker = Philips(variant=variant)
        stored = maker.extract(sound)
        keys = maker.keys(stored)["words"]
        assert np.array_equal(keys.values, stored.layers["bits"].values[:, 0] >> dropped)
        assert stored.layers["bits"].weights is None


@pytest.mark.parametrize("kind", ["silence", "direct current", "tone", "quiet tone", "two tones"])
def test_what_never_changes_has_no_words(kind: str) -> None:
    seconds = np.arange(5 * RATE) / RATE
    sounds = {
        "silence": 0 * seconds,
        "direct current": 0 * seconds + 0.5,
        "tone": 0.3 * np.sin(2 * np.pi * 440 * seconds),
        "quiet tone": 1e-5 * np.sin(2 * np.pi * 880 * seconds),
        "two tones": 0.3 * np.sin(2 * np.pi * 440 * seconds) + 0.2 * np.sin(2 * np.pi * 1_000 * seconds),
    }
    for query in (False, True):
        layer = Philips().extract(sounds[kind].astype(np.float32), query=query).layers["bits"]
        assert len(layer.frames) < Philips().min_features


def test_clicks_and_beeps_have_the_same_words_again_and_again(sound: np.ndarray) -> None:
    maker, seconds = Philips(), np.arange(8 * RATE) / RATE
    clicks = (np.arange(8 * RATE) % (RATE // 2) < 3).astype(np.float32)
    beeps = np.where(seconds % 0.5 < 0.1, 0.3 * np.sin(2 * np.pi * 1_000 * seconds), 0).astype(np.float32)
    for noise in (clicks, beeps, clicks[:RATE]):
        for query in (False, True):
            assert not maker.is_informative(maker.extract(noise, query=query), query=query)
    for query in (False, True):
        assert maker.is_informative(maker.extract(sound, query=query), query=query)
    assert maker.is_informative(maker.extract(sound[:RATE], query=True), query=True)


def test_an_hour_takes_a_little_more_than_a_megabyte(sound: np.ndarray) -> None:
    maker = Philips()
    packed = maker.pack(maker.extract(sound))
    assert len(packed) * 3_600 / 3.0 < 1.4e6


def test_a_variant_that_there_is_not_is_refused() -> None:
    with pytest.raises(OptionError, match="variant 'robust' is not known: choose one of default, paper"):
        make("philips", variant="robust")


def test_a_damaged_or_foreign_fingerprint_is_refused(sound: np.ndarray) -> None:
    maker = Philips()
    packed = maker.pack(maker.extract(sound[: 2 * RATE], query=True))
    with pytest.raises(SpecMismatch):
        Philips(variant="paper").unpack(packed)
    rng = np.random.default_rng(5)
    for _ in range(300):
        damaged = bytearray(packed)
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(256)
        cut = bytes(damaged[: rng.integers(len(damaged))]) if rng.random() < 0.5 else bytes(damaged)
        try:
            fingerprint = maker.unpack(cut)
        except (ValueError, SpecMismatch):
            continue
        layer = fingerprint.layers["bits"]
        assert len(layer.frames) == len(layer.values)
        assert layer.weights is None or layer.weights.max(initial=0) < 32
