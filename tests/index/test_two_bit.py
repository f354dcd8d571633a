"""Two bits a component: a good guess at inner products, that survives saving, removal and merging."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import CatalogDamaged, OptionError
from earmark.index.flat import Flat
from earmark.index.protocol import Index
from earmark.index.two_bit import TwoBit, packed
from earmark.types import Hits


def unit(seed: int, count: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 128))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def filled(index: Index, tracks: range = range(20)) -> Index:
    for track in tracks:
        index.add(track, 16 * np.arange(100, dtype=np.int32), unit(track, 100))
    return index


def near(track: int, row: int, cosine: float, *, seed: int = 9) -> np.ndarray:
    wanted, other = unit(track, 100)[row], unit(1_000 + seed, 1)[0]
    other = other - (other @ wanted) * wanted
    return (cosine * wanted + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other))[None].astype(np.float32)


def places(hits: Hits) -> list[tuple[int, int]]:
    return list(zip(hits.tracks.tolist(), hits.reference_frames.tolist(), strict=True))


def test_golden_bytes_of_a_vector() -> None:
    # The border of 128 dimensions is at 0.9816 * 254 / sqrt(128) = 22.04.
    vector = np.tile(np.array([-23, -22, 1, 23], np.int8), 32)[None]
    assert packed(vector).tolist() == [[0b1011_0001] * 32]


@pytest.mark.parametrize("cosine", [0.6, 0.8, 0.95])
def test_a_near_vector_is_found_first_with_about_its_inner_product(cosine: float) -> None:
    index = filled(TwoBit())
    hits = index.snapshot().search(np.array([0], np.int32), near(7, 42, cosine), nearest=5)
    assert places(hits)[0] == (7, 42 * 16)
    assert hits.scores[0] == pytest.approx(cosine, abs=0.1)
    assert sorted(hits.scores.tolist(), reverse=True) == hits.scores.tolist()


def test_most_of_the_nearest_are_among_twice_as_many() -> None:
    queries = unit(5_000, 30)
    frames = np.arange(30, dtype=np.int32)
    exact = filled(Flat()).snapshot().search(frames, queries, nearest=10)
    guessed = filled(TwoBit()).snapshot().search(frames, queries, nearest=20)
    wanted = set(zip(exact.query_frames.tolist(), places(exact), strict=True))
    found = set(zip(guessed.query_frames.tolist(), places(guessed), strict=True))
    assert len(wanted & found) > 0.7 * len(wanted)


def test_it_comes_back_from_its_arrays_and_takes_more_tracks() -> None:
    index = filled(TwoBit(), range(10))
    again = TwoBit.from_arrays(index.arrays())
    filled(again, range(10, 20))
    once = filled(TwoBit())
    frames, query = np.array([0, 4], np.int32), np.concatenate([near(3, 5, 0.8), near(15, 50, 0.8)])
    one, other = again.snapshot().search(frames, query), once.snapshot().search(frames, query)
    assert places(one) == places(other)
    assert one.scores.tolist() == other.scores.tolist()


def test_a_removed_track_is_not_found_before_or_after_it_is_written() -> None:
    index = filled(TwoBit())
    query = near(7, 42, 0.95)
    index.snapshot().search(np.array([0], np.int32), query)  # what is scanned is made, and must be made anew
    index.remove([7])
    assert 7 not in index.snapshot().search(np.array([0], np.int32), query, nearest=2_000).tracks
    again = TwoBit.from_arrays(index.arrays())
    assert 7 not in again.snapshot().search(np.array([0], np.int32), query, nearest=2_000).tracks
    again.remove(range(20))
    assert not len(again.snapshot().search(np.array([0], np.int32), query))


def test_a_snapshot_is_searched_as_it_was_between_searches_of_a_later_one() -> None:
    index, asked = filled(TwoBit()), (np.array([0], np.int32), near(7, 42, 0.95))
    before = index.snapshot()
    index.remove([7])
    for _ in range(2):
        assert 7 in before.search(*asked, nearest=5).tracks
        assert 7 not in index.snapshot().search(*asked, nearest=2_000).tracks


def test_it_takes_36_bytes_a_vector() -> None:
    stats = filled(TwoBit()).stats()
    assert stats["bytes_per_vector"] == pytest.approx(36, abs=0.5)
    assert stats["dimensions"] == 128


def test_dimensions_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OptionError, match="126 dimensions"):
        TwoBit().add(1, np.zeros(1, np.int32), unit(1, 1)[:, :126])
    index = filled(TwoBit())
    with pytest.raises(OptionError, match="64 dimensions in an index of 128"):
        index.snapshot().search(np.zeros(1, np.int32), unit(1, 1)[:, :64])


def test_arrays_of_another_kind_are_refused() -> None:
    arrays = dict(filled(TwoBit()).arrays())
    name = next(iter(arrays)).partition(".")[0]
    with pytest.raises(CatalogDamaged):
        TwoBit.from_arrays(arrays | {f"{name}.lists": np.zeros(3, np.uint8)})
