"""What is special about learned codes: balanced bits, fuller use of the buckets than random hyperplanes make."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.index.hashcode import Hashcode, balanced_projection
from earmark.index.int8 import quantised
from earmark.index.lsh import LSH


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


def test_senseless_options_are_refused() -> None:
    for options in ({"probes": 0}, {"bits": 25}):
        with pytest.raises(OptionError, match="at least 1 probe"):
            Hashcode(**options)
