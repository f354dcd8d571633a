"""Vectors of four levels: near what they were, as long, and a quarter of a byte a component."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.fingerprints.compact import CompactShape
from earmark.types import VECTOR_SCALE

SHAPE = CompactShape()


@given(count=st.integers(0, 20), seed=st.integers(0, 9))
def test_vectors_of_four_levels_take_two_bits_a_component(count: int, seed: int) -> None:
    vectors = SHAPE.values(128)[np.random.default_rng(seed).integers(0, 4, (count, 128))]
    packed = SHAPE.pack(vectors)
    assert len(packed) == count * 32
    assert np.array_equal(SHAPE.unpack(packed, count, 128), vectors)
    with pytest.raises(ValueError, match="reshape"):
        SHAPE.unpack(packed + b"x", count, 128)


def test_rounded_vectors_are_as_long_as_before_and_point_where_they_did() -> None:
    parts = np.random.default_rng(1).normal(size=(400, 128))
    parts *= VECTOR_SCALE / np.linalg.norm(parts, axis=1, keepdims=True)
    rounded = SHAPE.rounded(np.rint(parts).astype(np.int8)).astype(float)
    assert SHAPE.values(128).tolist() == [-36, -11, 11, 36]
    assert abs(np.linalg.norm(rounded, axis=1).mean() / VECTOR_SCALE - 1) < 0.02
    assert ((rounded * parts).sum(axis=1) / VECTOR_SCALE**2).mean() == pytest.approx(0.93, abs=0.01)


def test_what_was_rounded_is_not_rounded_again() -> None:
    vectors = SHAPE.rounded(np.random.default_rng(2).integers(-90, 90, (9, 32)).astype(np.int8))
    assert np.array_equal(SHAPE.rounded(vectors), vectors)
