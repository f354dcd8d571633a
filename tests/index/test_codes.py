"""Two bits a component: golden bytes, and what they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.index.codes import KEPT_SHARE, packed, unpacked


def unit(seed: int, count: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 128))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_golden_bytes_of_a_vector() -> None:
    # The border of 128 dimensions is at 0.9816 * 254 / sqrt(128) = 22.04.
    vector = np.tile(np.array([-23, -22, 1, 23], np.int8), 32)[None]
    assert packed(vector).tolist() == [[0b1011_0001] * 32]


def test_codes_stand_for_vectors_that_have_the_same_codes() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(8, 32)
    assert np.array_equal(packed(np.rint(unpacked(codes)).astype(np.int8)), codes)


def test_codes_keep_the_share_of_the_variance_that_four_levels_can() -> None:
    vectors = unit(1, 500)
    kept = unpacked(packed(np.rint(254 * vectors).astype(np.int8))) / 254
    assert (kept * vectors).sum(axis=1).mean() == pytest.approx(KEPT_SHARE, abs=0.01)


def test_dimensions_that_make_no_whole_bytes_are_refused() -> None:
    with pytest.raises(OptionError, match="126 dimensions"):
        packed(np.zeros((1, 126), np.int8))
