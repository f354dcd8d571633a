"""Diagonals through nearest neighbours, on hand-made sound of which every segment's place is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pytest

from earmark.match.compare.vectors import Diagonal, VectorComparison
from earmark.match.protocol import Alignment, Candidate, Others, Placement
from earmark.match.votes import tracks_by_votes
from earmark.types import Hits, Layer
from tests.match.compare.segments import (
    CHANNEL,
    DIMENSIONS,
    FIGURES,
    HOP,
    LENGTH,
    SETTINGS,
    STORED_HOP,
    TRACKS,
    Asked,
    ask,
    mixed,
    nearest,
    played,
    segments,
    silence,
    sound,
    vectors,
)


@pytest.mark.parametrize("start", [0, 16, 100, 203, 450, 573, 741])
@pytest.mark.parametrize("frames", [32, 64, 159])
def test_a_clip_lies_where_it_was_taken_from(start: int, frames: int) -> None:
    best, *others = ask(mixed(played(TRACKS[2], start, frames), 0.7), TRACKS).diagonals()
    assert best.track == 2
    assert best.speed == 1.0
    assert best.offset == pytest.approx(start, abs=HOP)
    assert all(diagonal.score < best.score for diagonal in others)
    assert [diagonal.score for diagonal in others] == sorted((diagonal.score for diagonal in others), reverse=True)


@pytest.mark.parametrize("start", range(200, 216))
def test_its_place_is_known_to_a_fraction_of_a_hop(start: int) -> None:
    best = ask(mixed(played(TRACKS[2], start, 159), 0.5), TRACKS).diagonals()[0]
    assert best.offset == pytest.approx(start, abs=1.5)


@pytest.mark.parametrize("start", range(200, 216))
def test_a_short_clip_is_not_moved_to_reach_one_more_stored_segment(start: int) -> None:
    best = ask(mixed(played(TRACKS[2], start, 32), 0.3), TRACKS).diagonals()[0]
    assert best.track == 2
    assert best.offset == pytest.approx(start, abs=HOP)


def test_similarities_are_the_cosines_of_the_segments_on_the_diagonal() -> None:
    asked = ask(mixed(played(TRACKS[2], 203, 159), 0.7), TRACKS)
    best = asked.diagonals()[0]
    assert len(best.rows) == len(best.similarities)
    for row, similarity in zip(best.rows, best.similarities, strict=True):
        there = best.offset + asked.clip.frames[row]
        stored = int(np.abs(asked.tracks[2].frames - there).argmin())
        assert abs(asked.tracks[2].frames[stored] - there) <= HOP
        product = vectors(asked.clip)[row] @ vectors(asked.tracks[2])[stored]
        assert similarity == pytest.approx(float(product), abs=1e-5)
    # Stored segments are 16 frames apart and the clip has 160 and margins of 8.
    assert len(best.rows) in (9, 10, 11)
    assert best.score == pytest.approx(best.similarities.sum() / max(len(best.rows), (159 + 16 - 32) / 16), abs=0.05)


@pytest.mark.parametrize("speed", [0.96, 0.98, 1.02, 1.04])
def test_a_usual_change_of_speed_is_found_about_the_middle_of_the_clip(speed: float) -> None:
    best = ask(mixed(played(TRACKS[1], 150, 600, speed=speed), 0.5), TRACKS).diagonals()[0]
    assert best.track == 1
    assert best.speed == speed
    # Segments have their own middles on the diagonal, 16 frames after their beginnings.
    for frame in (0, 300, 568):
        middle = 150 + speed * (frame + LENGTH / 2)
        assert best.offset + best.speed * frame + LENGTH / 2 == pytest.approx(middle, abs=5)


def test_a_larger_change_of_speed_is_found_when_it_is_asked_for() -> None:
    asked = ask(mixed(played(TRACKS[1], 150, 320, speed=1.08), 0.5), TRACKS)
    best = asked.diagonals(wide=True)[0]
    assert (best.track, best.speed) == (1, 1.08)
    assert best.score > asked.diagonals()[0].score


def test_a_short_clip_is_not_said_to_be_faster_without_need() -> None:
    for seed in range(20):
        clip = mixed(played(TRACKS[seed % 5], 30 * seed, 64), 1.0, seed=seed + 50)
        best = ask(clip, TRACKS).diagonals()[0]
        assert (best.track, best.speed) == (seed % 5, 1.0)


def test_a_recording_that_is_there_twice_has_a_diagonal_in_each_track() -> None:
    tracks = [*TRACKS, np.concatenate([sound(160, 77), TRACKS[2]])]
    first, second, *others = ask(mixed(played(TRACKS[2], 203, 159), 0.7), tracks).diagonals()
    assert (first.track, second.track) == (2, 5)
    assert (first.offset, second.offset) == pytest.approx((203, 363), abs=1.5)
    assert first.score == pytest.approx(second.score, abs=1e-3)
    assert all(diagonal.score < first.score - 0.3 for diagonal in others)


def test_of_equal_diagonals_the_lower_track_comes_first() -> None:
    found = ask(played(TRACKS[2], 203, 159), [TRACKS[0], TRACKS[2], TRACKS[1], TRACKS[2]]).diagonals()
    assert [diagonal.track for diagonal in found[:2]] == [1, 3]


def test_no_diagonal_reaches_across_the_border_of_two_tracks() -> None:
    # One recording, cut in two in the middle of the clip: each half has what it has, and no more.
    whole = sound(640, 20)
    first, second = ask(whole[240:400], [whole[:320], whole[320:], *TRACKS]).diagonals()[:2]
    assert {first.track, second.track} == {0, 1}
    assert sorted([first.offset, second.offset]) == pytest.approx([-80, 240], abs=HOP)
    for diagonal in (first, second):
        assert diagonal.similarities.min() > 0.5
        assert diagonal.score == pytest.approx(0.5, abs=0.12)


def test_one_segment_at_the_end_of_a_track_does_not_beat_a_whole_diagonal() -> None:
    clip = mixed(played(TRACKS[2], 203, 159), 1.5)
    # A track whose last segment is the clip's beginning, without the noise's other sound.
    ends = np.concatenate([sound(320, 30), clip[:32]])
    begins = np.concatenate([clip[-32:], sound(320, 31)])
    asked = ask(clip, [*TRACKS, ends, begins])
    found = asked.diagonals()
    assert found[0].track == 2
    touching = {diagonal.track: diagonal for diagonal in found if diagonal.track > 4}
    assert max(float(diagonal.similarities.max()) for diagonal in touching.values()) > 0.7
    assert all(diagonal.score < 0.35 for diagonal in touching.values())


def test_a_loop_has_one_diagonal_and_leaves_room_for_others() -> None:
    phrase = sound(80, 40)
    loop = np.tile(phrase, (12, 1))
    asked = ask(mixed(np.tile(phrase, (2, 1)), 0.4), [loop, *TRACKS])
    guesses = asked.guesses()
    assert max(np.bincount([guess.track for guess in guesses])) <= CHANNEL.votes.per_track
    assert len(guesses) <= CHANNEL.votes.limit
    found = asked.diagonals()
    assert found[0].track == 0
    assert found[0].offset % 80 == pytest.approx(0, abs=1.5) or found[0].offset % 80 > 78.5
    assert len({(diagonal.track, round(diagonal.offset / HOP)) for diagonal in found}) == len(found)


def test_candidates_come_with_the_most_votes_first() -> None:
    asked = ask(mixed(played(TRACKS[2], 203, 159), 0.7), TRACKS)
    guesses = asked.guesses()
    assert guesses[0].track == 2
    assert guesses[0].start == pytest.approx(203, abs=3 * HOP)
    votes = [guess.votes for guess in guesses]
    assert votes == sorted(votes, reverse=True)
    assert all(vote > 0 for vote in votes)


def test_tracks_come_with_the_most_votes_first_each_once() -> None:
    asked = ask(mixed(played(TRACKS[2], 203, 159), 0.7), TRACKS)
    tracks = tracks_by_votes(asked.hits)
    assert tracks[0] == 2
    assert sorted(tracks) == sorted(set(tracks))
    assert {guess.track for guess in asked.guesses()} <= set(tracks)


def test_silence_in_the_clip_costs_nothing_where_the_track_is_silent_too() -> None:
    track = np.concatenate([TRACKS[0][:320], silence(128), TRACKS[0][320:]])
    asked = ask(track[240:528], [*TRACKS[1:], track])
    best = asked.diagonals()[0]
    assert (best.track, best.speed) == (4, 1.0)
    assert best.offset == pytest.approx(240, abs=1.5)
    assert len(best.rows) < len(asked.clip.frames) / 3
    assert best.score > 0.9


def test_a_gap_in_the_clip_costs_nothing_but_what_it_hides() -> None:
    clip = played(TRACKS[2], 203, 256).copy()
    clip[80:176] = 0.0
    best, *others = ask(clip, TRACKS).diagonals()
    assert best.track == 2
    assert best.offset == pytest.approx(203, abs=HOP)
    assert best.score > 0.8
    assert all(diagonal.score < 0.35 for diagonal in others)


def test_rows_are_those_of_the_frames_and_minus_one_where_there_is_no_segment() -> None:
    clip = played(TRACKS[2], 203, 256).copy()
    clip[80:176] = 0.0
    asked = ask(clip, TRACKS)
    frames, rows_at = asked.clip.frames, asked.comparison()._rows_at
    assert rows_at(frames.astype(np.float64)).tolist() == list(range(len(frames)))
    assert rows_at(frames + 1.9).tolist() == list(range(len(frames)))
    missing = np.setdiff1d(np.arange(frames[0], frames[-1], HOP), frames)
    assert len(missing) > 10
    assert (rows_at(missing.astype(np.float64)) == -1).all()
    assert rows_at(np.array([-1e6, frames[0] - 3.0, frames[-1] + 3.0, 1e6])).tolist() == [-1] * 4


@pytest.mark.parametrize("frames", [32, 33, 40])
def test_one_segment_is_enough_for_a_diagonal(frames: int) -> None:
    clip = played(TRACKS[3], 320, frames)
    tracks = {number: segments(one, STORED_HOP) for number, one in enumerate(TRACKS)}
    alone = segments(clip, STORED_HOP)
    best = Asked(alone, tracks, nearest(alone, tracks)).diagonals()[0]
    assert best.track == 3
    assert best.offset == pytest.approx(320, abs=HOP)
    assert best.score == pytest.approx(1.0, abs=0.01)


def test_a_track_without_stored_segments_there_has_no_diagonal() -> None:
    asked = ask(played(TRACKS[2], 203, 159), TRACKS)
    gone = Layer(np.zeros(0, np.int32), np.zeros((0, DIMENSIONS), np.int8), 1.0)
    without = Asked(asked.clip, {**asked.tracks, 2: gone}, asked.hits)
    assert 2 in {guess.track for guess in without.guesses()}
    assert 2 not in {diagonal.track for diagonal in without.diagonals()}


def test_of_two_candidates_on_one_diagonal_only_the_better_comes_back() -> None:
    asked = ask(mixed(played(TRACKS[2], 203, 159), 0.7), TRACKS)
    starts = ((2, 203.0), (0, 10.0), (2, 206.0), (2, 600.0))
    candidates = [Candidate(track, start) for track, start in starts]
    found = asked.comparison().near([asked.tracks[track] for track, _ in starts], candidates, own=True)
    assert [placement is None for placement in found] in ([False, False, True, False], [True, False, False, False])
    assert found[1] is not None
    assert found[1].detail.track == 0


def test_a_place_that_peaks_know_better_is_kept_and_compared_at_the_clips_own_speed() -> None:
    asked = ask(mixed(played(TRACKS[1], 150, 600, speed=1.04), 0.5), TRACKS)
    candidate = Candidate(1, 160.3)
    [own] = asked.comparison().near([asked.tracks[1]], [candidate], own=True)
    [told] = asked.comparison().near([asked.tracks[1]], [candidate], own=False)
    assert own is not None
    assert told is not None
    assert (told.start, told.speed) == (160.3, 1.0)
    assert own.speed == 1.04
    assert own.figures["similarity"] > told.figures["similarity"]


def test_a_placement_begins_where_the_clip_does() -> None:
    for speed in (0.96, 1.0, 1.04):
        asked = ask(mixed(played(TRACKS[1], 150, 600, speed=speed), 0.3), TRACKS)
        best = asked.placements()[0]
        assert (best.detail.track, best.speed) == (1, speed)
        assert best.start == pytest.approx(150, abs=5)
        alignment = asked.comparison().fit(asked.tracks[1], best)
        assert (alignment.start, alignment.speed, alignment.pitch) == (best.start, speed, speed)
        assert alignment.first == pytest.approx(0, abs=STORED_HOP)
        assert alignment.last == pytest.approx(600, abs=STORED_HOP + LENGTH)
        assert alignment.position_error == pytest.approx(HOP / np.sqrt(12 * len(best.detail.rows)))


def test_vectors_do_not_tell_a_duplicate_from_a_repetition() -> None:
    asked = ask(played(TRACKS[2], 203, 159), [*TRACKS, TRACKS[2]])
    one, other = asked.placements()[:2]
    assert not asked.comparison().same((asked.tracks[2], one), (asked.tracks[5], other))


def evidence_of(rivals: Sequence[Candidate] = (), duplicates: Collection[int] = ()) -> Mapping[str, float]:
    """Of a clip of three segments on track 7, whose nearest neighbours are known."""
    frames = np.array([0, 4, 8], np.int32)
    hits = Hits(
        np.repeat(frames, 2),
        np.array([7, 1, 7, 1, 1, 7], np.int32),
        np.array([100, 5, 104, 9, 13, 300], np.int32),
        np.array([0.9, 0.5, 0.8, 0.4, 0.7, 0.3], np.float32),
    )
    clip = Layer(frames, np.zeros((3, 2), np.int8), 1.0)
    comparison = VectorComparison(clip, FIGURES, settings=SETTINGS, wide=False, hits=lambda: hits)
    diagonal = Diagonal(7, 100.0, 1.0, np.arange(3), np.array([0.9, 0.8, 0.6], np.float32), score=0.75)
    placement = Placement(100.0, 1.0, {"similarity": 0.75}, diagonal)
    candidate = Candidate(7, 100.0, placements={"vectors": placement})
    alignment = comparison.fit(clip, placement)
    return comparison.evidence(candidate, alignment, Others(rivals, frozenset(duplicates)))


def rival(similarity: float) -> Candidate:
    return Candidate(3, 0.0, placements={"vectors": Placement(0.0, 1.0, {"similarity": similarity})})


def test_golden_evidence_of_a_diagonal() -> None:
    evidence = evidence_of([rival(0.2), rival(0.3)])
    assert evidence["similarity"] == 0.75
    assert evidence["rival"] == 0.3
    assert evidence["margin"] == pytest.approx(((0.9 - 0.5) + (0.8 - 0.4) + (0.6 - 0.7)) / 3, abs=1e-4)
    assert evidence["share"] == pytest.approx(2 / 3, abs=1e-4)


def test_without_another_candidate_what_anything_reaches_is_the_rival() -> None:
    assert evidence_of()["rival"] == pytest.approx((0.5 + 0.4 + 0.3) / 3, abs=1e-4)


def test_a_duplicate_is_as_if_it_were_not_there() -> None:
    evidence = evidence_of(duplicates=[1])
    # Of the third segment the nearest neighbour is the duplicate's; the next one lies on the track, off the diagonal.
    assert evidence["share"] == pytest.approx(2 / 3, abs=1e-4)
    assert evidence["margin"] == pytest.approx(((0.9 - 0.5) + (0.8 - 0.4) + (0.6 - 0.3)) / 3, abs=1e-4)


def test_evidence_is_plain_numbers() -> None:
    assert {type(figure) for figure in evidence_of([rival(0.3)]).values()} == {float}


def laid(start: float, *, speed: float = 1.0) -> Alignment:
    return Alignment(start, speed, speed, 0.1, 0.0, 600.0)


@pytest.mark.parametrize("speed", [1.0, 0.96, 1.04])
def test_scores_tell_which_part_of_a_window_agrees(speed: float) -> None:
    asked = ask(np.concatenate([played(TRACKS[1], 150, 300, speed=speed), sound(300, 77)]), TRACKS)
    found = asked.comparison().over_time(asked.tracks[1], laid(150.0, speed=speed))
    assert (np.diff(found.seconds) > 0).all()
    assert found.values[(found.seconds > 32) & (found.seconds < 280)].mean() > 3
    assert abs(found.values[found.seconds > 320].mean()) < 0.5
    assert found.seconds[0] < 32
    assert found.seconds[-1] > 560


def test_scores_of_another_recording_are_about_nought() -> None:
    asked = ask(played(TRACKS[1], 150, 600), TRACKS)
    values = [asked.comparison().over_time(asked.tracks[number], laid(100.0)).values.mean() for number in (0, 2, 3, 4)]
    assert np.abs(values).max() < 0.5


def test_beside_a_track_there_are_no_scores() -> None:
    asked = ask(played(TRACKS[1], 150, 600), TRACKS)
    for start in (5_000.0, -5_000.0):
        found = asked.comparison().over_time(asked.tracks[1], laid(start))
        assert (len(found.seconds), len(found.values)) == (0, 0)
    early = asked.comparison().over_time(asked.tracks[1], laid(-200.0))
    assert early.seconds[0] >= 200.0
