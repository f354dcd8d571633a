"""A corpus is indexed and asked, from Python."""

from __future__ import annotations

import csv
import json

import pytest

import earmark
from earmark.errors import OptionError
from earmark.evaluation.music import cut_corpus, kinds_of, not_indexed, read_corpus, recordings_in, specs_of
from earmark.evaluation.queries import Grid

CLEAN = Grid(snr_decibels=(None,), t60_seconds=(0.0,), seconds=(2.0,))


def test_a_folder_of_music_is_measured_and_the_run_is_kept(album, tmp_path):
    corpus = cut_corpus(album, CLEAN, count=2, held_out=0.34)
    begun, stages = [], []
    evaluation = earmark.evaluate(
        corpus, fingerprinters=["shazam"], out=tmp_path, workers=1, begin=lambda *run: begun.append(run),
        progress=stages.append,
    )  # fmt: skip
    measurement = evaluation.measurements["shazam"]
    assert begun == [("shazam", measurement.folder)]
    assert [stage.done for stage in stages] == [1, 2, 3, 4]
    (row,) = evaluation.reports["shazam"].rows
    assert row.top1.value == 1
    assert evaluation.folder is None
    assert evaluation.failed == {}
    assert json.loads(measurement.written[0].read_text())["parameters"]["held_out"] == 0.34
    again = earmark.evaluate(corpus, fingerprinters=["shazam"], out=tmp_path, workers=1, progress=stages.append)
    assert len(stages) == 4
    assert again.reports["shazam"].rows == evaluation.reports["shazam"].rows


def test_the_same_recordings_stay_unknown_whatever_the_seed(music):
    recordings = {path.stem: path for path in music[:5]}
    first, second = (cut_corpus(recordings, CLEAN, name="five", count=1, seed=seed) for seed in (1, 2))
    assert first.known == second.known
    assert len(first.known) == 4
    assert first.name == first.parameters["music"] == "five"
    assert first.queries != second.queries


def test_clips_that_are_there_are_read_with_their_references(music, tmp_path):
    (tmp_path / "music.csv").write_text(f"track_id,path\na,{music[0]}\n")
    with (tmp_path / "queries.csv").open("w") as handle:
        csv.writer(handle).writerows([
            ("clip_id", "path", "condition", "seconds", "track_id", "start", "speed"),
            (1, "1.wav", "noise0", 5, "a", 3, 1), (2, "2.wav", "clean", 5, "a", 3, 1),
        ])  # fmt: skip
    (tmp_path / "1.wav").touch()
    corpus = read_corpus(tmp_path, tmp_path, only=["noise0@5"])
    assert corpus.known == {"a": music[0]}
    assert [query.id for query in corpus.queries] == ["1"]
    with pytest.raises(OptionError, match="noise9@5 names no condition"):
        read_corpus(tmp_path, tmp_path, only=["noise9@5"])
    (tmp_path / "music.csv").write_text(f"track_id,path\nb,{music[0]}\n")
    with pytest.raises(OptionError, match=r"1 clips are of tracks that .* does not name, as '1' of 'a'"):
        read_corpus(tmp_path, tmp_path, only=["noise0@5"])
    (tmp_path / "music.csv").unlink()
    with pytest.raises(OptionError, match="give a folder with its table"):
        read_corpus(tmp_path, tmp_path, only=["noise0@5"])


def test_two_names_of_a_kind_are_one_kind():
    assert list(specs_of(["landmarks", "neural", "shazam"])) == ["landmarks", "neural"]
    assert list(specs_of(["shazam", "all"])) == ["shazam", "neural", "philips", "waveprint"]


def test_a_folder_that_cannot_be_made_is_named(music, tmp_path):
    (tmp_path / "notes.txt").touch()
    corpus = cut_corpus({"one": music[0]}, CLEAN, name="one", count=1)
    with pytest.raises(OptionError, match="a part of it is a file; name a folder that can be made"):
        earmark.evaluate(corpus, out=tmp_path / "notes.txt")


def test_what_leaves_nothing_to_measure_is_refused(album, tmp_path):
    for wrong in ({"count": 0}, {"seed": -1}):
        with pytest.raises(OptionError, match="give a count of 1 or more, and a seed of 0 or more"):
            cut_corpus(album, CLEAN, **wrong)
    with pytest.raises(OptionError, match="a share of 2 to hold out; give 0 to 1"):
        cut_corpus(album, CLEAN, held_out=2)
    with pytest.raises(OptionError, match="leave none to index"):
        cut_corpus(album, CLEAN, held_out=1.0)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(OptionError, match="has no audio in it"):
        recordings_in(empty)


def test_what_is_indexed_byte_for_byte_is_no_unknown_recording(music, tmp_path):
    copy, other = tmp_path / "copy.opus", tmp_path / "other.opus"
    copy.write_bytes(music[0].read_bytes())
    other.write_bytes(music[0].read_bytes()[:-1] + b"x")  # as long, and another
    held = [music[0], music[1], tmp_path / "gone.opus"]
    assert not_indexed([copy, other, music[2]], held) == (other, music[2])
    assert not_indexed([copy], []) == (copy,)


def test_settings_go_to_the_kinds_that_have_them():
    kinds = kinds_of(["landmarks", "philips"], {"density": "lean"})
    assert kinds["landmarks"]["settings"] == {"density": "lean"}
    assert kinds["landmarks"]["spec"] != specs_of(["landmarks"])["landmarks"]
    assert "settings" not in kinds["philips"]
    with pytest.raises(OptionError, match="stride is no setting of landmarks, philips: leave it out"):
        kinds_of(["landmarks", "philips"], {"stride": "half"})


def test_a_corpus_is_measured_with_settings(music, tmp_path):
    corpus = cut_corpus({"one": music[0]}, CLEAN, name="one", count=1, held_out=0)
    evaluation = earmark.evaluate(
        corpus, fingerprinters=["landmarks"], settings={"density": "lean"}, out=tmp_path, workers=1
    )
    (catalog,) = (path for path in tmp_path.glob("catalog-*") if path.is_dir())
    with earmark.open(catalog, read_only=True) as opened:
        assert opened.info()["preset"] == {"density": "lean"}
    parameters = json.loads((evaluation.measurements["landmarks"].folder / "parameters.json").read_text())
    assert parameters["settings"] == {"density": "lean"}
