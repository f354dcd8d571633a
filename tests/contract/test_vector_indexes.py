"""What every index of vectors does, whichever it is: the oracle is a plain matrix product.

Tracks are walks: neighbouring vectors are alike, some tracks are near-duplicates of others. Queries are stored vectors
with noise, at cosines of 0.5 to 0.95.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.errors import EarmarkError, OptionError
from earmark.index import VECTOR_NAMES, load, make
from earmark.index.int8 import SCALE, quantised
from earmark.index.protocol import Index
from earmark.types import Hits

DIMENSIONS = 128
HOP_FRAMES = 16

Recordings = dict[int, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Kind:
    """An index and options of it."""

    name: str
    options: Mapping[str, int] = field(default_factory=dict)

    def make(self) -> Index:
        return make(self.name, **self.options)

    def load(self, arrays: Mapping[str, np.ndarray]) -> Index:
        return load(self.name, arrays, **self.options)


EXHAUSTIVE = (  # these look everywhere
    Kind("lsh", {"smallest": 1, "tables": 2, "bits": 4, "probes": 32}),
    Kind("hashcode", {"smallest": 1, "bits": 4, "probes": 16}),
    Kind("pq", {"smallest": 1, "lists": 3, "probes": 3, "rerank": 1_000}),
    Kind("hnsw", {"smallest": 1, "breadth": 1_000}),
    Kind("auto", {"smallest": 100}),
)
# The scores of `two_bit` are guesses: tests/index/test_two_bit.py.
KINDS = (*(Kind(name) for name in VECTOR_NAMES if name != "two_bit"), *EXHAUSTIVE)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def recording(seed: int, *, length: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A walk on the sphere around a place of its own, as a track's overlapping segments make."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((length + 1, DIMENSIONS))
    around = 0.5 * rng.standard_normal(DIMENSIONS)
    walk = unit(steps[1:] + steps[:-1] + around)
    return np.arange(length, dtype=np.int32) * HOP_FRAMES, quantised(walk)


def noisy(vectors: np.ndarray, *, seed: int = 5) -> np.ndarray:
    """Vectors of cosine 0.5 to 0.95 with those given."""
    rng = np.random.default_rng(seed)
    clean = unit(vectors.astype(np.float32))
    noise = rng.standard_normal(clean.shape)
    noise = unit(noise - (noise * clean).sum(axis=1, keepdims=True) * clean)
    cosine = rng.uniform(0.5, 0.95, (len(clean), 1))
    return unit(cosine * clean + np.sqrt(1 - cosine**2) * noise)


def query_of(recordings: Recordings, *, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Noisy vectors of some recordings, four to a frame apart."""
    rng = np.random.default_rng(seed)
    chosen = [(track, int(rng.integers(0, len(recordings[track][0])))) for track in sorted(recordings)] * 2
    vectors = np.stack([recordings[track][1][row] for track, row in chosen])
    return np.arange(len(vectors), dtype=np.int32) * 4 - 8, noisy(vectors, seed=seed)


def oracle(recordings: Recordings, query: tuple[np.ndarray, np.ndarray], *, nearest: int = 20) -> Hits:
    """The best of all, of equal ones those of the lower track, then of the earlier frame."""
    columns: list[list[float]] = [[], [], [], []]
    for frame, vector in zip(query[0].tolist(), quantised(query[1]).astype(np.int64), strict=True):
        every = [
            (-int(score), track, int(place))
            for track, (frames, vectors) in recordings.items()
            for place, score in zip(frames, vectors.astype(np.int64) @ vector, strict=True)
        ]
        for score, track, place in sorted(every)[:nearest]:
            for column, value in zip(columns, (frame, track, place, -score / SCALE**2), strict=True):
                column.append(value)
    return Hits(*(np.array(column, np.int32) for column in columns[:3]), np.array(columns[3], np.float32))


def assert_same(found: Hits, expected: Hits) -> None:
    assert found.query_frames.tolist() == expected.query_frames.tolist()
    assert found.tracks.tolist() == expected.tracks.tolist()
    assert found.reference_frames.tolist() == expected.reference_frames.tolist()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)


def filled(kind: Kind, recordings: Recordings, index: Index | None = None) -> Index:
    index = kind.make() if index is None else index
    for track, (frames, vectors) in recordings.items():
        index.add(track, frames, vectors)
    index.arrays()  # gives what was added its structure
    return index


def published(index: Index) -> dict[str, np.ndarray]:
    """The arrays as a generation gives them back: a copy that cannot be written to."""
    arrays = {key: array.copy() for key, array in index.arrays().items()}
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture(scope="module")
def recordings() -> Recordings:
    tracks = {track: recording(track) for track in (3, 4, 9, 12)}
    frames, vectors = tracks[4]
    tracks[13] = frames, quantised(unit(vectors + np.random.default_rng(1).normal(0, 4, vectors.shape)))  # a remaster
    tracks[14] = tracks[9]  # a duplicate
    return tracks


