"""A clip is laid on a track at every place."""

from __future__ import annotations

import numpy as np
import pytest
from earmark.match.align import Points, QueryMap, Warp
from earmark.match.sweep import APART_FRAMES, STEP_FRAMES, Sweep

BINS = 400


def track(seed: int, *, frames: int = 3_000, peaks: int = 4_000) -> Points:
    rng = np.random.default_rng(seed)
    at, bins = np.unique(np.stack([rng.integers(0, frames, peaks), rng.integers(20, BINS, peaks)]), axis=1)
    return Points(at.astype(np.int32), bins.astype(np.int32))


def query(reference: Points, start: int, frames: int, *, heard: float = 0.4, seed: int = 3) -> QueryMap:
    """A clip whose relief rises where some of the reference's peaks are, and at as many other places."""
    rng = np.random.default_rng(seed)
    inside = (reference.frames >= start) & (reference.frames < start + frames)
    inside &= rng.random(len(inside)) < heard
    at, bins = reference.frames[inside] - start, reference.bins[inside]
    relief = np.zeros((frames, BINS), np.uint8)
    relief[at, bins] = 8
    relief[rng.integers(0, frames, len(at)), rng.integers(0, BINS, len(at))] = 8
    order = np.lexsort((bins, at))
    return QueryMap(Points(at[order], bins[order]), bins=BINS, hypotheses=(Warp(),), relief=relief)


REFERENCE = track(1)


@pytest.mark.parametrize("start", [0, 801, 1_500, 2_700])
@pytest.mark.parametrize("frames", [63, 64, 320])
def test_the_place_is_found_anywhere_on_the_track(start: int, frames: int) -> None:
    [found] = Sweep(query(REFERENCE, start, frames)).best_places(REFERENCE)
    assert found.start == pytest.approx(start, abs=STEP_FRAMES)
    assert found.z > 6


@pytest.mark.parametrize("start", [-30, 2_970])
def test_a_clip_may_begin_before_the_track_or_end_after_it(start: int) -> None:
    [found] = Sweep(query(REFERENCE, start, 63, heard=0.8)).best_places(REFERENCE)
    assert found.start == pytest.approx(start, abs=STEP_FRAMES)


def test_z_is_at_most_that_of_the_place_looked_at_alone() -> None:
    drawn = query(REFERENCE, 1_200, 64)
    [found] = Sweep(drawn).best_places(REFERENCE)
    [alone] = drawn.rough([REFERENCE], [1_200])
    assert alone.z / 2 < found.z < 1.02 * alone.z


@pytest.mark.parametrize("frames", [1, 5, 63, 70, 200, 320])
@pytest.mark.parametrize("length", [40, 900])
def test_every_place_has_the_sum_of_its_peaks(frames: int, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a plain loop has it, also where it is summed block by block."""
    monkeypatch.setattr("earmark.match.sweep.PLACES_AT_ONCE", 50)
    reference, drawn = track(4, frames=length, peaks=length), query(REFERENCE, 900, frames)
    heights, spreads, least = drawn.columns()
    steps = -(-len(heights) // STEP_FRAMES)
    means = (
        np.pad(heights, ((0, steps * STEP_FRAMES - len(heights)), (0, 0))).reshape(steps, STEP_FRAMES, -1).mean(axis=1)
    )
    places = {round(one.start): one.z for one in Sweep(drawn).best_places(reference, limit=10_000)}
    assert places
    for start, z in places.items():
        under = reference.frames // STEP_FRAMES - start // STEP_FRAMES
        inside = (under >= 0) & (under < steps)
        bins = reference.bins[inside]
        wanted = means[under[inside], bins].sum() / np.sqrt(spreads[bins].sum() + least)
        assert z == pytest.approx(wanted, abs=1e-3)


def test_another_track_fits_nowhere_as_well() -> None:
    sweep = Sweep(query(REFERENCE, 900, 320))
    [right], *wrong = (sweep.best_places(one) for one in (REFERENCE, *(track(seed) for seed in range(2, 8))))
    assert max(place.z for places in wrong for place in places) < right.z / 2


def test_a_track_without_peaks_has_no_place() -> None:
    nothing = Points(np.zeros(0, np.int32), np.zeros(0, np.int32))
    sweep = Sweep(query(REFERENCE, 900, 64))
    assert sweep.best_places(nothing, limit=3) == []
    assert sweep.cost(nothing) == 0


def test_repetitions_are_all_named_the_best_one_first_and_apart() -> None:
    again = Points(np.concatenate([REFERENCE.frames, REFERENCE.frames + 3_000]), np.tile(REFERENCE.bins, 2))
    drawn = query(REFERENCE, 900, 64, heard=0.6)
    first, second, third = Sweep(drawn).best_places(again, limit=3)
    assert {round(first.start / 3_000), round(second.start / 3_000)} == {0, 1}
    assert abs(first.start - second.start) == pytest.approx(3_000, abs=STEP_FRAMES)
    assert first.z >= second.z > 2 * third.z
    assert min(abs(third.start - one.start) for one in (first, second)) >= APART_FRAMES


def test_a_longer_clip_costs_more() -> None:
    short, long = (Sweep(query(REFERENCE, 900, frames)).cost(REFERENCE) for frames in (64, 320))
    assert 4.5 * short < long < 5 * short


def test_an_empty_stretch_costs_too() -> None:
    sweep = Sweep(query(REFERENCE, 900, 64))
    long = Points(np.array([0, 3_000_000], np.int32), np.array([30, 30], np.int32))
    assert sweep.cost(long) > 100 * sweep.cost(REFERENCE)
