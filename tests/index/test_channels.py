"""One engine for each channel: each is searched for itself, and all are kept and forgotten together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.index import VECTOR_NAMES
from earmark.index.channels import Channels
from earmark.index.postings import Postings
from earmark.index.structured import SMALLEST
from earmark.index.two_bit import TwoBit
from earmark.plan import Channel, LearnedCodes, VoteRule
from earmark.types import Hits, Keys

VOTES = VoteRule(0.25, "both", limit=10, per_track=3)
VECTORS = Channel("vectors", "inner", "vectors", 0.03125, VOTES)
LANDMARKS = Channel("landmarks", "equal", "peaks", 0.015625, VOTES, key_bits=21)
BOTH = (VECTORS, LANDMARKS)


def vectors(seed: int, count: int = 20) -> Keys:
    drawn = np.random.default_rng(seed).normal(size=(count, 128))
    unit = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return Keys(16 * np.arange(count, dtype=np.int32), unit)


def landmarks(seed: int) -> Keys:
    rng = np.random.default_rng(seed)
    return Keys(np.sort(rng.integers(0, 900, 200)).astype(np.int32), rng.integers(0, 5_000, 200).astype(np.uint32))


def filled(name: str = "both", channels: tuple[Channel, ...] = BOTH) -> Channels:
    index = Channels(name, channels)
    for track in (3, 8):
        index.add(track, {"vectors": vectors(track), "landmarks": landmarks(track)})
    return index


def places(hits: Hits) -> list[tuple[int, int]]:
    return sorted(zip(hits.tracks.tolist(), hits.reference_frames.tolist(), strict=True))


def test_each_channel_is_searched_for_itself() -> None:
    search, alone = filled().snapshot(), Postings()
    for track in (3, 8):
        alone.add(track, landmarks(track).frames, landmarks(track).values)
    one = Keys(np.array([4], np.int32), vectors(8).values[5:6])
    assert places(search.search("vectors", one, nearest=1)) == [(8, 80)]
    query = landmarks(8)
    wanted = alone.snapshot().search(query.frames, query.values)
    assert places(search.search("landmarks", query)) == places(wanted)
    assert search.channels == {"vectors", "landmarks"}


def test_all_channels_come_back_from_arrays_and_all_forget() -> None:
    index = Channels.from_arrays("both", BOTH, filled().arrays())
    index.remove([3])
    search = index.snapshot()
    assert set(search.search("landmarks", landmarks(3)).tracks.tolist()) <= {8}
    assert set(search.search("vectors", vectors(3), nearest=50).tracks.tolist()) == {8}
    assert index.stats()["tracks"] == index.stats()["codes_tracks"] == 1


def test_an_engine_by_name_is_that_of_the_first_channel_that_it_can_hold() -> None:
    assert filled("postings").snapshot().channels == {"landmarks"}
    for name in VECTOR_NAMES:
        assert filled(name).snapshot().channels == {"vectors"}
    with pytest.raises(OptionError, match="channel 'landmarks' is not indexed: choose one of vectors"):
        filled("linear").snapshot().search("landmarks", landmarks(3))


def test_an_index_that_can_hold_no_channel_is_refused() -> None:
    with pytest.raises(OptionError, match="'postings' cannot hold any of vectors"):
        Channels("postings", [VECTORS])
    with pytest.raises(OptionError, match="'kd-tree' is not known"):
        Channels("kd-tree", BOTH)


def test_names_of_arrays_begin_with_the_channel_where_there_are_several_engines_alone() -> None:
    assert {name.partition("-")[0] for name in filled().arrays()} == {"vectors", "landmarks"}
    assert {name.partition("-")[0] for name in filled("postings").arrays()} == {"segment", "removed"}


def test_arrays_that_an_earlier_release_named_are_read() -> None:
    former = TwoBit(), Postings()
    for track in (3, 8):
        former[0].add(track, vectors(track).frames, vectors(track).values)
        former[1].add(track, landmarks(track).frames, landmarks(track).values)
    arrays = {f"vectors-{name}": array for name, array in former[0].arrays().items()}
    arrays |= {f"codes-{name}": array for name, array in former[1].arrays().items()}
    search, wanted = Channels.from_arrays("both", BOTH, arrays).snapshot(), filled().snapshot()
    for channel, query in (("vectors", vectors(8)), ("landmarks", landmarks(3))):
        assert places(search.search(channel, query)) == places(wanted.search(channel, query))


def test_keys_wider_than_a_landmark_are_held_at_the_width_of_their_channel() -> None:
    wide = Channels("both", [Channel("subprints", "equal", "bits", 0.0116, VOTES, key_bits=32), VECTORS])
    wide.add(1, {"subprints": Keys(np.array([5], np.int32), np.array([1 << 31], np.uint32))})
    hits = wide.snapshot().search("subprints", Keys(np.array([0], np.int32), np.array([1 << 31], np.uint32)))
    assert places(hits) == [(1, 5)]


def test_a_snapshot_stays_as_it_was() -> None:
    index = filled()
    before = index.snapshot()
    index.add(9, {"vectors": vectors(9), "landmarks": landmarks(9)})
    index.remove([3])
    index.arrays()
    assert set(before.search("vectors", vectors(3), nearest=100).tracks.tolist()) == {3, 8}
    assert set(index.snapshot().search("vectors", vectors(3), nearest=100).tracks.tolist()) == {8, 9}


def test_hashcode_gets_the_codes_that_the_channels_network_learned() -> None:
    codes = LearnedCodes("codewords", np.eye(8, dtype=np.float32), np.zeros(8, np.float32))
    channel = replace(VECTORS, codes=codes)
    index = Channels("hashcode", (channel,))
    index.add(1, {"vectors": Keys(np.arange(SMALLEST, dtype=np.int32), np.eye(8)[np.arange(SMALLEST) % 8])})
    arrays = index.arrays()  # makes the lists
    for one in (index, Channels.from_arrays("hashcode", (channel,), arrays)):
        assert one.stats()["lists"] == 8
        assert one.stats()["entropy"] == pytest.approx(1)
