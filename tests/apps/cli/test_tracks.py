"""list, show, update, remove."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def ids(earmark, indexed):
    return [record["id"] for record in earmark("list", "--catalog", indexed, "--json").records]


def test_tracks_are_listed_one_a_line_with_tabs_in_a_pipe(earmark, indexed, music, ids):
    lines = earmark("list", "--catalog", indexed).lines
    assert [line.split("\t")[0] for line in lines] == ids
    assert [line.split("\t")[-1] for line in lines] == [os.path.relpath(path) for path in music[:4]]


def test_words_choose_tracks(earmark, indexed):
    assert len(earmark("list", "angus", "--catalog", indexed).lines) == 1
    assert len(earmark("list", "ALMARZA", "background", "--catalog", indexed).lines) == 2
    none = earmark("list", "no such thing", "--catalog", indexed)
    assert (none.status, none.out) == (1, "")


def test_a_track_is_shown_whole_and_an_unknown_one_named(earmark, indexed, ids):
    done = earmark("show", "nonsense", ids[1], "--catalog", indexed)
    assert done.status == 1
    assert "'nonsense'" in done.err
    shown = {line.split(None, 1)[0]: line.split(None, 1)[1] for line in done.lines if line}
    assert (shown["title"], shown["artist"]) == ("Angus' Background Music", "Àlex Almarza")


def test_words_about_a_track_are_changed(earmark, catalog, ids):
    done = earmark("update", ids[0], "--title", "New", "--tag", "mood=calm", "--catalog", catalog, "--json")
    assert done.status == 0
    (track,) = earmark("show", ids[0], "--catalog", catalog, "--json").records
    assert (track["title"], track["tags"]["mood"]) == ("New", "calm")
    assert track["artist"] == done.records[0]["artist"] != ""


def test_a_track_gets_an_id_of_ones_own_that_nobody_has(earmark, catalog, ids):
    assert earmark("update", ids[0], "--new-id", "mine", "--catalog", catalog).status == 0
    assert earmark("show", "mine", "--catalog", catalog).status == 0
    assert earmark("update", ids[1], "--new-id", "mine", "--catalog", catalog).status == 1


def test_a_tag_is_removed_and_reset_brings_back_what_the_file_says(earmark, catalog, ids):
    before = earmark("show", ids[0], "--catalog", catalog, "--json").records[0]
    earmark("update", ids[0], "--title", "New", "--tag", "mood=calm", "--catalog", catalog)
    (track,) = earmark("update", ids[0], "--remove-tag", "mood", "--catalog", catalog, "--json").records
    assert ("mood" in track["tags"], track["title"]) == (False, "New")
    refused = earmark("update", ids[0], "--remove-tag", "mood", "--catalog", catalog)
    assert refused.status == 2
    assert "has no tag 'mood'" in refused.err
    assert earmark("update", ids[0], "--reset", "--catalog", catalog, "--json").records == [before]


def test_a_track_is_meant_by_its_id_how_that_begins_its_path_or_words(earmark, indexed, ids, music, monkeypatch):
    monkeypatch.chdir(music[1].parent)
    for text in (ids[1], ids[1][:6], music[1], music[1].name, music[1].stem):
        (track,) = earmark("show", text, "--catalog", indexed, "--json").records
        assert track["id"] == ids[1]
    assert len(earmark("show", music[1].parent, "--catalog", indexed, "--json").records) == 4


def test_words_that_fit_several_tracks_remove_none_and_list_them(earmark, catalog, ids):
    done = earmark("remove", "almarza", "--catalog", catalog)
    assert (done.status, done.out) == (1, "removed 0 tracks\n")
    named = done.err.partition("fits 2 tracks; say which: ")[2].split(", ")
    assert len(named) == 2
    assert all(any(id.startswith(one.split()[0]) for id in ids) and ".opus)" in one for one in named)
    assert earmark("update", "almarza", "--title", "x", "--catalog", catalog).status == 1


def test_tracks_whose_files_are_gone_are_listed_and_pruned(earmark, album, tmp_path):
    path = tmp_path / "music.earmark"
    earmark("index", album, "--catalog", path)
    first, second, third = sorted(album.iterdir())
    assert earmark("list", "--missing", "--catalog", path).status == 1
    second.unlink()
    again = earmark("index", album, "--catalog", path)
    assert f"gone: {second}" in again.err
    assert "`earmark prune`" in again.err
    (gone,) = earmark("list", "--missing", "--catalog", path, "--json").records
    assert gone["path"] == str(second)
    assert earmark("prune", "--dry-run", "--catalog", path).lines[-1] == "would forget 1 track"
    assert earmark("prune", third.parent / "elsewhere", "--catalog", path).lines == ["forgot 0 tracks"]
    assert earmark("prune", "--catalog", path, "--json").records[-1] == {"status": "done", "gone": 1}
    for options, status in (((), "done"), (("--dry-run",), "dry run")):
        assert earmark("prune", "--catalog", path, "--json", *options).records == [{"status": status, "gone": 0}]
    assert len(earmark("list", "--catalog", path).lines) == 2
    first.unlink()
    third.unlink()
    refused = earmark("prune", "--catalog", path)
    assert refused.status == 2
    assert "is a disk not mounted?" in refused.err
    assert earmark("prune", "--all", "--catalog", path).lines[-1] == "forgot 2 tracks"


def test_tracks_of_a_disk_that_is_not_mounted_are_kept(earmark, album, tmp_path, monkeypatch):
    disk, path = tmp_path / "media" / "usb", tmp_path / "music.earmark"
    disk.mkdir(parents=True)
    first, *_ = sorted(album.iterdir())
    first.rename(disk / first.name)
    earmark("index", disk, album, "--catalog", path)
    monkeypatch.setattr("earmark.apps.cli.changes.DISKS", {str(tmp_path / "media"): 1})
    disk.rename(tmp_path / "unplugged")
    again = earmark("index", disk, "--catalog", path)
    assert "is a disk not mounted?" in again.err
    assert "earmark prune" not in again.err
    refused = earmark("prune", "--catalog", path)
    assert refused.status == 2
    assert refused.err.startswith(f"earmark: {disk} is empty or not there, and with it the files of 1 track: is")
    assert earmark("prune", "--dry-run", "--catalog", path).lines[-1] == "would forget 1 track"
    assert earmark("prune", "--all", "--json", "--catalog", path).records[-1] == {"status": "done", "gone": 1}
    assert earmark("prune", "--json", "--catalog", path).records == [{"status": "done", "gone": 0}]


def test_nothing_to_change_is_wrong_usage(earmark, catalog, ids):
    done = earmark("update", ids[0], "--catalog", catalog)
    assert done.status == 2
    assert "--title" in done.err


def test_removed_tracks_are_gone_and_found_no_more(earmark, catalog, ids, music, cut):
    clip = cut(music[0], 5, 6)
    assert earmark("identify", clip, "--catalog", catalog).status == 0
    done = earmark("remove", ids[0], "nonsense", ids[0], "--catalog", catalog)
    assert done.status == 1
    assert done.lines == ["removed 1 track"]
    assert "'nonsense'" in done.err
    assert earmark("identify", clip, "--catalog", catalog).status == 1
    assert len(earmark("list", "--catalog", catalog).lines) == 3
