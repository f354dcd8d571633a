"""The coarse search finds the diagonals that hits agree on."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from earmark.fingerprints.landmarks import landmark_channel
from earmark.fingerprints.quads import SPEEDS, quad_channel
from earmark.match.votes import EVEN_CHANCE, SAME_SPEED, Guess, tracks_by_votes, vote, vote_along, votes_of
from earmark.plan import Channel, VoteRule
from earmark.types import Hits

LANDMARKS = landmark_channel(1.0)  # a frame lasts a second, so that places are frames


def landmarks_vote(hits: Hits, *, limit: int) -> list[Guess]:
    return vote(hits, replace(LANDMARKS, votes=replace(LANDMARKS.votes, limit=limit)))


def hits(*rows: tuple[int, int, int]) -> Hits:
    query, tracks, reference = np.array(rows, np.int32).reshape(-1, 3).T
    return Hits(query, tracks, reference, np.ones(len(query), np.float32))


def test_the_diagonal_with_most_hits_comes_first() -> None:
    line = [(frame, 7, frame + 500) for frame in range(0, 100, 10)]
    chance = [(frame, 8, 37 * frame % 1_000) for frame in range(0, 200, 10)]
    best = landmarks_vote(hits(*line, *chance), limit=5)[0]
    assert best.track == 7
    assert abs(best.start - 500) <= 2
    assert best.votes == 10


def test_hits_that_jitter_over_a_bin_border_count_together() -> None:
    line = [(frame, 7, frame + 500 + frame % 2) for frame in range(20)]
    assert landmarks_vote(hits(*line), limit=1)[0].votes == 20


def test_a_clip_may_begin_before_the_track() -> None:
    best = landmarks_vote(hits(*[(frame, 1, frame - 40) for frame in range(40, 60)]), limit=1)[0]
    assert abs(best.start + 40) <= 2


def test_candidates_of_a_track_lie_apart_and_leave_room_for_other_tracks() -> None:
    loop = [(0, 1, 100 * place) for place in range(20) for _ in range(3)]
    found = landmarks_vote(hits(*loop, *[(0, 2, 50)] * 3), limit=10)
    mine = [guess.start for guess in found if guess.track == 1]
    assert len(mine) == LANDMARKS.votes.per_track
    assert min(abs(a - b) for a in mine for b in mine if a != b) >= LANDMARKS.votes.apart_seconds
    assert 2 in [guess.track for guess in found]


def test_equal_votes_come_in_order_of_track_and_time() -> None:
    found = landmarks_vote(hits((0, 9, 10), (0, 3, 800), (0, 3, 30)), limit=3)
    assert [guess.track for guess in found] == [3, 3, 9]
    assert found[0].start < found[1].start


def test_no_hits_have_no_candidates() -> None:
    assert landmarks_vote(hits(), limit=5) == []


VECTORS = Channel(
    "vectors", "inner", "vectors", 0.25,
    VoteRule(bin_seconds=2.0, neighbours="both", limit=3, per_track=2, weighted=True),
)  # fmt: skip


def scored(*rows: tuple[int, int, int, float]) -> Hits:
    query, tracks, reference, scores = zip(*rows, strict=True)
    columns = (np.array(column, np.int32) for column in (query, tracks, reference))
    return Hits(*columns, np.array(scores, np.float32))


def test_places_are_seconds_of_the_channels_frames() -> None:
    found = vote(hits(*[(frame, 7, frame + 500) for frame in range(20)]), landmark_channel(0.02))
    assert found[0].start == pytest.approx(500 * 0.02, abs=2 * 0.02)


def test_a_weighted_vote_is_by_how_much_a_hit_is_nearer_than_the_last_one() -> None:
    found = votes_of(scored((0, 1, 5, 0.9), (0, 2, 9, 0.5), (4, 1, 9, 0.7), (4, 3, 1, 0.8)))
    assert found == pytest.approx(np.array([0.4, 0.0, 0.0, 0.1]) + EVEN_CHANCE, abs=1e-6)


def test_few_near_hits_outweigh_many_far_ones() -> None:
    far = [(frame, 2, frame + 800, 0.31) for frame in range(0, 40, 4)]
    near = [(frame, 1, frame + 160, 0.9) for frame in range(0, 12, 4)]
    floor = [(frame, 3, 97 * frame + 5, 0.3) for frame in range(0, 40, 4)]
    best = vote(scored(*far, *near, *floor), VECTORS)[0]
    assert (best.track, best.start) == (1, pytest.approx(160 * 0.25, abs=2.0))


def test_bins_to_both_sides_count_where_the_rule_says_so() -> None:
    rows = scored((0, 1, 4, 0.5), (0, 1, 12, 0.5), (0, 1, 20, 0.5))
    heights = {
        guess.start: guess.votes for guess in vote(rows, replace(VECTORS, votes=replace(VECTORS.votes, per_track=3)))
    }
    assert sorted(heights.values()) == pytest.approx([2 * EVEN_CHANCE, 2 * EVEN_CHANCE, 3 * EVEN_CHANCE])
    assert max(heights, key=lambda start: heights[start]) == sorted(heights)[1]


def test_no_more_candidates_are_told_than_the_rule_allows() -> None:
    many = scored(*[(0, track, 100 * track, 0.5) for track in range(20)])
    assert len(vote(many, VECTORS)) == VECTORS.votes.limit


def test_hits_that_are_alone_are_passed_over_when_there_are_many_others() -> None:
    alone = hits(*[(0, track, 1_000 * track) for track in range(5)])
    together = hits(
        *[(frame, 9, frame + 300) for frame in range(5)], *[(0, track, 1_000 * track) for track in range(5)]
    )
    assert len(landmarks_vote(alone, limit=5)) == 5  # few hits: none is passed over
    assert {guess.track for guess in landmarks_vote(together, limit=5)} == {9}


def test_tracks_come_with_the_most_votes_first_each_once() -> None:
    assert tracks_by_votes(scored((0, 1, 5, 0.9), (0, 2, 9, 0.5), (4, 2, 9, 0.7), (4, 3, 1, 0.8), (4, 1, 1, 0.7))) == [
        1,
        3,
        2,
    ]


# --- along several speeds

QUADS = quad_channel(1.0)


@pytest.mark.parametrize("speed", [0.75, 0.92, 1.0, 1.15, 1.25])
def test_hits_of_a_faster_or_slower_clip_agree_along_its_speed(speed: float) -> None:
    line = [(frame, 7, round(500 + speed * frame)) for frame in range(0, 320, 8)]
    chance = [(frame % 320, 8, 37 * frame % 3_000) for frame in range(0, 2_000, 10)]
    best = vote_along(hits(*line, *chance), QUADS, SPEEDS)[0]
    assert best.track == 7
    assert best.start + best.speed * 160 == pytest.approx(500 + speed * 160, abs=14)  # in the clip's middle
    assert best.speed == pytest.approx(speed, rel=0.1)
    assert best.votes > 30


def test_a_hit_counts_once_however_many_keys_name_it() -> None:
    loud = [(5, 3, 905)] * 40
    line = [(frame, 7, 500 + frame) for frame in range(0, 40, 4)]
    assert vote_along(hits(*loud, *line), QUADS, SPEEDS)[0].track == 7


def test_candidates_along_all_speeds_lie_apart_in_the_clips_middle_or_in_speed() -> None:
    line = [(frame, 7, 500 + frame) for frame in range(0, 320, 4)]
    found = [one for one in vote_along(hits(*line), QUADS, SPEEDS) if one.track == 7]
    assert 1 < len(found) <= QUADS.votes.per_track
    for one, other in combinations(found, 2):
        apart = abs(one.start + one.speed * 158 - other.start - other.speed * 158)
        assert apart >= QUADS.votes.apart_seconds or abs(one.speed / other.speed - 1) > SAME_SPEED / 2


def test_a_taller_bin_at_a_wrong_speed_does_not_hide_the_right_one() -> None:
    right = [(frame, 7, round(500 + 0.75 * frame)) for frame in range(0, 320, 16)]
    wrong = [(frame, 7, round(620 + 1.1 * (frame - 160))) for frame in range(3, 320, 8)]  # through the same middle
    found = [one for one in vote_along(hits(*right, *wrong), QUADS, SPEEDS) if one.track == 7]
    assert abs(found[0].speed / 0.75 - 1) > SAME_SPEED
    assert any(abs(one.speed / 0.75 - 1) <= SAME_SPEED for one in found)


def test_without_hits_nothing_is_named_at_any_speed() -> None:
    assert vote_along(hits(), QUADS, SPEEDS) == []
