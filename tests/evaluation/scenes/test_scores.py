"""What passages are worth."""

from __future__ import annotations

from pathlib import Path

import pytest

from earmark.evaluation.scenes.scene import Excerpt, Scene
from earmark.evaluation.scenes.scores import Detection, covered, score


def different(*_):
    """Nothing sounds like anything else."""


def found(track, start, end, reference, *, speed=1.0):
    return Detection(track, start, end, reference, speed, 0.9)


def excerpt(track, at, seconds, start, **more):
    return Excerpt(Path(f"{track}.wav"), start, at, seconds, 1.0, track, **more)


@pytest.fixture
def scene():
    """10 s of a from its second 100 on, then 10 s of b from its second 50 on."""
    return Scene("playlist", "10 s", 0, 20.0, (excerpt("a", 0.0, 10.0, 100.0), excerpt("b", 10.0, 10.0, 50.0)))


RIGHT = (found("a", 0, 10, 100), found("b", 10, 20, 50))


def test_the_truth_has_full_marks(scene):
    one = score(scene, RIGHT, different)
    assert one.all_named
    assert one.invented == ()
    assert one.right_seconds == one.detected_seconds == 20
    for piece in one.pieces:
        assert piece.border_error == piece.over_seconds == piece.speed_error == 0
        assert piece.found_seconds == 10
        assert piece.fragments == 1


def test_what_is_not_found_is_lost(scene):
    first, second = score(scene, RIGHT[:1], different).pieces
    assert first.named
    assert not second.named
    assert second.border_error == float("inf")
    assert second.found_seconds == 0


def test_borders_are_missed_late_and_early(scene):
    piece = score(scene, [found("a", 0.7, 8, 100.7)], different).pieces[0]
    assert (piece.start_error, piece.end_error) == pytest.approx((0.7, -2))
    assert piece.border_error == pytest.approx(2)
    assert piece.over_seconds == 0


def test_a_passage_that_goes_on_through_another_piece_is_too_long(scene):
    one = score(scene, [found("a", 0, 14, 100), RIGHT[1]], different)
    assert one.pieces[0].end_error == one.pieces[0].over_seconds == 4
    assert one.invented == ()
    assert one.right_seconds == 20
    assert one.detected_seconds == 24


@pytest.mark.parametrize(
    ("passage", "is_misplaced"),
    [(found("c", 2, 9, 0), False), (found("b", 0, 10, 40), False), (found("a", 0, 10, 103), True)],
)
def test_another_track_and_another_place_are_invented(scene, passage, is_misplaced):
    one = score(scene, [passage], different)
    assert one.invented == (passage,)
    assert bool(one.misplaced) is is_misplaced
    assert not any(piece.named for piece in one.pieces)
    assert one.right_seconds == 0


def test_a_passage_that_is_right_for_less_than_half_of_its_time_is_invented(scene):
    long = found("a", 0, 20, 100)
    assert score(scene, [long], different).invented == ()
    short = Scene("jingles", "", 0, 60.0, (excerpt("a", 20.0, 2.0, 100.0),))
    one = score(short, [found("a", 20, 26, 100)], different)
    assert len(one.invented) == 1
    assert one.pieces[0].named
    assert one.pieces[0].over_seconds == 4


def test_a_place_that_sounds_the_same_is_right(scene):
    asked = []

    def same_place(track, start, other, other_start, seconds):
        asked.append((track, start, other, other_start, seconds))
        return 0.01 if (track, other) == ("a", "twin") else None

    one = score(scene, [found("twin", 0, 10, 7)], same_place)
    assert one.pieces[0].named
    assert one.invented == ()
    assert asked[0] == ("a", 101, "twin", 8, 8)  # the middle 8 s


def test_a_border_that_cannot_be_heard_is_no_fault():
    """Two rounds of a loop of 6 s were cut out: the second piece goes on as the first would have."""
    scene = Scene("edits", "cut", 0, 20.0, (excerpt("a", 0.0, 10.0, 0.0), excerpt("a", 10.0, 10.0, 22.0)))
    one = score(scene, [found("a", 0, 20, 0)], lambda track, start, other, there, seconds: 0.0)
    assert one.invented == ()
    assert [piece.border_error for piece in one.pieces] == [0, 0]
    assert score(scene, [found("a", 0, 20, 0)], different).pieces[0].end_error == 10


def test_passages_of_a_piece_are_its_fragments_but_not_those_within_another(scene):
    halves = [found("a", 0, 5, 100), found("a", 5, 10, 105)]
    assert score(scene, halves, different).pieces[0].fragments == 2
    again = [found("a", 0, 10, 100), found("a", 1, 9.5, 101)]
    assert score(scene, again, different).pieces[0].fragments == 1
    assert score(scene, again, different).pieces[0].border_error == 0


def test_a_piece_of_which_too_little_is_found_is_not_named(scene):
    piece = score(scene, [found("a", 0, 0.8, 100)], different).pieces[0]
    assert not piece.named
    assert piece.found_seconds == pytest.approx(0.8)
    assert score(scene, [found("a", 0, 1.2, 100)], different).pieces[0].named


def test_speed_is_judged_by_the_longest_passage():
    scene = Scene("mix", "", 0, 30.0, (excerpt("a", 0.0, 30.0, 0.0, speed=1.02),))
    passages = [found("a", 0, 5, 0, speed=1.0), found("a", 5, 30, 5.1, speed=1.03)]
    assert score(scene, passages, different).pieces[0].speed_error == pytest.approx(1.03 / 1.02 - 1)


def test_within_a_fade_both_tracks_are_right_and_the_middle_is_the_border():
    first, second = excerpt("a", 0.0, 20.0, 0.0, fade_out=8.0), excerpt("b", 12.0, 20.0, 0.0, fade_in=8.0)
    scene = Scene("mix", "", 0, 32.0, (first, second))
    one = score(scene, [found("a", 0, 20, 0), found("b", 12, 32, 0)], different)
    assert one.right_seconds == one.detected_seconds == 40
    assert [piece.border_error for piece in one.pieces] == [4, 4]


def test_a_scene_of_nothing_known_is_right_when_nothing_is_found():
    scene = Scene("talk", "", 0, 60.0, ())
    assert score(scene, [], different).all_named
    one = score(scene, [found("a", 3, 8, 0)], different)
    assert not one.all_named
    assert len(one.invented) == 1


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [([], 0), ([(2, 4), (3, 6)], 4), ([(5, 20), (-3, 1)], 6), ([(11, 12)], 0), ([(0, 10), (2, 3)], 10)],
)
def test_seconds_that_are_covered_twice_count_once(spans, seconds):
    assert covered((0, 10), spans) == seconds
