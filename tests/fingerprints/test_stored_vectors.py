"""Coded vectors come back, whole or where they are looked at; what is forged is refused, or says nothing."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.fingerprints.stored_vectors import BLOCK, CodedVectors, StoredVectors, code


def layer(vectors: np.ndarray) -> StoredVectors:
    frames = np.arange(0, 16 * len(vectors), 16, dtype=np.int32)
    return StoredVectors(frames, CodedVectors.read(code(vectors), *vectors.shape), 0.03125)


def overlapping(count: int) -> np.ndarray:
    parts = np.random.default_rng(5).normal(0, 16, (count + 1, 128))
    return np.rint(parts[1:] + parts[:-1]).clip(-127, 127).astype(np.int8)


@given(count=st.integers(0, 150), dimensions=st.sampled_from([1, 8, 32]), width=st.integers(1, 127))
def test_coded_vectors_come_back(count: int, dimensions: int, width: int) -> None:
    vectors = np.random.default_rng(width).integers(-width - 1, width + 1, (count, dimensions)).astype(np.int8)
    stored = layer(vectors)
    for whole in (stored.values, stored.unpacked().values):
        assert np.array_equal(whole, vectors)
        assert whole.dtype == np.int8


@given(edges=st.lists(st.tuples(st.floats(-99, 5_000), st.floats(-99, 5_000)), min_size=1, max_size=5))
def test_so_does_what_lies_between_two_frames_whatever_was_looked_at_before(edges: list[tuple[float, float]]) -> None:
    vectors = overlapping(260)
    stored = layer(vectors)
    for first, last in edges:
        there = slice(*np.searchsorted(stored.frames, [first, last]))
        frames, values = stored.within(first, last)
        assert np.array_equal(frames, stored.frames[there])
        assert np.array_equal(values, vectors[there])
    part = stored.between(1.0, 40.0)
    assert np.array_equal(part.values, vectors[2:80])


def test_a_part_of_long_sound_is_decoded_without_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    stored, asked, decoded = layer(overlapping(640)), list[int](), CodedVectors.decoded

    def counted(self: CodedVectors, begin: int, end: int, **how: bool) -> np.ndarray:
        asked.append(end - begin)
        return decoded(self, begin, end, **how)

    monkeypatch.setattr(CodedVectors, "decoded", counted)
    stored.between(100.0, 105.0)
    assert sum(asked) <= 2


def test_coded_vectors_of_overlapping_segments_are_a_fifth_smaller() -> None:
    vectors = overlapping(400)
    assert len(code(vectors)) < 0.83 * vectors.size
    assert layer(vectors).nbytes < 0.9 * vectors.size


def test_bytes_that_are_not_as_long_as_their_blocks_are_refused() -> None:
    good = code(overlapping(100))
    forged = (
        (good, 64), (good, 129), (good, 0), (good[:-9], 100), (good + b"x", 100), (b"", 1), (b"\xff" * 400, 3),
        (bytes(4), 8), (good[:3], 1), (good, 1 << 40),
    )  # fmt: skip
    for packed, count in forged:
        with pytest.raises(ValueError, match=f"{count} vectors"):
            CodedVectors.read(packed, count, 128)


@pytest.mark.parametrize("kind", ["garbage", "bomb", "longer", "shorter", "trailing"])
def test_a_forged_block_is_told_where_all_is_read_and_says_nothing_where_a_part_is(kind: str) -> None:
    vectors = overlapping(2 * BLOCK)
    deflated = {"bomb": bytes(1 << 20), "longer": bytes(BLOCK * 128 + 1), "shorter": bytes(BLOCK * 128 - 1)}
    coder = zlib.compressobj(wbits=-15)
    block = coder.compress(deflated.get(kind, bytes(BLOCK * 128))) + coder.flush()
    block = {"garbage": b"\xff" * 3_000, "trailing": block + b"x"}.get(kind, block)
    second = code(vectors[BLOCK:])[4:]
    content = np.array([len(block), len(second)], "<u4").tobytes() + block + second
    coded = CodedVectors.read(content, 2 * BLOCK, 128)
    assert not coded.between(0, BLOCK).any()
    assert np.array_equal(coded.between(BLOCK, 2 * BLOCK), vectors[BLOCK:])
    with pytest.raises(ValueError, match="some of which are damaged"):
        coded.decoded(0, 2, is_checked=True)
