from __future__ import annotations

import numpy as np

from earmark.index import load, make
from earmark.index.both import Both
from earmark.index.postings import Postings
from earmark.index.protocol import OfTwoKinds


def unit(seed: int, count: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 128))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def codes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.integers(0, 900, 200)).astype(np.int32), rng.integers(0, 5_000, 200).astype(np.uint32)


def filled() -> Both:
    index = Both()
    for track in (3, 8):
        index.add(track, 16 * np.arange(20, dtype=np.int32), unit(track, 20))
        index.add_codes(track, *codes(track))
    return index


def test_each_kind_is_searched_for_itself():
    index = filled()
    vectors = index.search(np.array([4], np.int32), unit(8, 20)[5:6], nearest=1)
    assert (vectors.tracks.tolist(), vectors.reference_frames.tolist()) == ([8], [80])
    plain = Postings()
    for track in (3, 8):
        plain.add(track, *codes(track))
    asked = codes(8)
    found, wanted = index.search_codes(*asked), plain.search(*asked)
    assert found.tracks.tolist() == wanted.tracks.tolist()
    assert found.reference_frames.tolist() == wanted.reference_frames.tolist()


def test_both_come_back_from_arrays_and_both_forget():
    index = load("both", filled().arrays())
    assert isinstance(index, OfTwoKinds)
    assert set(index.search_codes(*codes(3)).tracks.tolist()) >= {3}
    index.remove([3])
    assert set(index.search_codes(*codes(3)).tracks.tolist()) <= {8}
    assert 3 not in index.search(np.array([0], np.int32), unit(3, 1), nearest=20).tracks
    stats = index.stats()
    assert stats["tracks"] == stats["codes_tracks"] == 1


def test_only_an_index_of_both_holds_codes_beside_vectors():
    assert isinstance(make("both"), OfTwoKinds)
    assert not isinstance(make("auto"), OfTwoKinds)
    assert not isinstance(make("postings"), OfTwoKinds)
