"""Tracks that are looked through: one hit where the clip belongs is enough, and the likeliest need none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earmark.match.compare import make_comparison
from earmark.match.protocol import Checkable, Sweepable
from earmark.match.sweep import checked, swept
from earmark.types import Hits
from tests.match.shelf import Shelf, cut, with_noise

FRAME = 0.032  # seconds, as the hits' frames here


@pytest.fixture
def heard(with_peaks: Shelf) -> Sweepable:
    """The peaks of a second of track 3 from 9 s on, in noise."""
    clip = with_peaks.asked(with_noise(cut(with_peaks.sounds[3], 9.0, 1.0), 3.0))
    comparison = make_comparison(with_peaks.plan.compare[1], clip.layers["peaks"], hits=None, wide=False)
    assert isinstance(comparison, Sweepable)
    assert isinstance(comparison, Checkable)
    return comparison


def hits_at(*places: tuple[int, float]) -> Hits:
    """Hits of the clip's first frame at (track, second) each."""
    tracks = np.array([track for track, _ in places], np.int32)
    frames = np.array([round(second / FRAME) for _, second in places], np.int32)
    return Hits(np.zeros(len(places), np.int32), tracks, frames, np.ones(len(places), np.float32))


def test_one_hit_where_the_clip_belongs_is_enough(with_peaks: Shelf, heard: Sweepable) -> None:
    rule = with_peaks.plan.sweep
    assert rule is not None
    hits = hits_at((2, 4.0), (3, 3.0), (3, 9.05), (3, 15.0), (5, 11.0))
    found = checked(rule, heard, [2, 3, 5], hits, with_peaks.read, frame_seconds=FRAME)
    assert {one.track for one in found} == {2, 3, 5}
    assert found[0].track == 3
    assert found[0].start == pytest.approx(9.0, abs=0.05)


def test_tracks_after_the_last_to_be_checked_are_left_alone(with_peaks: Shelf, heard: Sweepable) -> None:
    rule = with_peaks.plan.sweep
    assert rule is not None
    hits, read = hits_at((2, 4.0), (3, 9.0)), list[int]()
    found = checked(
        replace(rule, checked_tracks=1),
        heard,
        [2, 3],
        hits,
        lambda tracks: [read.extend(tracks), with_peaks.read(tracks)][1],
        frame_seconds=FRAME,
    )
    assert [one.track for one in found] == read == [2]
    assert checked(replace(rule, checked_tracks=0), heard, [2, 3], hits, with_peaks.read, frame_seconds=FRAME) == []


def test_the_likeliest_tracks_are_swept_whole_and_need_no_hit(with_peaks: Shelf, heard: Sweepable) -> None:
    rule = with_peaks.plan.sweep
    assert rule is not None
    found = swept(replace(rule, most_tracks=2), heard, [2, 3, 5], with_peaks.read, best=0.0)
    assert [one.track for one in found] == [3, 2]
    assert found[0].start == pytest.approx(9.0, abs=0.05)
