from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import soxr

from earmark.apps.cli.commands.identify import playing
from earmark.types import Match, Track

MATCH = {
    "track", "confidence", "query_start", "query_end", "reference_start", "reference_end", "position_error", "speed",
    "pitch", "copies", "evidence", "chapter",
}  # fmt: skip


def test_a_clip_is_identified_with_its_place(earmark, indexed, music, cut):
    clip = cut(music[1], 12.5, 6)
    done = earmark("identify", clip, "--catalog", indexed)
    assert (done.status, done.err) == (0, "")
    (line,) = done.lines
    assert line.startswith(f"{clip}: Àlex Almarza - Angus' Background Music, 0:1")
    assert "confidence 0.9" in line or "confidence 1.0" in line


def test_json_is_the_answer_as_documented(earmark, indexed, music, cut):
    clip = cut(music[1], 12.5, 6)
    done = earmark("identify", clip, "--catalog", indexed, "--json")
    (answer,) = done.records
    assert set(answer) == {"query", "matches", "reason", "threshold", "calibrated", "expected_false_rate", "elapsed"}
    assert answer["query"]["source"] == str(clip)
    assert answer["query"]["seconds"] == pytest.approx(6, abs=0.05)
    (match,) = answer["matches"]
    assert set(match) == MATCH
    assert set(match["track"]) == {"id", "title", "artist", "album", "path"}
    assert match["track"]["path"] == str(music[1])
    assert match["reference_start"] - match["query_start"] == pytest.approx(12.5, abs=0.05)
    assert answer["reason"] == ""
    assert answer["calibrated"] is True


def test_unknown_music_is_not_found(earmark, indexed, music, cut):
    done = earmark("identify", cut(music[-1], 5, 6), "--catalog", indexed)
    assert done.status == 1
    assert done.out.endswith("not found: no known recording\n")


def test_several_files_are_answered_in_order_and_one_that_cannot_be_read_stops_nothing(
    earmark, indexed, music, cut, tmp_path
):
    text = tmp_path / "text.wav"
    text.write_text("no sound at all " * 1000)
    clips = [cut(music[0], 3, 5), text, tmp_path / "missing.wav", cut(music[2], 9, 5)]
    done = earmark("identify", *clips, "--catalog", indexed, "--json")
    assert done.status == 3
    assert [record["query"]["source"] for record in done.records] == [str(clip) for clip in clips]
    assert [bool(record.get("matches")) for record in done.records] == [True, False, False, True]
    assert done.records[2]["error"]["code"] == "unreadable"
    assert len(done.err.splitlines()) == 2
    assert "missing.wav: unreadable: " in done.err


@pytest.mark.parametrize("kind", ["folder", "device", "pipe"])
def test_what_is_no_file_is_refused_at_once(earmark, indexed, tmp_path, kind):
    import os

    os.mkfifo(tmp_path / "pipe")
    path = {"folder": tmp_path, "device": "/dev/zero", "pipe": tmp_path / "pipe"}[kind]
    done = earmark("identify", path, "--catalog", indexed)
    assert (done.status, done.out) == (3, "")
    assert done.err.count("\n") == 1


