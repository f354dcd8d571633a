"""evaluate."""

from __future__ import annotations

import csv
import json

import pytest
import soundfile

QUICK = ("--snr", "none,5", "--t60", "0", "--seconds", "2", "--count", "2", "--held-out", "0.34", "--workers", "1")


def test_it_measures_a_folder_of_music_and_goes_on_where_it_was(earmark, album, tmp_path):
    first = earmark("evaluate", album, *QUICK, "--out", tmp_path / "runs")
    assert first.status == 0, first.err
    assert "clean\t2\t2\t100.0\t" in first.out
    (run,) = (tmp_path / "runs").glob("album-*")
    assert {path.name for path in run.iterdir()} >= {
        "parameters.json", "answers.jsonl", "report.json", "report.md", "hit-rate.png", "calibration.png",
    }  # fmt: skip
    answers = (run / "answers.jsonl").read_bytes()
    second = earmark("evaluate", album, *QUICK, "--out", tmp_path / "runs", "--json")
    assert (run / "answers.jsonl").read_bytes() == answers
    assert second.records[0]["conditions"] == json.loads((run / "report.json").read_text())["conditions"]


def test_fingerprinters_are_measured_side_by_side_and_each_run_is_kept(earmark, album, tmp_path):
    alone = earmark("evaluate", album, *QUICK, "--out", tmp_path / "runs", "--fingerprinter", "shazam")
    assert alone.status == 0, alone.err
    (run,) = (tmp_path / "runs").glob("album-*")
    answers = (run / "answers.jsonl").read_bytes()
    both = earmark("evaluate", album, *QUICK, "--out", tmp_path / "runs", "--fingerprinter", "neural,shazam", "--json")
    assert both.status == 0, both.err
    assert (run / "answers.jsonl").read_bytes() == answers
    (record,) = both.records
    assert list(record["fingerprinters"]) == ["neural", "shazam"]
    shazam = json.loads((run / "report.json").read_text())
    assert record["fingerprinters"]["shazam"]["conditions"] == shazam["conditions"]
    runs = [folder for folder in (tmp_path / "runs").glob("album-*") if not (folder / "answers.jsonl").exists()]
    (compared,) = runs
    assert {path.name for path in compared.iterdir()} == {
        "parameters.json", "report.json", "report.md", "hit-rate.png", "calibration.png", "choice.png",
    }  # fmt: skip
    assert "top-1 neural | top-1 landmarks" in (compared / "report.md").read_text()


def test_it_measures_clips_that_are_there(earmark, music, tmp_path, cut):
    corpus, clips = tmp_path / "corpus", tmp_path / "clips"
    corpus.mkdir()
    clips.mkdir()
    with (corpus / "music.csv").open("w") as handle:
        csv.writer(handle).writerows([("track_id", "path"), *((path.stem, path) for path in music[:2])])
    clip = cut(music[0], 5.0, 3.0).rename(clips / "one.wav")
    assert soundfile.info(clip).duration == pytest.approx(3.0)
    rows = [("a", "one.wav", "clean", 3, music[0].stem, 5.0, 1), ("b", "one.wav", "other", 3, music[0].stem, 5.0, 1)]
    with (clips / "queries.csv").open("w") as handle:
        head = ("clip_id", "path", "condition", "seconds", "track_id", "start", "speed")
        csv.writer(handle).writerows([head, *rows])
    done = earmark("evaluate", "--clips", clips, "--corpus", corpus, "--only", "clean@3", "--out", tmp_path / "runs")
    assert done.status == 0, done.err
    assert done.lines[0].startswith("clean\t3\t1\t100.0\t")
    assert "other" not in done.out


def test_it_measures_scenes_of_a_folder_and_says_what_it_leaves_out(earmark, album, music, tmp_path):
    scenes = ("--scenes", "--kinds", "halves,jingles", "--count", "1", "--held-out", "0", "--fingerprinter", "shazam")
    done = earmark("evaluate", album, *scenes, "--workers", "1", "--out", tmp_path / "runs")
    assert done.status == 0, done.err
    assert done.lines[0].startswith("halves\t5 + 5 s\t\t\t1\t2\t")
    assert "Left out: jingles, 10 min: no speech" in done.err
    (run,) = (tmp_path / "runs").glob("album-scenes-*")
    assert {path.name for path in run.iterdir()} == {"parameters.json", "scenes.jsonl", "report.json", "report.md"}
    again = earmark("evaluate", album, *scenes, "--workers", "1", "--out", tmp_path / "runs", "--json")
    assert again.records[0]["scenes"] == json.loads((run / "report.json").read_text())["scenes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--clips", "x"), "--clips needs --corpus"),
        (("--corpus", "x"), "go with --clips"),
        (("--held-out", "1"), "leave none to index"),
        (("--kinds", "playlist"), "go with --scenes"),
        (("--scenes", "--only", "x"), "do not go with --scenes"),
        (("--scenes", "--kinds", "opera"), "scenes of kind 'opera'"),
        (("--snr", "loud"), "is not a list of numbers"),
        (("--seconds", "1,nan"), "'1,nan' is not a list of numbers"),
        (("--seconds", "0"), "clips of 0 s; give a length above 0"),
        (("--scenes", "--compact"), "settings of catalogs (compact) do not go with --scenes: make"),
        (("--density", "lean"), "density is no setting of neural"),
        (("--effects", "flanger"), "effect 'flanger'"),
        (("--fingerprinter", "shazam,panako"), "fingerprinter 'panako' is not known"),
    ],
)
def test_options_that_make_no_sense_are_refused(earmark, arguments, message, tmp_path):
    done = earmark("evaluate", *arguments, "--out", tmp_path / "runs")
    assert done.status == 2
    assert message in done.err
