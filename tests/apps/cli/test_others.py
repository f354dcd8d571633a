"""compare, plot, doctor, demo."""

from __future__ import annotations

import pytest

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_piece_and_its_whole_are_the_same_recording_either_way_round(earmark, music, cut):
    clip = cut(music[4], 10, 8)
    for first, second in ((music[4], clip), (clip, music[4])):
        done = earmark("compare", first, second, "--json")
        assert done.status == 0
        (record,) = done.records
        assert record["same"]
        whole, piece = ("first", "second") if first == music[4] else ("second", "first")
        starts = [match[f"{whole}_start"] - match[f"{piece}_start"] for match in record["matches"]]
        assert any(start == pytest.approx(10, abs=0.05) for start in starts)  # the recording repeats itself


def test_different_recordings_are_not_the_same(earmark, music):
    done = earmark("compare", music[0], music[5])
    assert done.status == 1
    assert done.out.startswith("not found to be the same recording")


def test_comparing_what_cannot_be_read_says_so(earmark, music, tmp_path):
    done = earmark("compare", music[0], tmp_path / "missing.wav")
    assert done.status == 3
    assert "missing.wav" in done.err


def test_a_file_is_drawn_with_its_landmarks(earmark, music, tmp_path):
    picture = tmp_path / "sound.png"
    done = earmark("plot", music[0], "--out", picture)
    assert done.status == 0
    assert picture.read_bytes().startswith(PNG)


def test_a_match_is_drawn_with_its_diagonal_whatever_the_fingerprints(earmark, indexed, music, cut, tmp_path):
    landmarks = tmp_path / "landmarks.earmark"
    assert earmark("index", music[2], "--catalog", landmarks, "--fingerprinter", "shazam").status == 0
    for number, catalog in enumerate((indexed, landmarks)):
        picture = tmp_path / f"{number}.png"
        assert earmark("plot", cut(music[2], 6, 6), "--catalog", catalog, "--out", picture).status == 0
        assert picture.read_bytes().startswith(PNG)


@pytest.mark.parametrize("kind", ["philips", "waveprint"])
def test_a_sound_and_a_match_are_drawn_as_their_fingerprints_see_them(earmark, music, cut, tmp_path, kind):
    sound, match, catalog = tmp_path / "sound.png", tmp_path / "match.png", tmp_path / "seen.earmark"
    assert earmark("plot", music[2], "--fingerprinter", kind, "--out", sound).status == 0
    assert earmark("index", music[2], "--catalog", catalog, "--fingerprinter", kind).status == 0
    assert earmark("plot", cut(music[2], 6, 6), "--catalog", catalog, "--out", match).status == 0
    for picture in (sound, match):
        assert picture.read_bytes().startswith(PNG)


def test_the_picture_of_an_unknown_fingerprinter_is_refused(earmark, music, tmp_path):
    done = earmark("plot", music[2], "--fingerprinter", "tea", "--out", tmp_path / "sound.png")
    assert done.status == 2
    assert "waveprint" in done.err


def test_without_a_match_there_is_nothing_to_draw(earmark, indexed, music, cut, tmp_path):
    picture = tmp_path / "none.png"
    assert earmark("plot", cut(music[-1], 6, 6), "--catalog", indexed, "--out", picture).status == 1
    assert not picture.exists()


def test_a_picture_needs_a_name_that_says_its_format(earmark, music, tmp_path):
    done = earmark("plot", music[0], "--out", tmp_path / "sound.docx")
    assert done.status == 2
    assert "png" in done.err


def test_the_doctor_finds_this_installation_sound(earmark, indexed):
    done = earmark("doctor", "--catalog", indexed, "--json")
    assert done.status == 0
    findings = {record["subject"]: record for record in done.records}
    looked = {"earmark", "python", "sqlite", "numpy", "ffmpeg", "networks", "plots", "decoding", "sandbox", "catalog"}
    assert set(findings) == looked
    assert {finding["state"] for finding in findings.values()} <= {"ok", "note"}
    assert findings["networks"]["detail"].endswith("telemetry is off")
    assert "seccomp" in findings["sandbox"]["detail"]
    assert "4 tracks" in findings["catalog"]["detail"]
    assert "neural" in findings["catalog"]["detail"]


def test_the_doctor_notices_a_damaged_catalog(earmark, catalog):
    (catalog / "catalog.db").write_bytes(b"nothing that SQLite knows" * 1000)
    done = earmark("doctor", "--catalog", catalog)
    assert done.status == 4
    assert "bad   catalog" in done.out


def test_the_demo_answers_as_it_should_with_learned_fingerprints_and_with_landmarks(earmark, tmp_path):
    done = earmark("demo", "--out", tmp_path / "demo.png", "--json")
    assert done.status == 0
    *clips, learned, landmarks = done.records
    assert (learned["fingerprinter"], landmarks["fingerprinter"]) == ("neural", "shazam")
    held_out = [record for record in clips if not record["truth"]["known"]]
    assert len(held_out) >= 6
    for sums in (learned, landmarks):
        answers = [record["answers"][sums["fingerprinter"]] for record in clips]
        assert "wrong" not in [answer["verdict"] for answer in answers]
        assert all(record["answers"][sums["fingerprinter"]]["matches"] == [] for record in held_out)
        assert (sums["unknown"], sums["rejected"]) == (len(held_out), len(held_out))
        assert sums["identified"] >= 0.9 * sums["known"]
        assert 0 < sums["seconds_a_clip"] < sums["indexing_seconds"]
    assert (tmp_path / "demo.png").read_bytes().startswith(PNG)
