"""A query's map: place, speed and pitch of a constellation on another, and what chance would give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from earmark.match.compare.contrast import Contrast
from earmark.match.compare.peaks import PeakComparison, PeakSettings
from earmark.match.compare.query_map import Place, QueryMap, Warp, warps
from earmark.match.protocol import Alignment, Placement
from earmark.types import Layer
from tests.match.compare.layers import NO_PEAKS, peaks, with_salience

BINS = 750
WARPS = warps(range(-4, 5))


def constellation(seed: int, frames: int = 2_000, count: int = 3_000) -> Layer:
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, frames, count))
    return peaks(at, rng.integers(20, BINS, count))


def clip(reference: Layer, start: float, frames: int, *, speed: float = 1.0, pitch: float = 1.0, keep: float = 0.4,
         noise: int = 300, seed: int = 5) -> Layer:  # fmt: skip
    """A piece of a reference: some of its peaks, jittered by up to half a frame, among peaks of noise."""
    rng = np.random.default_rng(seed)
    at = (reference.frames + rng.uniform(-0.3, 0.3, len(reference.frames)) - start) / speed
    bins = np.rint(reference.values * pitch)
    heard = (at >= 0) & (at < frames) & (bins < BINS) & (rng.random(len(at)) < keep)
    at = np.concatenate([np.rint(at[heard]), rng.integers(0, frames, noise)]).astype(np.int32)
    bins = np.concatenate([np.rint(bins[heard]), rng.integers(20, BINS, noise)]).astype(np.int32)
    order = np.lexsort((bins, at))
    at, bins = at[order], bins[order]
    once = np.append(True, np.diff(at.astype(np.int64) * BINS + bins) > 0)
    return peaks(at[once], bins[once])


def query_map(layer: Layer) -> QueryMap:
    return QueryMap(layer, bins=BINS, hypotheses=WARPS)


def contrasts(query: QueryMap, references: Sequence[Layer], places: Sequence[Place]) -> list[float]:
    return Contrast(query).under(references, places)


def fitted(query: QueryMap, reference: Layer, place: Place) -> Alignment:
    """What the comparison of the query's peaks makes of a place on its map, with frames for seconds."""
    settings = PeakSettings(bins=BINS, frame_centre_seconds=0.0, reach_seconds=2.0)
    comparison = PeakComparison(query.peaks, (), settings=settings, wide=False)
    return comparison.fit(reference, Placement(place.start, place.warp.speed, {"z": place.z}, place))


REFERENCE = constellation(1)


def test_a_clip_is_placed_to_a_fraction_of_a_frame() -> None:
    query = query_map(clip(REFERENCE, 800.4, 290))
    [rough] = query.at_offsets([REFERENCE], [799])
    alignment = fitted(query, REFERENCE, rough)
    assert rough.z > 8
    assert alignment.start == pytest.approx(800.4, abs=0.15)
    assert (alignment.speed, alignment.pitch) == (1.0, 1.0)
    assert alignment.position_error < 0.15


@pytest.mark.parametrize(("speed", "pitch"), [(1.02, 1.02), (0.96, 0.96), (1.04, 1.0), (0.97, 1.0), (1.013, 1.013)])
def test_speed_and_pitch_are_found(speed: float, pitch: float) -> None:
    query = query_map(clip(REFERENCE, 800.0, 290, speed=speed, pitch=pitch, keep=0.6))
    warped = query.over_warps(REFERENCE, 800.0)
    alignment = fitted(query, REFERENCE, warped)
    assert alignment.speed == pytest.approx(speed, abs=0.002)
    assert alignment.pitch == pytest.approx(pitch, abs=0.006)
    assert alignment.start == pytest.approx(800.0, abs=1.0)
    assert alignment.figures["z"] > 8


def test_a_true_place_stands_out_from_every_other() -> None:
    query = query_map(clip(REFERENCE, 800.0, 290))
    elsewhere = [offset for offset in range(0, 1_700, 50) if abs(offset - 800) > 20]
    places = query.at_offsets([REFERENCE] * (len(elsewhere) + 1), [800, *elsewhere])
    assert places[0].z > 8 > 5 > max(place.z for place in places[1:])


def test_what_is_expected_by_chance_is_what_other_music_gives() -> None:
    query = query_map(clip(REFERENCE, 800.0, 290))
    others = [constellation(seed) for seed in range(10, 40)]
    zs = [place.z for place in query.at_offsets(others, [500] * len(others))]
    assert abs(float(np.mean(zs))) < 1.5  # the best of three shifts lies a little above nought
    assert float(np.std(zs)) < 1.5


def test_a_held_tone_says_nothing() -> None:
    def tone(seed: int, count: int) -> Layer:
        steps = np.random.default_rng(seed).integers(4, 8, count)  # where ripples make peaks of it
        return peaks(np.cumsum(steps), np.full(count, 300))

    query = query_map(tone(1, 60))
    zs = [place.z for place in query.at_offsets([tone(seed, 400) for seed in range(2, 12)], [500] * 10)]
    assert max(zs) < 4


