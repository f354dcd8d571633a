"""What is special about the graph: equal vectors, and tracks that are gone."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.index.hnsw import HNSW


def clusters(count: int) -> np.ndarray:
    """Neighbours in time are alike, and all of a tenth of the tracks are the same silence."""
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 16, (count + 1, 128))
    vectors = (steps[1:] + steps[:-1]).clip(-127, 127).astype(np.int8)
    vectors[::10] = vectors[0]
    return vectors


@pytest.fixture(scope="module")
def index() -> HNSW:
    index = HNSW(smallest=1_000, breadth=64)
    for track, vectors in enumerate(np.split(clusters(3_000), 30)):
        index.add(track, np.arange(100, dtype=np.int32), vectors)
    index.arrays()
    return index


def test_it_finds_vectors_among_many_that_are_equal(index: HNSW) -> None:
    vectors = clusters(3_000)[500:600]
    hits = index.snapshot().search(np.arange(100, dtype=np.int32), vectors, nearest=1)
    rare = hits.query_frames % 10 != 0
    assert (hits.tracks[rare] == 5).mean() > 0.97
    assert hits.tracks[~rare].tolist() == [0] * 10  # of equals the lowest track


def test_removed_tracks_leave_room_for_others() -> None:
    index = HNSW(smallest=1_000, breadth=64)
    vectors = clusters(1_500)
    for track in range(15):
        index.add(track, np.arange(100, dtype=np.int32), vectors[100 * track : 100 * track + 100])
    index.add(20, np.arange(100, dtype=np.int32), vectors[:100])
    index.arrays()
    index.remove([0])
    hits = index.snapshot().search(np.arange(1, 100, 3, dtype=np.int32), vectors[1:100:3], nearest=1)
    rare = hits.query_frames % 10 != 0
    assert set(hits.tracks[rare].tolist()) == {20}


def test_stats_tell_how_it_is_made(index: HNSW) -> None:
    stats = index.stats()
    assert (stats["links"], stats["breadth"]) == (16, 64)
    assert stats["memory_bytes_per_vector"] < 300


def test_senseless_options_are_refused() -> None:
    for options in ({"links": 1}, {"breadth": 0}):
        with pytest.raises(OptionError, match="at least 2 links"):
            HNSW(**options)
