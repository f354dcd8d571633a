"""What every index of codes does, whichever it is: the oracle is a plain search through all postings."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import OptionError
from earmark.index import CODE_NAMES, VECTOR_NAMES, load, make
from earmark.index.protocol import Index
from earmark.types import Hits

Row = tuple[int, int, int]  # query frame, track, reference frame
Recordings = dict[int, tuple[np.ndarray, np.ndarray]]


def recording(seed: int, *, length: int = 300, keys: int = 5_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    frames = np.sort(rng.integers(0, 4 * length, length)).astype(np.int32)
    return frames, rng.integers(0, keys, length).astype(np.uint32)


def rows(hits: Hits) -> set[Row]:
    return set(zip(hits.query_frames.tolist(), hits.tracks.tolist(), hits.reference_frames.tolist(), strict=True))


def oracle(recordings: Recordings, query: tuple[np.ndarray, np.ndarray]) -> set[Row]:
    return {
        (int(frame), track, int(place))
        for frame, key in zip(*query, strict=True)
        for track, (frames, keys) in recordings.items()
        for place in frames[keys == key]
    }


def filled(name: str, recordings: Recordings, index: Index | None = None) -> Index:
    index = make(name) if index is None else index
    for track, (frames, keys) in recordings.items():
        index.add(track, frames, keys)
    return index


@pytest.fixture(params=CODE_NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def recordings() -> Recordings:
    return {track: recording(track) for track in (3, 4, 9, 12)}


def test_it_finds_what_a_plain_search_finds(name: str, recordings: Recordings) -> None:
    query = recording(77)
    assert rows(filled(name, recordings).snapshot().search(*query)) == oracle(recordings, query)


def test_an_empty_index_and_an_empty_query_find_nothing(name: str, recordings: Recordings) -> None:
    assert not len(make(name).snapshot().search(*recording(1)))
    nothing = np.zeros(0, np.int32), np.zeros(0, np.uint32)
    assert not len(filled(name, recordings).snapshot().search(*nothing))


def test_a_removed_track_never_comes_back(name: str, recordings: Recordings) -> None:
    index = filled(name, recordings)
    index.remove([4, 12, 1_000])
    rest = {track: part for track, part in recordings.items() if track not in (4, 12)}
    query = recording(77)
    assert rows(index.snapshot().search(*query)) == oracle(rest, query)
    again = load(name, index.arrays())
    assert rows(again.snapshot().search(*query)) == oracle(rest, query)
    more = filled(name, {20: recording(20)}, again)
    assert rows(more.snapshot().search(*query)) == oracle(rest | {20: recording(20)}, query)


def test_it_comes_back_from_its_arrays_and_can_be_added_to(name: str, recordings: Recordings) -> None:
    arrays = {key: array.copy() for key, array in filled(name, recordings).arrays().items()}
    for array in arrays.values():
        array.setflags(write=False)  # as a memory map of a published generation
    index = filled(name, {30: recording(30)}, load(name, arrays))
    query = recording(77)
    assert rows(index.snapshot().search(*query)) == oracle(recordings | {30: recording(30)}, query)


def test_an_array_that_keeps_its_name_keeps_its_content(name: str, recordings: Recordings) -> None:
    index = filled(name, recordings)
    before = {key: array.copy() for key, array in index.arrays().items()}
    filled(name, {30: recording(30), 31: recording(31)}, index)
    index.remove([3])
    for key, array in index.arrays().items():
        if key in before:
            assert np.array_equal(before[key], array)


def test_a_recording_without_keys_is_no_trouble(name: str, recordings: Recordings) -> None:
    index = filled(name, recordings)
    index.add(50, np.zeros(0, np.int32), np.zeros(0, np.uint32))
    index.remove([50])
    query = recording(77)
    assert rows(index.snapshot().search(*query)) == oracle(recordings, query)


def test_vectors_are_refused(name: str, recordings: Recordings) -> None:
    index, frames = filled(name, recordings), np.arange(3, dtype=np.int32)
    for vectors in (np.zeros((3, 128), np.int8), np.zeros((3, 128), np.float32), np.zeros(3, np.float32)):
        with pytest.raises(OptionError, match="holds no codes"):
            index.add(99, frames, vectors)
        with pytest.raises(OptionError, match="holds no codes"):
            index.snapshot().search(frames, vectors)


def test_a_name_that_stands_for_no_index_is_refused_with_those_that_do() -> None:
    with pytest.raises(OptionError, match=f"{CODE_NAMES[0]}.*{VECTOR_NAMES[0]}"):
        make("kd-tree")


def test_however_many_are_asked_all_places_of_a_code_are_returned(name: str, recordings: Recordings) -> None:
    query = recording(77)
    assert rows(filled(name, recordings).snapshot().search(*query, nearest=1)) == oracle(recordings, query)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["add", "remove", "reload"]), max_size=12), st.integers(0, 1_000))
def test_any_order_of_changes_gives_what_a_plain_search_gives(steps: Iterable[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for name in CODE_NAMES:
        index, known, number = make(name), {}, 0
        for step in steps:
            if step == "add":
                number += 1
                known[number] = recording(number, length=int(rng.integers(1, 60)), keys=200)
                index.add(number, *known[number])
            elif step == "remove" and known:
                gone = int(rng.choice(list(known)))
                index.remove([gone])
                del known[gone]
            else:
                index = load(name, index.arrays())
        query = recording(999, length=40, keys=200)
        assert rows(index.snapshot().search(*query)) == oracle(known, query)
        assert index.stats()["tracks"] == len(known)
