"""Fades: where one recording gives way to another, whichever of them is the louder."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.match.fades import Fade, may_fade
from earmark.match.passages import Passage
from earmark.match.protocol import Options
from earmark.match.stretches import evidence_of
from earmark.match.timeline import Timeline
from tests.match.shelf import Shelf, cut
from tests.match.test_stretches import agreeing_line

RATE, FADE = 11_025, 6.0  # Hz, seconds


def piece(shelf: Shelf, number: int, start: float, seconds: float) -> np.ndarray:
    sound = cut(shelf.sounds[number], start, seconds, rate=RATE)
    return sound / sound.std()


def faded(shelf: Shelf, *, louder: float) -> np.ndarray:
    """Two recordings of 15 s, of which the second, so many times as loud, begins where the first fades out."""
    first, second = piece(shelf, 3, 2.0, 15.0), louder * piece(shelf, 2, 2.0, 15.0)
    rising = np.sin(np.linspace(0, np.pi / 2, round(FADE * RATE)))
    first[-len(rising) :] *= rising[::-1]
    second[: len(rising)] *= rising
    whole = np.zeros(len(first) + len(second) - len(rising))
    whole[: len(first)] += first
    whole[-len(second) :] += second
    return whole


@pytest.mark.parametrize("louder", [0.5, 2.0])
def test_a_border_is_in_the_middle_of_its_fade_however_loud_the_sides_are(landmarks: Shelf, louder: float) -> None:
    one = Timeline(landmarks.matcher(), Options(several=True))
    one.hear(landmarks.asked(faded(landmarks, louder=louder)), landmarks.index, since=0.0, final=True)
    first, second = one.passages()
    assert (first.track, second.track) == (3, 2)
    assert first.query_end == second.query_start == pytest.approx(12.0, abs=1.75)
    assert first.reference_end == pytest.approx(2.0 + first.query_end, abs=0.1)
    assert second.reference_start == pytest.approx(second.query_start - 7.0, abs=0.1)


def test_what_agrees_to_its_end_is_cut_and_what_agrees_ever_less_may_fade() -> None:
    whole, begun = agreeing_line(1, [(0.0, 10.0, 2.0)]), agreeing_line(2, [(10.0, 20.0, 2.0)])
    less = agreeing_line(3, [(0.0, 8.0, 2.0), (8.0, 10.0, 0.8)])
    assert not may_fade(evidence_of(whole), evidence_of(begun), 10.0)
    assert may_fade(evidence_of(less), evidence_of(begun), 10.0)


@pytest.mark.parametrize(
    ("track", "start", "end", "is_of_it"),
    [
        (3, 9.5, 12.0, True),
        (2, 12.0, 15.5, True),
        (5, 10.0, 12.0, False),
        (3, 2.0, 12.0, False),
        (2, 12.0, 20.0, False),
    ],
)
def test_a_fade_holds_what_is_left_of_its_recordings_and_nothing_else(
    track: int, start: float, end: float, *, is_of_it: bool
) -> None:
    fade = Fade(frozenset((3, 2)), 10.0, 15.0)
    passage = Passage(track, 5.0, start, end, 0.0, end - start, 1.0, 1.0, 0.01, {})
    assert fade.middle == 12.5
    assert fade.holds(passage) is is_of_it
