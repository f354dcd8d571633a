from __future__ import annotations

import os

import pytest


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
    assert set(failed) == {"empty.mp3", "notes.txt", "list.m3u", "broken.flac", "pipe.wav", "missing.ogg"}
    assert "too_short" in failed["empty.mp3"]
    assert "not a regular file" in failed["pipe.wav"]
    assert done.out.startswith("3 tracks added, 6 failed;")


def test_json_says_of_each_file_what_became_of_it(earmark, album, path):
    (album / "empty.mp3").write_bytes(b"")
    *files, ending = earmark("index", album, "--catalog", path, "--json").records
    assert sorted(record["status"] for record in files) == ["added", "added", "added", "failed"]
    added = files[0]["track"]
    assert {"id", "title", "artist", "album", "path", "seconds", "complete", "added", "tags"} == set(added)
    assert added["artist"] == "Àlex Almarza"
    assert {name: ending[name] for name in ("status", "added", "failed")} == {"status": "done", "added": 3, "failed": 1}


def test_quiet_prints_nothing_and_verbose_a_line_a_file(earmark, album, path):
    quiet = earmark("index", album, "--catalog", path, "--quiet")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    verbose = earmark("index", album, "--catalog", path, "--verbose")
    assert [line.split()[1] for line in verbose.err.splitlines()] == ["unchanged"] * 3


def test_what_the_catalog_was_made_with_stays(earmark, album, path):
    assert earmark("index", album, "--catalog", path, "--density", "lean").status == 0
    assert earmark("index", album, "--catalog", path).status == 0
    refused = earmark("index", album, "--catalog", path, "--density", "default")
    assert refused.status == 2
    assert "lean" in refused.err


@pytest.mark.parametrize(("option", "value"), [("--density", "thick"), ("--fingerprinter", "nonsense")])
def test_an_unknown_way_to_fingerprint_leaves_nothing_behind(earmark, album, path, option, value):
    done = earmark("index", album, "--catalog", path, option, value)
    assert done.status == 2
    assert value in done.err
    assert not path.exists()


def test_a_second_writer_is_told_who_writes(earmark, album, path, indexed):
    import earmark as library

    with library.open(path):
        done = earmark("index", album, "--catalog", path)
    assert done.status == 4
    assert f"process {os.getpid()}" in done.err
