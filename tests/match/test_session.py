"""What is heard, at once or as it arrives: whole clips and timelines, their odds, the decision."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest

from earmark.match.matcher import Matcher
from earmark.match.passages import Passage
from earmark.match.protocol import Options
from earmark.match.session import LONGEST_WHOLE_SECONDS, NOW_SECONDS, Session
from earmark.match.timeline import KEPT_SECONDS
from earmark.match.windows import HOP_SECONDS
from earmark.types import Fingerprint
from tests.match.shelf import Shelf, cut, with_noise

RATE = 8_000
PERIODS = {0: 8.0, 1: 7.5, 6: 8.25, 7: 4.75}  # seconds: excerpts that repeat themselves


def apart(match: Passage, start: float) -> float:
    """By how many seconds the match is beside the place where the clip was taken, or its repetition."""
    period = PERIODS.get(match.track, 1e9)
    return abs((match.reference_start - match.speed * match.query_start - start + period / 2) % period - period / 2)


def told(shelf: Shelf, clip: np.ndarray, **options: object) -> list[Passage]:
    """What is sure enough, one recording after another."""
    return shelf.ask(clip, threshold=None, several=True, **options)


def borders(match: Passage) -> tuple[float, float]:
    return match.query_start, match.query_end


# --- at once


@pytest.mark.parametrize("seconds", [10.0, 24.0])
def test_a_long_clip_of_one_recording_is_one_passage_with_both_borders(shelf: Shelf, seconds: float) -> None:
    clip = with_noise(cut(shelf.sounds[2], 1.0, seconds), 5.0)
    for several in (False, True):
        [best] = shelf.ask(clip, threshold=None, several=several)
        assert best.track == 2
        assert borders(best) == pytest.approx((0.0, seconds), abs=0.5)
        assert apart(best, 1.0) < 0.12
        assert best.speed == pytest.approx(1.0, abs=0.01)
        assert best.reference_end == pytest.approx(1.0 + seconds, abs=0.15)


def test_a_sound_that_holds_several_is_told_whole_however_many_they_are(with_peaks: Shelf) -> None:
    order = [0, 2, 3, 4, 5, 6, 2]
    clip = np.concatenate([cut(with_peaks.sounds[number], 1.0, 8.0) for number in order])
    assert [one.track for one in told(with_peaks, clip)] == order
    assert len(with_peaks.ask(clip, threshold=None, several=True, limit=3)) == 3
    assert len(with_peaks.ask(clip, threshold=0.0)) <= 5


def test_a_recording_after_other_sound_is_placed_by_its_own_peaks(with_peaks: Shelf, sounds: list[np.ndarray]) -> None:
    clip = np.concatenate([cut(sounds[8], 0.0, 12.0), cut(with_peaks.sounds[2], 5.0, 12.0)])
    [best] = with_peaks.ask(clip, threshold=None)
    assert best.track == 2
    assert best.evidence["z"] > 12
    assert apart(best, 5.0 - 12.0) < 0.03
    assert borders(best) == pytest.approx((12.0, 24.0), abs=0.5)


def test_recordings_that_follow_one_another_are_told_apart(shelf: Shelf) -> None:
    order = [3, 2, 5]
    found = told(shelf, np.concatenate([cut(shelf.sounds[number], 2.0, 20.0) for number in order]))
    assert [match.track for match in found] == order
    for place, match in enumerate(found):
        assert borders(match) == pytest.approx((20.0 * place, 20.0 * (place + 1)), abs=0.5)
        assert apart(match, 2.0 - 20.0 * place) < 0.15


def test_two_halves_of_a_short_clip_are_both_told(shelf: Shelf) -> None:
    clip = np.concatenate([cut(shelf.sounds[3], 4.0, 5.0), cut(shelf.sounds[5], 11.0, 5.0)])
    found = told(shelf, clip)
    assert [match.track for match in found] == [3, 5]
    assert borders(found[0]) == pytest.approx((0.0, 5.0), abs=0.5)
    assert borders(found[1]) == pytest.approx((5.0, 10.0), abs=0.5)
    assert apart(found[0], 4.0) < 0.15
    assert apart(found[1], 11.0 - 5.0) < 0.15


def test_two_recordings_at_once_are_both_told(with_peaks: Shelf) -> None:
    one, other = (cut(with_peaks.sounds[number], start, 20.0) for number, start in ((3, 2.0), (5, 4.0)))
    found = told(with_peaks, one / one.std() + other / other.std())
    assert {match.track for match in found} == {3, 5}
    for match in found:
        assert borders(match) == pytest.approx((0.0, 20.0), abs=1.5)
        assert apart(match, {3: 2.0, 5: 4.0}[match.track]) < 0.1


def test_a_jingle_in_a_minute_of_other_sound_is_told_with_its_borders(
    with_peaks: Shelf, sounds: list[np.ndarray]
) -> None:
    hiss = with_noise(np.zeros(8 * RATE) + 1e-3, 0.0)
    around = np.concatenate([cut(sounds[8], 0.0, 26.0), hiss, cut(sounds[9], 0.0, 26.0)])
    jingle = cut(with_peaks.sounds[2], 10.0, 3.0)
    for start in (21.3, 40.0):
        clip = np.concatenate([cut(around, 0.0, start), jingle, cut(around, start, 60.0 - start)])
        [best] = told(with_peaks, clip)
        assert best.track == 2
        assert borders(best) == pytest.approx((start, start + 3.0), abs=0.5)
        assert apart(best, 10.0 - start) < 0.05


def test_a_long_clip_of_silence_or_of_unknown_sound_tells_nothing(shelf: Shelf, sounds: list[np.ndarray]) -> None:
    noise = np.random.default_rng(2).normal(size=24 * RATE) * 0.1
    for nothing in (np.zeros(10 * RATE), np.zeros(24 * RATE), noise, sounds[8], cut(sounds[9], 2.0, 11.0)):
        assert shelf.ask(nothing, threshold=None) == []
        assert told(shelf, nothing) == []


@pytest.mark.parametrize("seconds", [5.0, 10.0, 24.0])
def test_the_answer_does_not_depend_on_how_many_matches_are_asked_for(shelf: Shelf, seconds: float) -> None:
    clip = with_noise(cut(shelf.sounds[4], 1.0, seconds), 0.0)
    three = shelf.ask(clip, limit=3)
    assert shelf.ask(clip, limit=1) == three[:1]
    assert shelf.ask(clip, limit=8)[:3] == three
    assert shelf.ask(clip, threshold=None) == [match for match in three if match.confidence >= shelf.threshold]


def test_of_more_recordings_than_asked_for_the_surest_are_told_in_order_of_time(with_peaks: Shelf) -> None:
    clip = np.concatenate([cut(with_peaks.sounds[number], 2.0, 9.0) for number in (3, 2, 5)])
    every, two = told(with_peaks, clip), told(with_peaks, clip, limit=2)
    surest = sorted(every, key=lambda match: -match.log_odds)[:2]
    assert len(every) == 3
    assert two == sorted(surest, key=lambda match: match.query_start)


def test_the_threshold_is_the_models_and_says_what_is_left_out(shelf: Shelf) -> None:
    assert shelf.session(threshold=None).threshold == shelf.matcher().calibration.threshold == shelf.threshold
    assert shelf.session(threshold=0.3).threshold == 0.3
    assert 0 < shelf.threshold < 1
    clip = with_noise(cut(shelf.sounds[4], 9.0, 5.0), 5.0)
    every = shelf.ask(clip)
    middle = (every[0].confidence + every[1].confidence) / 2
    assert shelf.ask(clip, threshold=middle) == every[:1]


def test_before_anything_is_heard_nothing_is_known(shelf: Shelf) -> None:
    session = shelf.session()
    assert session.passages() == session.playing() == []
    assert session.decision() is None
    assert (session.since, session.seconds) == (0.0, 0.0)


def test_sound_is_matched_with_the_index_as_it_is_when_it_is_heard(shelf: Shelf) -> None:
    taken: list[int] = []
    session = Session(shelf.matcher(), lambda: taken.append(1) or shelf.index, Options())  # type: ignore[func-returns-value]
    fingerprint = shelf.asked(cut(shelf.sounds[2], 1.0, 12.0))
    session.hear(fingerprint, final=False)
    session.hear(fingerprint)
    assert len(taken) == 2


# --- as it arrives


def heard(
    shelf: Shelf, sound: np.ndarray, session: Session, *, every: float = 1.0, ends: bool = False
) -> Iterator[Fingerprint]:
    """Yield what the session hears of sound that arrives, each time after it was heard; it may end with the last."""
    extraction = shelf.maker.stream(query=True)
    blocks = np.split(sound.astype(np.float32), range(round(every * RATE), len(sound), round(every * RATE)))
    for number, block in enumerate(blocks, start=1):
        extraction.push(block)
        fingerprint = extraction.take(since_seconds=session.since)
        session.hear(fingerprint, final=ends and number == len(blocks))
        yield fingerprint


def test_a_known_recording_is_decided_within_some_seconds_and_stays_so(shelf: Shelf) -> None:
    sound = with_noise(cut(shelf.sounds[2], 3.0, 22.0), 5.0)
    session = shelf.session(threshold=None)
    decided = []
    for _ in heard(shelf, sound, session):
        decision = session.decision()
        decided.append(decision is not None)
        if decision is not None:
            assert decision.track == 2
            assert decision.confidence >= shelf.threshold
            assert apart(decision, 3.0) < 0.2
            assert borders(decision) == pytest.approx((0.0, session.seconds), abs=1.0)
    first = decided.index(True)
    assert first < 8
    assert all(decided[first:])


def test_unknown_sound_is_never_decided(shelf: Shelf, sounds: list[np.ndarray]) -> None:
    session = shelf.session(threshold=None)
    for _ in heard(shelf, cut(sounds[8], 1.0, 20.0), session):
        assert session.decision() is None
    assert session.seconds == 20.0


def test_every_look_is_a_chance_of_a_false_match_that_the_odds_pay_for(shelf: Shelf) -> None:
    fingerprint = shelf.asked(with_noise(cut(shelf.sounds[2], 3.0, 5.0), 0.0))
    session = shelf.session()
    odds = []
    for _ in range(6):
        session.hear(fingerprint, final=False)
        odds.append(session.passages()[0].log_odds)
    paid = [odds[0] - later for later in odds]
    assert paid == pytest.approx([math.log(looks) for looks in range(1, 7)])


def test_less_than_a_second_is_not_looked_at_while_more_may_come(shelf: Shelf) -> None:
    session = shelf.session()
    session.hear(shelf.asked(cut(shelf.sounds[2], 3.0, 0.9)), final=False)
    assert session.passages() == []
    session.hear(shelf.asked(cut(shelf.sounds[2], 3.0, 2.0)), final=False)
    alone = shelf.ask(cut(shelf.sounds[2], 3.0, 2.0))
    assert session.passages() == alone  # the first one was no look
    assert session.since == 0.0


def test_no_more_sound_is_wanted_again_than_may_have_to_be_judged(shelf: Shelf) -> None:
    sound = with_noise(cut(shelf.sounds[2], 0.0, 26.0), 5.0)
    session, since = shelf.session(threshold=None), []
    for fingerprint in heard(shelf, sound, session, every=2.0):
        since.append(session.since)
        assert fingerprint.seconds < max(KEPT_SECONDS, LONGEST_WHOLE_SECONDS) + HOP_SECONDS + 2.0
        assert session.seconds == 2.0 * len(since)
        assert session.since <= max(session.seconds - KEPT_SECONDS, 0.0)
    assert since == [0.0] * 8 + [2.5, 5.0, 5.0, 7.5, 10.0]
    [best] = session.passages()
    assert best.track == 2
    assert borders(best) == pytest.approx((0.0, 26.0), abs=0.5)


def test_two_recordings_that_arrive_one_after_the_other_are_both_told(shelf: Shelf) -> None:
    sound = np.concatenate([cut(shelf.sounds[3], 2.0, 20.0), cut(shelf.sounds[5], 2.0, 20.0)])
    session, now = shelf.session(threshold=None, several=True), []
    for _ in heard(shelf, sound, session, every=2.5):
        decision = session.decision()
        now.append(None if decision is None else decision.track)
    found = session.passages()
    assert [match.track for match in found] == [3, 5]
    assert borders(found[0]) == pytest.approx((0.0, 20.0), abs=0.5)
    assert borders(found[1]) == pytest.approx((20.0, 40.0), abs=0.5)
    assert [match.track for match in session.playing()] == [5]  # the first one ended before what is heard now
    assert NOW_SECONDS < 20.0
    assert now[4:8] == [3] * 4
    assert now[-4:] == [5] * 4


@pytest.mark.parametrize("seconds", [6.0, 12.0, 26.0])
def test_a_stream_and_a_file_of_the_same_sound_agree(shelf: Shelf, seconds: float) -> None:
    sound = with_noise(cut(np.concatenate([shelf.sounds[2][: 9 * RATE], shelf.sounds[5]]), 1.0, seconds), 10.0)
    whole = told(shelf, sound)
    session = shelf.session(threshold=None, several=True)
    for _ in heard(shelf, sound, session, every=1.5, ends=True):
        pass
    arrived = session.passages()
    assert [match.track for match in arrived] == [match.track for match in whole]
    assert arrived
    for one, other in zip(arrived, whole, strict=True):
        assert borders(one) == pytest.approx(borders(other), abs=0.3)
        assert one.reference_start == pytest.approx(other.reference_start, abs=0.3)
        assert one.speed == pytest.approx(other.speed, abs=0.01)


def test_what_is_heard_last_may_be_final_and_settles_all(shelf: Shelf) -> None:
    sound = with_noise(cut(shelf.sounds[2], 0.0, 26.0), 5.0)
    session, extraction = shelf.session(threshold=None), shelf.maker.stream(query=True)
    extraction.push(sound[: 21 * RATE].astype(np.float32))
    session.hear(extraction.take(since_seconds=session.since), final=False)
    assert session.since == 5.0
    extraction.push(sound[21 * RATE :].astype(np.float32))
    session.hear(extraction.take(since_seconds=session.since))
    assert session.seconds == 26.0
    best = session.decision()
    assert best is not None
    assert best.track == 2
    assert borders(best) == pytest.approx((0.0, 26.0), abs=0.5)
    assert apart(best, 0.0) < 0.2


@pytest.mark.parametrize("seconds", [5.0, 12.0, 20.0])
def test_a_track_that_cannot_be_had_any_more_disappears(with_peaks: Shelf, seconds: float) -> None:
    clip = np.concatenate([cut(with_peaks.sounds[number], 4.0, seconds / 2) for number in (3, 5)])
    session = with_peaks.session(several=True, limit=9)
    session.hear(with_peaks.asked(clip), final=False)
    assert {match.track for match in session.passages()} >= {3}
    session.forget(3)
    assert session.passages()
    assert 3 not in {match.track for match in session.passages()}


def test_what_cannot_be_read_leaves_what_was_heard_as_it_was(with_peaks: Shelf) -> None:
    is_broken = False

    def read(tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        if is_broken:
            raise LookupError(f"{tracks[0]} is gone")
        return with_peaks.read(tracks)

    usual = with_peaks.matcher()
    matcher = Matcher(usual.plan, usual.calibration, keys=usual.keys, references=read)  # which keeps nothing
    sound = np.concatenate([cut(with_peaks.sounds[number], 4.0, 9.0) for number in (3, 5)])
    session = with_peaks.session(matcher=matcher, threshold=None, several=True)
    session.hear(with_peaks.asked(sound[: 12 * RATE]), final=False)
    before, since, seconds = session.passages(), session.since, session.seconds
    is_broken = True
    with pytest.raises(LookupError, match="is gone"):
        session.hear(with_peaks.asked(sound))
    is_broken = False
    assert (session.passages(), session.since, session.seconds) == (before, since, seconds)
    session.hear(with_peaks.asked(sound))
    assert [match.track for match in session.passages()] == [3, 5]
