"""What goes on is followed ahead of the windows, and windows that it fills are asked only for what else sounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from earmark.match.continuation import AHEAD_SECONDS, Continuation
from earmark.match.heard import HeardSound
from earmark.match.lines import Strand
from earmark.match.protocol import Options, Search
from earmark.match.windows import WINDOW_SECONDS, whole_windows
from earmark.types import Hits, Keys
from tests.match.shelf import Shelf, cut

RATE = 11_025


def piece(shelf: Shelf, number: int, start: float, seconds: float) -> np.ndarray:
    sound = cut(shelf.sounds[number], start, seconds, rate=RATE)
    return sound / sound.std()


def followed(shelf: Shelf, sound: np.ndarray) -> tuple[Continuation, list[Strand]]:
    fingerprint = shelf.asked(sound)
    frame = fingerprint.layers[shelf.plan.compare[0].layer].frame_seconds
    heard = HeardSound(shelf.matcher(), Options(several=True), shelf.index, fingerprint, 0.0, frame)
    continuation = Continuation()
    windows = whole_windows(fingerprint.seconds, frame)
    return continuation, [strand for strands in continuation.through(heard, windows) for strand in strands]


def test_a_recording_that_goes_on_is_followed_in_one_strand(landmarks: Shelf) -> None:
    continuation, strands = followed(landmarks, piece(landmarks, 3, 2.0, 20.0))
    assert continuation.fills(0.0, 20.0)
    assert continuation.tracks == {3}
    [long] = [one for one in strands if one.end - one.begin > WINDOW_SECONDS + 0.1]
    assert long.track == 3
    assert abs(long.reference_at(10.0) - 12.0) < 0.05
    assert long.end <= long.begin + AHEAD_SECONDS


def test_it_is_followed_no_farther_than_it_goes(landmarks: Shelf) -> None:
    continuation, _ = followed(landmarks, np.concatenate([piece(landmarks, number, 2.0, 15.0) for number in (3, 2)]))
    assert continuation.tracks == {2, 3}
    [(first, until), (since, last)] = continuation.spans
    assert first == 0.0
    assert abs(until - 15.0) < 0.6
    assert 14.9 <= since <= 17.6
    assert last > 29.0
    assert not continuation.fills(12.5, 17.5)


def test_silence_is_filled_by_nothing(landmarks: Shelf) -> None:
    continuation, _ = followed(landmarks, np.concatenate([piece(landmarks, 3, 2.0, 14.0), np.zeros(12 * RATE)]))
    assert continuation.spans
    assert all(last <= 15.1 for _, last in continuation.spans)


def test_what_sounds_beside_it_is_laid_too(landmarks: Shelf) -> None:
    both = piece(landmarks, 3, 2.0, 20.0)
    both[6 * RATE : 12 * RATE] += piece(landmarks, 2, 5.0, 6.0)
    continuation, strands = followed(landmarks, both)
    assert continuation.tracks == {3}
    beside = [one for one in strands if one.track == 2 and abs(one.reference_at(9.0) - 8.0) < 0.1]
    assert min(one.begin for one in beside) <= 7.5
    assert max(one.end for one in beside) >= 11.0


def test_what_is_forgotten_fills_nothing(landmarks: Shelf) -> None:
    continuation, _ = followed(landmarks, piece(landmarks, 3, 2.0, 20.0))
    other = continuation.copy()
    other.drop(3)
    assert (other.spans, other.tracks, other.going_on) == ([], set(), [])
    continuation.forget(before=30.0)
    assert continuation.spans == []


def test_unknown_sound_is_followed_nowhere(landmarks: Shelf) -> None:
    continuation, _ = followed(landmarks, np.random.default_rng(2).normal(0, 1, 20 * RATE))
    assert (continuation.spans, continuation.tracks) == ([], set())


class Asked:
    """An index that counts the windows that it is asked for."""

    def __init__(self, index: Search) -> None:
        self.channels, self.count, self._index = index.channels, 0, index

    def search(self, channel: str, keys: Keys, *, nearest: int = 20) -> Hits:
        self.count += 1
        return self._index.search(channel, keys, nearest=nearest)


def gone_on(shelf: Shelf, sound: np.ndarray, at: float) -> tuple[Continuation, int]:
    """What is known of a sound that is heard in two parts, and how often the second part was looked up."""
    fingerprint, index = shelf.asked(sound), Asked(shelf.index)
    frame = fingerprint.layers[shelf.plan.compare[0].layer].frame_seconds
    heard = HeardSound(shelf.matcher(), Options(several=True), index, fingerprint, 0.0, frame)
    continuation, windows = Continuation(), whole_windows(fingerprint.seconds, frame)
    first = replace(heard, fingerprint=fingerprint.between(0.0, at))
    list(continuation.through(first, [one for one in windows if one[1] <= at]))
    before = index.count
    list(continuation.through(heard, [one for one in windows if one[1] > at]))
    return continuation, index.count - before


def test_what_goes_on_alone_is_not_looked_up_again(landmarks: Shelf) -> None:
    continuation, asked = gone_on(landmarks, piece(landmarks, 3, 2.0, 25.0), 12.5)
    assert asked == 0
    assert continuation.fills(10.0, 24.5)


def test_where_something_else_begins_to_sound_it_is_looked_up(landmarks: Shelf) -> None:
    both = piece(landmarks, 3, 2.0, 25.0)
    both[17 * RATE : 22 * RATE] += 2 * piece(landmarks, 2, 5.0, 5.0)
    _, asked = gone_on(landmarks, both, 12.5)
    assert asked > 0
