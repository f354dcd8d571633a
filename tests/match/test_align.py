"""The fine search: place, speed and pitch of a constellation on another, and what chance would give."""

from __future__ import annotations

import numpy as np
import pytest
from earmark.match.align import Placing, Points, QueryMap, Warp, warps

BINS = 750
WARPS = warps(range(-4, 5))


def constellation(seed: int, frames: int = 2_000, peaks: int = 3_000) -> Points:
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, frames, peaks)).astype(np.int32)
    return Points(at, rng.integers(20, BINS, peaks).astype(np.int32))


def clip(reference: Points, start: float, frames: int, *, speed: float = 1.0, pitch: float = 1.0, keep: float = 0.4,
         noise: int = 300, seed: int = 5) -> Points:  # fmt: skip
    """A piece of a reference: some of its peaks, jittered by up to half a frame, among peaks of noise."""
    rng = np.random.default_rng(seed)
    at = (reference.frames + rng.uniform(-0.3, 0.3, len(reference.frames)) - start) / speed
    bins = np.rint(reference.bins * pitch)
    heard = (at >= 0) & (at < frames) & (bins < BINS) & (rng.random(len(at)) < keep)
    at = np.concatenate([np.rint(at[heard]), rng.integers(0, frames, noise)]).astype(np.int32)
    bins = np.concatenate([np.rint(bins[heard]), rng.integers(20, BINS, noise)]).astype(np.int32)
    order = np.lexsort((bins, at))
    at, bins = at[order], bins[order]
    once = np.append(True, np.diff(at.astype(np.int64) * BINS + bins) > 0)
    return Points(at[once], bins[once])


def query_map(points: Points) -> QueryMap:
    return QueryMap(points, bins=BINS, hypotheses=WARPS)


REFERENCE = constellation(1)


def test_a_clip_is_placed_to_a_fraction_of_a_frame() -> None:
    query = query_map(clip(REFERENCE, 800.4, 290))
    [rough] = query.rough([REFERENCE], [799])
    alignment = query.measured(REFERENCE, rough)
    assert rough.z > 8
    assert alignment.placing.start == pytest.approx(800.4, abs=0.15)
    assert alignment.placing.warp == Warp()
    assert alignment.jitter < 0.15


@pytest.mark.parametrize(("speed", "pitch"), [(1.02, 1.02), (0.96, 0.96), (1.04, 1.0), (0.97, 1.0), (1.013, 1.013)])
def test_speed_and_pitch_are_found(speed: float, pitch: float) -> None:
    query = query_map(clip(REFERENCE, 800.0, 290, speed=speed, pitch=pitch, keep=0.6))
    warped = query.warped(REFERENCE, 800.0)
    alignment = query.measured(REFERENCE, warped)
    assert alignment.placing.warp.speed == pytest.approx(speed, abs=0.002)
    assert alignment.placing.warp.pitch == pytest.approx(pitch, abs=0.006)
    assert alignment.placing.start == pytest.approx(800.0, abs=1.0)
    assert alignment.placing.z > 8


def test_a_true_place_stands_out_from_every_other() -> None:
    query = query_map(clip(REFERENCE, 800.0, 290))
    elsewhere = [offset for offset in range(0, 1_700, 50) if abs(offset - 800) > 20]
    placings = query.rough([REFERENCE] * (len(elsewhere) + 1), [800, *elsewhere])
    assert placings[0].z > 8 > 5 > max(placing.z for placing in placings[1:])


def test_what_is_expected_by_chance_is_what_other_music_gives() -> None:
    query = query_map(clip(REFERENCE, 800.0, 290))
    others = [constellation(seed) for seed in range(10, 40)]
    zs = [placing.z for placing in query.rough(others, [500] * len(others))]
    assert abs(float(np.mean(zs))) < 1.5  # the best of three shifts lies a little above nought
    assert float(np.std(zs)) < 1.5


def test_a_held_tone_says_nothing() -> None:
    def tone(seed: int, peaks: int) -> Points:
        steps = np.random.default_rng(seed).integers(4, 8, peaks)  # where ripples make peaks of it
        return Points(np.cumsum(steps).astype(np.int32), np.full(peaks, 300, np.int32))

    query = query_map(tone(1, 60))
    zs = [placing.z for placing in query.rough([tone(seed, 400) for seed in range(2, 12)], [500] * 10)]
    assert max(zs) < 4


