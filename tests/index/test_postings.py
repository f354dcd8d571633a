"""What is special about postings: stop-lists, long tracks, merging, a bounded search."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import CatalogDamaged, OptionError
from earmark.index import postings as module
from earmark.index.key_segment import MOST_POSTINGS
from earmark.index.postings import SEGMENT_FRAMES, Postings
from earmark.types import Hits


def test_an_over_full_key_is_put_on_the_stop_list_and_counted() -> None:
    index = Postings()
    frames = np.arange(MOST_POSTINGS + 2, dtype=np.int32)
    index.add(1, frames, np.where(frames == 0, 8, 7).astype(np.uint32))
    assert not len(index.snapshot().search(np.zeros(1, np.int32), np.array([7], np.uint32)))
    assert len(index.snapshot().search(np.zeros(1, np.int32), np.array([8], np.uint32))) == 1
    assert (index.stats()["stopped_keys"], index.stats()["stopped_postings"]) == (1, MOST_POSTINGS + 1)


def test_a_key_with_as_many_postings_as_fit_is_kept() -> None:
    index = Postings()
    index.add(1, np.arange(MOST_POSTINGS, dtype=np.int32), np.full(MOST_POSTINGS, 7, np.uint32))
    assert len(index.snapshot().search(np.zeros(1, np.int32), np.array([7], np.uint32))) == MOST_POSTINGS
    assert index.stats()["stopped_keys"] == 0


def test_a_search_reads_rare_keys_first_and_no_more_than_it_may() -> None:
    index = Postings()
    index.add(1, np.arange(13, dtype=np.int32), np.array([5] * 10 + [6] * 3, np.uint32))
    hits = index.snapshot().search(np.array([0, 1], np.int32), np.array([5, 6], np.uint32), hits=12)
    assert hits.query_frames.tolist() == [1, 1, 1]
    assert hits.reference_frames.tolist() == [10, 11, 12]


def test_what_a_search_may_read_is_counted_over_all_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_FRAMES", 40)
    index = Postings()
    for track in range(6):  # 30 frames each, of which two do not fit one segment
        index.add(track, np.array([0, 10, 20, 29], np.int32), np.array([5, 5, 100 + track, 7], np.int64))
    snapshot = index.snapshot()
    assert len(snapshot.segments) == 6
    asked = np.arange(3, dtype=np.int32), np.array([5, 7, 103], np.int64)
    assert len(snapshot.search(*asked)) == 12 + 6 + 1
    assert set(snapshot.search(*asked, hits=18).query_frames.tolist()) == {1, 2}
    assert set(snapshot.search(*asked, hits=6).query_frames.tolist()) == {2}


def test_a_rare_key_says_more_than_a_common_one() -> None:
    index = Postings()
    index.add(1, np.arange(13, dtype=np.int32), np.array([5] * 10 + [6] * 3, np.uint32))
    hits = index.snapshot().search(np.array([0, 1], np.int32), np.array([5, 6], np.uint32))
    assert hits.scores[hits.query_frames == 1].min() > hits.scores[hits.query_frames == 0].max()


def test_a_track_longer_than_a_segment_is_found_at_its_true_frames() -> None:
    index = Postings()
    frames = np.array([5, SEGMENT_FRAMES - 1, SEGMENT_FRAMES, 2 * SEGMENT_FRAMES + 9], np.int32)
    index.add(4, frames, np.array([1, 2, 3, 4], np.uint32))
    index.add(5, np.array([1], np.int32), np.array([4], np.uint32))
    hits = index.snapshot().search(np.zeros(4, np.int32), np.array([1, 2, 3, 4], np.uint32))
    assert sorted(zip(hits.tracks.tolist(), hits.reference_frames.tolist(), strict=True)) == [
        *((4, int(frame)) for frame in frames),
        (5, 1),
    ]
    assert index.stats()["tracks"] == 2


Row = tuple[int, int, int]  # query frame, track, reference frame
Recordings = dict[int, tuple[np.ndarray, np.ndarray]]


def recording(seed: int, length: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Keys of 32 bits, in neighbouring pairs and near both ends, of which other recordings have some."""
    rng = np.random.default_rng(seed)
    pool = np.random.default_rng(0).integers(0, 1 << 32, 300, dtype=np.uint64)
    pool[:4] = 0, 1, (1 << 32) - 2, (1 << 32) - 1
    keys = rng.choice(pool, length) ^ rng.integers(0, 2, length, dtype=np.uint64)
    return np.sort(rng.integers(0, 4 * length, length)).astype(np.int32), keys.astype(np.uint32)