def test_a_match_in_part_of_the_clip_spans_that_part() -> None:
    part = clip(REFERENCE, 800.0, 290, keep=0.9, noise=0)
    late = part.frames >= 150
    query = query_map(peaks(part.frames[late], part.values[late]))
    alignment = fitted(query, REFERENCE, query.at_offsets([REFERENCE], [800])[0])
    assert 145 <= alignment.first <= 165
    assert alignment.last >= 275


def test_a_reference_without_peaks_there_does_not_match() -> None:
    query = query_map(clip(REFERENCE, 800.0, 290))
    assert [place.z for place in query.at_offsets([NO_PEAKS, REFERENCE], [0, 9_000])] == [0.0, 0.0]
    assert query.over_warps(NO_PEAKS, 0.0).z == 0.0


def test_rough_places_do_not_depend_on_each_other() -> None:
    query = query_map(clip(REFERENCE, 800.0, 290))
    offsets = [100, 9_000, 800, 5, 1_500]
    together = query.at_offsets([REFERENCE] * 5, offsets)
    assert together == [query.at_offsets([REFERENCE], [offset])[0] for offset in offsets]


def under_noise(reference: Layer, start: int, frames: int, *, height: int, seed: int = 7) -> np.ndarray:
    """A salience of noise, a little higher where the reference has peaks, and no peak of its own there."""
    rng = np.random.default_rng(seed)
    salience = rng.integers(0, 4, (frames, BINS)).astype(np.uint8)
    low, high = np.searchsorted(reference.frames, [start, start + frames])
    salience[reference.frames[low:high] - start, reference.values[low:high]] += np.uint8(height)
    return salience


def test_the_salience_places_a_clip_whose_peaks_noise_has_covered() -> None:
    none_of_its = clip(REFERENCE, 800, 64, keep=0.0)
    assert query_map(none_of_its).at_offsets([REFERENCE], [800])[0].z < 4
    salience = under_noise(REFERENCE, 800, 64, height=3)
    query = query_map(with_salience(none_of_its, salience))
    [place, elsewhere] = query.at_offsets([REFERENCE, REFERENCE], [794, 300], reach=12)
    assert place.z > 8
    assert place.start == pytest.approx(800, abs=1)
    assert elsewhere.z < 4
    assert fitted(query, REFERENCE, place).figures["z"] == pytest.approx(place.z, abs=1.0)


def test_a_band_that_always_stands_out_says_nothing() -> None:
    salience = np.zeros((64, BINS), np.uint8)
    salience[:, 100:400] = 12
    query = query_map(with_salience(clip(REFERENCE, 800, 64), salience))
    assert query.at_offsets([REFERENCE], [800], reach=12)[0].z == pytest.approx(0, abs=1e-3)


def test_a_place_as_far_off_as_the_reach_is_found_and_no_farther() -> None:
    query = query_map(clip(REFERENCE, 800, 290))
    assert query.at_offsets([REFERENCE], [812], reach=12)[0].start == 800
    assert query.at_offsets([REFERENCE], [812], reach=2)[0].z < 4