def test_a_match_in_part_of_the_clip_spans_that_part() -> None:
    part = clip(REFERENCE, 800.0, 290, keep=0.9, noise=0)
    late = part.frames >= 150
    query = query_map(Points(part.frames[late], part.bins[late]))
    alignment = query.measured(REFERENCE, query.rough([REFERENCE], [800])[0])
    assert 145 <= alignment.first <= 165
    assert alignment.last >= 275


def test_a_reference_without_peaks_there_does_not_match() -> None:
    query = query_map(clip(REFERENCE, 800.0, 290))
    empty = Points(np.zeros(0, np.int32), np.zeros(0, np.int32))
    assert [placing.z for placing in query.rough([empty, REFERENCE], [0, 9_000])] == [0.0, 0.0]
    assert query.warped(empty, 0.0).z == 0.0


def test_rough_places_do_not_depend_on_each_other() -> None:
    query = query_map(clip(REFERENCE, 800.0, 290))
    offsets = [100, 9_000, 800, 5, 1_500]
    together = query.rough([REFERENCE] * 5, offsets)
    assert together == [query.rough([REFERENCE], [offset])[0] for offset in offsets]


def under_noise(reference: Points, start: int, frames: int, *, height: int, seed: int = 7) -> np.ndarray:
    """A relief of noise, a little higher where the reference has peaks, and no peak of its own there."""
    rng = np.random.default_rng(seed)
    relief = rng.integers(0, 4, (frames, BINS)).astype(np.uint8)
    low, high = np.searchsorted(reference.frames, [start, start + frames])
    relief[reference.frames[low:high] - start, reference.bins[low:high]] += np.uint8(height)
    return relief


def test_the_relief_places_a_clip_whose_peaks_noise_has_covered() -> None:
    none_of_its = clip(REFERENCE, 800, 64, keep=0.0)
    assert query_map(none_of_its).rough([REFERENCE], [800])[0].z < 4
    relief = under_noise(REFERENCE, 800, 64, height=3)
    query = QueryMap(none_of_its, bins=BINS, hypotheses=WARPS, relief=relief)
    [placing, elsewhere] = query.rough([REFERENCE, REFERENCE], [794, 300], reach=12)
    assert placing.z > 8
    assert placing.start == pytest.approx(800, abs=1)
    assert elsewhere.z < 4
    assert query.measured(REFERENCE, placing).placing.z == pytest.approx(placing.z, abs=1.0)


def test_a_band_that_always_stands_out_says_nothing() -> None:
    relief = np.zeros((64, BINS), np.uint8)
    relief[:, 100:400] = 12
    query = QueryMap(clip(REFERENCE, 800, 64), bins=BINS, hypotheses=WARPS, relief=relief)
    assert query.rough([REFERENCE], [800], reach=12)[0].z == pytest.approx(0, abs=1e-3)


def test_a_place_as_far_off_as_the_reach_is_found_and_no_farther() -> None:
    query = query_map(clip(REFERENCE, 800, 290))
    assert query.rough([REFERENCE], [812], reach=12)[0].start == 800
    assert query.rough([REFERENCE], [812], reach=2)[0].z < 4


