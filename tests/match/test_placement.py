"""Which layer says where a window lies, and how far a match reaches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from earmark.match.placement import BOUNDED_Z, EDGE_SECONDS, PLACED_Z, clip_to_track, combine, passage_of
from earmark.match.protocol import Alignment

VECTORS = Alignment(start=30.1, speed=1.02, pitch=1.02, position_error=0.02, first=0.5, last=9.0)
PEAKS = Alignment(start=30.0, speed=1.0, pitch=0.98, position_error=0.001, first=2.0, last=7.0)


def peaks(z: float) -> Alignment:
    return replace(PEAKS, figures={"z": z})


def test_one_layer_says_all() -> None:
    assert combine([VECTORS]) is VECTORS
    faint = peaks(1.0)
    assert combine([faint]) is faint


def test_peaks_that_say_nothing_leave_it_to_the_vectors() -> None:
    assert combine([VECTORS, peaks(PLACED_Z - 0.1)]) is VECTORS
    assert combine([VECTORS, PEAKS]) is VECTORS


def test_peaks_tell_place_and_speed_first_and_the_ends_when_they_are_surer() -> None:
    placed = combine([VECTORS, peaks(PLACED_Z)])
    assert (placed.start, placed.speed, placed.pitch, placed.position_error) == (30.0, 1.0, 0.98, 0.001)
    assert (placed.first, placed.last) == (0.5, 9.0)
    sure = peaks(BOUNDED_Z)
    assert combine([VECTORS, sure]) is sure


def test_a_match_that_comes_near_the_edge_reaches_it() -> None:
    near = replace(PEAKS, first=EDGE_SECONDS - 0.01, last=10.0 - EDGE_SECONDS + 0.01)
    assert clip_to_track(near, seconds=10.0, length=200.0) == (0.0, 10.0)
    apart = replace(PEAKS, first=EDGE_SECONDS, last=10.0 - EDGE_SECONDS)
    assert clip_to_track(apart, seconds=10.0, length=200.0) == (EDGE_SECONDS, 10.0 - EDGE_SECONDS)


def test_a_match_reaches_no_farther_than_the_track() -> None:
    early = replace(PEAKS, start=-3.0, first=0.2, last=9.8)
    assert clip_to_track(early, seconds=10.0, length=200.0) == (3.0, 10.0)
    late = replace(PEAKS, start=195.0, first=0.2, last=9.8)
    assert clip_to_track(late, seconds=10.0, length=200.0) == (0.0, 5.0)
    fast = replace(PEAKS, start=190.0, speed=2.0, first=0.2, last=9.8)
    assert clip_to_track(fast, seconds=10.0, length=200.0) == (0.0, 5.0)


def test_a_match_outside_of_the_track_is_of_no_length_and_never_negative() -> None:
    for start in (-50.0, 500.0):
        first, last = clip_to_track(replace(PEAKS, start=start), seconds=10.0, length=200.0)
        assert last == max(first, last)


def test_a_passage_is_in_seconds_of_the_clip_and_of_the_track() -> None:
    alignment = replace(PEAKS, speed=1.1, first=2.0, last=7.0)
    passage = passage_of(4, alignment, log_odds=2.5, evidence={"z": 9.0}, begin=20.0, seconds=10.0, length=200.0)
    assert (passage.track, passage.log_odds, passage.evidence) == (4, 2.5, {"z": 9.0})
    assert (passage.query_start, passage.query_end) == (22.0, 27.0)
    assert passage.reference_start == pytest.approx(30.0 + 1.1 * 2.0)
    assert passage.reference_end == pytest.approx(30.0 + 1.1 * 7.0)
    assert passage.reference_at(24.0) == pytest.approx(30.0 + 1.1 * 4.0)
    assert (passage.speed, passage.pitch, passage.position_error) == (1.1, 0.98, 0.001)
