"""Peaks check candidates: certain at the true place, chance elsewhere, whatever a candidate says of its speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from earmark.match.compare.peaks import DUPLICATE_SHARE, PeakComparison, PeakSettings
from earmark.match.compare.query_map import Place
from earmark.match.protocol import Alignment, Candidate, Others, Placement
from earmark.match.rivals import DECISIVE_Z
from earmark.types import Layer
from tests.match.compare.layers import NO_PEAKS, peaks, with_salience

BINS = 512
FRAMES = 320  # length of a clip
CHECK = PeakSettings(bins=BINS, frame_centre_seconds=0.0, reach_seconds=12.0, refined=16)  # as of the peaks of vectors
FIGURES = ("matched", "expected", "z", "rival_z", "share", "contrast", "rival_contrast", "surplus")


@dataclass(frozen=True)
class Guess:
    """Where a clip should lie on a reference: reference frame = start + speed * query frame."""

    reference: Layer
    start: float
    speed: float = 1.0


def constellation(seed: int, frames: int = 2_400, count: int = 3_600) -> Layer:
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, frames, count))
    return peaks(at, rng.integers(20, BINS - 40, count))


def clip(reference: Layer, start: float, *, speed: float = 1.0, pitch: float = 1.0, keep: float = 0.5,
         seed: int = 5) -> PeakComparison:  # fmt: skip
    """A piece of a reference: some of its peaks, jittered, among as many of noise."""
    rng = np.random.default_rng(seed)
    at = (reference.frames + rng.uniform(-0.3, 0.3, len(reference.frames)) - start) / speed
    bins = np.rint(reference.values * pitch)
    heard = (at >= 0) & (at < FRAMES) & (bins < BINS) & (rng.random(len(at)) < keep)
    at = np.rint(np.concatenate([at[heard], rng.integers(0, FRAMES, 250)])).astype(np.int32)
    bins = np.concatenate([bins[heard], rng.integers(20, BINS, 250)]).astype(np.int32)
    order = np.lexsort((bins, at))
    return comparison(peaks(at[order], bins[order]))


def comparison(layer: Layer, settings: PeakSettings = CHECK, *, figures: Sequence[str] = FIGURES) -> PeakComparison:
    return PeakComparison(layer, figures, settings=settings, wide=False)


def checked(query: PeakComparison, guesses: Sequence[Guess]) -> list[Place]:
    return [placement.detail for placement in placed(query, guesses)]


def placed(query: PeakComparison, guesses: Sequence[Guess]) -> list[Placement]:
    candidates = [Candidate(number, guess.start, guess.speed) for number, guess in enumerate(guesses)]
    return query.near([guess.reference for guess in guesses], candidates, own=False)


def fitted(query: PeakComparison, reference: Layer, place: Place) -> Alignment:
    return query.fit(reference, Placement(place.start, place.warp.speed, {"z": place.z}, place))


REFERENCE = constellation(1)


def test_nothing_to_check_gives_nothing() -> None:
    assert checked(clip(REFERENCE, 800), []) == []


def test_the_true_place_is_certain_and_others_are_chance() -> None:
    others = [Guess(constellation(seed), 700.0) for seed in range(2, 12)]
    elsewhere = [Guess(REFERENCE, start) for start in (200.0, 500.0, 1_300.0, 1_900.0)]
    first, *rest = checked(clip(REFERENCE, 800), [Guess(REFERENCE, 800.0), *others, *elsewhere])
    assert first.z > 9
    assert first.start == pytest.approx(800, abs=1)
    assert max(place.z for place in rest) < 5.5


@pytest.mark.parametrize("off", [-12, -9, -7, -6, -4, -2, 0, 2, 3, 5, 8, 12])
def test_the_place_may_be_off_by_a_fifth_of_a_second(off: int) -> None:
    [place] = checked(clip(REFERENCE, 800), [Guess(REFERENCE, 800.0 + off)])
    assert place.z > 8
    assert place.start == pytest.approx(800, abs=1.5)


@pytest.mark.parametrize("off", [-3, -1, 1, 3])
def test_a_likely_place_is_told_to_the_frame(off: int) -> None:
    drawn = clip(REFERENCE, 800)
    even, odd = (checked(drawn, [Guess(REFERENCE, start)])[0] for start in (800.0, 800.0 + off))
    assert odd.start == even.start
    assert odd.z == pytest.approx(even.z, rel=1e-5)


def test_a_place_a_second_off_is_not_corrected() -> None:
    [place] = checked(clip(REFERENCE, 800), [Guess(REFERENCE, 864.0)])
    assert place.z < 5


@pytest.mark.parametrize("speed", [0.96, 0.98, 1.02, 1.04])
@pytest.mark.parametrize("with_pitch", [False, True])
def test_a_changed_speed_is_confirmed_with_its_pitch(speed: float, with_pitch: bool) -> None:
    pitch = speed if with_pitch else 1.0
    query = clip(REFERENCE, 800.0, speed=speed, pitch=pitch, keep=0.8)
    [place] = checked(query, [Guess(REFERENCE, 800.0, speed)])
    assert place.z > 8
    assert place.warp.speed == pytest.approx(speed, abs=0.0101)
    alignment = fitted(query, REFERENCE, place)
    assert alignment.speed == pytest.approx(speed, abs=0.003)
    assert alignment.pitch == pytest.approx(pitch, abs=0.011)
    assert alignment.start == pytest.approx(800.0, abs=2)


@pytest.mark.parametrize("speed", [0.96, 0.98, 1.02, 1.04])
@pytest.mark.parametrize("with_pitch", [False, True])
def test_a_candidate_that_hears_no_change_finds_it_when_its_middle_is_right(speed: float, with_pitch: bool) -> None:
    query = clip(REFERENCE, 800.0, speed=speed, pitch=speed if with_pitch else 1.0, keep=0.8)
    [place] = checked(query, [Guess(REFERENCE, 800.0 + (speed - 1) * FRAMES / 2)])
    assert place.z > 8
    assert place.warp.speed == pytest.approx(speed, abs=0.0101)
    assert place.start == pytest.approx(800.0, abs=3)


def test_other_speeds_are_tried_for_a_few_places_and_those_are_the_likely_ones() -> None:
    query = clip(REFERENCE, 800.0, speed=1.03, pitch=1.03, keep=0.8)
    others = [Guess(constellation(seed), 700.0) for seed in range(2, 4 * CHECK.warped_best)]
    for rank in (0, CHECK.warped_best - 1):
        places = [*others[:rank], Guess(REFERENCE, 800.0, 1.02), *others[rank:]]
        found = checked(query, places)
        assert found[rank].z > 8
        assert all(place.z < 6.5 for number, place in enumerate(found) if number != rank)


def test_places_keep_their_order_and_do_not_depend_on_each_other() -> None:
    query = clip(REFERENCE, 800.0, keep=0.9)
    places = [Guess(constellation(2), 700.0), Guess(REFERENCE, 803.0), Guess(constellation(3), 5.0)]
    forwards, backwards = checked(query, places), checked(query, places[::-1])
    assert forwards[1].z >= DECISIVE_Z
    assert forwards == backwards[::-1]


@pytest.mark.parametrize("start", [-100.0, -1e5, 2_350.0, 1e6])
def test_a_place_at_the_edge_of_a_track_or_outside_is_no_trouble(start: float) -> None:
    for speed in (0.9, 1.0, 1.1):
        found = checked(clip(REFERENCE, 800), [Guess(REFERENCE, start, speed), Guess(NO_PEAKS, start, speed)])
        assert all(place.z < 5 for place in found)
        assert all(np.isfinite(place.start) for place in found)


def test_places_and_speeds_are_those_of_the_placements() -> None:
    query = clip(REFERENCE, 800.0, speed=1.04, pitch=1.04, keep=0.8)
    [placement] = placed(query, [Guess(REFERENCE, 800.0, 1.04)])
    assert (placement.start, placement.speed) == (placement.detail.start, placement.detail.warp.speed)
    assert placement.figures["z"] == placement.detail.z
    assert placement.figures["contrast"] > 8


def test_contrast_is_worked_out_only_where_it_is_asked_for() -> None:
    query = comparison(REFERENCE.between(800.0, 1_120.0), figures=("z", "rival_z"))
    [placement] = placed(query, [Guess(REFERENCE, 800.0)])
    assert placement.figures.keys() == {"z"}


def test_times_are_seconds_of_the_middle_of_frames() -> None:
    part = REFERENCE.between(800.0, 1_120.0)
    fine = Layer(part.frames, part.values, 0.02)
    whole = Layer(REFERENCE.frames, REFERENCE.values, 0.02)
    query = comparison(fine, PeakSettings(bins=BINS, frame_centre_seconds=0.07, reach_seconds=0.04))
    [placement] = placed(query, [Guess(whole, 16.0)])
    alignment = query.fit(whole, placement)
    assert alignment.start == pytest.approx(16.0, abs=0.002)
    assert alignment.first == pytest.approx(0.0, abs=0.1)
    assert alignment.last == pytest.approx(319 * 0.02 + 2 * 0.07, abs=0.1)
    assert query.seconds == pytest.approx(320 * 0.02, abs=0.1)


@pytest.mark.parametrize(("keep", "is_same"), [(1.0, True), (0.9, True), (0.1, False)])
def test_two_references_are_the_same_when_more_than_half_of_their_peaks_meet(keep: float, is_same: bool) -> None:
    assert DUPLICATE_SHARE == 0.5
    query = clip(REFERENCE, 800)
    kept = np.random.default_rng(8).random(len(REFERENCE.frames)) < keep
    other = peaks(REFERENCE.frames, np.where(kept, REFERENCE.values, (REFERENCE.values * 7) % (BINS - 40)))
    here, there = placed(query, [Guess(REFERENCE, 800.0), Guess(other, 800.0)])
    assert query.same((REFERENCE, here), (other, there)) == is_same
    assert query.same((other, there), (REFERENCE, here)) == is_same


def test_other_music_and_no_peaks_are_not_the_same_sound() -> None:
    query = clip(REFERENCE, 800)
    other = constellation(4)
    here, elsewhere, nowhere = placed(query, [Guess(REFERENCE, 800.0), Guess(other, 500.0), Guess(NO_PEAKS, 0.0)])
    assert not query.same((REFERENCE, here), (other, elsewhere))
    assert not query.same((NO_PEAKS, nowhere), (REFERENCE, here))
    assert not query.same((REFERENCE, here), (NO_PEAKS, nowhere))


@pytest.mark.parametrize(("matched", "expected", "surplus"), [(40, 10.0, 30.0), (10, 10.0, 0.0), (4, 10.0, 0.0)])
def test_golden_evidence_of_peaks(matched: int, expected: float, surplus: float) -> None:
    figures = {"matched": matched, "expected": expected, "surplus": surplus, "share": 0.3, "z": 7.123}
    alignment = Alignment(200.0, 1.0, 1.0, 0.1, 0.0, 60.0, figures)
    candidate, rival = (
        Candidate(track, 200.0, placements={"peaks": Placement(200.0, 1.0, {"z": z, "contrast": contrast})})
        for track, z, contrast in ((7, 7.0, 21.98765), (8, 3.00004, 8.00001))
    )
    evidence = clip(REFERENCE, 800).evidence(candidate, alignment, Others([rival], frozenset()))
    assert evidence == {**figures, "rival_z": 3.0, "contrast": 21.988, "rival_contrast": 8.0}
    asked = comparison(REFERENCE, figures=("z", "rival_z")).evidence(candidate, alignment, Others([], frozenset()))
    assert asked == {"z": 7.123, "rival_z": 0.0}


def test_the_figures_of_a_fit_are_those_of_its_peaks() -> None:
    query = clip(REFERENCE, 800, keep=0.5)
    [place] = checked(query, [Guess(REFERENCE, 800.0)])
    figures = fitted(query, REFERENCE, place).figures
    low, high = np.searchsorted(REFERENCE.frames, [800, 1_120])
    assert figures["surplus"] == pytest.approx(figures["matched"] - figures["expected"], abs=0.02)
    assert figures["share"] == pytest.approx(figures["surplus"] / (high - low), abs=0.01)
    assert figures["matched"] >= 0.45 * (high - low)
    assert figures["z"] == pytest.approx(place.z, rel=0.2)
    assert all(type(figure) in (int, float) for figure in figures.values())


def test_a_reference_without_any_peaks_is_no_trouble() -> None:
    query = clip(REFERENCE, 800)
    [placement] = placed(query, [Guess(NO_PEAKS, 200.0)])
    alignment = query.fit(NO_PEAKS, placement)
    assert (alignment.figures["surplus"], alignment.figures["matched"], alignment.figures["z"]) == (0.0, 0, 0.0)
    assert alignment.start == 200.0


def test_a_salience_map_speaks_for_peaks_that_noise_has_covered() -> None:
    part = REFERENCE.between(800.0, 800.0 + FRAMES)
    salience = np.random.default_rng(3).integers(0, 4, (FRAMES, BINS)).astype(np.uint8)
    salience[part.frames, part.values] += np.uint8(2)
    noise = peaks(np.arange(FRAMES), np.random.default_rng(4).integers(20, BINS, FRAMES))
    [by_peaks] = checked(comparison(noise), [Guess(REFERENCE, 803.0)])
    [by_salience] = checked(comparison(with_salience(noise, salience)), [Guess(REFERENCE, 803.0)])
    assert by_peaks.z < 5
    assert by_salience.z > 8
    assert by_salience.start == pytest.approx(800, abs=1)


# --- moment by moment


def laid_at(start: float) -> Alignment:
    return Alignment(start, 1.0, 1.0, 0.1, 0.0, float(FRAMES))


def test_scores_add_up_to_z_and_come_in_order_of_time() -> None:
    for query, start in ((clip(REFERENCE, 800), 800.0), (clip(REFERENCE, 800), 300.0)):
        [place] = checked(query, [Guess(REFERENCE, start)])
        alignment = fitted(query, REFERENCE, place)
        found = query.over_time(REFERENCE, alignment)
        assert len(found.seconds) == len(found.values) > 100
        assert (np.diff(found.seconds) >= 0).all()
        assert 0 <= found.seconds[0] < found.seconds[-1] <= FRAMES
        assert found.values.sum() / np.sqrt(len(found.values)) == pytest.approx(alignment.figures["z"], abs=0.01)


def test_scores_of_other_music_are_about_nought_and_vary_by_one() -> None:
    query = clip(REFERENCE, 800)
    values = np.concatenate([query.over_time(constellation(seed), laid_at(700.0)).values for seed in range(2, 20)])
    assert abs(values.mean()) < 0.05
    assert values.std() == pytest.approx(1.0, abs=0.1)


def test_scores_tell_which_part_of_a_window_agrees() -> None:
    part = REFERENCE.between(800.0, 1_120.0)
    late = part.frames >= 160
    noise = np.random.default_rng(3).integers(20, BINS, 240)
    at = np.concatenate([np.sort(np.random.default_rng(4).integers(0, 160, 240)), part.frames[late]])
    query = comparison(peaks(at, np.concatenate([noise, part.values[late]])))
    found = query.over_time(REFERENCE, laid_at(800.0))
    assert found.values[found.seconds >= 165].mean() > 2
    assert abs(found.values[found.seconds < 155].mean()) < 0.3


def test_scores_follow_an_alignment_at_another_speed_and_pitch() -> None:
    query = clip(REFERENCE, 800.0, speed=1.04, pitch=1.04, keep=0.8)
    [place] = checked(query, [Guess(REFERENCE, 800.0, 1.04)])
    assert query.over_time(REFERENCE, fitted(query, REFERENCE, place)).values.mean() > 1
    assert query.over_time(REFERENCE, laid_at(800.0)).values.mean() < 0.6


def test_where_a_reference_has_no_peaks_there_are_no_scores() -> None:
    query = clip(REFERENCE, 800)
    for reference, start in ((NO_PEAKS, 800.0), (REFERENCE, 9_000.0), (REFERENCE, -9_000.0)):
        found = query.over_time(reference, laid_at(start))
        assert (len(found.seconds), len(found.values)) == (0, 0)


# --- two at once


def at_once(*parts: Layer) -> PeakComparison:
    """A window in which some layers sound together; each begins with it."""
    frames = np.concatenate([part.frames for part in parts])
    bins = np.concatenate([part.values for part in parts])
    order = np.lexsort((bins, frames))
    return comparison(peaks(frames[order], bins[order]))


OTHER = constellation(2)


def test_two_recordings_that_sound_at_once_are_apart() -> None:
    query = at_once(REFERENCE.between(800.0, 1_120.0), OTHER.between(300.0, 620.0))
    one, other = placed(query, [Guess(REFERENCE, 800.0), Guess(OTHER, 300.0)])
    shares = query.apart((REFERENCE, one), (OTHER, other))
    assert min(shares) > 0.7
    assert query.apart((OTHER, other), (REFERENCE, one)) == pytest.approx(shares[::-1])


def test_two_that_are_alike_are_not_apart() -> None:
    """Nothing of the window speaks for the one that the other does not meet."""
    query = at_once(REFERENCE.between(800.0, 1_120.0))
    kept = np.random.default_rng(8).random(len(REFERENCE.frames)) < 0.5
    like = peaks(REFERENCE.frames, np.where(kept, REFERENCE.values, (REFERENCE.values * 7) % (BINS - 40)))
    one, other = placed(query, [Guess(REFERENCE, 800.0), Guess(like, 800.0)])
    of_one, of_other = query.apart((REFERENCE, one), (like, other))
    assert of_other < 0.2
    assert of_one > of_other
    assert max(query.apart((REFERENCE, one), (REFERENCE, one))) < 0.1


def test_what_a_reference_meets_is_explained_and_the_rest_is_left() -> None:
    mine, others = REFERENCE.between(800.0, 1_120.0), OTHER.between(300.0, 620.0)
    query = at_once(mine, others)
    left = query.unexplained([(REFERENCE, laid_at(800.0), 0.0, float(FRAMES))])
    assert left.frame_seconds == mine.frame_seconds
    places = set(zip(left.frames.tolist(), left.values.tolist(), strict=True))
    assert not places & set(zip(mine.frames.tolist(), mine.values.tolist(), strict=True))
    of_other = set(zip(others.frames.tolist(), others.values.tolist(), strict=True))
    assert places <= of_other
    assert len(places) > 0.9 * len(of_other)  # a few lie on the other's by chance
    rest = comparison(left)
    of_reference, of_others = checked(rest, [Guess(REFERENCE, 800.0), Guess(OTHER, 300.0)])
    assert of_reference.z < 4 < 10 < of_others.z


def test_only_between_the_seconds_of_a_reference_something_is_explained() -> None:
    mine = REFERENCE.between(800.0, 1_120.0)
    query = at_once(mine)
    assert len(query.unexplained([]).frames) == len(mine.frames)
    left = query.unexplained([(REFERENCE, laid_at(800.0), 100.0, 200.0)])
    assert np.array_equal(left.frames, mine.frames[(mine.frames < 100) | (mine.frames >= 200)])
    both = query.unexplained([(REFERENCE, laid_at(800.0), 0.0, 150.0), (REFERENCE, laid_at(800.0), 150.0, 320.0)])
    assert len(both.frames) == 0
    assert len(query.unexplained([(OTHER, laid_at(300.0), 0.0, 320.0)]).frames) > 0.9 * len(mine.frames)


def test_what_a_louder_recording_covers_speaks_neither_for_another_nor_against_it() -> None:
    """The salience of the window knows both; peaks it has of the louder one, and some of neither."""
    frames, bins = np.meshgrid(np.arange(64), np.arange(BINS), indexing="ij")
    salience = ((frames * 7 + bins * 13) % 3).astype(np.uint8)
    for layer, start, height in ((REFERENCE, 800, 12), (OTHER, 300, 5)):
        low, high = np.searchsorted(layer.frames, [start, start + 64])
        salience[layer.frames[low:high] - start, layer.values[low:high]] = height
    loud = REFERENCE.between(800.0, 864.0)
    order = np.argsort(np.append(loud.frames, range(64)), kind="stable")
    at, there = np.append(loud.frames, range(64))[order], np.append(loud.values, np.full(64, BINS - 1))[order]
    query = comparison(peaks(at, there, salience))
    left = query.unexplained([(REFERENCE, laid_at(800.0), 0.0, 64.0)])
    assert len(left.frames) < 70
    of_loud, of_soft = checked(comparison(left), [Guess(REFERENCE, 800.0), Guess(OTHER, 300.0)])
    assert of_loud.z < 4
    assert of_soft.z > 1.3 * checked(query, [Guess(OTHER, 300.0)])[0].z
    half = query.unexplained([(REFERENCE, laid_at(800.0), 0.0, 32.0)])
    assert (
        5 < checked(comparison(half), [Guess(REFERENCE, 800.0)])[0].z < checked(query, [Guess(REFERENCE, 800.0)])[0].z
    )
