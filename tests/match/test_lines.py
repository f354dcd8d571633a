"""Lines of time through nearest neighbours: hand-made sound of which every segment's place is known.

The sound is a row of random vectors, one a frame, and a segment's vector is the sum over its 32 frames. So two
segments k frames apart have a cosine of 1 - k / 32, and other sound has about nought.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from earmark.match.lines import (
    A_TRACK,
    MOST_CANDIDATES,
    ON_LINE_HOPS,
    WIDE_SPEEDS,
    Line,
    QueryLines,
    Segments,
    best_lines,
)

from earmark.types import Hits

LENGTH, STORED_HOP, HOP = 32, 16, 4  # frames
DIMENSIONS = 128
NEAREST = 20


def sound(frames: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, DIMENSIONS))


def silence(frames: int) -> np.ndarray:
    return np.zeros((frames, DIMENSIONS))


def mixed(clip: np.ndarray, amount: float, seed: int = 99) -> np.ndarray:
    """A clip with other sound over it, `amount` times as loud."""
    return clip + amount * sound(len(clip), seed)


def played(track: np.ndarray, start: float, frames: int, *, speed: float = 1.0) -> np.ndarray:
    """What is heard of a track from a frame on, at a speed."""
    return track[np.rint(start + speed * np.arange(frames)).astype(int)]


def segments(of: np.ndarray, hop: int, *, margin: int = 0) -> Segments:
    """As a fingerprinter makes them, silent ones left out."""
    padded = np.concatenate([silence(margin), of, silence(margin)])
    sums = np.array([padded[start : start + LENGTH].sum(axis=0) for start in range(0, len(padded) - LENGTH + 1, hop)])
    frames = np.arange(len(sums), dtype=np.int32) * hop - margin
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    heard = norms[:, 0] > 0
    return Segments(frames[heard], (sums[heard] / norms[heard]).astype(np.float32))


@dataclass(frozen=True)
class Asked:
    """A clip's lines among some tracks."""

    query: QueryLines
    tracks: Mapping[int, Segments]

    def lines(self, **options: tuple[float, ...]) -> list[Line]:
        return lines_of(self.query, self.tracks.__getitem__, **options)


def lines_of(query: QueryLines, reference: Callable[[int], Segments], **options: tuple[float, ...]) -> list[Line]:
    return [line for line, _ in best_lines(query, query.candidates(), reference, **options)]


def nearest(clip: Segments, tracks: Mapping[int, Segments], count: int = NEAREST) -> Hits:
    """What an exact index finds."""
    numbers = np.repeat(list(tracks), [len(track.frames) for track in tracks.values()])
    frames = np.concatenate([track.frames for track in tracks.values()])
    products = clip.vectors @ np.concatenate([track.vectors for track in tracks.values()]).T
    best = np.argsort(-products, axis=1, kind="stable")[:, :count]
    return Hits(
        np.repeat(clip.frames, best.shape[1]),
        numbers[best].ravel().astype(np.int32),
        frames[best].ravel(),
        np.take_along_axis(products, best, axis=1).ravel(),
    )


def ask(clip: np.ndarray, sounds: Sequence[np.ndarray], *, count: int = NEAREST, margin: int = 12) -> Asked:
    tracks = {number: segments(one, STORED_HOP) for number, one in enumerate(sounds)}
    looked_up = segments(clip, HOP, margin=margin)
    hits = nearest(looked_up, tracks, count)
    return Asked(QueryLines(looked_up, hits, hop_frames=HOP, stored_hop_frames=STORED_HOP), tracks)


TRACKS = [sound(900, seed) for seed in range(5)]


@pytest.mark.parametrize("start", [0, 16, 100, 203, 450, 573, 741])
@pytest.mark.parametrize("frames", [32, 64, 159])
def test_a_clip_lies_where_it_was_taken_from(start: int, frames: int) -> None:
    best, *others = ask(mixed(played(TRACKS[2], start, frames), 0.7), TRACKS).lines()
    assert best.track == 2
    assert best.speed == 1.0
    assert best.offset == pytest.approx(start, abs=HOP)
    assert all(line.score < best.score for line in others)
    assert [line.score for line in others] == sorted((line.score for line in others), reverse=True)


@pytest.mark.parametrize("start", range(200, 216))
def test_its_place_is_known_to_a_fraction_of_a_hop(start: int) -> None:
    best = ask(mixed(played(TRACKS[2], start, 159), 0.5), TRACKS).lines()[0]
    assert best.offset == pytest.approx(start, abs=1.5)