def rows(hits: Hits) -> list[Row]:
    return sorted(zip(hits.query_frames.tolist(), hits.tracks.tolist(), hits.reference_frames.tolist(), strict=True))


def by_brute_force(recordings: Recordings, query: tuple[np.ndarray, np.ndarray]) -> list[Row]:
    return sorted(
        (int(frame), track, int(place))
        for frame, key in zip(*query, strict=True)
        for track, (frames, keys) in recordings.items()
        for place in frames[keys == key]
    )


def test_keys_of_32_bits_are_found_exactly_whatever_is_added_removed_merged_and_read_back() -> None:
    index, known, query = Postings(key_bits=32), {}, recording(99)
    for number in range(1, 15):
        known[number] = recording(number, length=40 * number)
        index.add(number, *known[number])
        if number % 4 == 0:
            index.remove([number - 2])
            del known[number - 2]
        if number % 5 == 0:
            arrays = {name: array.copy() for name, array in index.arrays().items()}
            for array in arrays.values():
                array.setflags(write=False)
            index = Postings.from_arrays(arrays, key_bits=32)
        assert rows(index.snapshot().search(*query)) == by_brute_force(known, query)
    assert index.stats()["segments"] < 6
    assert index.stats()["tracks"] == len(known)


def narrow(index: Postings) -> tuple[dict[str, np.ndarray], str]:
    """Its arrays, of one segment, and the segment's name."""
    arrays = {name: array.copy() for name, array in index.arrays().items()}
    return arrays, next(name for name in arrays if name.endswith(".present")).partition(".")[0]


