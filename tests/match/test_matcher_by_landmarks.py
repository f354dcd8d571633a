"""From a window of a clip to passages by landmarks and peaks alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import soxr

from earmark.fingerprints.landmarks import MIN_PEAKS
from earmark.match.passages import Passage
from earmark.types import Fingerprint, Layer
from tests.match.shelf import Shelf, with_noise
from tests.match.shelf import cut as cut_at

RATE = 11_025
LOOPS = {0: 8.0, 4: 24.0}  # seconds: two excerpts repeat themselves


def cut(sound: np.ndarray, start: float, seconds: float) -> np.ndarray:
    return cut_at(sound, start, seconds, rate=RATE)


def accepted(shelf: Shelf, clip: np.ndarray, **options: object) -> list[Passage]:
    """What is sure enough."""
    return shelf.ask(clip, **{"threshold": None, **options})


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("start", [0.0, 7.321])
def test_a_noisy_clip_is_found_where_it_is(landmarks: Shelf, number: int, start: float) -> None:
    best = accepted(landmarks, with_noise(cut(landmarks.sounds[number], start, 5.0), 10.0))[0]
    assert best.track == number
    assert (best.reference_start - best.query_start - start + 0.04) % LOOPS.get(number, 1e9) < 0.08
    assert (best.query_start, best.query_end) == pytest.approx((0.0, 5.0), abs=0.3)
    assert best.confidence > 0.95
    assert (best.speed, best.pitch) == pytest.approx((1.0, 1.0), abs=0.004)
    assert best.position_error < 0.02


def test_music_that_is_not_there_has_no_match(landmarks: Shelf, whole_sounds: list[np.ndarray]) -> None:
    assert accepted(landmarks, cut(whole_sounds[6], 3.0, 5.0)) == []
    assert accepted(landmarks, whole_sounds[7]) == []
    assert accepted(landmarks, np.random.default_rng(2).normal(size=5 * RATE) * 0.1) == []


def test_candidates_come_when_they_are_asked_for_and_no_more_than_that(
    landmarks: Shelf, whole_sounds: list[np.ndarray]
) -> None:
    found = landmarks.ask(cut(whole_sounds[6], 3.0, 5.0), limit=3)
    assert len(found) <= 3
    assert all(match.confidence < 0.9 for match in found)
    assert [match.confidence for match in found] == sorted((match.confidence for match in found), reverse=True)


def test_a_part_of_a_clip_is_found_with_its_start_and_end(landmarks: Shelf, whole_sounds: list[np.ndarray]) -> None:
    before, after = cut(whole_sounds[6], 0.0, 4.0), cut(whole_sounds[7], 0.0, 4.0)
    best = accepted(landmarks, np.concatenate([before, cut(landmarks.sounds[2], 10.0, 4.0), after]))[0]
    assert best.track == 2
    assert (best.query_start, best.query_end) == pytest.approx((4.0, 8.0), abs=0.8)
    assert (best.reference_start, best.reference_end) == pytest.approx((10.0, 14.0), abs=0.8)


def test_a_clip_that_begins_before_the_recording_does(landmarks: Shelf) -> None:
    clip = np.concatenate([np.zeros(2 * RATE), cut(landmarks.sounds[1], 0.0, 4.0)])
    best = accepted(landmarks, clip)[0]
    assert best.track == 1
    assert best.reference_start == pytest.approx(0.0, abs=0.3)
    assert best.query_start == pytest.approx(2.0, abs=0.3)


def test_recordings_that_follow_one_another_are_told_apart(landmarks: Shelf) -> None:
    order = [3, 0, 5]
    clip = np.concatenate([cut(landmarks.sounds[number], 2.0, 25.0) for number in order])
    found = accepted(landmarks, clip, several=True)
    assert [match.track for match in found] == order
    for place, match in enumerate(found):
        assert match.query_start == pytest.approx(25.0 * place, abs=5.5)
        assert match.query_end == pytest.approx(25.0 * (place + 1), abs=5.5)
        assert match.reference_start - match.query_start == pytest.approx(2.0 - 25.0 * place, abs=0.1)


@pytest.mark.parametrize("several", [False, True])
def test_a_whole_recording_is_one_match(landmarks: Shelf, several: bool) -> None:
    [match] = accepted(landmarks, landmarks.sounds[4], several=several)
    assert match.track == 4
    assert (match.query_start, match.reference_start) == pytest.approx((0.0, 0.0), abs=0.05)
    assert match.query_end == pytest.approx(len(landmarks.sounds[4]) / RATE, abs=1.0)


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_a_small_change_of_speed_is_found_and_said(landmarks: Shelf, factor: float) -> None:
    slow = soxr.resample(cut(landmarks.sounds[0], 6.0, 6.0), RATE * factor, RATE)
    best = accepted(landmarks, slow)[0]
    assert best.track == 0
    assert best.speed == pytest.approx(factor, abs=0.003)
    assert best.pitch == pytest.approx(factor, abs=0.006)
    assert best.reference_start - best.query_start == pytest.approx(6.0, abs=0.05)


def test_a_larger_change_of_speed_is_found_when_it_is_asked_for(landmarks: Shelf) -> None:
    fast = soxr.resample(cut(landmarks.sounds[0], 6.0, 9.0), RATE * 1.07, RATE)
    best = accepted(landmarks, fast, speed=True)[0]
    assert best.track == 0
    assert best.speed == pytest.approx(1.07, abs=0.004)


def test_an_error_in_reading_a_reference_comes_through(landmarks: Shelf) -> None:
    def broken(tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        raise LookupError(f"{tracks[0]} is gone")

    with pytest.raises(LookupError, match="is gone"):
        landmarks.ask(cut(landmarks.sounds[3], 5.0, 5.0), matcher=landmarks.matcher(broken))


def test_a_clip_of_a_few_peaks_is_not_looked_up(landmarks: Shelf) -> None:
    def never(tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        raise AssertionError(tracks)

    asked = landmarks.index.asked
    asked.clear()
    for count in (0, 5, MIN_PEAKS - 1):
        frames = np.arange(count, dtype=np.int32)
        layer = Layer(frames, np.full(count, 21, np.int32), 192 / RATE)
        few = Fingerprint(landmarks.maker.spec, 5.0, {"peaks": layer, "strongest": layer})
        assert landmarks.identify(few, matcher=landmarks.matcher(never)) == []
    assert asked == []


def test_the_evidence_is_that_of_the_plan_and_plain_numbers(landmarks: Shelf) -> None:
    best = landmarks.ask(cut(landmarks.sounds[2], 6.0, 5.0))[0]
    [rule] = landmarks.plan.compare
    assert best.evidence.keys() == {*rule.figures, "seconds"}
    assert {type(figure) for figure in best.evidence.values()} <= {int, float}
    assert best.evidence["seconds"] == 5.0
    assert replace(best, log_odds=0.0).confidence == 0.5