@pytest.mark.parametrize("start", range(200, 216))
def test_a_short_clip_is_not_moved_to_reach_one_more_stored_segment(start: int) -> None:
    best = ask(mixed(played(TRACKS[2], start, 32), 0.3), TRACKS).lines()[0]
    assert best.track == 2
    assert best.offset == pytest.approx(start, abs=HOP)


def test_similarities_are_the_cosines_of_the_segments_on_the_line() -> None:
    asked = ask(mixed(played(TRACKS[2], 203, 159), 0.7), TRACKS)
    best = asked.lines()[0]
    assert len(best.rows) == len(best.similarities)
    for row, similarity in zip(best.rows, best.similarities, strict=True):
        there = best.offset + asked.query.segments.frames[row]
        stored = int(np.abs(asked.tracks[2].frames - there).argmin())
        assert abs(asked.tracks[2].frames[stored] - there) <= HOP
        product = asked.query.segments.vectors[row] @ asked.tracks[2].vectors[stored]
        assert similarity == pytest.approx(float(product), abs=1e-5)
    # Stored segments are 16 frames apart and the clip has 160 and margins of 8.
    assert len(best.rows) in (9, 10, 11)
    assert best.score == pytest.approx(best.similarities.sum() / max(len(best.rows), (159 + 16 - 32) / 16), abs=0.05)


@pytest.mark.parametrize("speed", [0.96, 0.98, 1.02, 1.04])
def test_a_usual_change_of_speed_is_found_about_the_middle_of_the_clip(speed: float) -> None:
    best = ask(mixed(played(TRACKS[1], 150, 600, speed=speed), 0.5), TRACKS).lines()[0]
    assert best.track == 1
    assert best.speed == speed
    # Segments have their own middles on the line of time, 16 frames after their beginnings.
    for frame in (0, 300, 568):
        middle = 150 + speed * (frame + LENGTH / 2)
        assert best.offset + best.speed * frame + LENGTH / 2 == pytest.approx(middle, abs=5)


def test_a_larger_change_of_speed_is_found_when_it_is_asked_for() -> None:
    asked = ask(mixed(played(TRACKS[1], 150, 320, speed=1.08), 0.5), TRACKS)
    best = asked.lines(speeds=WIDE_SPEEDS)[0]
    assert (best.track, best.speed) == (1, 1.08)
    assert best.score > asked.lines()[0].score


def test_a_short_clip_is_not_said_to_be_faster_without_need() -> None:
    for seed in range(20):
        clip = mixed(played(TRACKS[seed % 5], 30 * seed, 64), 1.0, seed=seed + 50)
        best = ask(clip, TRACKS).lines()[0]
        assert (best.track, best.speed) == (seed % 5, 1.0)


def test_a_recording_that_is_there_twice_has_a_line_in_each_track() -> None:
    tracks = [*TRACKS, np.concatenate([sound(160, 77), TRACKS[2]])]
    first, second, *others = ask(mixed(played(TRACKS[2], 203, 159), 0.7), tracks).lines()
    assert (first.track, second.track) == (2, 5)
    assert (first.offset, second.offset) == pytest.approx((203, 363), abs=1.5)
    assert first.score == pytest.approx(second.score, abs=1e-3)
    assert all(line.score < first.score - 0.3 for line in others)


def test_of_equal_lines_the_lower_track_comes_first() -> None:
    found = ask(played(TRACKS[2], 203, 159), [TRACKS[0], TRACKS[2], TRACKS[1], TRACKS[2]]).lines()
    assert [line.track for line in found[:2]] == [1, 3]


def test_no_line_reaches_across_the_border_of_two_tracks() -> None:
    # One recording, cut in two in the middle of the clip: each half has what it has, and no more.
    whole = sound(640, 20)
    first, second = ask(whole[240:400], [whole[:320], whole[320:], *TRACKS]).lines()[:2]
    assert {first.track, second.track} == {0, 1}
    assert sorted([first.offset, second.offset]) == pytest.approx([-80, 240], abs=HOP)
    for line in (first, second):
        assert line.similarities.min() > 0.5
        assert line.score == pytest.approx(0.5, abs=0.12)


