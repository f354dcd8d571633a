"""What is heard, at once or as it arrives: windows, their evidence, the decision."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from earmark.fingerprints import make
from earmark.match.passages import Merging, Passage, best_of_each_track
from earmark.match.protocol import Options
from earmark.match.session import LONGEST_AT_ONCE_SECONDS, WINDOW_SECONDS, Session, windows_of
from earmark.types import Fingerprint
from tests.match.shelf import Shelf, cut, with_noise

RATE = 8_000
PERIODS = {0: 8.0, 1: 7.5, 6: 8.25, 7: 4.75}  # seconds: excerpts that repeat themselves


def apart(match: Passage, start: float) -> float:
    """By how many seconds the match is beside the place where the clip was taken, or its repetition."""
    period = PERIODS.get(match.track, 1e9)
    return abs((match.reference_start - match.speed * match.query_start - start + period / 2) % period - period / 2)


# --- at once


def test_a_long_clip_is_one_match_and_every_window_of_it_is_checked(shelf: Shelf) -> None:
    clip = with_noise(cut(shelf.sounds[2], 1.0, 24.0), 5.0)
    for several in (False, True):
        best = max(shelf.ask(clip, several=several), key=lambda match: match.confidence)
        assert best.track == 2
        assert (best.query_start, best.query_end) == pytest.approx((0.0, 24.0), abs=1.0)
        assert apart(best, 1.0) < 0.12
        assert best.speed == pytest.approx(1.0, abs=0.01)


def test_the_peaks_of_a_later_window_are_those_of_its_own_sound(with_peaks: Shelf, sounds: list[np.ndarray]) -> None:
    clip = np.concatenate([cut(sounds[8], 0.0, 12.0), cut(with_peaks.sounds[2], 5.0, 12.0)])
    best = with_peaks.ask(clip)[0]
    assert best.track == 2
    assert best.evidence["z"] > 12
    assert apart(best, 5.0 - 12.0) < 0.03
    assert best.query_start == pytest.approx(12.0, abs=1.0)
    assert best.query_end == pytest.approx(24.0, abs=0.5)


def test_recordings_that_follow_one_another_are_told_apart(shelf: Shelf) -> None:
    order = [3, 2, 5]
    clip = np.concatenate([cut(shelf.sounds[number], 2.0, 20.0) for number in order])
    found = [match for match in shelf.ask(clip, several=True, limit=9) if match.query_end - match.query_start > 12]
    assert [match.track for match in found] == order
    for place, match in enumerate(found):
        assert match.query_start == pytest.approx(20.0 * place, abs=5.5)
        assert match.query_end == pytest.approx(20.0 * (place + 1), abs=5.5)
        assert apart(match, 2.0 - 20.0 * place) < 0.3


def test_the_threshold_is_the_models_and_says_what_is_left_out(shelf: Shelf) -> None:
    assert shelf.session(threshold=None).threshold == shelf.matcher().calibration.threshold == shelf.threshold
    assert shelf.session(threshold=0.3).threshold == 0.3
    assert 0 < shelf.threshold < 1
    clip = with_noise(cut(shelf.sounds[4], 9.0, 5.0), 5.0)
    every = shelf.ask(clip)
    middle = (every[0].confidence + every[1].confidence) / 2
    assert shelf.ask(clip, threshold=middle) == every[:1]


@pytest.mark.parametrize("seconds", [0.0, 3.0, 15.0, 15.01, 24.9, 25.1, 61.7])
@pytest.mark.parametrize("name", ["neural", "shazam", "waveprint"])
def test_windows_are_equal_parts_of_about_ten_seconds_that_begin_with_a_frame(
    name: str, seconds: float, sounds: list[np.ndarray]
) -> None:
    maker = make(name)
    sound = np.tile(sounds[3], 3)[: round(seconds * maker.rate)]
    fingerprint = maker.extract(sound.astype(np.float32), query=True)
    first = maker.plan.compare[0].layer
    frame = fingerprint.layers[first].frame_seconds
    found = list(windows_of(fingerprint, frame))
    if seconds <= 15:
        assert found == [(fingerprint, 0.0)]
        return
    count = round(fingerprint.seconds / 10)
    assert len(found) == count
    edges = [round(number * fingerprint.seconds / count / frame) for number in range(count + 1)]
    for (window, begin), edge, after in zip(found, edges, edges[1:], strict=False):
        assert begin == pytest.approx(edge * frame)
        assert (window.spec, window.seconds) == (maker.spec, fingerprint.seconds / count)
        for kind, layer in window.layers.items():
            whole = fingerprint.layers[kind]
            low, high = (round(place * frame / whole.frame_seconds) for place in (edge, after))
            inside = (whole.frames >= low) & (whole.frames < high)
            assert np.array_equal(layer.frames, whole.frames[inside] - low)
            assert np.array_equal(layer.values, whole.values[inside])
            if whole.weights is not None:
                assert np.array_equal(layer.weights.packed, whole.weights.packed[low:high])
                assert (layer.weights.first_bin, layer.weights.first_frame) == (whole.weights.first_bin, 0)


def test_a_file_is_what_its_windows_say_together(shelf: Shelf) -> None:
    clip = np.concatenate([cut(shelf.sounds[2], 1.0, 20.0), cut(shelf.sounds[5], 3.0, 16.0)])
    fingerprint = shelf.asked(with_noise(clip, 5.0))
    matcher, options = shelf.matcher(), Options(threshold=0.0)
    windows = list(windows_of(fingerprint, 0.03125))
    alone = Merging()
    for window, begin in windows:
        alone.add(matcher.match(window, shelf.index, options, begin=begin))
    assert len(windows) == 4
    together = best_of_each_track(alone.passages(looks=len(windows)))
    assert shelf.ask(with_noise(clip, 5.0)) == together[:5]


def test_before_anything_is_heard_nothing_is_known(shelf: Shelf) -> None:
    session = shelf.session()
    assert session.passages() == []
    assert session.decision() is None
    assert (session.since, session.seconds) == (0.0, 0.0)


def test_a_window_is_matched_with_the_index_as_it_is_then(shelf: Shelf) -> None:
    taken: list[int] = []
    session = Session(shelf.matcher(), lambda: taken.append(1) or shelf.index, Options())  # type: ignore[func-returns-value]
    session.hear(shelf.asked(cut(shelf.sounds[2], 1.0, 24.0)))
    assert len(taken) == 2


# --- as it arrives


def heard(shelf: Shelf, sound: np.ndarray, session: Session, *, every: float = 1.0) -> Iterator[Fingerprint]:
    """Yield what the session hears of sound that arrives, each time after it was heard."""
    extraction = shelf.maker.stream(query=True)
    for block in np.split(sound.astype(np.float32), range(round(every * RATE), len(sound), round(every * RATE))):
        extraction.push(block)
        fingerprint = extraction.take(since_seconds=session.since)
        session.hear(fingerprint, final=False)
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
    first = decided.index(True)
    assert first < 8
    assert all(decided[first:])
    last = session.decision()
    assert last is not None
    assert (last.query_start, last.query_end) == pytest.approx((0.0, 22.0), abs=1.0)


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
    short = shelf.asked(cut(shelf.sounds[2], 3.0, 0.9))
    session.hear(short, final=False)
    assert session.passages() == []
    session.hear(shelf.asked(cut(shelf.sounds[2], 3.0, 2.0)), final=False)
    alone = shelf.ask(cut(shelf.sounds[2], 3.0, 2.0))
    assert session.passages() == alone  # the first one was no look
    assert session.since == 0.0


def test_windows_settle_ten_seconds_at_a_time_and_are_not_looked_at_again(shelf: Shelf) -> None:
    sound = with_noise(cut(shelf.sounds[2], 0.0, 26.0), 5.0)
    session, since, looked_at = shelf.session(), [], []
    shelf.index.asked.clear()
    for fingerprint in heard(shelf, sound, session, every=2.0):
        since.append(session.since)
        looked_at.append(shelf.index.asked.count("vectors"))
        assert fingerprint.seconds < LONGEST_AT_ONCE_SECONDS + 2.0
        assert session.seconds == 2.0 * len(since)
    wanted = [0.0] * 7 + [WINDOW_SECONDS] * 5 + [2 * WINDOW_SECONDS]
    assert since == wanted
    # A look every time, and one more where a window settles.
    assert np.diff([0, *looked_at]).tolist() == [1] * 7 + [2] + [1] * 4 + [2]
    [best] = [passage for passage in session.passages() if passage.track == 2][:1]
    assert (best.query_start, best.query_end) == pytest.approx((0.0, 26.0), abs=1.0)


def test_two_recordings_that_arrive_one_after_the_other_are_both_told(shelf: Shelf) -> None:
    sound = np.concatenate([cut(shelf.sounds[3], 2.0, 20.0), cut(shelf.sounds[5], 2.0, 20.0)])
    session = shelf.session(threshold=None, several=True)
    for _ in heard(shelf, sound, session, every=2.5):
        pass
    found = [passage for passage in session.passages() if passage.query_end - passage.query_start > 12]
    assert [passage.track for passage in found] == [3, 5]


def test_what_is_heard_last_may_be_final_and_settles_all(shelf: Shelf) -> None:
    sound = with_noise(cut(shelf.sounds[2], 0.0, 26.0), 5.0)
    session, extraction = shelf.session(threshold=None), shelf.maker.stream(query=True)
    extraction.push(sound[: 17 * RATE].astype(np.float32))
    session.hear(extraction.take(since_seconds=session.since), final=False)
    assert session.since == 10.0
    extraction.push(sound[17 * RATE :].astype(np.float32))
    session.hear(extraction.take(since_seconds=session.since))
    assert session.since == session.seconds == 26.0
    best = session.decision()
    assert best is not None
    assert best.track == 2
    assert (best.query_start, best.query_end) == pytest.approx((0.0, 26.0), abs=1.0)
    assert apart(best, 0.0) < 0.2


def test_what_is_kept_of_a_long_stream_are_its_passages_alone(shelf: Shelf) -> None:
    sound = np.tile(with_noise(cut(shelf.sounds[2], 0.0, 20.0), 5.0), 4)
    session = shelf.session(limit=2)
    longest = max(fingerprint.seconds for fingerprint in heard(shelf, sound, session, every=4.0))
    assert session.seconds == 80.0
    assert longest < LONGEST_AT_ONCE_SECONDS + 4.0
    assert len(session._settled._merged) <= 2 * 7
    assert len(session._latest) <= 2
