from __future__ import annotations

import os
import shutil

import pytest

from earmark.fingerprints.neural import WEIGHTS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "music.earmark"


def test_a_folder_is_indexed_and_the_second_time_nothing_is_done(earmark, album, path):
    first = earmark("index", album, "--catalog", path)
    assert (first.status, first.err) == (0, "")
    assert first.out.startswith("3 tracks added; 1:30.")
    again = earmark("index", album, "--catalog", path)
    assert again.status == 0
    assert again.lines == ["0 tracks added, 3 unchanged"]


def test_bad_files_are_listed_with_reasons_and_the_good_ones_are_indexed(earmark, album, path):
    (album / "empty.mp3").write_bytes(b"")
    (album / "notes.txt").write_text("not a song")
    (album / "list.m3u").write_text("#EXTM3U\nangus.opus\n")
    (album / "broken.flac").write_bytes(b"fLaC" + bytes(range(256)) * 40)
    os.mkfifo(album / "pipe.wav")
    done = earmark("index", album, album / "missing.ogg", "--catalog", path)
    assert done.status == 1
    failed = {line.split(": ")[1].rpartition("/")[2]: line for line in done.err.splitlines()}
    assert set(failed) == {"empty.mp3", "broken.flac", "pipe.wav", "missing.ogg"}
    assert "too_short" in failed["empty.mp3"]
    assert "no regular file" in failed["pipe.wav"]
    assert done.out.startswith("3 tracks added, 4 failed, 2 passed over;")


def test_what_is_no_audio_is_passed_over_and_no_failure(earmark, album, path):
    for name in ("notes.txt", "list.m3u", "words.lrc", "rip.nfo", "cover.jpg", "README"):
        (album / name).write_text("not a song\n" * 20)
    done = earmark("index", album, "--catalog", path)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("3 tracks added, 6 passed over;")
    told = earmark("index", album, "--catalog", path, "--verbose").err
    assert f"passed over: {album / 'words.lrc'}: no audio, by its name" in told
    assert f"skipped {album / 'README'}: " in told


def test_a_dry_run_says_what_would_be_done_and_does_nothing(earmark, album, path, music):
    done = earmark("index", album, "--catalog", path, "--dry-run")
    assert (done.status, done.lines[-1]) == (0, "would read 3 new files")
    assert not path.exists()
    earmark("index", album, "--catalog", path)
    first, second, third = sorted(album.iterdir())
    first.unlink()
    shutil.copy(music[5], second)
    done = earmark("index", album, "--catalog", path, "--dry-run", "--exclude", third.name)
    assert done.lines == [
        f"changed: {second}",
        f"gone: {first}",
        "would read 0 new files, 1 changed, 1 passed over, 1 gone",
    ]


def test_moved_replaced_and_doubled_files_are_told(earmark, album, path, music):
    earmark("index", album, "--catalog", path)
    first, second, third = sorted(album.iterdir())
    first.rename(album / "moved.opus")
    shutil.copy(music[5], second)
    shutil.copy(third, album / "z.opus")
    told = earmark("index", album, "--catalog", path).err
    assert f"moved: {first} is now {album / 'moved.opus'}" in told
    assert f"replaced: {second}: it was " in told
    assert f"duplicate: {album / 'z.opus'} has the content of {third}" in told


def test_a_file_that_became_a_copy_of_another_is_told_by_its_own_path(earmark, album, path):
    earmark("index", album, "--catalog", path)
    _, second, third = sorted(album.iterdir())
    shutil.copy(third, second)
    told = earmark("index", album, "--catalog", path).err
    assert f"replaced: {second}: it was " in told
    assert f" and has the content of {third} now\n" in told


def test_quiet_prints_errors(earmark, album, path):
    (album / "broken.flac").write_bytes(b"fLaC" + bytes(range(256)) * 40)
    done = earmark("index", album, "--catalog", path, "--quiet")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"failed: {album / 'broken.flac'}: unreadable: ")
    assert done.err.count("\n") == 1


def test_json_says_of_each_file_what_became_of_it(earmark, album, path):
    (album / "empty.mp3").write_bytes(b"")
    *files, ending = earmark("index", album, "--catalog", path, "--json").records
    assert sorted(record["status"] for record in files) == ["added", "added", "added", "failed"]
    added = files[0]["track"]
    assert {"id", "title", "artist", "album", "path", "seconds", "complete", "added", "tags", "chapters"} == set(added)
    assert added["artist"] == "Àlex Almarza"
    assert {name: ending[name] for name in ("status", "added", "failed")} == {"status": "done", "added": 3, "failed": 1}