def test_one_segment_at_the_end_of_a_track_does_not_beat_a_whole_line() -> None:
    clip = mixed(played(TRACKS[2], 203, 159), 1.5)
    # A track whose last segment is the clip's beginning, without the noise's other sound.
    ends = np.concatenate([sound(320, 30), clip[:32]])
    begins = np.concatenate([clip[-32:], sound(320, 31)])
    asked = ask(clip, [*TRACKS, ends, begins])
    found = asked.lines()
    assert found[0].track == 2
    touching = {line.track: line for line in found if line.track > 4}
    assert max(float(line.similarities.max()) for line in touching.values()) > 0.7
    assert all(line.score < 0.35 for line in touching.values())


def test_a_loop_has_one_line_and_leaves_room_for_others() -> None:
    phrase = sound(80, 40)
    loop = np.tile(phrase, (12, 1))
    asked = ask(mixed(np.tile(phrase, (2, 1)), 0.4), [loop, *TRACKS])
    candidates = list(asked.query.candidates())
    assert max(np.bincount([candidate.track for candidate in candidates])) <= A_TRACK
    assert len(candidates) <= MOST_CANDIDATES
    found = asked.lines()
    assert found[0].track == 0
    assert found[0].offset % 80 == pytest.approx(0, abs=1.5) or found[0].offset % 80 > 78.5
    assert len({(line.track, round(line.offset / HOP)) for line in found}) == len(found)


def test_candidates_come_with_the_most_votes_first() -> None:
    asked = ask(mixed(played(TRACKS[2], 203, 159), 0.7), TRACKS)
    candidates = list(asked.query.candidates())
    assert candidates[0].track == 2
    assert candidates[0].offset == pytest.approx(203, abs=3 * HOP)
    votes = [candidate.votes for candidate in candidates]
    assert votes == sorted(votes, reverse=True)
    assert all(vote > 0 for vote in votes)


def test_tracks_come_with_the_most_votes_first_each_once() -> None:
    asked = ask(mixed(played(TRACKS[2], 203, 159), 0.7), TRACKS)
    tracks = asked.query.tracks()
    assert tracks[0] == 2
    assert sorted(tracks) == sorted(set(tracks))
    assert {candidate.track for candidate in asked.query.candidates()} <= set(tracks)


def test_silence_in_the_clip_costs_nothing_where_the_track_is_silent_too() -> None:
    track = np.concatenate([TRACKS[0][:320], silence(128), TRACKS[0][320:]])
    asked = ask(track[240:528], [*TRACKS[1:], track])
    best = asked.lines()[0]
    assert (best.track, best.speed) == (4, 1.0)
    assert best.offset == pytest.approx(240, abs=1.5)
    assert len(best.rows) < len(asked.query.segments.frames) / 3
    assert best.score > 0.9


def test_a_gap_in_the_clip_costs_nothing_but_what_it_hides() -> None:
    clip = played(TRACKS[2], 203, 256).copy()
    clip[80:176] = 0.0
    best, *others = ask(clip, TRACKS).lines()
    assert best.track == 2
    assert best.offset == pytest.approx(203, abs=HOP)
    assert best.score > 0.8
    assert all(line.score < 0.35 for line in others)


def test_rows_are_those_of_the_frames_and_minus_one_where_there_is_no_segment() -> None:
    clip = played(TRACKS[2], 203, 256).copy()
    clip[80:176] = 0.0
    query = ask(clip, TRACKS).query
    frames = query.segments.frames
    assert query.rows_at(frames.astype(np.float64)).tolist() == list(range(len(frames)))
    assert query.rows_at(frames + 1.9).tolist() == list(range(len(frames)))
    missing = np.setdiff1d(np.arange(frames[0], frames[-1], HOP), frames)
    assert len(missing) > 10
    assert (query.rows_at(missing.astype(np.float64)) == -1).all()
    assert query.rows_at(np.array([-1e6, frames[0] - 3.0, frames[-1] + 3.0, 1e6])).tolist() == [-1] * 4


@pytest.mark.parametrize("seed", range(4))
def test_the_share_on_a_line_is_what_a_plain_loop_counts(seed: int) -> None:
    asked = ask(mixed(played(TRACKS[2], 203 + seed, 159), 2.0, seed), TRACKS)
    hits = asked.query._hits
    for line in asked.lines():
        on = []
        for frame in asked.query.segments.frames:
            own = [place for place in range(len(hits)) if hits.query_frames[place] == frame]
            best = max(own, key=lambda place: hits.scores[place])
            there = line.offset + line.speed * frame
            near = abs(hits.reference_frames[best] - there) <= ON_LINE_HOPS * HOP
            on.append(bool(near and hits.tracks[best] == line.track))
        assert asked.query.share_on(line) == pytest.approx(np.mean(on))


