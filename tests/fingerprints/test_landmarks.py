"""Landmarks hold an anchor, an interval and the time between; the channel says how they vote."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.fingerprints.landmarks import (
    ANCHORS_AT_ONCE,
    CANDIDATES,
    LANDMARK_BITS,
    TargetZone,
    landmark_channel,
    landmarks,
)

ZONE = TargetZone()


def test_a_landmark_holds_the_anchor_the_interval_and_the_time_between() -> None:
    at, bins = np.array([10, 15, 15, 60], np.int32), np.array([100, 110, 400, 90], np.int32)
    frames, codes = landmarks(at, bins, fan_out=5, zone=ZONE)
    # 15 - 10 = 5 frames; (110 - 100 + 64) >> 1 = 37; 100 >> 1 = 50. Bin 400 and frame 60 lie outside the target zone.
    assert frames.tolist() == [10]
    assert codes.tolist() == [50 << 12 | 37 << 6 | 5]


def test_an_anchor_has_no_more_targets_than_its_fan_out_and_takes_the_first() -> None:
    at, bins = np.arange(0, 20, 2, dtype=np.int32), np.full(10, 300, np.int32)
    frames, codes = landmarks(at, bins, fan_out=3, zone=ZONE)
    assert np.bincount(frames).max() == 3
    assert (codes[frames == 0] & 63).tolist() == [2, 4, 6]


@given(
    places=st.sets(st.tuples(st.integers(0, 150), st.integers(0, 735)), max_size=60),
    fan_out=st.integers(1, 10),
    zone=st.builds(TargetZone, first_frames=st.integers(0, 5), last_frames=st.integers(5, 63), bins=st.integers(0, 62)),
)
def test_landmarks_are_those_of_a_plain_loop(places: set[tuple[int, int]], fan_out: int, zone: TargetZone) -> None:
    ordered = sorted(places)
    wanted = []
    for place, (frame, at_bin) in enumerate(ordered):
        targets = [
            (other - frame, other_bin - at_bin)
            for other, other_bin in ordered[place + 1 :]
            if zone.first_frames <= other - frame <= zone.last_frames and abs(other_bin - at_bin) <= zone.bins
        ]
        wanted += [(frame, at_bin >> 1 << 12 | apart + 64 >> 1 << 6 | wait) for wait, apart in targets[:fan_out]]
    at, bins = (np.array([place[column] for place in ordered], np.int32) for column in (0, 1))
    frames, codes = landmarks(at, bins, fan_out=fan_out, zone=zone)
    assert list(zip(frames.tolist(), codes.tolist(), strict=True)) == wanted
    assert (frames.dtype, codes.dtype) == (np.int32, np.uint32)
    assert not len(codes) or int(codes.max()) < 1 << LANDMARK_BITS


@pytest.mark.parametrize("count", [ANCHORS_AT_ONCE - 1, ANCHORS_AT_ONCE, ANCHORS_AT_ONCE + 1, 2 * ANCHORS_AT_ONCE + 5])
def test_anchors_that_are_looked_at_apart_have_their_targets_all_the_same(count: int) -> None:
    at, bins = np.arange(count, dtype=np.int32) * 3, np.full(count, 300, np.int32)
    frames, codes = landmarks(at, bins, fan_out=2, zone=ZONE)
    assert np.bincount(frames)[::3].tolist() == [2] * (count - 2) + [1]
    assert set((codes & 63).tolist()) == {3, 6}


def test_the_channels_times_are_those_of_its_frames() -> None:
    channel = landmark_channel(0.02)
    assert (channel.name, channel.metric, channel.layer, channel.key_bits) == ("landmarks", "equal", "peaks", 21)
    assert (channel.frame_seconds, channel.votes.bin_seconds, channel.votes.apart_seconds) == (0.02, 0.04, 0.12)
    assert (channel.votes.limit, channel.votes.per_track, channel.votes.min_votes) == (CANDIDATES, 4, 3)