def test_an_empty_file_is_too_short(earmark, indexed, tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    done = earmark("identify", tmp_path / "empty.wav", "--catalog", indexed)
    assert done.status in (1, 3)
    assert "too_short" in done.err or "too short" in done.out


def test_a_dash_reads_standard_input(earmark, indexed, music, cut, monkeypatch):
    content = cut(music[3], 8, 6).read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    done = earmark("identify", "-", "--catalog", indexed)
    assert done.status == 0
    assert done.out.startswith("-: ")


def test_a_threshold_of_zero_shows_candidates_up_to_the_limit(earmark, indexed, music, cut):
    clip = cut(music[0], 3, 6)
    (answer,) = earmark("identify", clip, "--catalog", indexed, "--threshold", "0", "--limit", "3", "--json").records
    assert 1 <= len(answer["matches"]) <= 3
    confidences = [match["confidence"] for match in answer["matches"]]
    assert confidences == sorted(confidences, reverse=True)


def test_quiet_leaves_the_status_alone_and_verbose_tells_the_evidence(earmark, indexed, music, cut):
    clip = cut(music[0], 3, 6)
    quiet = earmark("identify", clip, "--catalog", indexed, "--quiet")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    verbose = earmark("identify", clip, "--catalog", indexed, "--verbose")
    assert "speed 1.000" in verbose.out
    assert os.path.relpath(music[0]) in verbose.out


def test_a_confidence_that_was_not_fitted_for_the_catalog_is_called_that(earmark, catalog, music, cut):
    clip = cut(music[0], 3, 6)
    assert "not fitted" not in earmark("identify", clip, "--catalog", catalog, "--verbose").out
    assert earmark("rebuild", "--index", "linear", "--catalog", catalog).status == 0
    (answer,) = earmark("identify", clip, "--catalog", catalog, "--json").records
    assert answer["calibrated"] is False
    said = earmark("identify", clip, "--catalog", catalog, "--verbose")
    assert said.lines[-1].strip().startswith("the confidence was not fitted for such a catalog")
    assert "not fitted" not in earmark("identify", clip, "--catalog", catalog).out


def test_hostile_names_do_not_reach_the_terminal(earmark, indexed, music, cut, tmp_path):
    hostile = tmp_path / "a\x1b[31mred\n.wav"
    cut(music[0], 3, 5).rename(hostile)
    done = earmark("identify", hostile, "--catalog", indexed)
    assert done.status == 0
    assert "\x1b" not in done.out
    assert done.out.count("\n") == 1


def test_a_catalog_made_for_it_finds_a_clip_at_any_speed_and_says_which(earmark, album, music, tmp_path):
    samples, rate = soundfile.read(music[1], dtype="float32")
    clip = tmp_path / "faster.wav"
    soundfile.write(clip, soxr.resample(samples[9 * rate : 16 * rate], 1.15, 1.0), rate)
    catalog = tmp_path / "fast.earmark"
    made = earmark("index", album, "--catalog", catalog, "--fingerprinter", "shazam", "--any-speed")
    assert made.status == 0
    (line,) = earmark("identify", clip, "--catalog", catalog, "--speed").lines
    assert "at 1.15" in line
    assert "of its pitch" not in line
    (match,) = earmark("identify", clip, "--catalog", catalog, "--speed", "--json").records[0]["matches"]
    assert (match["speed"], match["pitch"]) == pytest.approx((1.15, 1.15), rel=0.005)


def test_a_folder_of_clips_is_taken_and_what_is_no_audio_passed_over(earmark, indexed, music, cut, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in (0, 1):
        cut(music[number], 5, 6).rename(folder / f"{number}.wav")
    (folder / "notes.txt").write_text("not a song")
    (folder / "README").write_text("not a song\n" * 20)
    done = earmark("identify", folder, "--catalog", indexed)
    passed_over = "2 files without audio passed over"
    assert (done.status, done.err) == (0, f"earmark: 2 of 2 clips found, {passed_over} (--verbose lists them)\n")
    assert [line.split(": ")[0] for line in done.lines] == [str(folder / "0.wav"), str(folder / "1.wav")]
    again = earmark("identify", folder, folder / "0.wav", "--catalog", indexed)
    assert again.err.startswith("earmark: 3 of 3 clips found")
    (folder / "broken.flac").write_bytes(b"fLaC" + bytes(range(256)) * 40)
    (folder / "gone.mp3").symlink_to(folder / "moved away.mp3")
    done = earmark("identify", folder, "--catalog", indexed, "--verbose")
    assert done.status == 3
    assert f"passed over: {folder / 'notes.txt'}: no audio, by its name" in done.err
    assert f"passed over: {folder / 'README'}: " in done.err
    assert f"{folder / 'gone.mp3'}: unreadable: it is a link to a file that is not there" in done.err
    assert done.err.endswith(f"earmark: 2 of 4 clips found, 2 could not be read, {passed_over}\n")
    failed = [one for one in earmark("identify", folder, "--catalog", indexed, "--json").records if "error" in one]
    assert {Path(one["query"]["source"]).name for one in failed} == {"broken.flac", "gone.mp3"}
    (tmp_path / "empty").mkdir()
    assert "without audio files" in earmark("identify", tmp_path / "empty", "--catalog", indexed).err


def test_where_in_the_clip_is_said_when_it_is_not_the_whole(earmark, indexed, music, cut, tmp_path):
    whole = cut(music[0], 5, 6)
    assert "heard at" not in earmark("identify", whole, "--catalog", indexed).out
    samples, rate = soundfile.read(whole, dtype="float32")
    noise = np.random.default_rng(3).normal(0, 0.05, 5 * rate).astype(np.float32)
    part = tmp_path / "part.wav"
    soundfile.write(part, np.concatenate([noise, samples]), rate)
    (line,) = earmark("identify", part, "--catalog", indexed).lines
    heard = line.partition("heard at ")[2].split(" to ")
    assert heard[0].startswith(("0:04.", "0:05."))


def test_an_incomplete_clip_is_said_to_be_so(earmark, indexed, music, cut, tmp_path):
    path = tmp_path / "cut.flac"
    samples, rate = soundfile.read(cut(music[0], 5, 6), dtype="float32")
    soundfile.write(path, samples, rate)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    done = earmark("identify", path, "--catalog", indexed)
    assert done.status == 0
    assert "it broke off or has damaged parts; 0:0" in done.err
    (answer,) = earmark("identify", path, "--catalog", indexed, "--json").records
    assert answer["query"]["complete"] is False


def test_a_part_that_has_a_name_is_named(earmark, album, tmp_path, cut):
    path, song = tmp_path / "music.earmark", min(album.iterdir())
    song.with_suffix(".cue").write_text(
        f'PERFORMER "Band"\nFILE "{song.name}" WAVE\n  TRACK 01 AUDIO\n    TITLE "One"\n    INDEX 01 00:00:00\n'
        '  TRACK 02 AUDIO\n    TITLE "Two"\n    INDEX 01 00:12:00\n'
    )
    earmark("index", song, "--catalog", path)
    clip = cut(song, 15, 6)
    assert "Band - Two, 0:15.00 to 0:21.00 of " in earmark("identify", clip, "--catalog", path).out
    (answer,) = earmark("identify", clip, "--catalog", path, "--json").records
    assert answer["matches"][0]["chapter"] == {"start": 12.0, "title": "Two", "artist": "Band"}
    assert "part" in earmark("show", song, "--catalog", path).out


def test_an_answer_is_drawn_with_why_it_was_given(earmark, indexed, music, cut, tmp_path):
    picture = tmp_path / "why.png"
    done = earmark("identify", cut(music[1], 12.5, 6), "--catalog", indexed, "--plot", picture)
    assert done.status == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "of sound was compared" in done.out  # it explains
    assert f"drew {picture}" in done.err


def test_a_picture_is_of_one_file_and_has_a_picture_s_name(earmark, indexed, music, cut, tmp_path):
    clip = cut(music[1], 12.5, 6)
    assert earmark("identify", clip, clip, "--catalog", indexed, "--plot", tmp_path / "a.png").status == 2
    assert earmark("identify", clip, "--catalog", indexed, "--plot", tmp_path / "a.docx").status == 2


def test_what_was_cut_out_is_told_by_aligned_sequences(earmark, indexed, music, cut, tmp_path):
    first, rate = soundfile.read(cut(music[2], 1, 8))
    second, _ = soundfile.read(cut(music[2], 14, 8))
    soundfile.write(tmp_path / "edit.wav", [*first, *second], rate)
    for align in ("edit", "local"):
        done = earmark("identify", tmp_path / "edit.wav", "--catalog", indexed, "--several", "--align", align, "--json")
        (answer,) = done.records
        starts = [match["reference_start"] - match["query_start"] for match in answer["matches"]]
        assert starts[0] == pytest.approx(1, abs=0.1)
        assert starts[-1] == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize(
    ("speed", "pitch", "said"),
    [
        (1.0, 1.0, ""),
        (None, None, ""),
        (1.08, 1.08, ", at 1.080 of its speed"),
        (1.08, 1.0, ", at 1.080 of its speed and 1.000 of its pitch"),
        (1.0, 1.06, ", at 1.000 of its speed and 1.060 of its pitch"),
        (1.08, None, ", at 1.080 of its speed"),
        (None, 1.06, ", at 1.060 of its pitch"),
    ],
)
def test_of_speed_and_pitch_only_what_is_sure_is_told(speed, pitch, said):
    track = Track("1", "Title", "", "", "/music/a.flac", 60.0)
    assert playing(Match(track, 1.0, 0.0, 5.0, 10.0, 15.4, 0.01, speed, pitch, {})) == said
