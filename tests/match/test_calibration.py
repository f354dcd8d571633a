"""Confidence of lines: between the lengths there are weights for it changes gradually, and no evidence is too much."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import fields, replace

import numpy as np
import pytest
from earmark.match.align import Alignment, Placing, Warp
from earmark.match.confidence import probability
from earmark.match.line_confidence import (
    ALONE,
    CHECKED,
    LENGTHS,
    LineEvidence,
    LineModel,
    Rivals,
    checked_figures,
    line_evidence,
)
from earmark.match.lines import Line, QueryLines, Segments
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.types import Hits

# As a clean clip of known music gives it, and one of music that was never indexed.
CLEAR = LineEvidence(
    similarity=0.92, rival=0.41, margin=0.45, share=0.95, z=45.0, rival_z=4.0,
    contrast=80.0, rival_contrast=12.0, surplus=160.0, seconds=5.0,
)  # fmt: skip
CHANCE = LineEvidence(
    similarity=0.42, rival=0.41, margin=-0.08, share=0.06, z=2.1, rival_z=2.5,
    contrast=9.0, rival_contrast=11.0, surplus=9.0, seconds=5.0,
)  # fmt: skip
MODELS = {"checked": CHECKED, "alone": ALONE}

cosines = st.floats(-1.0, 1.0)
anything = st.builds(
    LineEvidence,
    similarity=cosines,
    rival=cosines,
    margin=st.floats(-2.0, 2.0),
    share=st.floats(0.0, 1.0),
    z=st.floats(-50.0, 1e4),
    rival_z=st.floats(-50.0, 1e4),
    contrast=st.floats(-1e3, 1e4),
    rival_contrast=st.floats(-1e3, 1e4),
    surplus=st.floats(0.0, 1e7),
    seconds=st.floats(0.0, 1e6),
)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> LineModel:
    return MODELS[request.param]


def test_there_is_a_weight_for_each_figure_and_length(model: LineModel) -> None:
    assert len(model.weights) == len(LENGTHS)
    assert {len(row) for row in model.weights} == {len(model.figures(CLEAR))}
    assert all(row[figure] >= 0 for row in model.weights for figure in model.rising)
    assert all(math.isfinite(weight) for row in model.weights for weight in row)
    assert list(LENGTHS) == sorted(set(LENGTHS))


def test_the_threshold_is_a_probability(model: LineModel) -> None:
    assert 0 < model.threshold < 1


@pytest.mark.parametrize("seconds", [1.0, 2.0, 5.0, 10.0])
def test_a_clear_match_is_accepted_and_chance_is_not(model: LineModel, seconds: float) -> None:
    clear, chance = (probability(model.log_odds(replace(one, seconds=seconds))) for one in (CLEAR, CHANCE))
    assert clear > chance
    assert chance < model.threshold
    assert clear > model.threshold


@settings(deadline=None)
@given(anything)
def test_any_evidence_gives_a_probability(evidence: LineEvidence) -> None:
    for model in MODELS.values():
        odds = model.log_odds(evidence)
        assert math.isfinite(odds)
        assert 0 < probability(odds) < 1


@settings(deadline=None)
@given(anything, st.floats(0.0, 500.0), st.floats(0.0, 500.0))
def test_peaks_that_match_better_never_make_it_less_sure(evidence: LineEvidence, one: float, other: float) -> None:
    weak, strong = (CHECKED.log_odds(replace(evidence, z=here)) for here in sorted((one, other)))
    assert strong >= weak - 1e-9


@settings(deadline=None)
@given(anything, st.floats(-10.0, 500.0), st.floats(-10.0, 500.0))
def test_peaks_that_stand_out_more_never_make_it_less_sure(evidence: LineEvidence, one: float, other: float) -> None:
    weak, strong = (CHECKED.log_odds(replace(evidence, contrast=here)) for here in sorted((one, other)))
    assert strong >= weak - 1e-9


@settings(deadline=None)
@given(anything, st.sampled_from(["rival_z", "rival_contrast"]), st.floats(-9.0, 500.0), st.floats(-9.0, 500.0))
def test_a_stronger_rival_never_makes_it_surer(evidence: LineEvidence, rival: str, one: float, other: float) -> None:
    strong, weak = (CHECKED.log_odds(replace(evidence, **{rival: here})) for here in sorted((one, other)))
    assert weak <= strong + 1e-9


@settings(deadline=None)
@given(anything)
def test_the_leads_are_bounded(evidence: LineEvidence) -> None:
    _, _, z, _, contrast = checked_figures(evidence)
    assert -1 <= z <= 1
    assert -1 <= contrast <= 1


@pytest.mark.parametrize("seconds", LENGTHS)
def test_a_very_clear_match_stays_one_though_another_track_stands_out_far_more(seconds: float) -> None:
    odds = CHECKED.log_odds(replace(CLEAR, contrast=10.0, rival_contrast=80.0, seconds=seconds))
    assert probability(odds) > CHECKED.threshold


@pytest.mark.parametrize("seconds", LENGTHS)
def test_a_held_tone_that_stands_out_makes_it_surer_though_z_says_nothing(seconds: float) -> None:
    drone = replace(CLEAR, similarity=0.7, z=4.5, rival_z=4.5, contrast=30.0, rival_contrast=10.0, seconds=seconds)
    chord_of_others = replace(drone, contrast=10.0, rival_contrast=30.0)
    assert CHECKED.log_odds(drone) > CHECKED.log_odds(chord_of_others) + 3


def test_golden_figures_of_a_check() -> None:
    evidence = replace(CLEAR, similarity=0.8, z=13.0, rival_z=6.0, surplus=40.0, contrast=24.0, rival_contrast=15.0)
    expected = (1.0, 0.8, math.tanh(7 / 8), math.log(41), 9 / 24)
    assert checked_figures(evidence) == pytest.approx(expected)
    behind = replace(evidence, contrast=15.0, rival_contrast=24.0)
    assert checked_figures(behind)[-1] == pytest.approx(-9 / 24)


@settings(deadline=None)
@given(anything, st.floats(-50.0, 5.0), st.floats(-50.0, 6.0))
def test_among_few_tracks_the_best_of_many_is_the_rival(evidence: LineEvidence, z: float, contrast: float) -> None:
    alone = replace(evidence, rival_z=z, rival_contrast=contrast)
    assert checked_figures(alone) == checked_figures(replace(evidence, rival_z=5.0, rival_contrast=6.0))


@settings(deadline=None)
@given(anything, st.floats(0.0, 1e4), st.floats(0.0, 1e4))
def test_without_peaks_nothing_about_them_counts(evidence: LineEvidence, z: float, surplus: float) -> None:
    other = replace(evidence, z=z, rival_z=z / 2, contrast=z, rival_contrast=z / 2, surplus=surplus)
    assert ALONE.log_odds(other) == pytest.approx(ALONE.log_odds(evidence))


def of_length(weights: Callable[[float], float]) -> LineModel:
    """A model of the bias alone, whose weight is a function of the length."""
    size = len(checked_figures(CLEAR))
    rows = tuple((weights(length), *(0.0,) * (size - 1)) for length in LENGTHS)
    return LineModel(checked_figures, rising=(), weights=rows, threshold=0.5)


def test_at_a_length_there_are_weights_for_these_alone_count() -> None:
    model = of_length(lambda length: 3 * length)
    for length in LENGTHS:
        assert model.log_odds(replace(CLEAR, seconds=length)) == pytest.approx(3 * length)


@pytest.mark.parametrize(("shorter", "longer"), [(1.0, 2.0), (2.0, 5.0)])
def test_between_two_lengths_the_weights_go_evenly_with_the_logarithm(shorter: float, longer: float) -> None:
    model = of_length(lambda length: 10 * length)
    halfway = math.sqrt(shorter * longer)
    assert model.log_odds(replace(CLEAR, seconds=halfway)) == pytest.approx(5 * (shorter + longer))


@pytest.mark.parametrize(
    ("seconds", "as_of"), [(0.0, 1.0), (0.05, 1.0), (0.9, 1.0), (7.0, 5.0), (15.0, 5.0), (1e6, 5.0)]
)
def test_beyond_the_lengths_the_nearest_counts(seconds: float, as_of: float) -> None:
    for model in (CHECKED, ALONE, of_length(lambda length: length)):
        there, nearest = (model.log_odds(replace(CLEAR, seconds=length)) for length in (seconds, as_of))
        assert there == pytest.approx(nearest)


@settings(deadline=None)
@given(anything, st.floats(0.5, 20.0))
def test_a_little_longer_is_a_little_surer_or_less(evidence: LineEvidence, seconds: float) -> None:
    tame = replace(evidence, surplus=min(evidence.surplus, 500.0))
    for model in MODELS.values():
        here, near = (model.log_odds(replace(tame, seconds=length)) for length in (seconds, seconds * 1.0001))
        assert here == pytest.approx(near, abs=0.05)


def evidence_of(alignment: Alignment | None, copies: Collection[int] = ()) -> LineEvidence:
    """Of a clip of three segments on track 7, whose nearest neighbours are known."""
    frames = np.array([0, 4, 8], np.int32)
    hits = Hits(
        np.repeat(frames, 2),
        np.array([7, 1, 7, 1, 1, 7], np.int32),
        np.array([100, 5, 104, 9, 13, 300], np.int32),
        np.array([0.9, 0.5, 0.8, 0.4, 0.7, 0.3], np.float32),
    )
    query = QueryLines(Segments(frames, np.zeros((3, 2), np.float32)), hits, hop_frames=4, stored_hop_frames=16)
    line = Line(7, 100.0, 1.0, np.arange(3), np.array([0.9, 0.8, 0.6], np.float32), score=0.75)
    return line_evidence(
        query,
        line,
        alignment,
        contrast=21.98765,
        rivals=Rivals(similarity=0.3, z=3.0, contrast=8.0),
        copies=copies,
        seconds=1.25,
    )


def test_golden_evidence_of_a_line() -> None:
    evidence = evidence_of(None)
    assert evidence.similarity == 0.75
    assert evidence.rival == 0.3
    assert evidence.margin == pytest.approx(((0.9 - 0.5) + (0.8 - 0.4) + (0.6 - 0.7)) / 3, abs=1e-4)
    assert evidence.share == pytest.approx(2 / 3, abs=1e-4)
    assert evidence.seconds == 1.25


def test_a_copy_is_as_if_it_were_not_there() -> None:
    evidence = evidence_of(None, copies=[1])
    # Of the third segment the nearest neighbour is the copy's; the next one lies on the track and off the line.
    assert evidence.share == pytest.approx(2 / 3, abs=1e-4)
    assert evidence.margin == pytest.approx(((0.9 - 0.5) + (0.8 - 0.4) + (0.6 - 0.3)) / 3, abs=1e-4)


def test_without_a_check_peaks_say_nothing() -> None:
    evidence = evidence_of(None)
    assert (evidence.z, evidence.surplus) == (0.0, 0.0)


@pytest.mark.parametrize(("matched", "surplus"), [(40, 30.0), (10, 0.0), (4, 0.0)])
def test_golden_evidence_of_a_check(matched: int, surplus: float) -> None:
    placing = Placing(200.0, Warp(), 7.123456)
    evidence = evidence_of(Alignment(placing, matched, 10.0, 100, 0, 60, 0.1))
    assert (evidence.z, evidence.rival_z) == (7.123, 3.0)
    assert (evidence.contrast, evidence.rival_contrast) == (21.988, 8.0)
    assert evidence.surplus == surplus


def test_a_check_without_any_peaks_of_the_track_is_no_trouble() -> None:
    evidence = evidence_of(Alignment(Placing(200.0, Warp(), 0.0), 0, 0.0, 0, 0, 0, 1.0))
    assert evidence.surplus == 0.0


def test_evidence_is_plain_numbers() -> None:
    evidence = evidence_of(Alignment(Placing(200.0, Warp(), 7.0), 40, 9.5, 100, 0, 60, 0.1))
    for field in fields(evidence):
        assert type(getattr(evidence, field.name)) is float, field.name