def test_it_finds_what_a_plain_search_finds(kind: Kind, recordings: Recordings) -> None:
    query = query_of(recordings)
    assert_same(filled(kind, recordings).snapshot().search(*query), oracle(recordings, query))


def test_what_was_added_since_is_found_at_once(kind: Kind, recordings: Recordings) -> None:
    index, query = filled(kind, recordings), query_of(recordings | {30: recording(30)})
    index.add(30, *recording(30))
    assert index.stats()["exact_vectors"] >= 60
    assert_same(index.snapshot().search(*query), oracle(recordings | {30: recording(30)}, query))


@pytest.mark.parametrize("kind", EXHAUSTIVE, ids=str)
def test_the_structure_is_there_when_it_looks_everywhere(kind: Kind, recordings: Recordings) -> None:
    assert filled(kind, recordings).stats()["exact_vectors"] == 0


def test_it_returns_as_many_as_are_asked_and_no_more_than_there_are(kind: Kind, recordings: Recordings) -> None:
    index, query = filled(kind, recordings), query_of(recordings)
    assert_same(index.snapshot().search(*query, nearest=1), oracle(recordings, query, nearest=1))
    everything = index.snapshot().search(*query, nearest=1_000)
    assert_same(everything, oracle(recordings, query, nearest=1_000))
    assert len(everything) == 360 * len(query[0])
    with pytest.raises(OptionError, match="nearest=0"):
        index.snapshot().search(*query, nearest=0)


def test_float_and_integer_vectors_are_the_same_to_it(kind: Kind, recordings: Recordings) -> None:
    frames, vectors = query_of(recordings)
    floats = {track: (places, keys.astype(np.float32) / SCALE) for track, (places, keys) in recordings.items()}
    found = filled(kind, recordings).snapshot().search(frames, quantised(vectors))
    assert_same(found, oracle(recordings, (frames, vectors)))
    assert_same(filled(kind, floats).snapshot().search(frames, vectors), found)
    halves = filled(kind, {track: (places, keys.astype(np.float16)) for track, (places, keys) in floats.items()})
    assert_same(halves.snapshot().search(frames, vectors), found)


def test_an_empty_index_and_an_empty_query_find_nothing(kind: Kind, recordings: Recordings) -> None:
    assert not len(kind.make().snapshot().search(*recording(1)))
    assert not len(kind.load(kind.make().arrays()).snapshot().search(*recording(1)))
    nothing = np.zeros(0, np.int32), np.zeros((0, DIMENSIONS), np.int8)
    assert not len(filled(kind, recordings).snapshot().search(*nothing))


def test_one_vector_is_an_index_and_a_query(kind: Kind) -> None:
    frames, vectors = recording(1, length=1)
    hits = filled(kind, {7: (frames + 5, vectors)}).snapshot().search(frames, vectors)
    assert (hits.tracks.tolist(), hits.reference_frames.tolist()) == ([7], [5])
    assert hits.scores[0] == pytest.approx(1, abs=0.02)


def test_equal_vectors_come_in_order_of_track_and_frame(kind: Kind) -> None:
    vector = recording(1, length=1)[1]
    same = np.arange(30, dtype=np.int32), np.repeat(vector, 30, axis=0)
    hits = filled(kind, {8: same, 2: same, 5: same}).snapshot().search(np.zeros(1, np.int32), vector, nearest=70)
    assert hits.tracks.tolist() == [2] * 30 + [5] * 30 + [8] * 10
    assert hits.reference_frames.tolist() == [*range(30), *range(30), *range(10)]


def test_a_removed_track_never_comes_back(kind: Kind, recordings: Recordings) -> None:
    index = filled(kind, recordings)
    index.remove([4, 12, 1_000])
    rest = {track: part for track, part in recordings.items() if track not in (4, 12)}
    query = query_of(recordings)
    assert_same(index.snapshot().search(*query), oracle(rest, query))
    again = kind.load(published(index))
    assert_same(again.snapshot().search(*query), oracle(rest, query))
    again.remove([9])
    del rest[9]
    more = filled(kind, {20: recording(20)}, kind.load(published(again)))
    assert_same(more.snapshot().search(*query), oracle(rest | {20: recording(20)}, query))
    assert more.stats()["tracks"] == 4


def test_an_index_can_be_emptied_and_filled_again(kind: Kind, recordings: Recordings) -> None:
    index, query = filled(kind, recordings), query_of(recordings)
    index.stats()
    index.remove(recordings)
    assert not len(index.snapshot().search(*query))
    index = kind.load(published(index))
    assert not len(index.snapshot().search(*query))
    assert_same(filled(kind, recordings, index).snapshot().search(*query), oracle(recordings, query))


def test_it_comes_back_from_its_arrays_and_can_be_added_to(kind: Kind, recordings: Recordings) -> None:
    index = filled(kind, {30: recording(30)}, kind.load(published(filled(kind, recordings))))
    query = query_of(recordings)
    assert_same(index.snapshot().search(*query), oracle(recordings | {30: recording(30)}, query))


