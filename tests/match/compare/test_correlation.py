"""A clip is laid on a track at every place."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.match.compare.correlation import APART_FRAMES, STEP_FRAMES, Correlation
from earmark.match.compare.query_map import QueryMap, Warp
from earmark.types import Layer
from tests.match.compare.layers import NO_PEAKS, peaks

BINS = 400


def track(seed: int, *, frames: int = 3_000, count: int = 4_000) -> Layer:
    rng = np.random.default_rng(seed)
    at, bins = np.unique(np.stack([rng.integers(0, frames, count), rng.integers(20, BINS, count)]), axis=1)
    return peaks(at, bins)


def query(reference: Layer, start: int, frames: int, *, heard: float = 0.4, seed: int = 3) -> QueryMap:
    """A clip whose salience rises where some of the reference's peaks are, and at as many other places."""
    rng = np.random.default_rng(seed)
    inside = (reference.frames >= start) & (reference.frames < start + frames)
    inside &= rng.random(len(inside)) < heard
    at, bins = reference.frames[inside] - start, reference.values[inside]
    salience = np.zeros((frames, BINS), np.uint8)
    salience[at, bins] = 8
    salience[rng.integers(0, frames, len(at)), rng.integers(0, BINS, len(at))] = 8
    order = np.lexsort((bins, at))
    return QueryMap(peaks(at[order], bins[order], salience), bins=BINS, hypotheses=(Warp(),))


REFERENCE = track(1)


@pytest.mark.parametrize("start", [0, 801, 1_500, 2_700])
@pytest.mark.parametrize("frames", [63, 64, 320])
def test_the_place_is_found_anywhere_on_the_track(start: int, frames: int) -> None:
    [found] = Correlation(query(REFERENCE, start, frames)).best_places(REFERENCE)
    assert found.start == pytest.approx(start, abs=STEP_FRAMES)
    assert found.z > 6


@pytest.mark.parametrize("start", [-30, 2_970])
def test_a_clip_may_begin_before_the_track_or_end_after_it(start: int) -> None:
    [found] = Correlation(query(REFERENCE, start, 63, heard=0.8)).best_places(REFERENCE)
    assert found.start == pytest.approx(start, abs=STEP_FRAMES)


def test_z_is_at_most_that_of_the_place_looked_at_alone() -> None:
    drawn = query(REFERENCE, 1_200, 64)
    [found] = Correlation(drawn).best_places(REFERENCE)
    [alone] = drawn.at_offsets([REFERENCE], [1_200])
    assert alone.z / 2 < found.z < 1.02 * alone.z


@pytest.mark.parametrize("frames", [1, 5, 63, 70, 200, 320])
@pytest.mark.parametrize("length", [40, 900])
def test_every_place_has_the_sum_of_its_peaks(frames: int, length: int) -> None:
    """As a plain loop has it."""
    reference, drawn = track(4, frames=length, count=length), query(REFERENCE, 900, frames)
    heights, spreads, least = drawn.columns()
    steps = -(-len(heights) // STEP_FRAMES)
    means = (
        np.pad(heights, ((0, steps * STEP_FRAMES - len(heights)), (0, 0))).reshape(steps, STEP_FRAMES, -1).mean(axis=1)
    )
    places = {round(one.start): one.z for one in Correlation(drawn).best_places(reference, limit=10_000)}
    assert places
    for start, z in places.items():
        under = reference.frames // STEP_FRAMES - start // STEP_FRAMES
        inside = (under >= 0) & (under < steps)
        bins = reference.values[inside]
        wanted = means[under[inside], bins].sum() / np.sqrt(spreads[bins].sum() + least)
        assert z == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("steps", [1, 1_000, 1 << 15])
def test_tracks_that_are_laid_together_have_the_places_that_each_has_alone(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.match.compare.correlation.STEPS_AT_ONCE", steps)
    correlation = Correlation(query(REFERENCE, 900, 70))
    tracks = [track(2, frames=50), NO_PEAKS, REFERENCE, track(3, frames=900), NO_PEAKS, track(4, frames=1)]
    found = correlation.best_place_on_each(tracks)
    assert [place is None for place in found] == [False, True, False, False, True, False]
    for one, place in zip(tracks, found, strict=True):
        if place is not None:
            [alone] = correlation.best_places(one)
            assert (place.start, place.z) == (alone.start, pytest.approx(alone.z, abs=1e-4))


def test_another_track_fits_nowhere_as_well() -> None:
    correlation = Correlation(query(REFERENCE, 900, 320))
    [right], *wrong = (correlation.best_places(one) for one in (REFERENCE, *(track(seed) for seed in range(2, 8))))
    assert max(place.z for places in wrong for place in places) < right.z / 2


def test_a_track_without_peaks_has_no_place() -> None:
    correlation = Correlation(query(REFERENCE, 900, 64))
    assert correlation.best_places(NO_PEAKS, limit=3) == []
    assert correlation.cost(NO_PEAKS) == 0


def test_repetitions_are_all_named_the_best_one_first_and_apart() -> None:
    again = peaks(np.concatenate([REFERENCE.frames, REFERENCE.frames + 3_000]), np.tile(REFERENCE.values, 2))
    drawn = query(REFERENCE, 900, 64, heard=0.6)
    first, second, third = Correlation(drawn).best_places(again, limit=3)
    assert {round(first.start / 3_000), round(second.start / 3_000)} == {0, 1}
    assert abs(first.start - second.start) == pytest.approx(3_000, abs=STEP_FRAMES)
    assert first.z >= second.z > 2 * third.z
    assert min(abs(third.start - one.start) for one in (first, second)) >= APART_FRAMES


def test_a_longer_clip_costs_more() -> None:
    short, long = (Correlation(query(REFERENCE, 900, frames)).cost(REFERENCE) for frames in (64, 320))
    assert 4.5 * short < long < 5 * short  # five times as many steps


def test_an_empty_stretch_costs_too() -> None:
    correlation = Correlation(query(REFERENCE, 900, 64))
    long = peaks(np.array([0, 3_000_000], np.int32), np.array([30, 30], np.int32))
    assert correlation.cost(long) > 100 * correlation.cost(REFERENCE)
