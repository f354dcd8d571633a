"""Bits of a clip on the diagonals of recordings, of which every word is drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from earmark.match.compare.bits import BitComparison, BitSettings
from earmark.match.protocol import Alignment, Candidate, Others, Placement
from earmark.types import Layer

FRAME = 0.01  # seconds
SETTINGS = BitSettings(speeds=(1.0, 0.98, 1.02), correlated=3.0, reach_seconds=0.14, frame_centre_seconds=0.0)
FIGURES = ("bit_error_rate", "z", "rival_z")
RUN = 8  # frames over which a word stays: neighbours are alike, as windows that overlap are


def track(seed: int, frames: int = 3_000) -> Layer:
    rng = np.random.default_rng(seed)
    words = np.repeat(rng.integers(0, 1 << 32, frames // RUN, dtype=np.uint32), RUN)
    return Layer(np.arange(frames, dtype=np.int32), words[:, None], FRAME)


def turned(words: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    wrong = np.random.default_rng(seed).random((*words.shape, 32)) < share
    packed = np.packbits(wrong, axis=-1, bitorder="little").view(np.uint32)[..., 0]
    return words ^ packed


def clip(layer: Layer, start: int, frames: int, *, speed: float = 1.0, column: int = 0, share: float = 0.0) -> Layer:
    """Return a clip that plays a track from a frame on; the words of the other columns are nobody's."""
    at = np.rint(start + speed * np.arange(frames)).astype(int)
    words = np.random.default_rng(99).integers(0, 1 << 32, (frames, 3), dtype=np.uint32)
    words[:, column] = turned(layer.values[at, 0], share)
    return Layer(np.arange(frames, dtype=np.int32), words, FRAME)


def comparison(asked: Layer, *, wide: bool = False) -> BitComparison:
    return BitComparison(asked, FIGURES, settings=SETTINGS, wide=wide)


def laid(asked: Layer, layer: Layer, start_seconds: float, *, wide: bool = False) -> Placement:
    return comparison(asked, wide=wide).near([layer], [Candidate(0, start_seconds)], own=True)[0]


@pytest.mark.parametrize("start", [0, 1, 777, 2_500])
@pytest.mark.parametrize("guess", [-0.1, 0.0, 0.13])
def test_a_clip_lies_where_it_was_taken_from(start: int, guess: float) -> None:
    placement = laid(clip(track(1), start, 400, share=0.2), track(1), start * FRAME + guess)
    assert placement.start == pytest.approx(start * FRAME, abs=1e-9)
    assert placement.speed == 1.0


def test_the_figures_are_the_share_of_wrong_bits_and_its_distance_from_chance() -> None:
    asked = clip(track(1), 500, 400, share=0.25)
    wrong = np.bitwise_count(asked.values[:, 0] ^ track(1).values[500:900, 0]).mean() / 32
    placement = laid(asked, track(1), 5.0)
    assert placement.figures["z"] == pytest.approx((0.5 - wrong) / (3 * math.sqrt(0.25 / (400 * 32))))
    aligned = comparison(asked).fit(track(1), placement)
    assert aligned.figures["bit_error_rate"] == pytest.approx(wrong, abs=5e-5)
    evidence = comparison(asked).evidence(Candidate(0, 5.0), aligned, Others([], frozenset()))
    assert list(evidence) == list(FIGURES)
    assert evidence["rival_z"] == 0.0


def test_another_recording_is_like_chance() -> None:
    asked = clip(track(1), 500, 400)
    figures = [laid(asked, track(seed), 7.0).figures["z"] for seed in range(2, 30)]
    assert max(figures) < 5 < 10 < laid(asked, track(1), 5.0).figures["z"]


@pytest.mark.parametrize("tempo", [0.96, 0.98, 1.03, 1.045])
def test_another_tempo_is_told_with_the_pitch_of_the_recording(tempo: float) -> None:
    asked = clip(track(1), 500, 500, speed=tempo, share=0.1)
    middle = (500 + tempo * 249.5) * FRAME - 249.5 * FRAME  # where a diagonal of speed 1 crosses
    placement = laid(asked, track(1), middle)
    aligned = comparison(asked).fit(track(1), placement)
    assert aligned.speed == pytest.approx(tempo, abs=0.004)
    assert aligned.pitch == 1.0
    assert aligned.start == pytest.approx(5.0, abs=0.02)