def test_an_array_that_keeps_its_name_keeps_its_content(kind: Kind, recordings: Recordings) -> None:
    index = filled(kind, recordings)
    before = published(index)
    assert set(index.arrays()) == set(before)
    filled(kind, {30: recording(30), 31: recording(31, length=4)}, index)
    index.remove([3])
    for key, array in index.arrays().items():
        if key in before:
            assert np.array_equal(before[key], array)


def test_a_recording_without_vectors_is_no_trouble(kind: Kind, recordings: Recordings) -> None:
    nothing = np.zeros(0, np.int32), np.zeros((0, DIMENSIONS), np.int8)
    index = filled(kind, recordings | {50: nothing, 10: nothing, 2: nothing})
    query = query_of(recordings)
    assert_same(kind.load(published(index)).snapshot().search(*query), oracle(recordings, query))
    index.remove([10])
    assert_same(kind.load(published(index)).snapshot().search(*query), oracle(recordings, query))


def test_what_is_no_vector_is_refused(kind: Kind, recordings: Recordings) -> None:
    index, frames = filled(kind, recordings), np.arange(3, dtype=np.int32)
    for keys, words in [
        (np.zeros(3, np.uint32), "holds no vectors"),
        (np.zeros((3, DIMENSIONS), np.uint32), "holds no vectors"),
        (np.full((3, DIMENSIONS), np.nan, np.float32), "NaN"),
        (np.zeros((3, 64), np.int8), "64 dimensions"),
        (np.zeros((3, 5_000), np.int8), "5000 dimensions"),
    ]:
        with pytest.raises(OptionError, match=words):
            index.add(99, frames, keys)
        with pytest.raises(OptionError, match=words):
            index.snapshot().search(frames, keys)
    with pytest.raises(OptionError, match="3 frames for 2 vectors"):
        index.add(99, frames, np.zeros((2, DIMENSIONS), np.int8))


def test_threads_search_at_the_same_time(kind: Kind, recordings: Recordings) -> None:
    index = filled(kind, recordings)
    queries = [query_of(recordings, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda query: index.snapshot().search(*query), queries * 3))
    for hits, query in zip(found, queries * 3, strict=True):
        assert_same(hits, oracle(recordings, query))


def test_stats_say_what_it_holds_and_what_a_search_compares(kind: Kind, recordings: Recordings) -> None:
    index = filled(kind, recordings)
    stats = index.stats()
    assert (stats["tracks"], stats["vectors"], stats["searches"]) == (6, 360, 0)
    assert stats["bytes_per_vector"] > DIMENSIONS
    index.snapshot().search(*query_of(recordings))
    assert 0 < index.stats()["last_compared_share"] <= 1


def test_damaged_arrays_are_refused_or_do_no_harm(kind: Kind, recordings: Recordings) -> None:
    index = filled(kind, recordings)
    index.remove([14])
    arrays = published(index)
    rng = np.random.default_rng(3)
    query = query_of(recordings)
    refused = 0
    for _ in range(50):
        damaged = dict(arrays)
        key = str(rng.choice(list(arrays)))
        damaged[key] = mutated(arrays[key], rng)
        try:
            hits = kind.load(damaged).snapshot().search(*query)
        except EarmarkError:
            refused += 1
        else:
            assert set(hits.tracks.tolist()) <= set(recordings)
    assert refused > 25


def mutated(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A copy with a few flipped bits, or cut short, or of another type."""
    flat = array.reshape(-1).view(np.uint8).copy()
    kind = rng.integers(0, 3)
    if kind == 0:
        return array[: int(rng.integers(0, len(array)))]
    if kind == 1:
        return array.astype(np.float64)
    flat[rng.integers(0, len(flat), 3)] ^= np.uint8(1 << rng.integers(0, 8))
    return flat.view(array.dtype).reshape(array.shape)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["add", "remove", "publish", "reload", "search"]), max_size=12), st.integers(0, 1_000))
def test_any_order_of_changes_gives_what_a_plain_search_gives(steps: Iterable[str], seed: int) -> None:
    for kind in KINDS:
        rng = np.random.default_rng(seed)
        index, known, number = kind.make(), {}, 0
        for step in steps:
            if step == "add":
                number += 1
                known[number] = recording(number, length=int(rng.integers(1, 30)))
                index.add(number, *known[number])
            elif step == "remove" and known:
                gone = int(rng.choice(list(known)))
                index.remove([gone])
                del known[gone]
            elif step == "publish":
                index.arrays()
            elif step == "search":
                index.snapshot().search(*recording(number, length=3))
            else:
                index = kind.load(published(index))
        query = recording(999, length=4)
        assert_same(index.snapshot().search(*query), oracle(known, query))
        assert index.stats()["tracks"] == len(known)
