"""A confidence is fitted to what catalogs say of clips whose truth is known."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest
import soundfile

import earmark
from earmark.audio.decode import load
from earmark.catalog.calibrations import read_calibration
from earmark.errors import OptionError
from earmark.evaluation.calibrate import (
    calibrate,
    choose_threshold,
    confidence_rows,
    false_rates_of,
    fit,
    fit_weights,
    threshold_rows,
    weights_of,
    write,
)
from earmark.evaluation.queries import ClipMaker, Grid
from earmark.evaluation.samples import Sample, cut_clips, finds_any_speed, made_clips, read_clips, samples_of
from earmark.fingerprints import make
from earmark.plan import ModelShape

SHAPE = ModelShape(("vectors",), ("constant", "similarity", "share"), ("similarity", "share"), (1.0, 4.0))


def sample(similarity, *, known=True, right=True, kind="", seconds=1.0, share=0.5):
    label = kind or ("clean" if known else "unknown")
    evidence = {"similarity": similarity, "share": share, "seconds": seconds}
    return Sample(f"{label}@{seconds:g}", seconds, known, known and right, evidence)


@pytest.fixture
def samples():
    """Clips of two lengths: right candidates have a similarity of about 0.8, the best of unknown ones of 0.5."""
    draw = np.random.default_rng(1)
    made = []
    for seconds in (1.0, 4.0):
        made += [sample(value, seconds=seconds) for value in draw.normal(0.8, 0.1, 200)]
        made += [sample(value, seconds=seconds, known=False) for value in draw.normal(0.5, 0.1, 200)]
    return made


def test_weights_are_those_that_the_outcomes_were_drawn_with():
    draw = np.random.default_rng(0)
    features = np.column_stack([np.ones(20_000), draw.normal(3, 2, 20_000)])
    right = draw.random(20_000) < 1 / (1 + np.exp(-(features @ [-2.0, 1.0])))
    weights = fit_weights(features, right.astype(float), np.ones(20_000))
    assert weights == pytest.approx([-2.0, 1.0], abs=0.1)


def test_what_can_only_speak_for_a_match_never_speaks_against_it():
    draw = np.random.default_rng(0)
    features = np.column_stack([np.ones(500), draw.random(500)])
    right = (features[:, 1] < 0.5).astype(float)
    assert fit_weights(features, right, np.ones(500))[1] < -1
    assert fit_weights(features, right, np.ones(500), rising=[1])[1] == 0


def test_kinds_weigh_the_same_and_so_do_known_and_unknown():
    many = [sample(0.8, kind="noise")] * 6 + [sample(0.8)] * 2 + [sample(0.5, known=False)] * 4
    weights = weights_of(many)
    assert weights[:6].sum() == pytest.approx(3)
    assert weights[6:8].sum() == pytest.approx(3)
    assert weights[8:].sum() == pytest.approx(6)


def test_the_threshold_is_the_smallest_that_keeps_every_kind_of_unknown_clips_out():
    unknown = [sample(0.5, known=False, kind=kind) for kind in ("music", "speech") for _ in range(100)]
    log_odds = np.full(200, -9.0)
    log_odds[150:152] = 1.1
    log_odds[152] = 0.6
    assert choose_threshold(unknown, log_odds, 0.02) == 0.75
    assert choose_threshold(unknown, log_odds, 0.0) == 1.25
    assert choose_threshold(unknown, log_odds, 0.5) == -8
    with pytest.raises(OptionError, match="in the catalog after all"):
        choose_threshold(unknown, log_odds + 50, 0.0)


def test_a_model_is_fitted_for_each_length(samples):
    fitted = fit(samples, SHAPE, most_false=0.01)
    assert np.shape(fitted.model.weights) == (2, 3)
    assert fitted.model.weights[0] != fitted.model.weights[1]
    assert fitted.model.threshold == pytest.approx(1 / (1 + math.exp(-fitted.log_odds)))
    at_zero = {row.seconds: row for row in fitted.thresholds if row.log_odds == 0}
    assert set(at_zero) == {1.0, 4.0}
    assert at_zero[1.0].right == pytest.approx(0.93, abs=0.05)
    assert at_zero[1.0].worst == "unknown@1"
    for row in fitted.confidences:
        assert row.mean == pytest.approx(row.right, abs=0.12)


def test_a_length_whose_unknown_clips_come_near_is_less_sure_so_that_one_threshold_serves_all(samples):
    near = [sample(0.83, seconds=1.0, known=False, kind="alike") for _ in range(20)]
    alone, together = fit(samples, SHAPE, most_false=0.01), fit(samples + near, SHAPE, most_false=0.01)
    assert together.log_odds == pytest.approx(alone.log_odds, abs=0.3)  # as the longer clips have it
    long, short = (sample(0.83, seconds=seconds).evidence for seconds in (4.0, 1.0))
    assert together.model.log_odds(short) < together.log_odds < together.model.log_odds(long)
    false = [row.false for row in together.thresholds if row.log_odds >= together.log_odds]
    assert max(false) <= 0.01


def test_clips_without_a_candidate_count_as_not_answered(samples):
    silent = [Sample("clean@1", 1.0, True, False, {}) for _ in range(200)]
    with_them, without = fit(samples + silent, SHAPE), fit(samples, SHAPE)
    first, second = (next(row for row in one.thresholds if row.seconds == 1) for one in (with_them, without))
    assert first.right == pytest.approx(second.right / 2, abs=0.03)


def test_a_length_without_clips_is_named(samples):
    with pytest.raises(OptionError, match="no known clip of about 4 s"):
        fit([one for one in samples if one.seconds == 1], SHAPE)
    with pytest.raises(OptionError, match="no unknown clip of about 1 s"):
        fit([one for one in samples if one.known], SHAPE)


def test_shares_are_of_one_length_and_one_side(samples):
    rows = list(threshold_rows(samples, np.where([one.known for one in samples], 5.0, -5.0)))
    assert {(row.right, row.false) for row in rows if 0 < row.log_odds <= 5} == {(1.0, 0.0)}
    low, high = confidence_rows(samples, np.where([one.known for one in samples], 5.0, -5.0))
    assert (low.clips, low.right, high.clips, high.right) == (400, 0.0, 400, 1.0)


@pytest.fixture(scope="module")
def landmarks(music, tmp_path_factory):
    path = tmp_path_factory.mktemp("calibrated") / "music.earmark"
    with earmark.open(path, fingerprinter="shazam") as catalog:
        catalog.add(music[:5])
    return path


@pytest.fixture(scope="module")
def clips(landmarks, music):
    unknown = {path.stem: path for path in music[10:13]}
    return cut_clips(landmarks, unknown, Grid((0.0,), (0.0,), (1.0, 2.0)), count=12, seed=3)


def test_a_catalog_is_asked_for_clips_of_its_own_files_and_of_others(landmarks, clips):
    with earmark.open(landmarks, read_only=True) as catalog:
        samples = list(samples_of(catalog, clips, workers=1))
    assert len(samples) == 48
    assert {one.kind for one in samples} == {
        "5 tracks: snr=0@1", "5 tracks: snr=0@2", "5 tracks: unknown, snr=0@1", "5 tracks: unknown, snr=0@2",
    }  # fmt: skip
    assert sum(one.known for one in samples) == 24
    assert sum(one.right for one in samples) > 16
    assert not any(one.right for one in samples if not one.known)


def test_sound_that_is_no_music_is_unknown_to_every_catalog(landmarks, music):
    made = made_clips([1.0], speech=music[10:11], count=2, seed=3)
    assert [query.id for query in made.queries][:2] == ["unknown speech@1/0000", "unknown speech@1/0001"]
    with earmark.open(landmarks, read_only=True) as catalog:
        samples = list(samples_of(catalog, made, workers=1))
    assert [one.kind for one in samples[::2]] == [
        f"5 tracks: unknown {kind}@1" for kind in ("speech", "noise", "tones", "near silence")
    ]
    assert not any(one.known or one.right or one.shared for one in samples)


def test_clips_of_sound_that_a_held_recording_shares_are_left_out(landmarks, clips, music, tmp_path):
    remix, rate = tmp_path / "remix.wav", 16_000
    shared, other = load(music[0], rate=rate)[0], load(music[10], rate=rate)[0]
    soundfile.write(remix, np.concatenate([other[: 2 * rate], shared, other[: 2 * rate]]), rate)
    grid = Grid((10.0,), (0.0,), (2.0,))
    remixed = cut_clips(landmarks, {"remix": remix}, grid, count=12, seed=3)
    with earmark.open(landmarks, read_only=True) as catalog:
        unknown = [one for one in samples_of(catalog, remixed, workers=1) if not one.known]
    left_out = sum(one.shared for one in unknown)
    assert left_out >= 8
    assert not any(one.right for one in unknown)
    calibration, _ = calibrate([landmarks], [clips, remixed], most_false=0.3, workers=1)
    assert f"; without {left_out} of sound that" in calibration.fitted_on


def test_a_calibration_says_what_it_was_fitted_for_and_is_written_as_json(landmarks, clips, tmp_path):
    told = []
    calibration, (fitted,) = calibrate(
        [landmarks], [clips], most_false=0.1, workers=1, progress=lambda *at: told.append(at)
    )
    assert told[-1] == (48, 48)
    with earmark.open(landmarks, read_only=True) as catalog:
        assert (calibration.spec, calibration.index) == (catalog.info()["spec"], "postings")
    assert calibration.models == (fitted.model,)
    assert calibration.fitted_on.startswith("48 clips (clips cut from ")
    assert calibration.fitted_on.endswith("among 5 tracks")
    path = write(calibration, tmp_path / "calibration.json")
    assert read_calibration(path) == calibration
    assert [one.name for one in tmp_path.iterdir()] == ["calibration.json"]


def test_false_answers_are_counted_by_a_model_that_did_not_see_them(samples):
    fitted = fit(samples, SHAPE, most_false=0.01)
    rates = false_rates_of(samples, fitted, SHAPE, most_false=0.01, tracks=3)
    rates.check()
    assert (rates.tracks, rates.seconds, rates.clips) == (3, (1.0, 4.0), (200, 200))
    own = rates.thresholds.index(fitted.model.threshold)
    for false, most in zip(rates.false, rates.most, strict=True):
        assert list(false) == sorted(false, reverse=True)
        assert false[own] <= 0.05 * 200  # of those that the threshold was set by it lets one in a hundred through
        assert false[0] / 200 < most[0] < 1


def test_false_answers_are_not_counted_where_half_of_the_clips_is_too_few():
    few = [sample(0.8 if known else 0.5, known=known, seconds=one) for known in (True, False) for one in (1.0, 4.0)]
    assert false_rates_of(few, fit(few, SHAPE, most_false=0.5), SHAPE, most_false=0.5, tracks=3) is None


def test_an_answer_says_how_often_an_unknown_clip_is_given_a_name(landmarks, clips, music, cut, tmp_path):
    path, clip = tmp_path / "counted.earmark", cut(music[0], 5, 2)
    shutil.copytree(landmarks, path)
    calibration, _ = calibrate([landmarks], [clips], most_false=0.1, workers=1)
    write(calibration, path / "calibration.json")
    rates = calibration.false_rates
    assert (rates.tracks, rates.seconds, rates.clips) == (5, (1.0, 2.0), (12, 12))
    with earmark.open(path, read_only=True) as catalog:
        answer = catalog.identify(clip)
        assert answer.expected_false_rate == rates.at_most(2.0, answer.threshold)
        assert catalog.identify(clip, threshold=0.999).expected_false_rate <= answer.expected_false_rate
        assert catalog.explain(clip).answer.expected_false_rate == answer.expected_false_rate
        information = catalog.info()
        for options in ({"several": True}, {"speed": True}, {"threshold": 0}):
            assert catalog.identify(clip, **options).expected_false_rate is None
        assert catalog.identify(cut(music[0], 5, 7)).expected_false_rate is None
        sound, rate = load(clip, rate=16_000)[0], 16_000
        with catalog.listen(rate=rate) as listener:
            listener.push(sound)
            assert listener.finish().expected_false_rate is None
    assert information["expected_false_rates"].keys() == {"1", "2"}
    assert information["expected_false_rates"]["2"] == answer.expected_false_rate
    assert (information["calibrated"], information["threshold"]) == (True, answer.threshold)
    with earmark.open(landmarks, read_only=True) as catalog:  # by the calibration that ships, without counts
        assert catalog.identify(clip).expected_false_rate is None
        assert catalog.info()["expected_false_rates"] == {}


def test_a_catalog_that_finds_clips_at_any_speed_gets_a_model_for_those_too(clips, music, tmp_path):
    path, unknown = tmp_path / "fast.earmark", {path.stem: path for path in music[10:13]}
    with earmark.open(path, fingerprinter="shazam", any_speed=True) as catalog:
        catalog.add(music[:5])
    assert finds_any_speed(path)
    grid = Grid((None,), (0.0,), (5.0, 10.0), ("speed+15", "pitch-12"))
    played = cut_clips(path, unknown, grid, count=6, seed=3, any_speed=True)
    with pytest.raises(OptionError, match="give clips at other speeds too"):
        calibrate([path], [clips], most_false=0.1, workers=1)
    calibration, fits = calibrate([path], [clips, played], most_false=0.1, workers=1)
    assert (len(fits), calibration.models) == (2, (fits[0].model,))
    assert calibration.warped == fits[1].model
    assert calibration.warped.features == make("shazam", any_speed=True).plan.warp.model.features
    assert [row.right for row in fits[1].thresholds if row.log_odds == 0] == pytest.approx([1.0, 1.0], abs=0.2)
    write(calibration, path / "calibration.json")
    maker = ClipMaker()
    with earmark.open(path, read_only=True) as catalog:
        known = [query for query in played.queries if query.track]
        answers = [catalog.identify(maker(query), speed=True) for query in known]
    assert all(answer.calibrated for answer in answers)
    found = [
        one.best is not None and one.best.track.id == query.track for one, query in zip(answers, known, strict=True)
    ]
    assert sum(found) >= 0.8 * len(found)


def test_clips_are_read_with_their_truth(landmarks, music, cut, tmp_path):
    clip = cut(music[0], 5, 2)
    head = "clip_id,path,condition,seconds,track_id,start,speed\n"
    (tmp_path / "queries.csv").write_text(f"{head}1,{clip.name},clean,2,piece,5,1\n2,{clip.name},other,2,gone,5,1\n")
    tracks = {"piece": music[0]}
    with earmark.open(landmarks, read_only=True) as catalog:
        found, other = samples_of(catalog, read_clips(tmp_path, tracks), workers=1)
        (unknown,) = samples_of(catalog, read_clips(tmp_path, tracks, unknown=True, only=["clean@2"]), workers=1)
    assert (found.kind, found.known, found.right) == ("5 tracks: clean@2", True, True)
    assert (other.kind, other.known, other.right) == ("5 tracks: not held, other@2", False, False)
    assert (unknown.kind, unknown.known) == ("5 tracks: unknown, clean@2", False)


def test_catalogs_of_two_kinds_are_not_calibrated_together(landmarks, clips, tmp_path):
    earmark.open(tmp_path / "neural").close()
    with pytest.raises(OptionError, match="give one kind"):
        calibrate([landmarks, tmp_path / "neural"], [clips])
