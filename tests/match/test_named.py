"""What channels name in windows of a long sound, and what of that stands out."""

from __future__ import annotations

import numpy as np

from earmark.match.named import FEW_GUESSES, STANDING_OUT, Named, hits_of, named_by
from earmark.match.votes import Guess
from tests.match.shelf import Shelf, cut

RATE = 8_000


def guesses(*votes: float) -> list[Guess]:
    return [Guess(track, 0.0, each) for track, each in enumerate(votes)]


def test_what_has_twice_the_votes_of_a_usual_guess_stands_out() -> None:
    one = Named("peaks", guesses(20.0, 2 * STANDING_OUT, 3.0, 2.5, 2.0, 2.0, 1.0))
    assert [guess.track for guess in one.standing_out] == [0, 1]


def test_only_a_few_stand_out_and_of_none_there_is_nothing() -> None:
    assert len(Named("peaks", guesses(*[9.0] * 5, 1.0)).standing_out) == FEW_GUESSES
    assert Named("peaks", []).standing_out == []


def test_two_that_sound_at_once_both_stand_out(with_peaks: Shelf) -> None:
    both = sum(
        cut(with_peaks.sounds[number], 5.0, 5.0, rate=RATE) / with_peaks.sounds[number].std() for number in (2, 3)
    )
    hits = hits_of(with_peaks.maker.keys(with_peaks.asked(both), query=True), with_peaks.plan, with_peaks.index)
    named = named_by(with_peaks.plan, hits)
    assert {one.layer for one in named} == {"vectors", "peaks"}
    assert {2, 3} <= {guess.track for one in named for guess in one.standing_out}
    without = named_by(with_peaks.plan, hits, without=frozenset({2}))
    assert all(guess.track != 2 for one in without for guess in one.guesses)
    assert 3 in {guess.track for one in without for guess in one.standing_out}


def test_of_unknown_sound_next_to_nothing_stands_out(with_peaks: Shelf) -> None:
    asked = with_peaks.asked(np.random.default_rng(4).normal(0, 0.1, 5 * RATE))
    hits = hits_of(with_peaks.maker.keys(asked, query=True), with_peaks.plan, with_peaks.index)
    named = named_by(with_peaks.plan, hits)
    assert sum(len(one.standing_out) for one in named) <= 2