def held(at_bin: int, *, frames: int = 64) -> QueryMap:
    """A clip of one tone, whose salience is 8 in its bin and 1 in all others."""
    salience = np.ones((frames, BINS), np.uint8)
    salience[:, at_bin] = 8
    points = peaks(np.arange(0, frames, 4, dtype=np.int32), np.full(frames // 4, at_bin, np.int32))
    return query_map(with_salience(points, salience))


def tone(at_bin: int) -> Layer:
    """A recording of one tone, with a peak of it every fifth frame."""
    return peaks(np.arange(0, 400, 5, dtype=np.int32), np.full(80, at_bin, np.int32))


HERE = Place(100.0, Warp(), 0.0)


def test_golden_contrast_is_that_of_the_definition() -> None:
    """Place by place: three frames' salience, less the mean of up to 17 bins around, from the first heard one on."""
    salience = np.random.default_rng(3).integers(0, 9, (64, BINS)).astype(np.uint8)
    salience[:, :4] = 0
    query = query_map(with_salience(clip(REFERENCE, 800, 64), salience))
    rows = np.arange(query.frames)
    beside = (np.maximum(rows - 1, 0), rows, np.minimum(rows + 1, query.frames - 1))
    heights = sum(salience[: query.frames][frames].astype(float) for frames in beside)
    above = np.zeros_like(heights)
    for at_bin in range(4, BINS):
        above[:, at_bin] = heights[:, at_bin] - heights[:, max(at_bin - 8, 4) : at_bin + 9].mean(axis=1)
    low, high = np.searchsorted(REFERENCE.frames, [800, 800 + query.frames])
    total = above[REFERENCE.frames[low:high] - 800, REFERENCE.values[low:high]].sum()
    [contrast] = contrasts(query, [REFERENCE], [Place(800.0, Warp(), 0.0)])
    assert contrast == pytest.approx(total / np.sqrt(above[:, 4:].var() * (high - low) + 4.0**2), rel=1e-3)


def test_what_a_held_tone_says_is_in_the_contrast_and_not_in_z() -> None:
    query = held(300)
    same, beside, far = contrasts(query, [tone(300), tone(304), tone(400)], [HERE] * 3)
    assert query.at_offsets([tone(300)], [100])[0].z == pytest.approx(0, abs=1e-3)
    assert same > 50
    assert beside < far == pytest.approx(0, abs=1e-3)


def test_the_contrast_is_that_of_the_places_pitch_and_speed() -> None:
    higher, unmoved = (Place(100.0, Warp(1.0, pitch), 0.0) for pitch in (1.02, 1.0))
    assert contrasts(held(306), [tone(300)], [higher])[0] > 50 > 0 > contrasts(held(306), [tone(300)], [unmoved])[0]
    fast, plain = contrasts(held(300), [tone(300)] * 2, [Place(100.0, Warp(1.1, 1.0), 0.0), HERE])
    assert fast > plain  # a tenth more of the recording lies under the clip


@pytest.mark.parametrize("first", [0, 4])
def test_a_broad_band_stands_out_from_nothing_wherever_hearing_begins(first: int) -> None:
    salience = np.full((64, BINS), 9, np.uint8)
    salience[:, :first] = 0
    query = query_map(with_salience(clip(REFERENCE, 800, 64), salience))
    lowest = tone(first)
    assert contrasts(query, [REFERENCE, lowest], [Place(800.0, Warp(), 0.0), HERE]) == pytest.approx([0, 0], abs=1e-3)


def test_where_there_is_nothing_the_contrast_is_nought() -> None:
    beyond = Place(100.0, Warp(1.0, 1.04), 0.0)  # the highest bin's peaks lie above what is heard
    places = [HERE, Place(9_000.0, Warp(), 0.0), Place(-900.0, Warp(), 0.0), beyond]
    assert contrasts(held(300), [NO_PEAKS, tone(300), tone(300), tone(BINS - 1)], places) == [0.0] * 4
    silent = query_map(with_salience(clip(REFERENCE, 800, 64), np.zeros((64, BINS), np.uint8)))
    assert contrasts(silent, [REFERENCE], [Place(800.0, Warp(), 0.0)]) == [0.0]


def test_a_clip_that_begins_before_the_recording_has_the_contrast_of_what_they_share() -> None:
    whole, half = contrasts(held(300), [tone(300)] * 2, [HERE, Place(-32.0, Warp(), 0.0)])
    assert 0 < half < whole


def test_without_a_salience_peaks_stand_out_too() -> None:
    query = query_map(clip(REFERENCE, 800, 290))
    right, wrong = contrasts(query, [REFERENCE] * 2, [Place(800.0, Warp(), 0.0), Place(300.0, Warp(), 0.0)])
    assert right > 8 > 4 > wrong


def test_scores_of_places_add_up_to_their_z() -> None:
    for layer in (
        clip(REFERENCE, 800, 290),
        with_salience(clip(REFERENCE, 800, 64), under_noise(REFERENCE, 800, 64, height=3)),
    ):
        query = query_map(layer)
        at, bins = query.inside(REFERENCE, 800.0, Warp())
        scores = query.scores_at(at, bins)
        assert scores.shape == at.shape
        assert scores.sum() / np.sqrt(len(at)) == pytest.approx(query.z_at(at, bins), rel=1e-5)
    nowhere = query.inside(REFERENCE, 9_000.0, Warp())
    assert query.scores_at(*nowhere).shape == (0,)


def test_peaks_are_met_by_a_reference_within_a_frame_and_a_bin() -> None:
    query = query_map(peaks(np.array([10, 20, 30, 40, 90]), np.array([100, 100, 100, 100, 700])))
    reference = peaks(np.array([10, 21, 32, 40, 41]), np.array([101, 99, 100, 300, 100]))
    assert query.met_by(reference, 0.0, Warp()).tolist() == [True, True, False, True, False]
    assert query.met_by(reference, 1.0, Warp()).tolist() == [True, True, True, True, False]
    assert query.met_by(reference, 900.0, Warp()).tolist() == [False] * 5
    assert query.met_by(NO_PEAKS, 0.0, Warp()).tolist() == [False] * 5
    fast = peaks(np.array([20, 40]), np.array([50, 50]))
    assert query.met_by(fast, 0.0, Warp(2.0, 2.0)).tolist() == [True, True, False, False, False]