def as_formerly(arrays: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The same with a count for each key there may be, as releases up to 0.1 wrote segments."""
    used = np.unpackbits(arrays[f"{name}.present"].view(np.uint8), bitorder="little").astype(bool)
    counts = np.zeros(len(used), np.uint8)
    counts[used] = arrays[f"{name}.counts"][: used.sum()]
    return {key: array for key, array in arrays.items() if not key.endswith("present")} | {f"{name}.counts": counts}


def test_segments_of_releases_up_to_0_1_are_searched_and_merged_with_new_ones() -> None:
    index, known, query = Postings(key_bits=12), {}, narrow_recording(99)
    for number in range(1, 6):
        known[number] = narrow_recording(number)
        index.add(number, *known[number])
        index = Postings.from_arrays(as_formerly(*narrow(index)), key_bits=12)
        assert rows(index.snapshot().search(*query)) == by_brute_force(known, query)
        assert index.holds(number, *known[number])
        assert not index.holds(number, known[number][0] + 1, known[number][1])


def narrow_recording(seed: int) -> tuple[np.ndarray, np.ndarray]:
    frames, keys = recording(seed)
    return frames, (keys >> 20).astype(np.uint32)


def test_a_table_of_narrow_keys_takes_a_bit_a_key_and_a_byte_for_each_that_occurs() -> None:
    index, (frames, keys) = Postings(), recording(1)
    index.add(1, frames, keys >> 11)
    different = len(np.unique(keys >> 11))
    assert index.stats()["bytes"] < (1 << 21) / 8 + 3 * len(keys) + different + 64 + 100


def test_forged_bits_of_keys_are_refused() -> None:
    index = Postings(key_bits=12)
    index.add(1, *narrow_recording(1))
    good, name = narrow(index)
    bits, counts = good[f"{name}.present"], good[f"{name}.counts"]
    last = np.flatnonzero(counts)[-1]
    forged = (
        {"present": bits[:-1]}, {"present": np.append(bits, bits[:1])}, {"present": np.zeros_like(bits)},
        {"present": ~np.zeros_like(bits)}, {"present": bits.view(np.int64)}, {"present": bits.reshape(1, -1)},
        {"counts": counts[:64]}, {"counts": np.append(counts, counts)}, {"counts": np.zeros_like(counts)},
        {"counts": np.where(np.arange(len(counts)) < last, counts, counts + 1)},
    )  # fmt: skip
    Postings.from_arrays(good, key_bits=12)
    for changed in forged:
        with pytest.raises(CatalogDamaged):
            Postings.from_arrays(good | {f"{name}.{key}": one for key, one in changed.items()}, key_bits=12)


def test_wide_keys_take_memory_where_they_occur_alone() -> None:
    index, (frames, keys) = Postings(key_bits=32), recording(1)
    index.add(1, frames, keys)
    assert index.stats()["bytes"] < 3 * len(keys) + 5 * (len(np.unique(keys)) + 64) + 100


def test_an_over_full_wide_key_is_put_on_the_stop_list() -> None:
    index = Postings(key_bits=32)
    frames = np.arange(MOST_POSTINGS + 2, dtype=np.int32)
    index.add(1, frames, np.where(frames == 0, 8, 1 << 31).astype(np.uint32))
    assert not len(index.snapshot().search(np.zeros(1, np.int32), np.array([1 << 31], np.uint32)))
    assert len(index.snapshot().search(np.zeros(1, np.int32), np.array([8], np.uint32))) == 1
    assert (index.stats()["stopped_keys"], index.stats()["stopped_postings"]) == (1, MOST_POSTINGS + 1)


def test_a_wide_index_without_any_key_finds_nothing() -> None:
    index = Postings(key_bits=32)
    index.add(1, np.zeros(0, np.int32), np.zeros(0, np.uint32))
    index.snapshot()
    index.add(2, np.zeros(0, np.int32), np.zeros(0, np.uint32))
    assert not len(index.snapshot().search(np.zeros(1, np.int32), np.array([7], np.uint32)))


def test_keys_wider_than_the_channel_says_are_refused() -> None:
    index, frames = Postings(key_bits=21), np.zeros(1, np.int32)
    for key in (1 << 21, -1):
        with pytest.raises(OptionError, match="in an index of 21 bits"):
            index.add(1, frames, np.array([key], np.int64))
        with pytest.raises(OptionError, match="in an index of 21 bits"):
            index.snapshot().search(frames, np.array([key], np.int64))
    with pytest.raises(OptionError, match="10 to 32"):
        Postings(key_bits=33)


def test_segments_of_another_width_are_refused() -> None:
    index = Postings(key_bits=32)
    index.add(1, *recording(1))
    for bits in (20, 21):
        with pytest.raises(CatalogDamaged, match=f"holds no keys of {bits} bits"):
            Postings.from_arrays(index.arrays(), key_bits=bits)
    narrow = Postings()
    narrow.add(1, np.zeros(1, np.int32), np.zeros(1, np.uint32))
    with pytest.raises(CatalogDamaged, match="holds no keys of 32 bits"):
        Postings.from_arrays(narrow.arrays(), key_bits=32)


def test_a_snapshot_stays_as_it_was() -> None:
    index, known = Postings(), (np.array([3], np.int32), np.array([7], np.uint32))
    index.add(1, *known)
    before = index.snapshot()
    index.add(2, *known)
    both = index.snapshot()
    index.remove([1])
    assert [before.search(*known).tracks.tolist(), sorted(both.search(*known).tracks.tolist())] == [[1], [1, 2]]
    assert index.snapshot().search(*known).tracks.tolist() == [2]


def test_tracks_added_one_by_one_end_in_few_segments() -> None:
    index = Postings()
    for track in range(32):
        index.add(track, np.array([0, 50], np.int32), np.array([track, track + 1], np.uint32))
        index.stats()  # seals what was added
    assert index.stats()["segments"] <= 6
    assert index.stats()["postings"] == 64


def test_segments_are_not_merged_beyond_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT_FRAMES", 100)
    index = Postings()
    for track in range(5):
        index.add(track, np.array([0, 59], np.int32), np.array([track, track + 1], np.uint32))
        index.stats()
    assert index.stats()["segments"] == 5
    assert sorted(index.snapshot().search(np.zeros(1, np.int32), np.array([2], np.uint32)).tracks.tolist()) == [1, 2]
