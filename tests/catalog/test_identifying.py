"""The chain from a clip to matches: places, several recordings, long clips, speed, copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soxr
from earmark.catalog.identifying import Found, identifier_for

from earmark.audio.decode import load
from earmark.fingerprints.shazam import FRONT_END, Shazam
from earmark.index.channels import Channels
from earmark.index.protocol import Search
from earmark.types import Fingerprint

RATE = FRONT_END.rate
MAKER = Shazam()
LOOPS = {0: 8.0, 4: 24.0}  # seconds: two excerpts repeat themselves


@dataclass(frozen=True)
class Shelf:
    """Recordings by number, with what identifies clips of them."""

    sounds: Sequence[np.ndarray]
    index: Search
    fingerprints: dict[int, Fingerprint]

    def ask(self, clip: np.ndarray, **options: object) -> tuple[Found, ...]:
        identifier = identifier_for(MAKER, self.fingerprints.__getitem__)
        fingerprint = MAKER.extract(clip.astype(np.float32), query=True)
        return identifier.identify(self.index, fingerprint, **options)  # type: ignore[arg-type]


def shelf_of(sounds: Sequence[np.ndarray]) -> Shelf:
    index, fingerprints = Channels("postings", MAKER.plan.channels), {}
    for number, sound in enumerate(sounds):
        fingerprints[number] = MAKER.extract(sound)
        index.add(number, MAKER.keys(fingerprints[number]))
    return Shelf(sounds, index.snapshot(), fingerprints)


@pytest.fixture(scope="module")
def sounds(music: Sequence[Path]) -> list[np.ndarray]:
    return [load(path, rate=RATE)[0] for path in music[:8]]


@pytest.fixture(scope="module")
def shelf(sounds: list[np.ndarray]) -> Shelf:
    return shelf_of(sounds[:6])


def cut(sound: np.ndarray, start: float, seconds: float) -> np.ndarray:
    return sound[round(start * RATE) : round((start + seconds) * RATE)]


def with_noise(sound: np.ndarray, decibels: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(sound))
    return sound + noise * np.sqrt(np.mean(sound**2) / 10 ** (decibels / 10))


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("start", [0.0, 7.321])
def test_a_noisy_clip_is_found_where_it_is(shelf: Shelf, number: int, start: float) -> None:
    best = shelf.ask(with_noise(cut(shelf.sounds[number], start, 5.0), 10.0))[0]
    assert best.track == number
    assert (best.reference_start - best.query_start - start + 0.04) % LOOPS.get(number, 1e9) < 0.08
    assert (best.query_start, best.query_end) == pytest.approx((0.0, 5.0), abs=0.3)
    assert best.confidence > 0.95
    assert (best.speed, best.pitch) == pytest.approx((1.0, 1.0), abs=0.004)
    assert best.position_error < 0.02


def test_music_that_is_not_there_has_no_match(shelf: Shelf, sounds: list[np.ndarray]) -> None:
    assert shelf.ask(cut(sounds[6], 3.0, 5.0)) == ()
    assert shelf.ask(sounds[7]) == ()
    assert shelf.ask(np.random.default_rng(2).normal(size=5 * RATE) * 0.1) == ()


def test_candidates_come_when_they_are_asked_for_and_no_more_than_that(shelf: Shelf, sounds: list[np.ndarray]) -> None:
    found = shelf.ask(cut(sounds[6], 3.0, 5.0), threshold=0.0, limit=3)
    assert len(found) <= 3
    assert all(match.confidence < 0.9 for match in found)
    assert [match.confidence for match in found] == sorted((match.confidence for match in found), reverse=True)


def test_a_part_of_a_clip_is_found_with_its_start_and_end(shelf: Shelf, sounds: list[np.ndarray]) -> None:
    clip = np.concatenate([cut(sounds[6], 0.0, 4.0), cut(shelf.sounds[2], 10.0, 4.0), cut(sounds[7], 0.0, 4.0)])
    best = shelf.ask(clip)[0]
    assert best.track == 2
    assert (best.query_start, best.query_end) == pytest.approx((4.0, 8.0), abs=0.5)
    assert (best.reference_start, best.reference_end) == pytest.approx((10.0, 14.0), abs=0.5)


def test_a_clip_that_begins_before_the_recording_does(shelf: Shelf) -> None:
    clip = np.concatenate([np.zeros(2 * RATE), cut(shelf.sounds[1], 0.0, 4.0)])
    best = shelf.ask(clip)[0]
    assert best.track == 1
    assert best.reference_start == pytest.approx(0.0, abs=0.3)
    assert best.query_start == pytest.approx(2.0, abs=0.3)


def test_recordings_that_follow_one_another_are_told_apart(shelf: Shelf) -> None:
    order = [3, 0, 5]
    clip = np.concatenate([cut(shelf.sounds[number], 2.0, 25.0) for number in order])
    found = shelf.ask(clip, several=True)
    assert [match.track for match in found] == order
    for place, match in enumerate(found):
        assert match.query_start == pytest.approx(25.0 * place, abs=5.5)
        assert match.query_end == pytest.approx(25.0 * (place + 1), abs=5.5)
        assert match.reference_start - match.query_start == pytest.approx(2.0 - 25.0 * place, abs=0.1)


def test_a_whole_recording_is_one_match(shelf: Shelf) -> None:
    for options in ({}, {"several": True}):
        [match] = shelf.ask(shelf.sounds[4], **options)
        assert match.track == 4
        assert (match.query_start, match.reference_start) == pytest.approx((0.0, 0.0), abs=0.05)
        assert match.query_end == pytest.approx(len(shelf.sounds[4]) / RATE, abs=1.0)


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_a_small_change_of_speed_is_found_and_said(shelf: Shelf, factor: float) -> None:
    slow = soxr.resample(cut(shelf.sounds[0], 6.0, 6.0), RATE * factor, RATE)
    best = shelf.ask(slow)[0]
    assert best.track == 0
    assert best.speed == pytest.approx(factor, abs=0.003)
    assert best.pitch == pytest.approx(factor, abs=0.006)
    assert best.reference_start - best.query_start == pytest.approx(6.0, abs=0.05)


def test_a_larger_change_of_speed_is_found_when_it_is_asked_for(shelf: Shelf) -> None:
    fast = soxr.resample(cut(shelf.sounds[0], 6.0, 9.0), RATE * 1.07, RATE)
    best = shelf.ask(fast, speed=True)[0]
    assert best.track == 0
    assert best.speed == pytest.approx(1.07, abs=0.004)


def test_two_copies_of_a_recording_are_both_named(sounds: list[np.ndarray]) -> None:
    shelf = shelf_of([sounds[0], sounds[1], sounds[0]])
    found = shelf.ask(with_noise(cut(sounds[0], 8.0, 5.0), 10.0))
    assert {match.track for match in found} == {0, 2}
    assert min(match.confidence for match in found) > 0.99


def test_what_is_forgotten_is_read_anew(shelf: Shelf) -> None:
    read: list[int] = []

    def reference(number: int) -> Fingerprint:
        read.append(number)
        return shelf.fingerprints[number]

    identifier = identifier_for(MAKER, reference)
    clip = MAKER.extract(cut(shelf.sounds[3], 5.0, 5.0), query=True)
    identifier.identify(shelf.index, clip)
    before = list(read)
    identifier.identify(shelf.index, clip)
    assert read == before
    identifier.forget(3)
    identifier.identify(shelf.index, clip)
    assert read == [*before, 3]


def test_an_error_in_reading_a_reference_comes_through(shelf: Shelf) -> None:
    def broken(number: int) -> Fingerprint:
        raise LookupError(f"{number} is gone")

    clip = MAKER.extract(cut(shelf.sounds[3], 5.0, 5.0), query=True)
    with pytest.raises(LookupError, match="is gone"):
        identifier_for(MAKER, broken).identify(shelf.index, clip)


def test_a_clip_of_a_few_peaks_is_not_looked_up(shelf: Shelf) -> None:
    def never(number: int) -> Fingerprint:
        raise AssertionError(number)

    few = Fingerprint(MAKER.spec, 5.0, np.arange(5, dtype=np.int32), np.full(5, 7, np.uint32))
    assert identifier_for(MAKER, never).identify(shelf.index, few, threshold=0.0) == ()
