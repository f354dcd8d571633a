"""list, show, update, remove."""

from __future__ import annotations

import pytest


@pytest.fixture
def ids(earmark, indexed):
    return [record["id"] for record in earmark("list", "--catalog", indexed, "--json").records]


def test_tracks_are_listed_one_a_line_with_tabs_in_a_pipe(earmark, indexed, music, ids):
    lines = earmark("list", "--catalog", indexed).lines
    assert [line.split("\t")[0] for line in lines] == ids
    assert [line.split("\t")[-1] for line in lines] == [str(path) for path in music[:4]]


def test_words_choose_tracks(earmark, indexed):
    assert len(earmark("list", "angus", "--catalog", indexed).lines) == 1
    assert len(earmark("list", "ALMARZA", "background", "--catalog", indexed).lines) == 2
    none = earmark("list", "no such thing", "--catalog", indexed)
    assert (none.status, none.out) == (1, "")


def test_a_track_is_shown_whole_and_an_unknown_one_named(earmark, indexed, ids):
    done = earmark("show", "nonsense", ids[1], "--catalog", indexed)
    assert done.status == 1
    assert "'nonsense'" in done.err
    assert "title      Angus' Background Music" in done.out
    assert "artist     Àlex Almarza" in done.out


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