def test_another_speed_is_told_by_the_words_that_were_made_for_it() -> None:
    asked = clip(track(1), 500, 500, speed=1.02, column=2, share=0.1)
    placement = laid(asked, track(1), 500 * FRAME + 0.05)
    aligned = comparison(asked).fit(track(1), placement)
    assert (aligned.speed, aligned.pitch) == (pytest.approx(1.02, abs=0.003), 1.02)


def test_larger_changes_of_tempo_are_tried_when_they_are_asked_for() -> None:
    asked = clip(track(1), 500, 500, speed=1.09, share=0.05)
    middle = (500 + 1.09 * 249.5) * FRAME - 249.5 * FRAME
    narrow, wide = (laid(asked, track(1), middle, wide=wide) for wide in (False, True))
    assert wide.figures["z"] > 2 * narrow.figures["z"]
    assert wide.speed == pytest.approx(1.09, abs=0.006)


def test_a_match_ends_where_the_bits_stop_agreeing() -> None:
    asked = clip(track(1), 500, 800)
    words = asked.values.copy()
    words[:300, 0] = track(7).values[:300, 0]
    words[600:, 0] = track(8).values[:200, 0]
    mixed = Layer(asked.frames, words, FRAME)
    aligned = comparison(mixed).fit(track(1), laid(mixed, track(1), 5.0))
    assert (aligned.first, aligned.last) == (pytest.approx(3.0, abs=0.1), pytest.approx(6.0, abs=0.1))


def test_what_lies_beside_the_track_counts_as_chance() -> None:
    asked = clip(track(1), 2_600, 400)
    short = Layer(track(1).frames[:2_800], track(1).values[:2_800], FRAME)
    aligned = comparison(asked).fit(short, laid(asked, short, 26.0))
    assert aligned.figures["bit_error_rate"] == pytest.approx(0.25, abs=1e-3)
    assert comparison(asked).near([short], [Candidate(0, 500.0)], own=True)[0].figures["z"] == 0.0


def test_silence_in_a_recording_counts_as_chance_and_moves_nothing() -> None:
    kept = np.r_[0:600, 700:3_000]
    holed = Layer(track(1).frames[kept], track(1).values[kept], FRAME)
    asked = clip(track(1), 500, 400)
    placement = laid(asked, holed, 5.05)
    assert placement.start == pytest.approx(5.0)
    assert comparison(asked).fit(holed, placement).figures["bit_error_rate"] == pytest.approx(0.125, abs=1e-3)


@pytest.mark.parametrize(("share", "same"), [(0.0, True), (0.1, True), (0.4, False)])
def test_two_recordings_of_the_same_sound_are_told_from_others(share: float, same: bool) -> None:
    asked = clip(track(1), 500, 400, share=0.2)
    other = Layer(track(1).frames, turned(track(1).values, share, seed=3), FRAME)
    placements = [laid(asked, layer, 5.0) for layer in (track(1), other)]
    assert comparison(asked).same((track(1), placements[0]), (other, placements[1])) is same


def test_scores_tell_which_part_of_a_window_agrees() -> None:
    one, other = clip(track(1), 500, 200, share=0.2), clip(track(3), 700, 200)
    words = np.concatenate([one.values, other.values])
    asked = Layer(np.arange(400, dtype=np.int32), words, FRAME)
    found = comparison(asked).over_time(track(1), Alignment(5.0, 1.0, 1.0, 0.01, 0.0, 4.0))
    assert found.seconds == pytest.approx(np.arange(400) * FRAME)
    assert found.values[:200].mean() == pytest.approx(0.6 * math.sqrt(32), abs=0.3)  # 0.8 right, less half, twice
    assert abs(found.values[200:].mean()) < 0.4
    assert found.values[200:].std() == pytest.approx(1.0, abs=0.25)
    assert found.correlation == SETTINGS.correlated**2


