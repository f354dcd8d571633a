from __future__ import annotations

import numpy as np
import pytest

from earmark.learn.mixes import Mix, Part, draw_mix
from earmark.learn.pcm import Sounds
from earmark.learn.recipe import Content

SAMPLES = 8_774


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def test_an_unchanged_piece_is_the_track_itself(sounds: Sounds) -> None:
    piece = Mix((Part(2, 9_000),), SAMPLES)
    assert np.array_equal(piece.sound(sounds, 0, SAMPLES), sounds.excerpt(2, 9_000, SAMPLES))
    assert np.array_equal(piece.sound(sounds, -500, 700), sounds.excerpt(2, 8_500, 700))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_what_lies_around_a_segment_goes_on_without_a_seam(sounds: Sounds, factor: float, backwards: bool) -> None:
    piece = Mix((Part(1, 30_000),), SAMPLES, factor, backwards)
    around = piece.sound(sounds, -4_000, SAMPLES + 8_000)
    assert alike(around[4_000 : 4_000 + SAMPLES], piece.sound(sounds, 0, SAMPLES)) > 0.99


def test_a_transposed_piece_is_the_track_played_faster(sounds: Sounds) -> None:
    factor = 1.25
    piece = Mix((Part(0, 20_000),), SAMPLES, factor)
    slow = Mix((Part(0, 20_000),), SAMPLES).sound(sounds, 0, round(SAMPLES * factor) + 2)
    at = np.arange(SAMPLES) * factor
    assert alike(piece.sound(sounds, 0, SAMPLES), np.interp(at, np.arange(len(slow)), slow)) > 0.9


def test_backwards_the_last_sample_comes_first(sounds: Sounds) -> None:
    piece = Mix((Part(3, 40_000),), SAMPLES, backwards=True)
    assert np.array_equal(piece.sound(sounds, 0, SAMPLES), sounds.excerpt(3, 40_000, SAMPLES)[::-1])


def test_a_player_that_runs_faster_meets_the_same_middle(sounds: Sounds) -> None:
    piece = Mix((Part(0, 25_000),), SAMPLES, 1.1)
    middle, speed, length = SAMPLES / 2, 1.03, 4_000
    faster = piece.sound(sounds, middle - length / 2 * speed, length, speed=speed)
    plain = piece.sound(sounds, middle - length / 2, length)
    near = slice(length // 2 - 40, length // 2 + 40)
    assert alike(faster[near], plain[near]) > 0.9


def test_two_parts_are_heard_at_once_at_their_levels(sounds: Sounds) -> None:
    both = Mix((Part(0, 9_000), Part(1, 12_000, 0.5)), SAMPLES).sound(sounds, 0, SAMPLES)
    wanted = sounds.excerpt(0, 9_000, SAMPLES) + 0.5 * sounds.excerpt(1, 12_000, SAMPLES)
    assert np.allclose(both, wanted, atol=1e-6)


def test_pieces_are_drawn_as_often_and_as_far_as_the_recipe_says(sounds: Sounds) -> None:
    content = Content(transposed_share=0.5, transposition=1.3, reversed_share=0.2, mixed_share=0.3, mix_decibels=6.0)
    generator = np.random.default_rng(5)
    pieces = [draw_mix(content, sounds, 2, SAMPLES, generator) for _ in range(2_000)]
    factors = np.array([piece.factor for piece in pieces])
    assert (factors != 1).mean() == pytest.approx(0.5, abs=0.05)
    assert (factors.min(), factors.max()) == pytest.approx((1 / 1.3, 1.3), rel=0.02)
    assert np.mean([piece.backwards for piece in pieces]) == pytest.approx(0.2, abs=0.04)
    mixed = [piece for piece in pieces if len(piece.parts) == 2]
    assert len(mixed) / len(pieces) == pytest.approx(0.3, abs=0.05)
    decibels = [20 * np.log10(piece.parts[1].gain) for piece in mixed]
    assert min(decibels) >= -6 - 1e-9
    assert max(decibels) <= 6 + 1e-9
    assert all(piece.parts[0].track == 2 for piece in pieces)


def test_nothing_is_changed_unless_the_recipe_says_so(sounds: Sounds) -> None:
    generator = np.random.default_rng(1)
    assert {len(draw_mix(Content(), sounds, 1, SAMPLES, generator).parts) for _ in range(50)} == {1}
    assert {draw_mix(Content(), sounds, 1, SAMPLES, generator).factor for _ in range(50)} == {1.0}
