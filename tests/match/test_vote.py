"""The coarse search finds the lines that hits agree on."""

from __future__ import annotations

import numpy as np
from earmark.match.vote import A_TRACK, APART_FRAMES, vote

from earmark.types import Hits


def hits(*rows: tuple[int, int, int]) -> Hits:
    query, tracks, reference = np.array(rows, np.int32).reshape(-1, 3).T
    return Hits(query, tracks, reference, np.ones(len(query), np.float32))


def test_the_line_with_most_hits_comes_first() -> None:
    line = [(frame, 7, frame + 500) for frame in range(0, 100, 10)]
    chance = [(frame, 8, 37 * frame % 1_000) for frame in range(0, 200, 10)]
    best = vote(hits(*line, *chance), limit=5)[0]
    assert best.track == 7
    assert abs(best.offset - 500) <= 2
    assert best.votes == 10


def test_hits_that_jitter_over_a_bin_border_count_together() -> None:
    line = [(frame, 7, frame + 500 + frame % 2) for frame in range(20)]
    assert vote(hits(*line), limit=1)[0].votes == 20


def test_a_clip_may_begin_before_the_track() -> None:
    best = vote(hits(*[(frame, 1, frame - 40) for frame in range(40, 60)]), limit=1)[0]
    assert abs(best.offset + 40) <= 2


def test_candidates_of_a_track_lie_apart_and_leave_room_for_other_tracks() -> None:
    loop = [(0, 1, 100 * place) for place in range(20) for _ in range(3)]
    found = vote(hits(*loop, *[(0, 2, 50)] * 3), limit=10)
    mine = [candidate.offset for candidate in found if candidate.track == 1]
    assert len(mine) == A_TRACK
    assert min(abs(a - b) for a in mine for b in mine if a != b) >= APART_FRAMES
    assert 2 in [candidate.track for candidate in found]


def test_equal_votes_come_in_order_of_track_and_time() -> None:
    found = vote(hits((0, 9, 10), (0, 3, 800), (0, 3, 30)), limit=3)
    assert [candidate.track for candidate in found] == [3, 3, 9]
    assert found[0].offset < found[1].offset


def test_no_hits_have_no_candidates() -> None:
    assert vote(hits(), limit=5) == []
