"""Confidence is a probability that grows with the evidence; what is shipped fits the fingerprinters it is for."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.fingerprints import make
from earmark.match.calibration import (
    BEST_CONTRAST_BY_CHANCE,
    BEST_Z_BY_CHANCE,
    FEATURES,
    Calibration,
    Evidence,
    FalseRates,
    Model,
    choose,
    features_of,
    logit,
    probability,
)
from tests.match.shelf import CALIBRATIONS

# name of the file: (fingerprinter, its settings, the index it was fitted for)
SHIPPED: dict[str, tuple[str, dict[str, object], str]] = {
    "neural": ("neural", {}, "both"),
    "neural-any-speed": ("neural", {"any_speed": True}, "both"),
    "neural-compact": ("neural", {"compact": True}, "two_bit"),
    "neural-without-peaks": ("neural", {"peaks": False}, "auto"),
    "philips": ("philips", {}, "postings"),
    "shazam": ("shazam", {}, "postings"),
    "shazam-any-speed": ("shazam", {"any_speed": True}, "both"),
    "waveprint": ("waveprint", {}, "postings"),
}
CHECKED, ALONE = CALIBRATIONS["neural"].models
LANDMARKS = CALIBRATIONS["shazam"].models[0]
MODELS = {"checked": CHECKED, "alone": ALONE}
LENGTHS = CHECKED.lengths

# As a clean clip of known music gives it, and one of music that was never indexed.
CLEAR = {
    "similarity": 0.92, "rival": 0.41, "margin": 0.45, "share": 0.95, "z": 45.0, "rival_z": 4.0,
    "contrast": 80.0, "rival_contrast": 12.0, "surplus": 160.0, "seconds": 5.0,
}  # fmt: skip
CHANCE = {
    "similarity": 0.42, "rival": 0.41, "margin": -0.08, "share": 0.06, "z": 2.1, "rival_z": 2.5,
    "contrast": 9.0, "rival_contrast": 11.0, "surplus": 9.0, "seconds": 5.0,
}  # fmt: skip

# Of development clips: a clean one, one in noise and a room at 0 dB, and a clip of music that was never indexed.
CLEAN = {"matched": 240.0, "expected": 22.0, "z": 50.0, "rival_z": 4.5, "share": 0.7, "seconds": 5.0}
NOISY = {"matched": 75.0, "expected": 25.0, "z": 12.0, "rival_z": 4.0, "share": 0.17, "seconds": 5.0}
UNKNOWN = {"matched": 40.0, "expected": 24.0, "z": 3.9, "rival_z": 3.7, "share": 0.05, "seconds": 5.0}

cosines = st.floats(-1.0, 1.0)
anything = st.fixed_dictionaries(
    {
        "similarity": cosines,
        "rival": cosines,
        "margin": st.floats(-2.0, 2.0),
        "share": st.floats(0.0, 1.0),
        "z": st.floats(-50.0, 1e4),
        "rival_z": st.floats(-50.0, 1e4),
        "contrast": st.floats(-1e3, 1e4),
        "rival_contrast": st.floats(-1e3, 1e4),
        "surplus": st.floats(0.0, 1e7),
        "seconds": st.floats(0.0, 1e6),
    }
)


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param]


# --- what is shipped


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_calibration_is_of_the_fingerprinter_as_it_is_now(name: str) -> None:
    kind, preset, index = SHIPPED[name]
    maker, shipped = make(kind, **preset), CALIBRATIONS[name]
    assert shipped.spec == str(maker.spec)
    assert shipped.plan == maker.plan.digest
    assert shipped.index == index
    assert shipped.fitted_on
    found, is_its_own = choose(CALIBRATIONS.values(), spec=str(maker.spec), plan=maker.plan.digest, index=index)
    assert (found, is_its_own) == (shipped, True)


def test_every_file_is_of_a_fingerprinter_that_is_known() -> None:
    assert CALIBRATIONS.keys() == SHIPPED.keys()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_weighs_what_the_plan_says(name: str) -> None:
    kind, preset, _ = SHIPPED[name]
    plan, calibration = make(kind, **preset).plan, CALIBRATIONS[name]
    models, shapes = calibration.models, [*plan.models, *([plan.warp.model] if plan.warp else [])]
    for model, shape in zip(calibration.every_model, shapes, strict=True):
        assert (model.layers, model.features) == (shape.layers, shape.features)
        assert (model.rising, model.lengths) == (shape.rising, shape.lengths)
    compared = [rule.layer for rule in plan.compare]
    assert list(models[0].layers) == compared  # the first is for when all can be compared


@pytest.mark.parametrize(
    ("kind", "preset", "index"),
    [
        ("shazam", {"density": "lean"}, "postings"),
        ("shazam", {}, "lsh"),
        ("philips", {"variant": "paper"}, "postings"),
        ("waveprint", {"stride": "half"}, "postings"),
        ("neural", {}, "auto"),
        ("neural", {}, "hnsw"),
        ("neural", {"peaks": False}, "both"),
    ],
)
def test_another_density_or_index_is_not_calibrated_and_gets_one_of_its_name(
    kind: str, preset: dict[str, object], index: str
) -> None:
    maker = make(kind, **preset)
    found, is_its_own = choose(CALIBRATIONS.values(), spec=str(maker.spec), plan=maker.plan.digest, index=index)
    assert not is_its_own
    assert found.spec.startswith(f"{kind}/")
    compared = [rule.layer for rule in maker.plan.compare]
    assert list(found.models[0].layers) == compared  # or nothing would ever be found


@pytest.mark.parametrize("in_order", [1, -1])
@pytest.mark.parametrize(
    ("spec", "plan"),
    [("neural/2/00000000", "a0477372"), ("neural/2/c7fdec56", "00000000"), ("neural/2/0", "0")],
)
def test_another_model_or_plan_is_not_calibrated(spec: str, plan: str, in_order: int) -> None:
    found, is_its_own = choose(list(CALIBRATIONS.values())[::in_order], spec=spec, plan=plan, index="both")
    assert not is_its_own
    assert found == CALIBRATIONS["neural"]


def test_a_catalog_at_any_speed_gets_the_nearest_that_was_fitted_so() -> None:
    maker = make("shazam", density="lean", any_speed=True)
    plan = maker.plan.digest
    found, _ = choose(CALIBRATIONS.values(), spec=str(maker.spec), plan=plan, index="both", any_speed=True)
    assert found == CALIBRATIONS["shazam-any-speed"]
    found, _ = choose(CALIBRATIONS.values(), spec="shazam/2/0", plan="0", index="postings")
    assert found == CALIBRATIONS["shazam"]


def test_what_is_fitted_for_a_catalog_comes_before_what_is_shipped() -> None:
    shipped = CALIBRATIONS["neural"]
    own = msgspec.structs.replace(shipped, fitted_on="the catalog's own clips")
    found, is_its_own = choose([own, *CALIBRATIONS.values()], spec=shipped.spec, plan=shipped.plan, index=shipped.index)
    assert (found, is_its_own) == (own, True)


def test_a_calibration_survives_its_file() -> None:
    for calibration in CALIBRATIONS.values():
        assert msgspec.json.decode(msgspec.json.encode(calibration), type=Calibration) == calibration


# --- models of vectors


@pytest.mark.parametrize("name", SHIPPED)
def test_there_is_a_weight_for_each_figure_and_length(name: str) -> None:
    for model in CALIBRATIONS[name].models:
        assert len(model.weights) == len(model.lengths)
        assert {len(row) for row in model.weights} == {len(model.features)}
        assert set(model.rising) <= set(model.features) <= FEATURES.keys()
        assert all(row[model.features.index(feature)] >= 0 for row in model.weights for feature in model.rising)
        assert all(math.isfinite(weight) for row in model.weights for weight in row)
        assert list(model.lengths) == sorted(set(model.lengths))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_threshold_is_a_probability(name: str) -> None:
    assert all(0 < model.threshold < 1 for model in CALIBRATIONS[name].models)
    assert CALIBRATIONS[name].threshold == CALIBRATIONS[name].models[0].threshold


@pytest.mark.parametrize("seconds", [1.0, 2.0, 5.0, 10.0])
def test_a_clear_match_is_accepted_and_chance_is_not(model: Model, seconds: float) -> None:
    clear, chance = (probability(model.log_odds({**one, "seconds": seconds})) for one in (CLEAR, CHANCE))
    assert clear > chance
    assert chance < model.threshold
    assert clear > model.threshold


@settings(deadline=None)
@given(anything)
def test_any_evidence_gives_a_probability(evidence: Evidence) -> None:
    for model in MODELS.values():
        odds = model.log_odds(evidence)
        assert math.isfinite(odds)
        assert 0 < probability(odds) < 1


@settings(deadline=None)
@given(anything, st.floats(0.0, 500.0), st.floats(0.0, 500.0))
def test_peaks_that_match_better_never_make_it_less_sure(evidence: Evidence, one: float, other: float) -> None:
    weak, strong = (CHECKED.log_odds({**evidence, "z": here}) for here in sorted((one, other)))
    assert strong >= weak - 1e-9


@settings(deadline=None)
@given(anything, st.floats(-10.0, 500.0), st.floats(-10.0, 500.0))
def test_peaks_that_stand_out_more_never_make_it_less_sure(evidence: Evidence, one: float, other: float) -> None:
    weak, strong = (CHECKED.log_odds({**evidence, "contrast": here}) for here in sorted((one, other)))
    assert strong >= weak - 1e-9


@settings(deadline=None)
@given(anything, st.sampled_from(["rival_z", "rival_contrast"]), st.floats(-9.0, 500.0), st.floats(-9.0, 500.0))
def test_a_stronger_rival_never_makes_it_surer(evidence: Evidence, rival: str, one: float, other: float) -> None:
    strong, weak = (CHECKED.log_odds({**evidence, rival: here}) for here in sorted((one, other)))
    assert weak <= strong + 1e-9


@settings(deadline=None)
@given(anything)
def test_the_leads_are_bounded(evidence: Evidence) -> None:
    _, _, z, _, contrast = features_of(evidence, CHECKED)
    assert -1 <= z <= 1
    assert -1 <= contrast <= 1


@pytest.mark.parametrize("seconds", LENGTHS)
def test_a_very_clear_match_stays_one_though_another_track_stands_out_far_more(seconds: float) -> None:
    odds = CHECKED.log_odds({**CLEAR, "contrast": 10.0, "rival_contrast": 80.0, "seconds": seconds})
    assert probability(odds) > CHECKED.threshold


@pytest.mark.parametrize("seconds", LENGTHS)
def test_a_held_tone_that_stands_out_makes_it_surer_though_z_says_nothing(seconds: float) -> None:
    drone = {**CLEAR, "similarity": 0.7, "z": 4.5, "rival_z": 4.5, "contrast": 30.0, "rival_contrast": 10.0,
             "seconds": seconds}  # fmt: skip
    chord_of_others = {**drone, "contrast": 10.0, "rival_contrast": 30.0}
    assert CHECKED.log_odds(drone) > CHECKED.log_odds(chord_of_others) + 3


def test_golden_features_of_a_check() -> None:
    evidence = {**CLEAR, "similarity": 0.8, "z": 13.0, "rival_z": 6.0, "surplus": 40.0, "contrast": 24.0,
                "rival_contrast": 15.0}  # fmt: skip
    expected = (1.0, 0.8, math.tanh(7 / 8), math.log(41), 9 / 24)
    assert features_of(evidence, CHECKED) == pytest.approx(expected)
    behind = {**evidence, "contrast": 15.0, "rival_contrast": 24.0}
    assert features_of(behind, CHECKED)[-1] == pytest.approx(-9 / 24)


def test_golden_features_of_vectors_alone_and_of_landmarks() -> None:
    assert features_of(CLEAR, ALONE) == pytest.approx((1.0, 0.92, 0.92 - 0.41, 0.45, 0.95))
    expected = (1.0, math.log(1 + 218), math.sqrt(50), 8 * math.tanh(45.5 / 8), 0.7, math.log(5))
    assert features_of(CLEAN, LANDMARKS) == pytest.approx(expected)
    least = {**CLEAN, "matched": 3.0, "z": -2.0, "seconds": 0.1}
    assert features_of(least, LANDMARKS)[1:3] == (0.0, 0.0)
    assert features_of(least, LANDMARKS)[-1] == pytest.approx(math.log(0.5))


@settings(deadline=None)
@given(anything, st.floats(-50.0, BEST_Z_BY_CHANCE), st.floats(-50.0, BEST_CONTRAST_BY_CHANCE))
def test_among_few_tracks_the_best_of_many_is_the_rival(evidence: Evidence, z: float, contrast: float) -> None:
    alone = {**evidence, "rival_z": z, "rival_contrast": contrast}
    assert (BEST_Z_BY_CHANCE, BEST_CONTRAST_BY_CHANCE) == (5.0, 6.0)
    assert features_of(alone, CHECKED) == features_of({**evidence, "rival_z": 5.0, "rival_contrast": 6.0}, CHECKED)


@settings(deadline=None)
@given(anything, st.floats(0.0, 1e4), st.floats(0.0, 1e4))
def test_without_peaks_nothing_about_them_counts(evidence: Evidence, z: float, surplus: float) -> None:
    other = {**evidence, "z": z, "rival_z": z / 2, "contrast": z, "rival_contrast": z / 2, "surplus": surplus}
    assert ALONE.log_odds(other) == pytest.approx(ALONE.log_odds(evidence))


def of_length(weights: Callable[[float], float]) -> Model:
    """A model of the constant alone, whose weight is a function of the length."""
    rows = tuple((weights(length), *(0.0,) * (len(CHECKED.features) - 1)) for length in LENGTHS)
    return msgspec.structs.replace(CHECKED, rising=(), weights=rows, threshold=0.5)


def test_at_a_length_there_are_weights_for_these_alone_count() -> None:
    model = of_length(lambda length: 3 * length)
    for length in LENGTHS:
        assert model.log_odds({**CLEAR, "seconds": length}) == pytest.approx(3 * length)


@pytest.mark.parametrize(("shorter", "longer"), [(1.0, 2.0), (2.0, 5.0)])
def test_between_two_lengths_the_weights_go_evenly_with_the_logarithm(shorter: float, longer: float) -> None:
    model = of_length(lambda length: 10 * length)
    halfway = math.sqrt(shorter * longer)
    assert model.log_odds({**CLEAR, "seconds": halfway}) == pytest.approx(5 * (shorter + longer))


@pytest.mark.parametrize(
    ("seconds", "as_of"), [(0.0, 1.0), (0.05, 1.0), (0.9, 1.0), (7.0, 5.0), (15.0, 5.0), (1e6, 5.0)]
)
def test_beyond_the_lengths_the_nearest_counts(seconds: float, as_of: float) -> None:
    for model in (CHECKED, ALONE, of_length(lambda length: length)):
        there, nearest = (model.log_odds({**CLEAR, "seconds": length}) for length in (seconds, as_of))
        assert there == pytest.approx(nearest)


@settings(deadline=None)
@given(anything, st.floats(0.5, 20.0))
def test_a_little_longer_is_a_little_surer_or_less(evidence: dict[str, float], seconds: float) -> None:
    tame = {**evidence, "surplus": min(evidence["surplus"], 500.0)}
    for model in MODELS.values():
        here, near = (model.log_odds({**tame, "seconds": length}) for length in (seconds, seconds * 1.0001))
        assert here == pytest.approx(near, abs=0.05)


def test_one_threshold_serves_whichever_layers_could_be_compared() -> None:
    calibration = CALIBRATIONS["neural"]
    assert calibration.log_odds(CLEAR, ["vectors", "peaks"]) == CHECKED.log_odds(CLEAR)
    moved = ALONE.log_odds(CLEAR) - calibration.log_odds(CLEAR, ["vectors"])
    assert moved == pytest.approx(logit(ALONE.threshold) - logit(CHECKED.threshold))
    assert moved > 0  # what peaks could not check has to be surer by as much
    assert calibration.log_odds(CLEAR, ["peaks", "vectors"]) == CHECKED.log_odds(CLEAR)
    assert calibration.log_odds(CLEAR, ["peaks"]) == CLEAR["z"] - 12.0  # a guess: nothing was fitted for peaks alone


# --- the model of landmarks


def confidence(evidence: Evidence) -> float:
    return probability(CALIBRATIONS["shazam"].log_odds(evidence, ["peaks"]))


def test_a_clear_match_of_landmarks_is_almost_certain_and_chance_is_not_accepted() -> None:
    assert confidence(CLEAN) > 0.999
    assert confidence(NOISY) > LANDMARKS.threshold
    assert confidence(UNKNOWN) < 0.05


def test_a_duplicate_in_the_catalog_does_not_undo_a_clear_match() -> None:
    assert confidence({**CLEAN, "rival_z": CLEAN["z"]}) > LANDMARKS.threshold


def test_a_rival_makes_a_weak_match_less_sure() -> None:
    assert confidence({**NOISY, "rival_z": 11.0}) < confidence(NOISY)


@given(
    st.fixed_dictionaries(
        {
            "matched": st.floats(0, 1e5),
            "expected": st.floats(0, 1e5),
            "z": st.floats(-50, 500),
            "rival_z": st.floats(-50, 500),
            "share": st.floats(0, 1),
            "seconds": st.floats(0, 1e5),
        }
    )
)
def test_it_is_a_probability_for_any_evidence(evidence: Evidence) -> None:
    assert 0 <= confidence(evidence) <= 1


@pytest.mark.parametrize("odds", [-1e9, -30.0, 0.0, 30.0, 1e9])
def test_odds_of_any_size_have_a_probability(odds: float) -> None:
    assert 0 <= probability(odds) <= 1
    assert probability(0) == 0.5
    assert logit(probability(2.5)) == pytest.approx(2.5)


def test_a_kind_that_was_never_calibrated_gets_a_guess_by_z_and_not_another_kinds_weights() -> None:
    found, is_its_own = choose(CALIBRATIONS.values(), spec="other/1/0", plan="0", index="both")
    assert (found.models, is_its_own, found.threshold) == ((), False, 0.982)
    assert found.log_odds({"z": 17.0, "seconds": 5.0}, ["vectors"]) == 5.0
    assert found.log_odds({"seconds": 5.0}, ["peaks"]) < 0


@pytest.mark.parametrize(
    "changes",
    [{"features": ("constant", "newer")}, {"weights": ((1.0,),)}, {"weights": ()}, {"threshold": 1.0}],
    ids=["unknown feature", "short weights", "no weights", "certainty"],
)
def test_a_model_that_cannot_be_used_says_so(changes: dict[str, object]) -> None:
    whole = Model(("peaks",), ("constant", "root of z"), (), (1.0,), ((-4.0, 2.0),), 0.9)
    whole.check()
    with pytest.raises(ValueError, match="features with weights"):
        msgspec.structs.replace(whole, **changes).check()


RATES = FalseRates(
    668, (1.0, 5.0), (0.5, 0.9), (100, 300), ((4, 0), (1, 0)), ((0.09, 0.03), (0.02, 0.01))
)  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "threshold", "wanted"),
    [
        (1.0, 0.9, 0.03),
        (5.0, 0.9, 0.01),
        (5.0, 0.89, 0.02),  # as at the next lower threshold
        (5.0, 1.0, 0.01),
        (3.0, 0.9, 0.03),  # the worse of both lengths
        (0.9, 0.5, 0.09),
        (6.0, 0.5, 0.02),
        (0.5, 0.9, None),
        (9.0, 0.9, None),
        (5.0, 0.4, None),
    ],
)
def test_a_false_rate_is_what_was_counted_nearby_and_never_less(
    seconds: float, threshold: float, wanted: float | None
) -> None:
    assert RATES.at_most(seconds, threshold) == wanted


def test_a_calibration_without_counts_has_no_false_rate() -> None:
    written = msgspec.json.decode(msgspec.json.encode(CALIBRATIONS["shazam"]))
    del written["false_rates"]  # as every calibration was written before
    old = msgspec.convert(written, Calibration)
    old.check()
    assert old.expected_false_rate(5.0, old.threshold) is None
    counted = msgspec.structs.replace(old, false_rates=RATES)
    assert counted.expected_false_rate(5.0, 0.95) == 0.01


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": (5.0, 1.0)},
        {"thresholds": (0.9, 0.5)},
        {"thresholds": (0.9,)},
        {"seconds": (), "clips": (), "false": (), "most": ()},
        {"most": ((0.09, 0.03), (0.02, 2.0))},
        {"false": ((4, 0),)},
    ],
    ids=["lengths fall", "thresholds fall", "too few thresholds", "nothing", "no share", "too few lengths"],
)
def test_false_rates_that_cannot_be_used_say_so(changes: dict[str, object]) -> None:
    RATES.check()
    broken = msgspec.structs.replace(RATES, **changes)
    with pytest.raises(ValueError, match="do not fit together"):
        msgspec.structs.replace(CALIBRATIONS["shazam"], false_rates=broken).check()
