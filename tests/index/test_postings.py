"""What is special about postings: stop-lists, long tracks, merging, a bounded search."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.index import postings as module
from earmark.index.postings import KEYS, MOST_POSTINGS, SEGMENT_FRAMES, Postings


def test_an_over_full_key_is_put_on_the_stop_list_and_counted() -> None:
    index = Postings()
    frames = np.arange(MOST_POSTINGS + 2, dtype=np.int32)
    index.add(1, frames, np.where(frames == 0, 8, 7).astype(np.uint32))
    assert not len(index.search(np.zeros(1, np.int32), np.array([7], np.uint32)))
    assert len(index.search(np.zeros(1, np.int32), np.array([8], np.uint32))) == 1
    assert (index.stats()["stopped_keys"], index.stats()["stopped_postings"]) == (1, MOST_POSTINGS + 1)


def test_a_key_with_as_many_postings_as_fit_is_kept() -> None:
    index = Postings()
    index.add(1, np.arange(MOST_POSTINGS, dtype=np.int32), np.full(MOST_POSTINGS, 7, np.uint32))
    assert len(index.search(np.zeros(1, np.int32), np.array([7], np.uint32))) == MOST_POSTINGS
    assert index.stats()["stopped_keys"] == 0


def test_a_search_reads_rare_keys_first_and_no_more_than_it_may() -> None:
    index = Postings()
    index.add(1, np.arange(13, dtype=np.int32), np.array([5] * 10 + [6] * 3, np.uint32))
    hits = index.search(np.array([0, 1], np.int32), np.array([5, 6], np.uint32), hits=12)
    assert hits.query_frames.tolist() == [1, 1, 1]
    assert hits.reference_frames.tolist() == [10, 11, 12]


def test_a_rare_key_says_more_than_a_common_one() -> None:
    index = Postings()
    index.add(1, np.arange(13, dtype=np.int32), np.array([5] * 10 + [6] * 3, np.uint32))
    hits = index.search(np.array([0, 1], np.int32), np.array([5, 6], np.uint32))
    assert hits.scores[hits.query_frames == 1].min() > hits.scores[hits.query_frames == 0].max()


def test_a_track_longer_than_a_segment_is_found_at_its_true_frames() -> None:
    index = Postings()
    frames = np.array([5, SEGMENT_FRAMES - 1, SEGMENT_FRAMES, 2 * SEGMENT_FRAMES + 9], np.int32)
    index.add(4, frames, np.array([1, 2, 3, 4], np.uint32))
    index.add(5, np.array([1], np.int32), np.array([4], np.uint32))
    hits = index.search(np.zeros(4, np.int32), np.array([1, 2, 3, 4], np.uint32))
    assert sorted(zip(hits.tracks.tolist(), hits.reference_frames.tolist(), strict=True)) == [
        *((4, int(frame)) for frame in frames),
        (5, 1),
    ]
    assert index.stats()["tracks"] == 2


def test_wide_keys_are_folded_and_still_found() -> None:
    index = Postings()
    index.add(1, np.array([3], np.int32), np.array([KEYS + 12345], np.uint32))
    assert index.search(np.zeros(1, np.int32), np.array([KEYS + 12345], np.uint32)).reference_frames.tolist() == [3]


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
    assert sorted(index.search(np.zeros(1, np.int32), np.array([2], np.uint32)).tracks.tolist()) == [1, 2]
