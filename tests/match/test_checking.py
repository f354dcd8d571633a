"""The check of lines by peaks: certain at the true place, chance elsewhere, whatever the line says of its speed."""

from __future__ import annotations

import numpy as np
import pytest
from earmark.match.align import Points, QueryMap, warps
from earmark.match.checking import CLOSELY, Place, checked
from earmark.match.search import DECISIVE

BINS = 512
WARPS = warps(range(-4, 5))
FRAMES = 320  # of a clip: 5 s


def constellation(seed: int, frames: int = 2_400, peaks: int = 3_600) -> Points:
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, frames, peaks)).astype(np.int32)
    return Points(at, rng.integers(20, BINS - 40, peaks).astype(np.int32))


def clip(reference: Points, start: float, *, speed: float = 1.0, pitch: float = 1.0, keep: float = 0.5,
         seed: int = 5) -> QueryMap:  # fmt: skip
    """Of a piece of a reference: some of its peaks, jittered, among as many of noise."""
    rng = np.random.default_rng(seed)
    at = (reference.frames + rng.uniform(-0.3, 0.3, len(reference.frames)) - start) / speed
    bins = np.rint(reference.bins * pitch)
    heard = (at >= 0) & (at < FRAMES) & (bins < BINS) & (rng.random(len(at)) < keep)
    at = np.rint(np.concatenate([at[heard], rng.integers(0, FRAMES, 250)])).astype(np.int32)
    bins = np.concatenate([bins[heard], rng.integers(20, BINS, 250)]).astype(np.int32)
    order = np.lexsort((bins, at))
    return QueryMap(Points(at[order], bins[order]), bins=BINS, hypotheses=WARPS)


REFERENCE = constellation(1)


def test_nothing_to_check_gives_nothing() -> None:
    assert checked(clip(REFERENCE, 800), []) == []


def test_the_true_place_is_certain_and_others_are_chance() -> None:
    others = [Place(constellation(seed), 700.0, 1.0) for seed in range(2, 12)]
    elsewhere = [Place(REFERENCE, start, 1.0) for start in (200.0, 500.0, 1_300.0, 1_900.0)]
    first, *rest = checked(clip(REFERENCE, 800), [Place(REFERENCE, 800.0, 1.0), *others, *elsewhere])
    assert first.z > 9
    assert first.start == pytest.approx(800, abs=1)
    assert max(placing.z for placing in rest) < 5.5


@pytest.mark.parametrize("off", [-12, -9, -7, -6, -4, -2, 0, 2, 3, 5, 8, 12])
def test_the_place_may_be_off_by_a_fifth_of_a_second(off: int) -> None:
    [placing] = checked(clip(REFERENCE, 800), [Place(REFERENCE, 800.0 + off, 1.0)])
    assert placing.z > 8
    assert placing.start == pytest.approx(800, abs=1.5)


@pytest.mark.parametrize("off", [-3, -1, 1, 3])
def test_a_likely_place_is_told_to_the_frame(off: int) -> None:
    drawn = clip(REFERENCE, 800)
    even, odd = (checked(drawn, [Place(REFERENCE, start, 1.0)])[0] for start in (800.0, 800.0 + off))
    assert odd.start == even.start
    assert odd.z == pytest.approx(even.z, rel=1e-5)


def test_a_place_a_second_off_is_not_corrected() -> None:
    [placing] = checked(clip(REFERENCE, 800), [Place(REFERENCE, 864.0, 1.0)])
    assert placing.z < 5


@pytest.mark.parametrize("speed", [0.96, 0.98, 1.02, 1.04])
@pytest.mark.parametrize("with_pitch", [False, True])
def test_a_changed_speed_is_confirmed_with_its_pitch(speed: float, with_pitch: bool) -> None:
    pitch = speed if with_pitch else 1.0
    query = clip(REFERENCE, 800.0, speed=speed, pitch=pitch, keep=0.8)
    [placing] = checked(query, [Place(REFERENCE, 800.0, speed)])
    assert placing.z > 8
    assert placing.warp.speed == pytest.approx(speed, abs=0.0101)
    alignment = query.measured(REFERENCE, placing)
    assert alignment.placing.warp.speed == pytest.approx(speed, abs=0.003)
    assert alignment.placing.warp.pitch == pytest.approx(pitch, abs=0.011)
    assert alignment.placing.start == pytest.approx(800.0, abs=2)


@pytest.mark.parametrize("speed", [0.96, 0.98, 1.02, 1.04])
@pytest.mark.parametrize("with_pitch", [False, True])
def test_a_line_that_hears_no_change_finds_it_when_its_middle_is_right(speed: float, with_pitch: bool) -> None:
    query = clip(REFERENCE, 800.0, speed=speed, pitch=speed if with_pitch else 1.0, keep=0.8)
    [placing] = checked(query, [Place(REFERENCE, 800.0 + (speed - 1) * FRAMES / 2, 1.0)])
    assert placing.z > 8
    assert placing.warp.speed == pytest.approx(speed, abs=0.0101)
    assert placing.start == pytest.approx(800.0, abs=3)


def test_other_speeds_are_tried_for_a_few_places_and_those_are_the_likely_ones() -> None:
    query = clip(REFERENCE, 800.0, speed=1.03, pitch=1.03, keep=0.8)
    others = [Place(constellation(seed), 700.0, 1.0) for seed in range(2, 4 * CLOSELY)]
    for rank in (0, CLOSELY - 1):
        places = [*others[:rank], Place(REFERENCE, 800.0, 1.02), *others[rank:]]
        placings = checked(query, places)
        assert placings[rank].z > 8
        assert all(placing.z < 6.5 for number, placing in enumerate(placings) if number != rank)


def test_places_keep_their_order_and_do_not_depend_on_each_other() -> None:
    query = clip(REFERENCE, 800.0, keep=0.9)
    places = [Place(constellation(2), 700.0, 1.0), Place(REFERENCE, 803.0, 1.0), Place(constellation(3), 5.0, 1.0)]
    forwards, backwards = checked(query, places), checked(query, places[::-1])
    assert forwards[1].z >= DECISIVE
    assert forwards == backwards[::-1]


@pytest.mark.parametrize("start", [-100.0, -1e5, 2_350.0, 1e6])
def test_a_place_at_the_edge_of_a_track_or_outside_is_no_trouble(start: float) -> None:
    empty = Points(np.zeros(0, np.int32), np.zeros(0, np.int32))
    for speed in (0.9, 1.0, 1.1):
        placings = checked(clip(REFERENCE, 800), [Place(REFERENCE, start, speed), Place(empty, start, speed)])
        assert all(placing.z < 5 for placing in placings)
        assert all(np.isfinite(placing.start) for placing in placings)