def held(at_bin: int, *, frames: int = 64) -> QueryMap:
    """A clip of one tone, whose relief is 8 in its bin and 1 in all others."""
    relief = np.ones((frames, BINS), np.uint8)
    relief[:, at_bin] = 8
    points = Points(np.arange(0, frames, 4, dtype=np.int32), np.full(frames // 4, at_bin, np.int32))
    return QueryMap(points, bins=BINS, hypotheses=WARPS, relief=relief)


def tone(at_bin: int) -> Points:
    """A recording of one tone, with a peak of it every fifth frame."""
    return Points(np.arange(0, 400, 5, dtype=np.int32), np.full(80, at_bin, np.int32))


HERE = Placing(100.0, Warp(), 0.0)


def test_golden_contrast_is_that_of_the_definition() -> None:
    """Place by place: three frames' relief, less the mean of the up to 17 bins around, from the first heard one on."""
    relief = np.random.default_rng(3).integers(0, 9, (64, BINS)).astype(np.uint8)
    relief[:, :4] = 0
    query = QueryMap(clip(REFERENCE, 800, 64), bins=BINS, hypotheses=WARPS, relief=relief)
    rows = np.arange(query.frames)
    beside = (np.maximum(rows - 1, 0), rows, np.minimum(rows + 1, query.frames - 1))
    heights = sum(relief[: query.frames][frames].astype(float) for frames in beside)
    above = np.zeros_like(heights)
    for at_bin in range(4, BINS):
        above[:, at_bin] = heights[:, at_bin] - heights[:, max(at_bin - 8, 4) : at_bin + 9].mean(axis=1)
    low, high = np.searchsorted(REFERENCE.frames, [800, 800 + query.frames])
    total = above[REFERENCE.frames[low:high] - 800, REFERENCE.bins[low:high]].sum()
    [contrast] = query.contrasts([REFERENCE], [Placing(800.0, Warp(), 0.0)])
    assert contrast == pytest.approx(total / np.sqrt(above[:, 4:].var() * (high - low) + 4.0**2), rel=1e-3)


def test_what_a_held_tone_says_is_in_the_contrast_and_not_in_z() -> None:
    query = held(300)
    same, beside, far = query.contrasts([tone(300), tone(304), tone(400)], [HERE] * 3)
    assert query.rough([tone(300)], [100])[0].z == pytest.approx(0, abs=1e-3)
    assert same > 50
    assert beside < far == pytest.approx(0, abs=1e-3)


def test_the_contrast_is_that_of_the_placings_pitch_and_speed() -> None:
    higher, unmoved = (Placing(100.0, Warp(1.0, pitch), 0.0) for pitch in (1.02, 1.0))
    assert held(306).contrasts([tone(300)], [higher])[0] > 50 > 0 > held(306).contrasts([tone(300)], [unmoved])[0]
    fast, plain = held(300).contrasts([tone(300)] * 2, [Placing(100.0, Warp(1.1, 1.0), 0.0), HERE])
    assert fast > plain  # a tenth more of the recording lies under the clip


@pytest.mark.parametrize("first", [0, 4])
def test_a_broad_band_stands_out_from_nothing_wherever_hearing_begins(first: int) -> None:
    relief = np.full((64, BINS), 9, np.uint8)
    relief[:, :first] = 0
    query = QueryMap(clip(REFERENCE, 800, 64), bins=BINS, hypotheses=WARPS, relief=relief)
    lowest = tone(first)
    assert query.contrasts([REFERENCE, lowest], [Placing(800.0, Warp(), 0.0), HERE]) == pytest.approx([0, 0], abs=1e-3)


def test_where_there_is_nothing_the_contrast_is_nought() -> None:
    empty = Points(np.zeros(0, np.int32), np.zeros(0, np.int32))
    beyond = Placing(100.0, Warp(1.0, 1.04), 0.0)  # the highest bin's peaks lie above what is heard
    places = [HERE, Placing(9_000.0, Warp(), 0.0), Placing(-900.0, Warp(), 0.0), beyond]
    assert held(300).contrasts([empty, tone(300), tone(300), tone(BINS - 1)], places) == [0.0] * 4
    assert held(300).contrasts([], []) == []
    silent = QueryMap(clip(REFERENCE, 800, 64), bins=BINS, hypotheses=WARPS, relief=np.zeros((64, BINS), np.uint8))
    assert silent.contrasts([REFERENCE], [Placing(800.0, Warp(), 0.0)]) == [0.0]


def test_a_clip_that_begins_before_the_recording_has_the_contrast_of_what_they_share() -> None:
    whole, half = held(300).contrasts([tone(300)] * 2, [HERE, Placing(-32.0, Warp(), 0.0)])
    assert 0 < half < whole


def test_without_a_relief_peaks_stand_out_too() -> None:
    query = query_map(clip(REFERENCE, 800, 290))
    right, wrong = query.contrasts([REFERENCE] * 2, [Placing(800.0, Warp(), 0.0), Placing(300.0, Warp(), 0.0)])
    assert right > 8 > 4 > wrong
