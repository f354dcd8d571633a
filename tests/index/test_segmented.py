"""How vectors are kept: in few segments, without removed tracks, and searched exactly until they are published."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import CatalogDamaged
from earmark.index import flat, make
from earmark.index.flat import Flat
from earmark.index.lsh import LSH
from earmark.index.pq import PQ
from earmark.index.segment import Structure
from earmark.index.segmented import Segmented


def track(seed: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.arange(length, dtype=np.int32), rng.choice(np.array([-60, 60], np.int8), (length, 16))


def filled(index: Segmented, *, tracks: int, length: int) -> Segmented:
    for number in range(tracks):
        index.add(number, *track(number, length))
        index.arrays()
    return index


def test_tracks_published_one_by_one_end_in_few_segments() -> None:
    index = filled(Flat(), tracks=40, length=10)
    assert index.stats()["segments"] <= 6
    assert index.stats()["vectors"] == 400


def test_segments_are_not_merged_beyond_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat.Flat, "most_vectors", 100)
    assert filled(Flat(), tracks=5, length=60).stats()["segments"] == 5
    index = Flat()
    for number in range(6):
        index.add(number, *track(number, 50))
    assert index.stats()["segments"] == 3


def test_removed_vectors_are_gone_from_the_arrays_where_that_is_only_copying() -> None:
    index = filled(Flat(), tracks=4, length=100)
    index.remove([2])
    assert index.stats()["vectors"] == 400
    assert sum(len(array) for name, array in index.arrays().items() if name.endswith(".vectors")) == 300
    assert not [name for name in index.arrays() if "removed" in name]


def test_a_structure_is_built_anew_when_a_fifth_is_removed() -> None:
    index = LSH(smallest=200, bits=4)
    for number in range(10):
        index.add(number, *track(number, 100))
    before = set(index.arrays())
    index.remove([3])
    assert set(index.arrays()) > before  # a list of what is removed, beside all that there was
    index.remove([4])
    arrays = index.arrays()
    assert not before & set(arrays)
    assert sum(len(array) for name, array in arrays.items() if name.endswith(".vectors")) == 800


def test_a_search_waits_for_no_structure() -> None:
    index = LSH(smallest=200)
    for number in range(10):
        index.add(number, *track(number, 100))
    index.snapshot().search(*track(1, 5))
    assert index.stats()["exact_vectors"] == 1_000
    index.arrays()
    assert index.stats()["exact_vectors"] == 0


class ForgettingMeanwhile(LSH):
    """Another thread finds a damaged track just while tables are made."""

    def _build(self, vectors: np.ndarray) -> Structure:
        self.remove([2])
        return super()._build(vectors)


def test_a_track_that_is_removed_while_structures_are_made_stays_away() -> None:
    index = ForgettingMeanwhile(smallest=200, bits=4)
    for number in range(5):
        index.add(number, *track(number, 100))
    arrays = index.arrays()
    assert 2 not in index.snapshot().search(*track(2, 10), nearest=500).tracks
    assert 2 not in LSH.from_arrays(arrays).snapshot().search(*track(2, 10), nearest=500).tracks
    assert index.stats()["tracks"] == 4


def test_auto_is_exact_while_small_and_has_lists_when_large() -> None:
    index = make("auto", smallest=1_000)
    sizes = []
    for number in range(16):
        index.add(number, *track(number, 100))
        index.arrays()
        sizes.append(index.stats()["exact_vectors"])
        hits = index.snapshot().search(*track(number, 3), nearest=5)
        assert set(hits.query_frames[hits.tracks == number].tolist()) == {0, 1, 2}
    assert sizes[8] == 900
    assert sizes[-1] == 0
    assert "lists" in index.stats()


def test_a_number_can_be_used_again_after_its_removal() -> None:
    index = filled(Flat(), tracks=3, length=20)
    index.remove([1])
    index.add(1, *track(77, 20))
    assert index.snapshot().search(*track(77, 20), nearest=1).scores.min() > 0.89
    assert Flat.from_arrays(index.arrays()).stats()["tracks"] == 3


def test_a_snapshot_stays_as_it_was_through_all_changes() -> None:
    index = filled(LSH(smallest=200, bits=4), tracks=5, length=50)
    before, wanted = index.snapshot(), list(range(5))
    index.add(9, *track(9, 50))
    index.remove([1, 3])
    after = index.snapshot()
    index.arrays()  # merges, builds and leaves out
    for snapshot, tracks in ((before, wanted), (after, [0, 2, 4, 9]), (index.snapshot(), [0, 2, 4, 9])):
        assert sorted(set(snapshot.search(*track(1, 10), nearest=500).tracks.tolist())) == tracks


def test_an_index_of_another_kind_is_not_believed() -> None:
    index = LSH(smallest=1, bits=2)
    index.add(1, *track(1, 20))
    for other in (Flat, PQ):
        with pytest.raises(CatalogDamaged, match="rebuild"):
            other.from_arrays(index.arrays())
