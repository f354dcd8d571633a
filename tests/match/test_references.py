"""Stored fingerprints are read in batches, once, and kept as long as there is room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from earmark.match.references import CachedReferences
from earmark.types import Fingerprint, Layer, Spec
from tests.match.shelf import Shelf, cut

SIZE = 1_000  # vectors of a fingerprint, 132 bytes each with their frames


def fingerprint(track: int) -> Fingerprint:
    layer = Layer(np.arange(SIZE, dtype=np.int32), np.full((SIZE, 128), track, np.int8), 0.5)
    return Fingerprint(Spec("neural", 2, "0"), 500.0, {"vectors": layer})


class Store:
    """A store that says what was read."""

    def __init__(self) -> None:
        self.read: list[list[int]] = []

    def __call__(self, tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        self.read.append(list(tracks))
        return {track: fingerprint(track) for track in tracks}


def test_what_is_missing_is_read_in_one_batch_each_once() -> None:
    store = Store()
    references = CachedReferences(store)
    found = references([3, 1, 3, 2])
    assert set(found) == {1, 2, 3}
    assert {track: int(one.layers["vectors"].values[0, 0]) for track, one in found.items()} == {1: 1, 2: 2, 3: 3}
    references([2, 5, 1])
    references([5, 1])
    assert store.read == [[3, 1, 2], [5]]


def test_nothing_is_read_for_nothing() -> None:
    store = Store()
    assert CachedReferences(store)([]) == {}
    assert store.read == []


def test_the_least_recently_used_goes_first_when_there_is_no_more_room() -> None:
    store = Store()
    references = CachedReferences(store, most_bytes=3 * 132 * SIZE)
    references([1, 2, 3])
    references([1])
    references([4])  # which takes the place of 2
    references([1, 3, 4])
    references([2])
    assert store.read == [[1, 2, 3], [4], [2]]
    references([1])
    assert store.read[-1] == [1]


def test_a_fingerprint_that_is_larger_than_the_room_is_given_and_kept_alone() -> None:
    store = Store()
    references = CachedReferences(store, most_bytes=1)
    assert set(references([1, 2])) == {1, 2}
    references([2])
    references([1])
    assert store.read == [[1, 2], [1]]


def test_what_the_store_raises_comes_through_and_nothing_is_kept_of_it() -> None:
    def broken(tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        raise LookupError(f"{tracks[0]} is gone")

    references = CachedReferences(broken)
    for _ in range(2):
        with pytest.raises(LookupError, match="7 is gone"):
            references([7])


def test_many_threads_may_ask_at_once() -> None:
    references = CachedReferences(Store(), most_bytes=5 * 132 * SIZE)
    wanted = [list(np.random.default_rng(seed).integers(0, 12, 4)) for seed in range(200)]
    with ThreadPoolExecutor(8) as pool:
        for tracks, found in zip(wanted, pool.map(references, wanted), strict=True):
            assert {int(track): int(found[track].layers["vectors"].values[0, 0]) for track in tracks} == {
                int(track): int(track) for track in tracks
            }


def test_the_same_clip_asked_again_reads_nothing_and_nothing_is_read_twice(shelf: Shelf) -> None:
    read: list[int] = []

    def noted(tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        read.extend(tracks)
        return shelf.read(tracks)

    matcher = shelf.matcher(noted)
    clip = cut(shelf.sounds[3], 5.0, 5.0)
    first = shelf.ask(clip, matcher=matcher)
    before = list(read)
    assert before
    assert sorted(set(before)) == sorted(before)
    assert shelf.ask(clip, matcher=matcher) == first
    assert read == before
