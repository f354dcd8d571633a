"""Nearest neighbours of a clip's segments in all tracks: what similarities along a diagonal are held against."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest

from earmark.match.compare.neighbours import ON_DIAGONAL_HOPS, Neighbours
from earmark.match.compare.vectors import Diagonal
from earmark.types import Hits
from tests.match.compare.segments import HOP, NEAREST, STORED_HOP, TRACKS, Asked, ask, mixed, played, segments, sound
from tests.match.compare.segments import nearest as exact_nearest


def share(asked: Asked, diagonal: Diagonal, duplicates: Collection[int] = ()) -> float:
    return asked.neighbours.share_on(diagonal.track, diagonal.offset, diagonal.speed, duplicates)


def margin(asked: Asked, diagonal: Diagonal, duplicates: Collection[int] = ()) -> float:
    return asked.neighbours.margin(diagonal.track, diagonal.rows, diagonal.similarities, duplicates)


def margins(asked: Asked, diagonal: Diagonal, duplicates: Collection[int] = ()) -> list[float]:
    """Segment by segment."""
    return [
        asked.neighbours.margin(
            diagonal.track, diagonal.rows[one : one + 1], diagonal.similarities[one : one + 1], duplicates
        )
        for one in range(len(diagonal.rows))
    ]


@pytest.mark.parametrize("seed", range(4))
def test_the_share_on_a_diagonal_is_what_a_plain_loop_counts(seed: int) -> None:
    asked = ask(mixed(played(TRACKS[2], 203 + seed, 159), 2.0, seed), TRACKS)
    hits = asked.hits
    for diagonal in asked.diagonals():
        on = []
        for frame in asked.clip.frames:
            own = [place for place in range(len(hits)) if hits.query_frames[place] == frame]
            best = max(own, key=lambda place: hits.scores[place])
            there = diagonal.offset + diagonal.speed * frame
            near = abs(hits.reference_frames[best] - there) <= ON_DIAGONAL_HOPS * HOP
            on.append(bool(near and hits.tracks[best] == diagonal.track))
        assert share(asked, diagonal) == pytest.approx(np.mean(on))


def test_a_duplicate_leaves_a_diagonals_share_and_its_margin_as_they_are_without_it() -> None:
    clip = mixed(played(TRACKS[2], 203, 159), 1.0)
    alone, beside = (ask(clip, tracks, count=2 * NEAREST) for tracks in (TRACKS, [TRACKS[2], *TRACKS]))
    [diagonal] = [diagonal for diagonal in alone.diagonals() if diagonal.track == 2]
    [same] = [diagonal for diagonal in beside.diagonals() if diagonal.track == 3]
    assert share(beside, same) == 0.0
    assert max(margins(beside, same)) < 0.1
    assert share(beside, same, [0]) == share(alone, diagonal) > 0.8
    assert margins(beside, same, [0]) == pytest.approx(margins(alone, diagonal))
    assert margin(beside, same, [0]) == pytest.approx(margin(alone, diagonal))


@pytest.mark.parametrize("seed", range(4))
def test_what_exceeds_other_tracks_is_what_a_plain_loop_says(seed: int) -> None:
    asked = ask(mixed(played(TRACKS[2], 203 + seed, 159), 2.0, seed), TRACKS, count=5)
    hits, frames = asked.hits, asked.clip.frames
    for diagonal in asked.diagonals():
        above = margins(asked, diagonal)
        for row, similarity, beyond in zip(diagonal.rows, diagonal.similarities, above, strict=True):
            own = hits.query_frames == frames[row]
            others = hits.scores[own & (hits.tracks != diagonal.track)]
            best = max(others.tolist(), default=float(hits.scores[own].min()))
            assert beyond == pytest.approx(similarity - best, abs=1e-6)
        assert margin(asked, diagonal) == pytest.approx(np.mean(above), abs=1e-6)


def test_a_clip_that_is_like_nothing_is_near_to_nothing() -> None:
    known, unknown = (ask(clip, TRACKS) for clip in (played(TRACKS[2], 203, 159), sound(159, 60)))
    assert unknown.neighbours.background < 0.25
    assert known.neighbours.background < 0.25  # of each segment, the twentieth neighbour
    hits = known.hits
    last = [hits.scores[hits.query_frames == frame].min() for frame in known.clip.frames]
    assert known.neighbours.background == pytest.approx(float(np.mean(last)), abs=1e-6)


def test_a_segment_that_was_not_looked_up_lies_on_diagonals_all_the_same_and_says_nothing_of_others() -> None:
    clip = segments(played(TRACKS[2], 203, 159), HOP, margin=8)
    tracks = {2: segments(TRACKS[2], STORED_HOP)}
    hits = exact_nearest(clip, tracks)
    some = hits.query_frames >= 40
    fewer = Hits(hits.query_frames[some], hits.tracks[some], hits.reference_frames[some], hits.scores[some])
    asked = Asked(clip, tracks, fewer)
    [diagonal] = asked.diagonals()
    assert diagonal.offset == pytest.approx(203, abs=1.5)
    assert share(asked, diagonal) > 0.9
    late = clip.frames[diagonal.rows] >= 40
    assert 0 < late.sum() < len(late)
    looked_up = [above for above, is_late in zip(margins(asked, diagonal), late, strict=True) if is_late]
    assert margin(asked, diagonal) == pytest.approx(np.mean(looked_up), abs=1e-6)
    last = hits.scores[some].reshape(-1, 20)[:, -1]
    assert asked.neighbours.background == pytest.approx(float(last.mean()), abs=1e-6)


def test_where_nothing_was_looked_up_nothing_is_near() -> None:
    nothing = Neighbours(None, None, 3, HOP)
    assert nothing.background == 0.0
    assert nothing.share_on(7, 0.0, 1.0, ()) == 0.0
    assert nothing.margin(7, np.arange(3), np.full(3, 0.5, np.float32), ()) == 0.5
