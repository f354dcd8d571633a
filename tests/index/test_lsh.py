"""What the theory of random hyperplanes says, measured."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.index.int8 import quantised
from earmark.index.lsh import LSH

VECTORS = 12_000


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return unit(np.random.default_rng(0).standard_normal((VECTORS, 128)))


def filled(vectors: np.ndarray, **options: int) -> LSH:
    index = LSH(**options)
    index.add(1, np.arange(len(vectors), dtype=np.int32), quantised(vectors))
    index.arrays()  # makes the tables
    return index


def queries(vectors: np.ndarray, *, cosine: float, count: int = 400) -> np.ndarray:
    clean, noise = vectors[:count], unit(np.random.default_rng(1).standard_normal((count, 128)))
    noise = unit(noise - (noise * clean).sum(axis=1, keepdims=True) * clean)
    return unit(cosine * clean + np.sqrt(1 - cosine**2) * noise)


def recall(index: LSH, asked: np.ndarray) -> float:
    frames = np.arange(len(asked), dtype=np.int32)
    hits = index.snapshot().search(frames, asked, nearest=1)
    return float((hits.query_frames == hits.reference_frames).sum() / len(asked))


@pytest.mark.parametrize("cosine", [0.9, 0.8])
def test_vectors_meet_as_often_as_the_formula_says(vectors: np.ndarray, cosine: float) -> None:
    bits, tables = 10, 10
    same_side = 1 - np.arccos(cosine) / np.pi
    expected = 1 - (1 - same_side**bits) ** tables
    index = filled(vectors, tables=tables, bits=bits, probes=tables, components=0)
    # the cheapest ten probes of all are not one of each table, but the ten own buckets cost nothing
    assert recall(index, queries(vectors, cosine=cosine)) == pytest.approx(expected, abs=0.06)


def test_looking_into_more_buckets_beats_more_tables_at_equal_comparisons(vectors: np.ndarray) -> None:
    asked = queries(vectors, cosine=0.8)
    few, many = filled(vectors, tables=4, bits=12, probes=60), filled(vectors, tables=10, bits=10, probes=10)
    with_probes, plain = recall(few, asked), recall(many, asked)
    assert few.stats()["compared_share"] <= many.stats()["compared_share"] * 1.6
    assert with_probes > plain


def test_hyperplanes_in_the_main_directions_find_as_much_among_fewer_in_evener_buckets() -> None:
    rng = np.random.default_rng(3)
    spread = np.arange(1, 129) ** -0.6  # as those of a network: few directions hold most
    vectors = unit(rng.standard_normal((VECTORS, 128)) * spread + 0.1 * spread)
    asked = unit(vectors[:400] + 0.6 * unit(rng.standard_normal((400, 128)) * spread))
    main, all_directions = (filled(vectors, bits=12, probes=150, components=components) for components in (32, 0))
    assert recall(main, asked) > recall(all_directions, asked) - 0.02
    assert main.stats()["compared_share"] < 0.8 * all_directions.stats()["compared_share"]
    assert main.stats()["imbalance"] < all_directions.stats()["imbalance"]


def test_senseless_options_are_refused() -> None:
    for options in ({"tables": 0}, {"probes": 0}, {"bits": 25}, {"components": -1}):
        with pytest.raises(OptionError, match="at least one table"):
            LSH(**options)
