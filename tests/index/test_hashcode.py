"""What is special about learned codes: balanced bits, fuller use of the buckets than random hyperplanes make."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.index.hash_tables import evenness
from earmark.index.hashcode import Hashcode, balanced_projection
from earmark.index.int8 import quantised
from earmark.index.lsh import LSH
from earmark.plan import LearnedCodes


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Off the centre, and of a spectrum that falls off, as real ones."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((12_000, 128)) * np.arange(1, 129) ** -0.5 + 0.1
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_every_bit_halves_the_catalog_and_no_two_agree(vectors: np.ndarray) -> None:
    sample = quantised(vectors).astype(np.float32)
    planes, offsets = balanced_projection(sample, 10)
    np.testing.assert_allclose(np.linalg.norm(planes, axis=1), 1, rtol=1e-5)
    signs = np.where(sample @ planes.T > offsets, 1.0, -1.0)
    assert np.abs(signs.mean(axis=0)).max() < 0.01
    assert np.abs(np.corrcoef(signs.T) - np.eye(10)).max() < 0.1


def test_it_finds_more_than_random_hyperplanes_in_as_many_buckets(vectors: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    asked = vectors[:300] + rng.normal(0, 0.05, (300, 128))
    frames = np.arange(len(vectors), dtype=np.int32)
    found = []
    for index in (Hashcode(bits=10, probes=20), LSH(tables=1, bits=10, probes=20)):
        index.add(1, frames, quantised(vectors))
        index.arrays()  # makes the tables
        hits = index.snapshot().search(frames[:300], asked, nearest=1)
        found.append((hits.query_frames == hits.reference_frames).mean())
        assert index.stats()["compared_share"] < 0.06
    assert found[0] > found[1] + 0.1


def test_more_bits_than_dimensions_are_not_made() -> None:
    index = Hashcode(bits=12, smallest=1)
    index.add(1, np.arange(50, dtype=np.int32), np.random.default_rng(0).standard_normal((50, 4)))
    index.arrays()
    assert index.stats()["bits"] == 4


def learned(kind: str, count: int, vectors: np.ndarray) -> LearnedCodes:
    """Planes, or codewords, near some of the vectors."""
    planes = (vectors[:count] - vectors[:count].mean(axis=0) * (kind == "signs")).astype(np.float32)
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    middles = np.median(vectors @ planes.T, axis=0) if kind == "signs" else np.zeros(count)
    return LearnedCodes(kind, planes, middles.astype(np.float32))


def filled(index: Hashcode, vectors: np.ndarray) -> Hashcode:
    index.add(1, np.arange(len(vectors), dtype=np.int32), quantised(vectors))
    index.arrays()  # makes the tables
    return index


def test_a_networks_own_bits_are_the_buckets(vectors: np.ndarray) -> None:
    codes = learned("signs", 6, vectors)
    arrays = filled(Hashcode(codes=codes), vectors).arrays()
    signs = quantised(vectors).astype(np.float32) @ codes.planes.T > codes.offsets * 254
    own = (signs * (1 << np.arange(6))).sum(axis=1)
    (members,), (ends,) = (
        next(value for key, value in arrays.items() if key.endswith(name)) for name in ("members", "ends")
    )
    assert np.array_equal(own[members], np.repeat(np.arange(64), np.diff(ends)))


def test_the_nearest_codeword_is_the_bucket_and_the_next_nearest_are_looked_into_next(vectors: np.ndarray) -> None:
    codes = learned("codewords", 40, vectors)
    cosines = quantised(vectors).astype(np.float32) @ codes.planes.T
    nearest = np.argsort(-cosines, axis=1)
    for probes in (1, 3):
        index = filled(Hashcode(codes=codes, probes=probes), vectors)
        hits = index.snapshot().search(np.zeros(1, np.int32), vectors[7:8], nearest=len(vectors))
        among = np.isin(nearest[:, 0], nearest[7, :probes])
        assert len(hits) == among.sum()
        assert index.stats()["compared_share"] == pytest.approx(len(hits) / len(vectors))


@pytest.mark.parametrize(("kind", "count"), [("signs", 6), ("codewords", 40)])
def test_learned_codes_are_loaded_with_the_index(vectors: np.ndarray, kind: str, count: int) -> None:
    index = filled(Hashcode(codes=learned(kind, count, vectors), probes=5), vectors)
    loaded = Hashcode.from_arrays(index.arrays(), probes=5)
    for one in (index, loaded):
        assert 0 < one.stats()["entropy"] < 1
    found, again = (
        one.snapshot().search(np.arange(3, dtype=np.int32), vectors[:3], nearest=5) for one in (index, loaded)
    )
    assert np.array_equal(found.reference_frames, again.reference_frames)


def test_bits_that_are_asked_for_are_fitted_to_the_catalog(vectors: np.ndarray) -> None:
    assert filled(Hashcode(bits=9, codes=learned("signs", 6, vectors)), vectors).stats()["bits"] == 9


def test_evenness_is_1_of_equal_buckets_and_0_of_one() -> None:
    assert evenness(np.full((2, 8), 3.0)) == pytest.approx(1)
    assert evenness(np.array([[5.0, 0, 0, 0]])) == 0
    assert evenness(np.array([[1.0, 1, 0, 0]])) == pytest.approx(0.5)


def test_senseless_options_are_refused() -> None:
    for options in ({"probes": 0}, {"bits": 25}):
        with pytest.raises(OptionError, match="at least 1 probe"):
            Hashcode(**options)
