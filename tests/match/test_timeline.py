"""A timeline: windows that are laid as sound comes, and what explains the sound that they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from earmark.distort.timing import change_speed
from earmark.match.heard import HeardSound
from earmark.match.lines import Line
from earmark.match.passages import Passage
from earmark.match.protocol import Options
from earmark.match.rivals import DECISIVE_Z
from earmark.match.stretches import Stretch
from earmark.match.timeline import KEPT_SECONDS, REMEMBERED_SECONDS, Timeline
from earmark.match.votes import Guess
from earmark.match.windows import WINDOW_SECONDS
from earmark.types import Fingerprint
from tests.match.shelf import MemorySearch, Shelf, cut, shelf_of, with_noise

RATE = 11_025
SEVERAL = Options(several=True)


def piece(shelf: Shelf, number: int, start: float, seconds: float) -> np.ndarray:
    """A part of a recording; all are as loud."""
    sound = cut(shelf.sounds[number], start, seconds, rate=RATE)
    return sound / sound.std()


def timeline(shelf: Shelf) -> Timeline:
    return Timeline(shelf.matcher(), SEVERAL)


def heard(shelf: Shelf, sound: np.ndarray, *, every: float = 0.0) -> Timeline:
    """What is known of a sound that is heard at once, or as it arrives."""
    one = timeline(shelf)
    if not every:
        one.hear(shelf.asked(sound), shelf.index, since=0.0, final=True)
        return one
    arriving(shelf, one, sound, every=every)
    return one


def arriving(shelf: Shelf, one: Timeline, sound: np.ndarray, *, every: float) -> list[float]:
    """Hear a sound as it arrives, asking each time, and return from which second on each next one was wanted."""
    stream, since = shelf.maker.stream(query=True), [0.0]
    blocks = np.split(sound.astype(np.float32), range(round(every * RATE), len(sound), round(every * RATE)))
    for number, block in enumerate(blocks, start=1):
        stream.push(block)
        final = number == len(blocks)
        since.append(one.hear(stream.take(since_seconds=since[-1]), shelf.index, since=since[-1], final=final))
        one.passages()
    return since


def told(one: Timeline) -> list[tuple[int, float, float]]:
    return [(passage.track, passage.query_start, passage.query_end) for passage in one.passages()]


def tracks(passages: Sequence[Passage]) -> list[int]:
    return [passage.track for passage in passages]


def test_before_anything_is_heard_there_is_nothing(landmarks: Shelf) -> None:
    assert timeline(landmarks).passages() == []
    assert timeline(landmarks).seconds == 0.0


def test_passages_follow_one_another_with_their_borders(landmarks: Shelf) -> None:
    sound = np.concatenate([piece(landmarks, number, 2.0, 11.3) for number in (3, 2, 5)])
    one = heard(landmarks, sound)
    found = one.passages()
    assert tracks(found) == [3, 2, 5]
    for number, passage in enumerate(found):
        assert passage.query_start == pytest.approx(11.3 * number, abs=0.5)
        assert passage.query_end == pytest.approx(11.3 * (number + 1), abs=0.5)
        assert passage.reference_at(11.3 * number) == pytest.approx(2.0, abs=0.05)
        assert passage.speed == pytest.approx(1.0, abs=0.002)
    assert found[0].query_start == 0.0
    assert found[-1].query_end == one.seconds  # those at the ends reach them
    assert one.passages() == found  # asking changes nothing


def test_all_that_is_told_are_plain_numbers(landmarks: Shelf) -> None:
    sound = np.concatenate([piece(landmarks, number, 2.0, 11.3) for number in (3, 2)])
    for passage in heard(landmarks, sound).passages():
        numbers = (
            passage.log_odds,
            passage.query_start,
            passage.query_end,
            passage.reference_start,
            passage.reference_end,
            passage.speed,
            passage.position_error,
        )
        assert {type(number) for number in numbers} == {float}


def test_where_a_passage_ends_is_where_its_speed_leads(landmarks: Shelf) -> None:
    sound = np.concatenate([piece(landmarks, number, 2.0, 14.0) for number in (5, 3)])
    for passage in heard(landmarks, sound).passages():
        assert passage.reference_at(passage.query_end) == pytest.approx(passage.reference_end, abs=0.02)


@pytest.mark.parametrize("every", [1.0, 4.0, 9.0])
def test_sound_that_arrives_is_explained_as_it_is_at_once(landmarks: Shelf, every: float) -> None:
    sound = np.concatenate([piece(landmarks, 3, 2.0, 13.0), piece(landmarks, 2, 2.0, 12.4)])
    arrived, at_once = told(heard(landmarks, sound, every=every)), told(heard(landmarks, sound))
    assert [track for track, *_ in arrived] == [track for track, *_ in at_once] == [3, 2]
    for one, other in zip(arrived, at_once, strict=True):
        assert one[1:] == pytest.approx(other[1:], abs=0.3)


def test_the_last_seconds_are_heard_though_windows_had_settled_before(landmarks: Shelf) -> None:
    one = timeline(landmarks)
    sound = landmarks.asked(np.concatenate([piece(landmarks, 3, 2.0, 10.0), piece(landmarks, 2, 2.0, 4.9)]))
    one.hear(sound.between(0.0, 12.5), landmarks.index, since=0.0, final=False)
    one.hear(sound, landmarks.index, since=0.0, final=True)
    first, last = told(one)
    assert first == (3, 0.0, pytest.approx(10.0, abs=0.5))
    assert last == (2, pytest.approx(10.0, abs=0.5), pytest.approx(14.9, abs=0.01))


def test_two_recordings_at_once_are_both_told_to_their_ends(landmarks: Shelf) -> None:
    both = piece(landmarks, 3, 2.0, 18.0)
    both[round(4.0 * RATE) : round(14.0 * RATE)] += piece(landmarks, 2, 5.0, 10.0)
    found = sorted(told(heard(landmarks, both)))
    assert [track for track, *_ in found] == [2, 3]
    assert found[0][1:] == pytest.approx((4.0, 14.0), abs=1.5)
    assert found[1][1:] == pytest.approx((0.0, 18.0), abs=0.5)


def test_two_at_once_that_arrive_stay_told(landmarks: Shelf) -> None:
    """What was heard beside another recording is not forgotten with the sound."""
    both = piece(landmarks, 3, 0.0, 24.0)
    both[: round(10.0 * RATE)] += piece(landmarks, 2, 5.0, 10.0)
    at_once, arrived = told(heard(landmarks, both)), told(heard(landmarks, both, every=3.0))
    assert {track for track, *_ in at_once} == {2, 3}
    assert {track for track, *_ in arrived} == {2, 3}


def test_a_jingle_over_a_song_that_arrives_does_not_take_its_place(landmarks: Shelf) -> None:
    """Each is told as itself at every look, also when the beginning of both is not kept any longer."""
    both = np.concatenate([piece(landmarks, 3, 0.0, 25.0), piece(landmarks, 3, 0.0, 25.0)])
    both[round(8.0 * RATE) : round(14.0 * RATE)] += piece(landmarks, 2, 5.0, 6.0)
    one = timeline(landmarks)
    stream, since = landmarks.maker.stream(query=True), 0.0
    for block in np.split(both.astype(np.float32), range(5 * RATE, len(both), 5 * RATE)):
        stream.push(block)
        since = one.hear(stream.take(since_seconds=since), landmarks.index, since=since, final=False)
        songs = [passage for passage in one.passages() if passage.track == 3]
        jingles = [passage for passage in one.passages() if passage.track == 2]
        assert [passage.query_start for passage in songs][:1] == [0.0]
        assert [passage.query_end for passage in songs][-1:] == [pytest.approx(one.seconds, abs=1.0)]
        assert len(jingles) == (one.seconds > 10.0)
        assert all(passage.query_end - passage.query_start < 8.0 for passage in jingles)


def test_a_recording_that_a_louder_one_hides_is_looked_up_in_what_that_leaves(with_peaks: Shelf) -> None:
    loud = cut(with_peaks.sounds[0], 2.0, 15.0) / with_peaks.sounds[0].std()
    soft = cut(with_peaks.sounds[2], 5.0, 15.0) / with_peaks.sounds[2].std()
    found = told(heard(with_peaks, loud + soft * 10 ** (-8 / 20)))
    assert sorted(track for track, *_ in found) == [0, 2]


def test_a_line_is_followed_back_to_before_the_window_that_names_it(landmarks: Shelf) -> None:
    """The index knows the second half of the recording alone."""
    index = MemorySearch(landmarks.plan)
    frame = landmarks.plan.channels[0].frame_seconds
    for number, fingerprint in landmarks.fingerprints.items():
        first = 14.0 if number == 2 else 0.0
        index.add(number, landmarks.maker.keys(fingerprint), lambda frames, first=first: frames * frame >= first)
    sound = np.concatenate([piece(landmarks, 3, 2.0, 8.0), piece(landmarks, 2, 3.0, 18.0)])
    found = told(heard(landmarks.with_index(index), sound))
    assert [track for track, *_ in found] == [3, 2]
    assert found[1][1:] == pytest.approx((8.0, 26.0), abs=0.5)


def test_silence_and_unknown_sound_are_explained_by_nothing(landmarks: Shelf, whole_sounds: list[np.ndarray]) -> None:
    noise = np.random.default_rng(2).normal(size=20 * RATE) * 0.1
    for nothing in (np.zeros(20 * RATE), noise, whole_sounds[6], whole_sounds[7]):
        assert heard(landmarks, nothing).passages() == []


def test_silence_about_a_recording_is_no_part_of_its_passage(landmarks: Shelf) -> None:
    silence = np.zeros(6 * RATE)
    sound = np.concatenate([silence, piece(landmarks, 2, 4.0, 8.0), silence])
    [passage] = told(heard(landmarks, sound))
    assert passage == (2, pytest.approx(6.0, abs=1.3), pytest.approx(14.0, abs=1.3))


def test_the_odds_of_what_is_doubtful_pay_for_every_window(landmarks: Shelf) -> None:
    sound = piece(landmarks, 2, 4.0, 12.0)
    [once] = heard(landmarks, sound).passages()
    [arrived] = heard(landmarks, sound, every=0.5).passages()
    assert once.evidence["z"] > DECISIVE_Z  # which is beyond doubt, and pays back
    assert arrived.log_odds == pytest.approx(once.log_odds, abs=1e-3)  # at its end it pays for what a file pays
    one, odds = timeline(landmarks), []
    for _ in range(3):  # the same sound, looked at again and again before it ends
        one.hear(landmarks.asked(sound), landmarks.index, since=0.0, final=False)
        odds.append(one.passages()[0].log_odds)
    assert odds == sorted(odds, reverse=True)
    assert odds[0] > odds[-1]


def test_a_copy_hears_on_by_itself(landmarks: Shelf) -> None:
    fingerprint = landmarks.asked(np.concatenate([piece(landmarks, 3, 2.0, 10.0), piece(landmarks, 2, 2.0, 10.0)]))
    one = timeline(landmarks)
    one.hear(fingerprint.between(0.0, 10.0), landmarks.index, since=0.0, final=False)
    before = one.passages()
    other = one.copy()
    other.hear(fingerprint, landmarks.index, since=0.0, final=True)
    assert one.passages() == before
    assert one.seconds == 10.0
    assert tracks(before) == [3]
    assert tracks(other.passages()) == [3, 2]


def test_a_track_that_is_dropped_disappears_and_does_not_come_back(landmarks: Shelf) -> None:
    fingerprint = landmarks.asked(np.concatenate([piece(landmarks, 3, 2.0, 10.0), piece(landmarks, 2, 2.0, 10.0)]))
    one = timeline(landmarks)
    one.hear(fingerprint.between(0.0, 17.0), landmarks.index, since=0.0, final=False)
    assert tracks(one.passages()) == [3, 2]
    one.drop(3)
    assert tracks(one.passages()) == [2]
    one.hear(fingerprint, landmarks.index, since=0.0, final=True)
    assert tracks(one.passages()) == [2]


def test_what_is_kept_of_a_long_stream_is_bounded_and_what_was_told_stays(landmarks: Shelf) -> None:
    once = np.concatenate([piece(landmarks, number, 1.0, 20.0) for number in (3, 2, 5)])
    one = timeline(landmarks)
    since = arriving(landmarks, one, np.tile(once, 4)[: 200 * RATE], every=10.0)
    assert all(10.0 * number - start <= KEPT_SECONDS + WINDOW_SECONDS for number, start in enumerate(since))
    strands = [strand for line in one._lines for strand in line.strands]
    assert min(strand.end for strand in strands) >= 200.0 - 2 * REMEMBERED_SECONDS - 10.0
    assert len(one._judgement._surest) <= len(list(one._lines))
    found = told(one)
    assert [track for track, *_ in found] == [3, 2, 5] * 3 + [3]
    for number, (_, start, end) in enumerate(found):
        assert (start, end) == pytest.approx((20.0 * number, 20.0 * (number + 1)), abs=0.5)


def test_of_repetitions_the_one_that_goes_on_is_told(with_peaks: Shelf) -> None:
    """A recording that repeats itself, each time with something of its own; the clip goes through two of them."""
    loop = cut(with_peaks.sounds[3], 0.0, 6.2)
    own = np.split(cut(with_peaks.sounds[5], 0.0, 24.8), 4)
    track = np.concatenate([loop / loop.std() + 0.7 * part / part.std() for part in own]).astype(np.float32)
    shelf = shelf_of(with_peaks.maker, [0.1 * track])
    one = Timeline(shelf.matcher(), SEVERAL)
    clip = with_noise(cut(0.1 * track, 7.4, 12.0), 10.0)
    one.hear(shelf.asked(clip), shelf.index, since=0.0, final=True)
    [passage] = one.passages()
    assert passage.reference_at(0.0) == pytest.approx(7.4, abs=0.05)
    assert (passage.query_start, passage.query_end) == pytest.approx((0.0, 12.0), abs=0.5)


def test_another_round_of_a_recording_is_no_better_at_another_speed(with_peaks: Shelf) -> None:
    """A recording that repeats itself with something of its own, played 3 % faster, and laid a round too early."""
    loop = cut(with_peaks.sounds[3], 0.0, 6.2)
    own = np.split(cut(with_peaks.sounds[5], 0.0, 24.8), 4)
    track = np.concatenate([loop / loop.std() + 0.7 * part / part.std() for part in own]).astype(np.float32)
    shelf = shelf_of(with_peaks.maker, [0.1 * track])
    clip = change_speed(cut(0.1 * track, 7.4, 10.3), 1.03, length=80_000)
    fingerprint = shelf.asked(clip)
    known = shelf.matcher().strands(
        fingerprint, shelf.index, SEVERAL, begin=0.0, known=[Guess(0, 1.2 + 0.15, speed=1.03)]
    )[:1]
    heard = HeardSound(shelf.matcher(), SEVERAL, shelf.index, fingerprint, 0.0, 0.03125)
    wrong = Stretch(Line(0, tuple(known)), 0.0, 10.0, 50.0)
    assert wrong.line.reference_at(0.0) == pytest.approx(1.2, abs=0.1)
    right = heard.at_best_place(wrong)
    assert right.line.reference_at(0.0) == pytest.approx(7.4, abs=0.1)
    assert right.line.reference_at(10.0) == pytest.approx(17.7, abs=0.1)


def test_what_plays_twice_is_told_twice(landmarks: Shelf) -> None:
    sound = np.concatenate(
        [piece(landmarks, 2, 4.0, 9.0), piece(landmarks, 3, 2.0, 9.0), piece(landmarks, 2, 4.0, 9.0)]
    )
    found = told(heard(landmarks, sound))
    assert [track for track, *_ in found] == [2, 3, 2]
    assert found[2][1:] == pytest.approx((18.0, 27.0), abs=0.5)


def test_a_limit_does_not_change_what_explains_a_sound(landmarks: Shelf) -> None:
    fingerprint = landmarks.asked(np.concatenate([piece(landmarks, number, 2.0, 8.0) for number in (3, 2, 5)]))
    found = []
    for limit in (1, 5):
        one = Timeline(landmarks.matcher(), replace(SEVERAL, limit=limit))
        one.hear(fingerprint, landmarks.index, since=0.0, final=True)
        found.append(one.passages())
    assert found[0] == found[1]


# --- a closer look


def looked_at(shelf: Shelf, sound: np.ndarray) -> tuple[Timeline, list[tuple[float, float]]]:
    """What is known of a sound that was looked at as a recording is, and where more closely."""
    one, closer, spans = timeline(shelf), shelf.asked(sound), list[tuple[float, float]]()

    def look(wanted: Sequence[tuple[float, float]]) -> list[Fingerprint]:
        spans.extend(wanted)
        return [closer.between(begin, end) for begin, end in wanted]

    coarse = shelf.maker.extract(sound.astype(np.float32))
    one.hear(coarse, shelf.index, since=0.0, final=True, closer=look)
    return one, spans


def test_what_is_beyond_doubt_is_not_looked_at_again(landmarks: Shelf) -> None:
    one, spans = looked_at(landmarks, np.concatenate([piece(landmarks, number, 1.0, 20.0) for number in (3, 2)]))
    assert told(one) == [(3, 0.0, pytest.approx(20.0, abs=0.3)), (2, pytest.approx(20.0, abs=0.3), 40.0)]
    assert sum(end - begin for begin, end in spans) <= 20.0


def test_what_is_in_doubt_is_looked_at_more_closely(landmarks: Shelf) -> None:
    noise = np.random.default_rng(3).normal(0, 1, 15 * RATE)
    sound = np.concatenate([piece(landmarks, 3, 1.0, 20.0), noise, with_noise(piece(landmarks, 2, 1.0, 20.0), 0.0)])
    one, spans = looked_at(landmarks, sound)
    assert tracks(one.passages()) == [3, 2]
    assert one.passages()[1].query_start == pytest.approx(35.0, abs=1.0)
    assert one.passages()[1].query_end == pytest.approx(55.0, abs=1.0)
    assert min(begin for begin, _ in spans) >= 14.0
    assert any(begin <= 20.0 and end >= 35.0 for begin, end in spans)


def test_what_resembles_nothing_is_looked_at_now_and_then_until_it_ends(
    landmarks: Shelf, whole_sounds: list[np.ndarray]
) -> None:
    sound = cut(whole_sounds[7], 0.0, 30.0, rate=RATE)
    one, closer, spans, since = timeline(landmarks), landmarks.asked(sound), list[tuple[float, float]](), 0.0

    def look(wanted: Sequence[tuple[float, float]]) -> list[Fingerprint]:
        spans.extend(wanted)
        return [closer.between(begin, end) for begin, end in wanted]

    for until in np.arange(10.0, closer.seconds, 5.0):
        coarse = closer.between(since, until)
        since = one.hear(coarse, landmarks.index, since=since, final=False, closer=look)
    assert 0 < sum(last - first for first, last in spans) < 0.7 * closer.seconds
    assert one.passages() == []
