"""One window while it is matched: silence about it, its places, and what sounds at the same time."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.match.look import (
    MARGIN_SECONDS,
    SILENCE_SECONDS,
    Look,
    places_on,
    separable_of,
    together_with,
    without_silence,
)
from earmark.match.votes import Guess
from tests.match.shelf import Shelf, cut

RATE = 8_000


def look_at(shelf: Shelf, sound: np.ndarray) -> Look:
    matcher = shelf.matcher()
    return Look(
        shelf.plan, shelf.asked(sound), shelf.index, keys=matcher.keys, references=matcher.references, wide=False
    )


def piece(shelf: Shelf, number: int, start: float, seconds: float) -> np.ndarray:
    """A part of a recording; all are as loud."""
    sound = cut(shelf.sounds[number], start, seconds)
    return sound / sound.std()


# --- silence


@pytest.mark.parametrize(("before", "after"), [(3.0, 2.0), (0.0, 4.0), (2.5, 0.0)])
def test_silence_at_the_ends_is_left_out_with_a_margin(shelf: Shelf, before: float, after: float) -> None:
    sound = piece(shelf, 2, 4.0, 5.0)
    padded = np.concatenate([np.zeros(round(before * RATE)), sound, np.zeros(round(after * RATE))])
    whole = shelf.asked(padded)
    window, begin = without_silence(whole, shelf.plan)
    slack = MARGIN_SECONDS + 1.0  # a segment lasts a second
    assert begin == pytest.approx(max(before - MARGIN_SECONDS, 0.0), abs=slack if before else 0.0)
    assert window.seconds == pytest.approx(5.0, abs=2 * slack)
    for name, layer in window.layers.items():
        frames = whole.layers[name].frames
        moved = round(begin / layer.frame_seconds)
        assert set(layer.frames.tolist()) <= set((frames - moved).tolist())
        if name != "vectors":  # whose segments may begin in silence
            assert len(layer.frames) == len(frames)


def test_a_clip_without_silence_and_one_of_nothing_else_stay_as_they_are(shelf: Shelf) -> None:
    for sound in (piece(shelf, 2, 4.0, 5.0), piece(shelf, 4, 9.0, 1.0), np.zeros(5 * RATE)):
        fingerprint = shelf.asked(sound)
        window, begin = without_silence(fingerprint, shelf.plan)
        assert window is fingerprint
        assert begin == 0.0


def test_a_pause_amid_sound_stays_and_is_not_counted_as_sound(with_peaks: Shelf) -> None:
    pause = np.zeros(round(3.0 * RATE))
    sound = np.concatenate([piece(with_peaks, 2, 4.0, 3.0), pause, piece(with_peaks, 2, 7.0, 3.0)])
    look = look_at(with_peaks, sound)
    window, begin = without_silence(look.window, with_peaks.plan)
    assert (window, begin) == (look.window, 0.0)
    assert look.sounding_seconds == pytest.approx(6.0, abs=0.5)
    assert look_at(with_peaks, piece(with_peaks, 2, 4.0, 5.0)).sounding_seconds == 5.0
    assert SILENCE_SECONDS < 3.0


# --- places


def test_the_likeliest_places_come_first_and_each_is_known_by_its_track_and_second(with_peaks: Shelf) -> None:
    look = look_at(with_peaks, piece(with_peaks, 2, 7.0, 5.0))
    look.add([Guess(3, 7.0), Guess(2, 7.02), Guess(2, 15.0), Guess(5, 1.0)], "")
    first, *others = look.likeliest(4)
    assert (first.track, first.start) == (2, pytest.approx(7.0, abs=0.05))
    assert len(others) == 3
    assert all(one.score <= first.score for one in others)
    assert look.nearest_to(Guess(2, 7.1), within=0.5) is first
    other = look.nearest_to(Guess(2, 15.3), within=1.0)
    assert other is not None
    assert other.start == pytest.approx(15.0, abs=0.3)
    assert look.nearest_to(Guess(2, 11.0), within=1.0) is None
    assert look.nearest_to(Guess(4, 7.0), within=99.0) is None


def test_a_place_that_is_put_first_is_the_only_one_of_its_track(with_peaks: Shelf) -> None:
    look = look_at(with_peaks, piece(with_peaks, 2, 7.0, 5.0))
    look.add([Guess(2, 7.0), Guess(2, 15.0), Guess(3, 7.0)], "")
    other = look.nearest_to(Guess(2, 15.0), within=0.5)
    assert other is not None
    look.put_first(other)
    assert look.ranked[0] is other
    assert [one.track for one in look.ranked].count(2) == 1


def test_a_place_is_not_tried_twice(with_peaks: Shelf) -> None:
    look = look_at(with_peaks, piece(with_peaks, 2, 7.0, 5.0))
    look.add([Guess(2, 7.0)], "")
    look.add([Guess(2, 7.05), Guess(2, 6.95)], "")
    assert len(look.likeliest(9)) == 1


def test_only_what_sounds_at_the_same_time_is_told_to_do_so(with_peaks: Shelf) -> None:
    both = look_at(with_peaks, piece(with_peaks, 3, 2.0, 8.0) + piece(with_peaks, 5, 4.0, 8.0))
    alone = look_at(with_peaks, piece(with_peaks, 3, 2.0, 8.0))
    for look, together in ((both, {5}), (alone, set())):
        look.add([Guess(3, 2.0), Guess(5, 4.0), Guess(2, 6.0)], "")
        found = look.nearest_to(Guess(3, 2.0), within=0.5)
        assert found is not None
        assert together_with(found, look) == together


def test_without_peaks_nobody_can_tell_what_sounds_at_the_same_time(shelves: dict[str, Shelf]) -> None:
    shelf = shelves["without"]
    look = look_at(shelf, piece(shelf, 3, 2.0, 8.0) + piece(shelf, 5, 4.0, 8.0))
    look.add([Guess(3, 2.0), Guess(5, 4.0)], "")
    assert separable_of(look) == ("", None)
    assert together_with(look.ranked[0], look) == frozenset()


def test_all_places_of_a_recording_that_repeats_itself_are_named(with_peaks: Shelf) -> None:
    """The sixth excerpt repeats itself every 8.25 s."""
    found = places_on(6, look_at(with_peaks, piece(with_peaks, 6, 9.0, 4.0)), most=9)
    assert len(found) >= 2
    assert len(places_on(6, look_at(with_peaks, piece(with_peaks, 6, 9.0, 4.0)), most=1)) == 1
    starts = sorted(one.start for one in found)
    assert min(np.diff(starts)) >= 1.0
    assert any(start == pytest.approx(9.0, abs=0.1) for start in starts)
    once = places_on(2, look_at(with_peaks, piece(with_peaks, 2, 7.0, 4.0)), most=9)
    assert [one.start for one in once] == [pytest.approx(7.0, abs=0.1)]
