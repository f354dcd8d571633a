"""export, merge, info, verify, rebuild: commands on a catalog as a whole."""

from __future__ import annotations

import time

import pytest

from earmark.apps.cli.commands.rebuild import FIRST_SECONDS, Estimate
from earmark.apps.cli.output import Output
from earmark.catalog.backend import RebuildProgress


def test_an_export_is_a_catalog_and_merging_it_brings_its_tracks(earmark, catalog, album, tmp_path, music, cut):
    copy, other = tmp_path / "copy.earmark", tmp_path / "other.earmark"
    assert earmark("export", copy, "--catalog", catalog).status == 0
    assert len(earmark("list", "--catalog", copy).lines) == 4
    assert earmark("index", music[5], music[0], "--catalog", other).status == 0
    done = earmark("merge", copy, "--catalog", other)
    assert done.status == 0
    assert done.lines == [f"{copy}: 3 tracks added, 1 known already"]
    assert earmark("identify", cut(music[2], 4, 6), "--catalog", other).status == 0


def test_an_export_overwrites_nothing(earmark, catalog, tmp_path):
    done = earmark("export", tmp_path, "--catalog", catalog)
    assert done.status == 4
    assert "exists" in done.err


def test_merging_what_is_no_catalog_is_refused(earmark, catalog, tmp_path):
    assert earmark("merge", tmp_path / "none", "--catalog", catalog).status == 4
    assert earmark("merge", tmp_path / "none", "--catalog", tmp_path / "new").status == 4
    assert not (tmp_path / "new").exists()


def test_merging_into_a_catalog_that_is_not_there_makes_one_of_the_same_kind(earmark, music, tmp_path):
    first, second, all_of_it = tmp_path / "first.earmark", tmp_path / "second.earmark", tmp_path / "all.earmark"
    for path, pieces in ((first, music[:1]), (second, music[:2])):
        kind = ("--fingerprinter", "landmarks", "--density", "lean")
        assert earmark("index", *pieces, "--catalog", path, *kind).status == 0
    done = earmark("merge", first, second, "--catalog", all_of_it, "--json")
    assert done.status == 0
    assert f"made {all_of_it}, of the kind of {first}" in done.err
    counts = [record for record in done.records if record["status"] == "done"]
    assert counts == [
        {"status": "done", "from": str(first), "added": 1, "unchanged": 0, "failed": 0},
        {"status": "done", "from": str(second), "added": 1, "unchanged": 1, "failed": 0},
    ]
    (information,) = earmark("info", "--catalog", all_of_it, "--json").records
    assert (information["tracks"], information["preset"]) == (2, {"density": "lean"})


def test_info_counts_what_is_there(earmark, indexed):
    done = earmark("info", "--catalog", indexed)
    assert done.status == 0
    assert "tracks             4" in done.lines
    (information,) = earmark("info", "--catalog", indexed, "--json").records
    assert information["tracks"] == 4
    assert information["fingerprinter"] == "neural"
    assert information["problems"] == []
    assert information["calibrated"] is True
    assert 0.9 < information["threshold"] < 1


def test_names_and_values_of_info_stand_in_two_columns(earmark, indexed):
    lines = earmark("info", "--verbose", "--catalog", indexed).lines
    cells = next(line for line in lines if line.startswith("tracks ")).index("4")
    assert all(line[cells - 1] == " " and line[cells] != " " for line in lines), lines


def test_a_sound_catalog_verifies(earmark, indexed):
    done = earmark("verify", "--catalog", indexed)
    assert done.status == 0
    assert done.lines == ["4 tracks checked: all as written"]


def test_damage_is_named_and_a_rebuild_mends_the_index(earmark, catalog, music, cut):
    array = max(catalog.glob("generations/*/*.npy"), key=lambda path: path.stat().st_size)
    content = bytearray(array.read_bytes())
    content[len(content) // 2] ^= 0xFF
    array.write_bytes(content)
    done = earmark("verify", "--catalog", catalog)
    assert done.status == 4
    assert array.name in done.out
    assert earmark("rebuild", "--catalog", catalog).lines == ["made the index of 4 tracks again"]
    assert earmark("verify", "--catalog", catalog).status == 0
    assert earmark("identify", cut(music[1], 4, 6), "--catalog", catalog).status == 0


def test_a_rebuild_says_how_long_it_takes_when_somebody_waits(capsys: pytest.CaptureFixture[str]) -> None:
    estimate = Estimate(Output())
    estimate.update(RebuildProgress(1, 668, 12.3))
    assert not capsys.readouterr().err  # too early to know
    time.sleep(FIRST_SECONDS)
    estimate.update(RebuildProgress(40, 668, 12.3))
    estimate.update(RebuildProgress(41, 668, 12.2))
    assert capsys.readouterr().err == "40 of 668 tracks read, about 12 s left\n"