@pytest.mark.parametrize(("speed", "pitch", "column"), [(1.03, 1.0, 0), (0.98, 0.98, 1), (1.02, 1.02, 2)])
def test_scores_are_of_the_words_that_were_made_for_the_pitch(speed: float, pitch: float, column: int) -> None:
    asked = clip(track(1), 500, 400, speed=speed, column=column)
    found = comparison(asked).over_time(track(1), Alignment(5.0, speed, pitch, 0.01, 0.0, 4.0))
    assert found.values.mean() > 4


def test_scores_beside_a_track_are_nought() -> None:
    found = comparison(clip(track(1), 500, 400)).over_time(track(1), Alignment(-2.0, 1.0, 1.0, 0.01, 0.0, 4.0))
    assert (found.values[:200] == 0).all()
    beyond = comparison(clip(track(1), 500, 400)).over_time(track(1), Alignment(500.0, 1.0, 1.0, 0.01, 0.0, 4.0))
    assert (beyond.values == 0).all()


@pytest.mark.parametrize("start", [0, 1, 778, 2_481, 2_590])
@pytest.mark.parametrize("frames", [86, 400])
def test_a_sweep_finds_a_clip_wherever_it_was_taken_from(start: int, frames: int) -> None:
    asked = clip(track(1), start, frames, share=0.2)
    [swept] = comparison(asked).sweep(track(1))
    assert swept.start == pytest.approx(start * FRAME, abs=1.01 * FRAME)  # every second place is tried
    assert swept.figures["z"] > 0.75 * laid(asked, track(1), start * FRAME).figures["z"]
    assert swept.figures["z"] > max(comparison(asked).sweep(track(seed))[0].figures["z"] for seed in range(2, 8))


@pytest.mark.parametrize("start", [-150, 2_750])
def test_a_sweep_finds_a_clip_that_reaches_over_an_end_of_the_recording(start: int) -> None:
    words = np.concatenate([track(8).values[-500:], track(1).values, track(9).values[:500]])
    asked = clip(Layer(np.arange(4_000, dtype=np.int32), words, FRAME), start + 500, 400)
    [swept] = comparison(asked).sweep(track(1))
    assert swept.start == pytest.approx(start * FRAME, abs=FRAME)


def test_a_sweep_returns_places_that_repeat_a_passage_and_none_twice() -> None:
    words = track(1).values.copy()
    words[2_000:2_400] = words[500:900]
    repeating = Layer(track(1).frames, words, FRAME)
    places = comparison(clip(track(1), 500, 400)).sweep(repeating, limit=5)
    assert sorted(round(place.start, 2) for place in places[:2]) == [5.0, 20.0]
    assert [place.figures["z"] for place in places] == sorted((place.figures["z"] for place in places), reverse=True)
    starts = [place.start for place in places]
    assert min(abs(a - b) for i, a in enumerate(starts) for b in starts[:i]) > 16 * FRAME


def test_a_sweep_passes_over_silence_in_a_clip_and_in_a_recording() -> None:
    asked, kept = clip(track(1), 500, 400), np.r_[0:600, 700:3_000]
    holed = Layer(track(1).frames[kept], track(1).values[kept], FRAME)
    heard = np.r_[0:50, 120:400]
    partly = Layer(asked.frames[heard], asked.values[heard], FRAME)
    for one, reference in ((asked, holed), (partly, track(1)), (partly, holed)):
        assert comparison(one).sweep(reference)[0].start == pytest.approx(5.0, abs=FRAME)
    empty = Layer(np.zeros(0, np.int32), np.zeros((0, 1), np.uint32), FRAME)
    assert comparison(asked).sweep(empty) == []
    assert comparison(asked).sweep_cost(empty) == 0


def test_a_sweep_costs_every_word_of_the_recording_for_some_of_the_clip() -> None:
    compared = comparison(clip(track(1), 500, 400))
    assert compared.seconds == pytest.approx(399 * FRAME)
    assert compared.sweep_cost(track(1)) == 3_000 // 2 * (2 * (len(range(0, 400, 6)) // 2))
