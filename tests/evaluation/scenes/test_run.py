"""A catalog is asked for scenes."""

from __future__ import annotations

import json
import shutil

import pytest

import earmark
from earmark.errors import OptionError
from earmark.evaluation.scenes import ask
from earmark.evaluation.scenes.kinds import DjMix, Playlist, Talk
from earmark.evaluation.scenes.run import (
    Selection,
    evaluate_scenes,
    kinds_named,
    planned,
    sources_of_catalog,
    sources_of_folder,
)

PLAYLIST = Playlist(seconds=(8.0,), pieces=3, count=1, snr_decibels=(None,))


def test_a_folder_is_indexed_and_asked_and_the_run_is_kept(album, tmp_path):
    sources = sources_of_folder(album, held_out=0.0)
    draw, begun, stages = Selection({"playlist": PLAYLIST}), [], []
    measured = evaluate_scenes(
        sources, draw, fingerprinters=["shazam"], out=tmp_path, workers=1, begin=lambda *run: begun.append(run),
        progress=stages.append,
    )  # fmt: skip
    one = measured["shazam"]
    assert begun == [("shazam", one.folder)]
    assert [(stage.done, stage.total) for stage in stages] == [(1, 1)]
    (row,) = one.rows
    assert row.named.total == 3
    assert row.named.hits >= 2
    assert json.loads(one.written[0].read_text())["parameters"]["known"] == 3
    answers = (one.folder / ask.ANSWERS).read_bytes()
    again = evaluate_scenes(sources, draw, fingerprinters=["shazam"], out=tmp_path, workers=1)
    assert again["shazam"].rows == one.rows
    assert (one.folder / ask.ANSWERS).read_bytes() == answers


def test_a_catalog_is_asked_for_its_own_files(music, tmp_path):
    for name, path in (("one", music[0]), ("one", music[1]), ("other", music[2])):
        (tmp_path / name).mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / name / path.name)
    catalog = tmp_path / "music.earmark"
    with earmark.open(catalog, fingerprinter="shazam") as opened:
        opened.add([str(tmp_path / "one"), str(tmp_path / "other")], workers=1)
    sources = sources_of_catalog(catalog, music=tmp_path / "one")
    assert len(sources.known) == 3
    assert {sources.known[track].name for track in sources.cut} == {path.name for path in music[:2]}
    measured = evaluate_scenes(sources, Selection({"playlist": PLAYLIST}), catalog=catalog, out=tmp_path / "runs")
    assert list(measured) == ["music.earmark"]
    assert measured["music.earmark"].rows[0].named.total == 3
    with pytest.raises(OptionError, match="has no track whose file is there below"):
        sources_of_catalog(catalog, music=tmp_path / "none")


def test_part_of_the_music_stays_unknown_beside_what_another_folder_holds(album, music, tmp_path):
    (tmp_path / "more").mkdir()
    shutil.copy(music[5], tmp_path / "more")
    sources = sources_of_folder(album, held_out=0.34, unknown=tmp_path / "more", speech=tmp_path / "more")
    assert len(sources.known) == len(sources.cut) == 2
    assert [path.name for path in sources.unknown] == [music[0].name, music[5].name]
    assert len(sources.speech) == 1


def test_conditions_that_the_recordings_are_too_short_for_are_left_out_with_reasons(material):
    kinds = {"playlist": PLAYLIST, "mix": DjMix(), "talk": Talk(minutes=1.0)}
    scenes, left_out = planned(Selection(kinds), material)
    assert [scene.kind for scene in scenes] == ["playlist", "talk"]
    assert list(left_out) == ["mix, 8 s fades"]
    assert "without silence; give longer ones" in left_out["mix, 8 s fades"]
    with pytest.raises(OptionError, match="no scene can be made: none of 11"):
        planned(Selection({"mix": DjMix()}), material)


def test_a_kind_that_is_not_known_is_refused():
    with pytest.raises(OptionError, match="'opera'; give some of playlist, jingles"):
        kinds_named(["playlist", "opera"])


def test_answers_that_were_cut_off_are_asked_again(tmp_path):
    whole = '["playlist/8 s/0000", [["a", 0.0, 8.0, 3.0, 1.0, 0.9]], 0.5]\n'
    path = tmp_path / ask.ANSWERS
    path.write_text(whole + '["playlist/8 s/00')
    (reply,) = ask.read(path).values()
    assert reply.detections[0].reference_at(2.0) == 5.0
    assert path.read_text() == whole
    path.write_text("[1]\n")
    with pytest.raises(OptionError, match="remove it to begin again"):
        ask.read(path)


def test_what_is_known_is_neither_noise_nor_unknown(album, music, tmp_path):
    (tmp_path / "more").mkdir()
    known = next(iter(sources_of_folder(album, held_out=0.0).known.values()))
    shutil.copy(known, tmp_path / "more" / f"copy{known.suffix}")
    shutil.copy(music[5], tmp_path / "more")
    more = tmp_path / "more"
    sources = sources_of_folder(album, held_out=0.0, unknown=more, speech=more, noise=more)
    assert [path.name for path in sources.noises] == [music[5].name]
    assert sources.unknown == sources.speech == sources.noises
