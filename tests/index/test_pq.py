"""What is special about product-quantised lists: memory, threads, Faiss's bytes."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import CatalogDamaged, OptionError
from earmark.index import faiss_io
from earmark.index.pq import KIND, PQ, parts_of, rotation_of


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((3_000, 128)) * np.arange(1, 129) ** -0.35
    return (254 * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).clip(-127, 127).astype(np.int8)


@pytest.fixture(scope="module")
def index(vectors: np.ndarray) -> PQ:
    index = PQ(smallest=1_000, probes=20, rerank=50)
    index.add(7, np.arange(3_000, dtype=np.int32), vectors)
    index.arrays()
    return index


def test_it_finds_noisy_vectors_in_little_memory(index: PQ, vectors: np.ndarray) -> None:
    noise = np.random.default_rng(1).normal(0, 11, (200, 128))
    frames, asked = np.arange(200, dtype=np.int32), (vectors[:200] + noise).astype(np.float32) / 254
    hits = index.snapshot().search(frames, asked, nearest=1)
    assert (hits.reference_frames == hits.query_frames).mean() > 0.95
    stats = index.stats()
    assert stats["lists"] == 109
    assert stats["memory_bytes_per_vector"] < 60  # half of it centres, which do not grow with the catalog
    assert 0.1 < stats["compared_share"] < 0.4


@pytest.mark.parametrize(("dimensions", "budget", "parts"), [(128, 40, 32), (128, 80, 128), (128, 15, 8), (96, 40, 32)])
def test_codes_are_as_long_as_the_memory_allows(dimensions: int, budget: int, parts: int) -> None:
    assert parts_of(dimensions, budget) == parts
    assert parts // 2 + 10 <= budget


def test_vectors_in_few_directions_are_rotated_into_these_and_keep_their_products() -> None:
    rng = np.random.default_rng(2)
    few = rng.standard_normal((2_000, 50)) @ rng.standard_normal((50, 128)) + rng.standard_normal(128)
    turn = rotation_of(few.astype(np.float32))
    assert turn.shape == (128, 64)
    np.testing.assert_allclose((few @ turn) @ (few[:9] @ turn).T, few @ few[:9].T, rtol=0.01, atol=1)
    held = ((few @ turn) ** 2).mean(axis=0)
    assert held.max() < 5 * held.min()  # no direction is more than a part of a code can hold


def test_a_search_leaves_the_number_of_threads_as_it_was(index: PQ, vectors: np.ndarray) -> None:
    faiss = faiss_io.library()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    try:
        index.snapshot().search(np.zeros(1, np.int32), vectors[:1])
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


def test_bytes_that_are_no_such_index_are_refused(index: PQ) -> None:
    packed = next(array for name, array in index.arrays().items() if name.endswith(".lists"))
    for damaged, shape in [
        (packed[:1_000], (3_000, 128)),
        (packed[:-1], (3_000, 128)),
        (np.zeros(100, np.uint8), (3_000, 128)),
        (packed.astype(np.float32), (3_000, 128)),
        (packed, (2_999, 128)),
        (packed, (3_000, 64)),
    ]:
        with pytest.raises(CatalogDamaged, match="Faiss"):
            faiss_io.from_array(damaged, KIND, shape)
    with pytest.raises(CatalogDamaged, match="IndexHNSWSQ"):
        faiss_io.from_array(packed, "IndexHNSWSQ", (3_000, 128))


def test_sizes_in_the_bytes_are_not_believed(index: PQ) -> None:
    packed = next(array for name, array in index.arrays().items() if name.endswith(".lists")).copy()
    packed[48:56] = 255  # somewhere among the sizes of what follows
    with pytest.raises(CatalogDamaged, match="Faiss"):
        faiss_io.from_array(packed, KIND, (3_000, 128))


def test_senseless_options_are_refused() -> None:
    for options in ({"probes": 0}, {"rerank": 0}, {"lists": -1}, {"bytes_per_vector": 10}):
        with pytest.raises(OptionError, match="at least 1 list"):
            PQ(**options)