def test_quiet_prints_nothing_and_verbose_a_line_a_file(earmark, album, path):
    quiet = earmark("index", album, "--catalog", path, "--quiet")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    verbose = earmark("index", album, "--catalog", path, "--verbose")
    assert [line.split()[1] for line in verbose.err.splitlines()] == ["unchanged"] * 3


@pytest.mark.parametrize(
    ("made", "other", "message"),
    [
        (("--fingerprinter", "shazam", "--density", "lean"), ("--density", "default"), "'density': 'lean'"),
        (("--fingerprinter", "shazam"), ("--model", "default"), "model is no setting of landmarks"),
        (("--no-peaks",), ("--fingerprinter", "shazam"), "fingerprinter='neural'"),
        (("--index", "linear"), ("--index", "lsh"), "index='linear'"),
    ],
)
def test_what_the_catalog_was_made_with_stays(earmark, album, path, made, other, message):
    assert earmark("index", album, "--catalog", path, *made).status == 0
    assert earmark("index", album, "--catalog", path).lines == ["0 tracks added, 3 unchanged"]
    refused = earmark("index", album, "--catalog", path, *other)
    assert refused.status == 2
    assert message in refused.err


def test_a_new_catalog_is_learned_and_searched_by_the_index_that_suits_it(earmark, album, path):
    earmark("index", album, "--catalog", path)
    (information,) = earmark("info", "--catalog", path, "--json").records
    assert (information["fingerprinter"], information["index"], information["preset"]) == ("neural", "both", {})


def test_a_compact_catalog_says_so_finds_a_clip_and_is_calibrated(earmark, music, path, cut):
    assert earmark("index", music[1], "--catalog", path, "--compact").status == 0
    (information,) = earmark("info", "--catalog", path, "--json").records
    assert (information["index"], information["preset"]) == ("two_bit", {"compact": True})
    (answer,) = earmark("identify", cut(music[1], 12.5, 6), "--catalog", path, "--json").records
    (match,) = answer["matches"]
    assert match["reference_start"] - match["query_start"] == pytest.approx(12.5, abs=0.05)
    assert answer["calibrated"]


def test_a_model_is_kept_by_its_whole_path(earmark, album, path, tmp_path, monkeypatch):
    shutil.copy(WEIGHTS / "default.onnx", tmp_path / "own.onnx")
    monkeypatch.chdir(tmp_path)
    assert earmark("index", album, "--catalog", path, "--model", "own.onnx", "--no-peaks").status == 0
    monkeypatch.chdir("/")
    (information,) = earmark("info", "--catalog", path, "--json").records
    assert information["preset"] == {"model": str(tmp_path / "own.onnx"), "peaks": False}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fingerprinter", "nonsense"), "'nonsense' is not known: choose one of neural, philips, landmarks"),
        (("--fingerprinter", "shazam", "--density", "thick"), "density 'thick' is not known"),
        (("--density", "lean"), "density is no setting of neural, which has model and peaks"),
        (("--fingerprinter", "shazam", "--no-peaks"), "peaks is no setting of landmarks, which has density"),
        (("--model", "nonsense"), "model 'nonsense' cannot be read"),
        (("--index", "nonsense"), "index 'nonsense' is not known"),
        (("--index", "postings"), "index 'postings' cannot hold what neural makes: choose one of both, auto, linear"),
        (("--fingerprinter", "shazam", "--index", "hnsw"), "cannot hold what landmarks makes: choose one of postings"),
    ],
)
def test_what_does_not_go_together_is_refused_and_leaves_nothing_behind(earmark, album, path, options, message):
    done = earmark("index", album, "--catalog", path, *options)
    assert done.status == 2
    assert message in done.err
    assert not path.exists()


def test_a_second_writer_is_told_who_writes(earmark, album, path, indexed):
    import earmark as library

    with library.open(path):
        done = earmark("index", album, "--catalog", path)
    assert done.status == 4
    assert f"process {os.getpid()}" in done.err


def test_what_has_nothing_to_add_leaves_no_empty_catalog(earmark, tmp_path):
    catalog, folder = tmp_path / "music.earmark", tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").touch()
    for path, status, counts in ((tmp_path / "nowhere", 1, (1, 0)), (folder, 0, (0, 1))):
        done = earmark("index", path, "--catalog", catalog, "--json")
        assert done.status == status
        assert "there is nothing to add, so no catalog was made" in done.err
        assert (done.records[-1]["failed"], done.records[-1]["skipped"]) == counts
        assert not catalog.exists()
    done = earmark("index", tmp_path / "nowhere", "--catalog", catalog)
    assert done.err.startswith(f"failed: {tmp_path / 'nowhere'}: unreadable: ")
