"""Two bits a component: a good guess at inner products, that survives saving, removal and merging."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import CatalogDamaged, OptionError
from earmark.index import two_bit
from earmark.index.cells import Cells
from earmark.index.flat import Flat
from earmark.index.protocol import Index
from earmark.index.segment import checksum
from earmark.index.two_bit import TwoBit
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


# Lists: 1,000 vectors are in 63, of which a search scans 64, so that it finds what a scan does.


def listed(**options: int) -> TwoBit:
    return TwoBit(**{"scanned": 500, "smallest": 200} | options)


def found(index: TwoBit, *, nearest: int = 20) -> list[tuple[int, int, int, float]]:
    frames = np.arange(6, dtype=np.int32)
    query = np.concatenate([near(track, 13 * track, 0.7, seed=track) for track in range(6)])
    hits = index.snapshot().search(frames, query, nearest=nearest)
    columns = hits.query_frames, hits.tracks, hits.reference_frames, np.round(hits.scores, 3)
    return sorted(zip(*(column.tolist() for column in columns), strict=True), key=lambda one: (one[0], -one[3]))


def best(index: TwoBit) -> list[tuple[int, int]]:
    hits = found(index, nearest=1)
    return [(track, frame) for _, track, frame, _ in hits]


def test_a_catalog_gets_lists_when_it_has_grown_and_finds_the_same() -> None:
    index, scanned = listed(), TwoBit()
    for small in (range(4), range(4, 10)):
        filled(index, small)
        filled(scanned, small)
        index.arrays()
        assert found(index) == found(scanned)
        assert index.stats().get("lists", 0) == (0 if small.stop == 4 else pytest.approx(63, abs=6))


def test_tracks_that_are_added_to_lists_are_found_at_once_and_once_published_without_other_cells() -> None:
    index, scanned = filled(listed(), range(6)), filled(TwoBit(), range(10))
    before = {name for name in index.arrays() if name.startswith("cells-")}
    filled(index, range(6, 10))
    assert found(index) == found(scanned)
    assert {name for name in index.arrays() if name.startswith("cells-")} == before
    assert found(index) == found(scanned)
    assert index.stats()["lists"] == pytest.approx(48, abs=6)


def test_a_vector_stays_in_its_list_when_segments_are_merged() -> None:
    index = filled(listed(), range(6))
    (before,) = (array for name, array in index.arrays().items() if name.endswith(".lists"))
    filled(index, range(6, 12))
    (after,) = (array for name, array in index.arrays().items() if name.endswith(".lists"))
    assert len(after) == 1_200
    assert np.array_equal(after[:600], before)


def test_cells_are_found_again_when_the_catalog_is_several_times_as_large() -> None:
    index = filled(listed(), range(6))
    index.arrays()
    filled(index, range(6, 40))
    assert index.arrays().keys() >= {f"{index.snapshot().segments[0].name}.lists"}
    assert index.stats()["lists"] == pytest.approx(126, abs=12)
    assert best(index) == [(track, 16 * 13 * track) for track in range(6)]


def test_segments_are_sorted_into_new_cells_a_part_at_a_publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TwoBit, "most_vectors", 800)
    monkeypatch.setattr(two_bit, "RELISTED_VECTORS", 800)
    index, left = listed(), []
    for first in (0, 8, 16, 24):
        filled(index, range(first, first + 8))
        index.arrays()
    for _ in range(3):
        cells = {name.partition(".")[0] for name in index.arrays() if name.startswith("cells-")}
        left.append(len(cells))
        assert best(index) == [(track, 16 * 13 * track) for track in range(6)]
    assert left[-1] == 1


def test_lists_come_back_from_their_arrays_and_lose_what_is_removed() -> None:
    index = filled(listed(), range(10))
    again = TwoBit.from_arrays(index.arrays(), scanned=500, smallest=200)
    assert found(again) == found(index)
    again.remove([2])
    assert 2 not in {track for _, track, _, _ in found(again, nearest=1_000)}
    twice = TwoBit.from_arrays(again.arrays(), scanned=500, smallest=200)
    assert found(twice) == found(again) == [one for one in found(again) if one[1] != 2]
    assert twice.stats()["removed"] == 1
    assert all(twice.holds(track, 16 * np.arange(100, dtype=np.int32), unit(track, 100)) for track in (0, 9))


def test_a_search_of_lists_counts_what_it_compares() -> None:
    index = filled(listed(), range(20))
    index.arrays()
    found(index)
    assert 0 < index.stats()["last_compared_share"] < 1


def resealed(arrays: dict[str, np.ndarray], forged: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays of which some are forged, with a checksum that holds."""
    (name,) = {one.partition(".")[0] for one in arrays if one.endswith(".lists")}
    arrays |= {f"{name}.{key}": array for key, array in forged.items()}
    own = {key.partition(".")[2]: array for key, array in arrays.items() if key.startswith(f"{name}.")}
    own.pop("digest")
    return arrays | {f"{name}.digest": np.frombuffer(checksum(own), np.uint8)}


@pytest.mark.parametrize(
    "forged",
    [
        {"lists": np.full(1_000, 40_000, np.uint16)},
        {"lists": np.zeros(999, np.uint16)},
        {"lists": np.zeros(1_000, np.int64)},
        {"cells": np.frombuffer(b"cells-of-nobody", np.uint8)},
        {"cells": np.frombuffer(b"\xff\xfe", np.uint8)},
        {"turn": np.zeros((1, 1), np.float32)},
    ],
)
def test_lists_that_somebody_forged_are_refused(forged: dict[str, np.ndarray]) -> None:
    arrays = dict(filled(listed(), range(10)).arrays())
    with pytest.raises(CatalogDamaged):
        TwoBit.from_arrays(resealed(arrays, forged))


def test_cells_of_other_dimensions_are_refused() -> None:
    arrays = dict(filled(listed(), range(10)).arrays())
    other = Cells.trained(np.random.default_rng(1).normal(size=(500, 64)).astype(np.float32), 1_000)
    arrays |= {f"{other.name}.{name}": array for name, array in other.arrays().items()}
    with pytest.raises(CatalogDamaged, match=r"other dimensions|not there"):
        TwoBit.from_arrays(resealed(arrays, {"cells": np.frombuffer(other.name.encode(), np.uint8)}))


def test_cells_whose_arrays_are_gone_are_refused() -> None:
    arrays = {name: array for name, array in filled(listed(), range(10)).arrays().items() if not name.endswith("tops")}
    with pytest.raises(CatalogDamaged, match="tops is absent"):
        TwoBit.from_arrays(arrays)
