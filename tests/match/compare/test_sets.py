"""Diagonals of signatures, on hand-made ones of which every place is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.match.compare.sets import SetComparison, SetSettings, equal_shares
from earmark.match.protocol import Alignment, Candidate, Others, Placement
from earmark.types import Layer

FRAME, HOP, STORED_HOP, IMAGE = 0.01, 4, 32, 128  # seconds; frames
ENTRIES = 100
FIGURES = ("share", "chance", "z", "rival_z")
SETTINGS = SetSettings(IMAGE * FRAME, STORED_HOP * FRAME, HOP * FRAME, correlation=2.3)
FRAMES = 6_000  # of a track


def sound(seed: int, *, seconds: float = FRAMES * FRAME) -> np.ndarray:
    """Return the entries that an image would have at each frame, (frames, entries).

    Each changes every 80 frames or so.
    """
    draw = np.random.default_rng(seed)
    frames = round(seconds / FRAME)
    changes = draw.random((frames, ENTRIES)) < 1 / 80
    numbers = np.cumsum(changes, axis=0) + 1_000 * np.arange(ENTRIES)
    return draw.integers(0, 60, 300_000)[numbers % 300_000].astype(np.uint8)


def stored(entries: np.ndarray) -> Layer:
    frames = np.arange(0, len(entries), STORED_HOP, dtype=np.int32)
    return Layer(frames, entries[frames], FRAME)


def clip(
    entries: np.ndarray, start: float, count: int, *, speed: float = 1.0, kept: float = 1.0, seed: int = 9
) -> Layer:
    """Return a clip of `count` images from a frame on, with that share of its entries left as they are."""
    draw = np.random.default_rng(seed)
    frames = np.arange(count, dtype=np.int32) * HOP
    # The middle of an image of the clip is the middle of one of the track.
    places = np.rint(start + speed * (frames + IMAGE / 2) - IMAGE / 2).astype(int)
    values = entries[np.clip(places, 0, len(entries) - 1)].copy()
    other = draw.random(values.shape) >= kept
    values[other] = draw.integers(0, 60, int(other.sum()))
    return Layer(frames, values, FRAME)


TRACKS = [sound(seed) for seed in range(4)]
STORED = [stored(track) for track in TRACKS]


def comparison(layer: Layer, *, wide: bool = False, figures: Sequence[str] = FIGURES) -> SetComparison:
    return SetComparison(layer, figures, settings=SETTINGS, wide=wide)


def near(compared: SetComparison, track: int, start: float) -> Placement | None:
    [placement] = compared.near([STORED[track]], [Candidate(track, start)], own=True)
    return placement


def placed(compared: SetComparison, track: int, start: float) -> Placement:
    placement = near(compared, track, start)
    assert placement is not None
    return placement


@pytest.mark.parametrize("start", [0, 10, 1_003, 2_517, 5_600])
@pytest.mark.parametrize(("kept", "error"), [(1.0, 0.02), (0.5, 0.08)])
@pytest.mark.parametrize("beside", [-0.12, 0.0, 0.1])
def test_a_clip_lies_where_it_was_taken_from(start: int, kept: float, error: float, beside: float) -> None:
    compared = comparison(clip(TRACKS[2], start, 70, kept=kept))
    best = placed(compared, 2, start * FRAME + beside)
    found = compared.fit(STORED[2], best)
    assert found.start == pytest.approx(start * FRAME, abs=error)
    assert (found.speed, found.pitch) == (1.0, 1.0)
    assert 0 < found.position_error < 0.05
    others = [placed(compared, track, start * FRAME).figures["z"] for track in (0, 1, 3)]
    assert best.figures["z"] > max(10.0, *others)


@pytest.mark.parametrize("speed", [0.96, 0.98, 1.02, 1.04])
def test_a_clip_at_another_tempo_is_told_with_its_speed(speed: float) -> None:
    compared = comparison(clip(TRACKS[1], 1_500, 200, speed=speed))
    found = compared.fit(STORED[1], placed(compared, 1, 15.0 + 4 * (speed - 1)))
    assert found.speed == pytest.approx(speed, abs=0.004)
    assert found.start == pytest.approx(15.0, abs=0.05)


def test_a_larger_change_of_tempo_takes_the_wide_search() -> None:
    layer = clip(TRACKS[1], 1_500, 200, speed=1.1)
    usual, wide = (placed(comparison(layer, wide=one), 1, 15.4) for one in (False, True))
    assert wide.speed == 1.1
    assert wide.figures["z"] > usual.figures["z"] + 10


def test_no_image_near_a_place_is_no_placement() -> None:
    compared = comparison(clip(TRACKS[0], 100, 70))
    assert near(compared, 0, -20.0) is None
    assert near(compared, 0, 80.0) is None


def test_a_clip_that_reaches_over_the_edges_lies_there_too() -> None:
    for start in (-80, FRAMES - 200):
        compared = comparison(clip(TRACKS[3], start, 70))
        assert compared.fit(STORED[3], placed(compared, 3, start * FRAME)).start == pytest.approx(
            start * FRAME, abs=0.05
        )


def test_a_missing_image_is_passed_over() -> None:
    whole = clip(TRACKS[2], 1_000, 70)
    kept = np.r_[0:20, 45:70]
    compared = comparison(Layer(whole.frames[kept], whole.values[kept], FRAME))
    found = placed(compared, 2, 10.0)
    assert found.start == pytest.approx(10.0, abs=0.05)
    assert compared.fit(STORED[2], found).figures["share"] > 0.5


def test_z_is_the_binomial_deviation_of_the_share_from_the_chance_of_the_track() -> None:
    compared = comparison(clip(TRACKS[2], 1_024, 33))
    best = placed(compared, 2, 10.24)
    figures = compared.fit(STORED[2], best).figures
    assert figures["share"] == 1.0  # the clip's images lie on the stored ones
    images, chance = 4, figures["chance"]  # of 129 frames
    expected = (1 - chance) * np.sqrt(images * ENTRIES / SETTINGS.correlation / (chance * (1 - chance)))
    assert figures["z"] == pytest.approx(expected, rel=0.01)


def test_static_music_has_much_in_common_by_chance_and_so_little_to_say() -> None:
    still = np.repeat(TRACKS[0][:1], FRAMES, axis=0)
    reference = stored(still)
    compared = comparison(clip(still, 1_000, 70, kept=0.6))
    [placement] = compared.near([reference], [Candidate(7, 10.0)], own=True)
    assert placement is not None
    assert compared.fit(reference, placement).figures["chance"] > 0.5
    assert placement.figures["z"] < 5


@given(seed=st.integers(0, 10_000), track=st.integers(0, 3), start=st.floats(-1, 60))
def test_chance_stays_within_a_few_deviations(seed: int, track: int, start: float) -> None:
    draw = np.random.default_rng(seed)
    frames = np.arange(70, dtype=np.int32) * HOP
    compared = comparison(Layer(frames, draw.integers(0, 60, (70, ENTRIES)).astype(np.uint8), FRAME))
    placement = near(compared, track, start)
    assert placement is None or placement.figures["z"] < 6


def test_the_evidence_is_what_was_asked_for() -> None:
    compared = comparison(clip(TRACKS[2], 1_000, 70), figures=("z", "rival_z"))
    best, other = placed(compared, 2, 10.0), placed(compared, 1, 10.0)
    candidate, rival = (Candidate(track, one.start, 1.0, {"s": one}) for track, one in ((2, best), (1, other)))
    alignment = compared.fit(STORED[2], best)
    evidence = compared.evidence(candidate, alignment, Others([rival], frozenset()))
    assert evidence == {
        "z": pytest.approx(best.figures["z"], abs=1e-3),
        "rival_z": pytest.approx(other.figures["z"], abs=1e-3),
    }


def test_the_passage_ends_where_the_common_sound_ends() -> None:
    layer = clip(TRACKS[2], 1_000, 200)
    values = layer.values.copy()
    values[100:] = clip(TRACKS[1], 3_000, 100).values
    compared = comparison(Layer(layer.frames, values, FRAME))
    found = compared.fit(STORED[2], placed(compared, 2, 10.0))
    assert found.first < 0.5
    assert found.last == pytest.approx(100 * HOP * FRAME + IMAGE * FRAME, abs=0.5)


def test_two_references_with_the_same_sound_are_told_wherever_it_begins() -> None:
    moved = stored(np.concatenate([sound(77, seconds=0.45), TRACKS[2]]))
    compared = comparison(clip(TRACKS[2], 1_000, 70))
    here = placed(compared, 2, 10.0)
    [there] = compared.near([moved], [Candidate(8, 10.45)], own=True)
    assert there is not None
    assert compared.same((STORED[2], here), (moved, there))
    assert not compared.same((STORED[2], here), (STORED[1], placed(compared, 1, 10.0)))


def test_shares_are_counted_for_each_pair() -> None:
    one, other = (
        np.random.default_rng(seed).integers(0, 3, (size, 7)).astype(np.uint8) for seed, size in ((1, 4), (2, 5))
    )
    shares = equal_shares(one, other)
    assert shares.shape == (4, 5)
    for row in range(4):
        for column in range(5):
            assert shares[row, column] == pytest.approx(sum(one[row] == other[column]) / 7)


def test_scores_tell_which_part_of_a_window_agrees() -> None:
    one, other = clip(TRACKS[2], 1_003, 100, kept=0.6), clip(TRACKS[0], 2_000, 100)
    frames = np.arange(200, dtype=np.int32) * HOP
    compared = comparison(Layer(frames, np.concatenate([one.values, other.values]), FRAME))
    found = compared.over_time(STORED[2], Alignment(10.03, 1.0, 1.0, 0.01, 0.0, 8.0))
    assert (np.diff(found.seconds) > 0).all()
    border = (100 * HOP + IMAGE / 2) * FRAME
    assert found.values[found.seconds < border].mean() > 5
    assert found.values[found.seconds > border].mean() < 0.5
    assert found.correlation == SETTINGS.correlation


def test_scores_follow_an_alignment_at_another_tempo() -> None:
    compared = comparison(clip(TRACKS[1], 1_500, 200, speed=1.04))
    fast, plain = (
        compared.over_time(STORED[1], Alignment(15.0, speed, 1.0, 0.01, 0.0, 8.0)).values.mean()
        for speed in (1.04, 1.0)
    )
    assert fast > 1.2 * plain > 0


def test_scores_beside_a_track_are_none() -> None:
    compared = comparison(clip(TRACKS[1], 1_500, 200))
    for start in (500.0, -500.0):
        found = compared.over_time(STORED[1], Alignment(start, 1.0, 1.0, 0.01, 0.0, 8.0))
        assert (len(found.seconds), len(found.values)) == (0, 0)


@pytest.mark.parametrize("start", [0, 10, 1_003, 2_517, 5_600])
@pytest.mark.parametrize(("count", "kept"), [(70, 1.0), (70, 0.5), (17, 1.0), (2, 1.0)])
def test_a_sweep_finds_a_clip_wherever_it_was_taken_from(start: int, count: int, kept: float) -> None:
    compared = comparison(clip(TRACKS[2], start, count, kept=kept))
    [swept] = compared.sweep(STORED[2])
    assert swept.start == pytest.approx(start * FRAME, abs=4 * HOP * FRAME)  # within reach of the comparison
    assert placed(compared, 2, swept.start).figures["z"] > 0.75 * swept.figures["z"]
    others = [one.figures["z"] for track in (0, 1, 3) for one in compared.sweep(STORED[track])]
    assert swept.figures["z"] > max(others)


def test_a_sweep_finds_a_clip_that_reaches_over_an_end_of_the_recording() -> None:
    for start in (-80, FRAMES - 200):
        [swept] = comparison(clip(TRACKS[3], start, 70)).sweep(STORED[3])
        assert swept.start == pytest.approx(start * FRAME, abs=HOP * FRAME)


def test_a_sweep_returns_places_that_repeat_a_passage_and_none_twice() -> None:
    repeating = TRACKS[2].copy()
    repeating[4_000:4_800] = repeating[1_000:1_800]
    places = comparison(clip(TRACKS[2], 1_000, 70)).sweep(stored(repeating), limit=4)
    assert sorted(place.start for place in places[:2]) == [pytest.approx(one, abs=HOP * FRAME) for one in (10.0, 40.0)]
    figures = [place.figures["z"] for place in places]
    assert figures == sorted(figures, reverse=True)
    starts = sorted(place.start for place in places)
    assert np.diff(starts).min() > 1.5 * STORED_HOP * FRAME


def test_a_sweep_passes_over_silence_in_a_clip_and_in_a_recording() -> None:
    whole = clip(TRACKS[2], 1_000, 70)
    kept, there = np.r_[0:20, 45:70], np.r_[0:33, 36:100, 110:188]
    partly = Layer(whole.frames[kept], whole.values[kept], FRAME)
    holed = Layer(STORED[2].frames[there], STORED[2].values[there], FRAME)
    for asked, reference in ((partly, STORED[2]), (whole, holed), (partly, holed)):
        assert comparison(asked).sweep(reference)[0].start == pytest.approx(10.0, abs=HOP * FRAME)
    empty = Layer(np.zeros(0, np.int32), np.zeros((0, ENTRIES), np.uint8), FRAME)
    assert comparison(whole).sweep(empty) == []


def test_a_sweep_costs_every_entry_of_the_recording_for_half_the_images_of_the_clip() -> None:
    compared = comparison(clip(TRACKS[2], 1_000, 70))
    assert compared.seconds == pytest.approx(69 * HOP * FRAME)
    assert compared.sweep_cost(STORED[2]) == len(STORED[2].frames) * 35 * ENTRIES