def test_a_copy_leaves_a_lines_share_and_its_margin_as_they_are_without_it() -> None:
    clip = mixed(played(TRACKS[2], 203, 159), 1.0)
    alone, beside = (ask(clip, tracks, count=2 * NEAREST) for tracks in (TRACKS, [TRACKS[2], *TRACKS]))
    [line] = [line for line in alone.lines() if line.track == 2]
    [same] = [line for line in beside.lines() if line.track == 3]
    assert beside.query.share_on(same) == 0.0
    assert beside.query.beyond_others(same).max() < 0.1
    assert beside.query.share_on(same, copies=[0]) == alone.query.share_on(line) > 0.8
    assert beside.query.beyond_others(same, copies=[0]) == pytest.approx(alone.query.beyond_others(line))


@pytest.mark.parametrize("seed", range(4))
def test_what_exceeds_other_tracks_is_what_a_plain_loop_says(seed: int) -> None:
    asked = ask(mixed(played(TRACKS[2], 203 + seed, 159), 2.0, seed), TRACKS, count=5)
    hits, frames = asked.query._hits, asked.query.segments.frames
    for line in asked.lines():
        for row, similarity, beyond in zip(line.rows, line.similarities, asked.query.beyond_others(line), strict=True):
            own = hits.query_frames == frames[row]
            others = hits.scores[own & (hits.tracks != line.track)]
            best = max(others.tolist(), default=float(hits.scores[own].min()))
            assert beyond == pytest.approx(similarity - best, abs=1e-6)


def test_a_clip_that_is_like_nothing_is_near_to_nothing() -> None:
    known, unknown = (ask(clip, TRACKS).query for clip in (played(TRACKS[2], 203, 159), sound(159, 60)))
    assert unknown.nearness < 0.25
    assert known.nearness < 0.25  # of each segment, the twentieth neighbour
    hits = known._hits
    last = [hits.scores[hits.query_frames == frame].min() for frame in known.segments.frames]
    assert known.nearness == pytest.approx(float(np.mean(last)), abs=1e-6)


def test_a_segment_that_was_not_looked_up_lies_on_lines_all_the_same_and_says_nothing_of_others() -> None:
    clip = segments(played(TRACKS[2], 203, 159), HOP, margin=8)
    tracks = {2: segments(TRACKS[2], STORED_HOP)}
    hits = nearest(clip, tracks)
    some = hits.query_frames >= 40
    fewer = Hits(hits.query_frames[some], hits.tracks[some], hits.reference_frames[some], hits.scores[some])
    query = QueryLines(clip, fewer, hop_frames=HOP, stored_hop_frames=STORED_HOP)
    [line] = lines_of(query, tracks.__getitem__)
    assert line.offset == pytest.approx(203, abs=1.5)
    assert query.share_on(line) > 0.9
    late = clip.frames[line.rows] >= 40
    assert 0 < late.sum() < len(late)
    assert len(query.beyond_others(line)) == late.sum()
    asked = hits.scores[some].reshape(-1, 20)[:, -1]
    assert query.nearness == pytest.approx(float(asked.mean()), abs=1e-6)


@pytest.mark.parametrize("frames", [32, 33, 40])
def test_one_segment_is_enough_for_a_line(frames: int) -> None:
    clip = played(TRACKS[3], 320, frames)
    tracks = {number: segments(one, STORED_HOP) for number, one in enumerate(TRACKS)}
    alone = segments(clip, STORED_HOP)
    query = QueryLines(alone, nearest(alone, tracks), hop_frames=HOP, stored_hop_frames=STORED_HOP)
    best = lines_of(query, tracks.__getitem__)[0]
    assert best.track == 3
    assert best.offset == pytest.approx(320, abs=HOP)
    assert best.score == pytest.approx(1.0, abs=0.01)


def test_a_track_without_stored_segments_there_has_no_line() -> None:
    asked = ask(played(TRACKS[2], 203, 159), TRACKS)
    gone = Segments(np.zeros(0, np.int32), np.zeros((0, DIMENSIONS), np.float32))
    reference: Callable[[int], Segments] = lambda track: gone if track == 2 else asked.tracks[track]  # noqa: E731
    assert 2 not in {line.track for line in lines_of(asked.query, reference)}


def test_what_a_reference_raises_comes_through() -> None:
    def broken(track: int) -> Segments:
        raise LookupError(f"{track} is gone")

    with pytest.raises(LookupError, match="is gone"):
        lines_of(ask(played(TRACKS[2], 203, 159), TRACKS).query, broken)
