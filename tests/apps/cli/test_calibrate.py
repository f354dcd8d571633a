"""calibrate."""

from __future__ import annotations

import json
import shutil

import pytest

QUICK = ("--snr", "5", "--t60", "0", "--count", "3", "--workers", "1", "--most-false", "0.3")


@pytest.fixture
def unknown(music, tmp_path):
    folder = tmp_path / "unknown"
    folder.mkdir()
    for path in music[8:11]:
        shutil.copy(path, folder)
    return folder


def test_it_fits_a_confidence_on_clips_of_the_catalogs_own_files(earmark, catalog, unknown, music, cut):
    done = earmark("calibrate", catalog, *QUICK, "--unknown-music", unknown, "--json")
    assert done.status == 0, done.err
    (record,) = done.records
    assert record["calibration"] == str(catalog / "calibration.json")
    assert [model["layers"] for model in record["models"]] == [["vectors", "peaks"], ["vectors"]]
    assert len(record["models"][0]["weights"]) == 3
    written = json.loads((catalog / "calibration.json").read_text())
    assert written["index"] == "both"
    assert written["models"][0]["threshold"] == record["models"][0]["threshold"]
    assert written["false_rates"] == record["false_rates"]
    assert record["false_rates"]["clips"] == [12, 12, 12]  # of 1, 2 and 5 s: music in noise, noise, tones, near silence
    clip = cut(music[0], 3, 5)
    (answer,) = earmark("identify", clip, "--catalog", catalog, "--json").records
    assert 0 < answer["expected_false_rate"] <= 1
    share = f"{100 * answer['expected_false_rate']:.2g} %"
    verbose = earmark("identify", clip, "--catalog", catalog, "--verbose")
    assert f"of unknown clips of this length at most {share} are given a name" in verbose.out
    (information,) = earmark("info", "--catalog", catalog, "--json").records
    assert information["expected_false_rates"]["5"] == answer["expected_false_rate"]
    assert f"{share} of 5 s" in earmark("info", "--catalog", catalog).out


def test_it_prints_what_each_threshold_lets_through(earmark, music, unknown, tmp_path):
    catalog, out = tmp_path / "landmarks.earmark", tmp_path / "fitted.json"
    assert earmark("index", *music[:4], "--catalog", catalog, "--fingerprinter", "shazam").status == 0
    done = earmark("calibrate", catalog, *QUICK, "--unknown-music", unknown, "--seconds", "1", "--out", out)
    assert done.status == 0, done.err
    assert done.lines[0].startswith("peaks: constant, log of matches beyond chance")
    assert done.lines[2].split("\t")[:3] == ["0.0", "0.500", "1"]
    assert done.lines[-2].startswith("1\t12\t")
    assert done.lines[-1] == f"Wrote {out}."


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "--unknown-music to cut clips"),
        (("CLIPS",), 2, "CLIPS needs --corpus"),
        (("--unknown-music", "nowhere"), 2, "nowhere is no folder"),
        (("--most-false", "2"), 2, "not a number from 0 to 1"),
    ],
)
def test_what_cannot_be_fitted_is_refused(earmark, indexed, arguments, status, message):
    done = earmark("calibrate", indexed, *arguments)
    assert done.status == status
    assert message in done.err
