"""`earmark duplicates` and `earmark repeats`: text, JSON and CSV, and what goes wrong."""

from __future__ import annotations

import csv
import shutil

import pytest

from earmark.apps.text import shown_path


@pytest.fixture
def doubled(catalog, earmark, music, cut):
    """A catalog with an excerpt of its first track."""
    part = cut(music[0], 4, 14)
    assert earmark("index", part, "--catalog", catalog).status == 0
    return catalog, part


def test_a_part_is_told_in_words_with_both_ranges(doubled, earmark, music):
    folder, part = doubled
    done = earmark("duplicates", folder)
    heading, sentence, ranges = done.lines
    assert done.status == 0
    assert heading.startswith("group 1: ")
    assert sentence.startswith(f"  {part} (0:14.00) is part of {shown_path(str(music[0]))} (")
    first, second = (text.split(" to ")[0].strip() for text in ranges.split(" is "))
    assert first == "0:00.00"
    assert second.startswith(("0:03.9", "0:04.0"))


def test_json_is_one_object_a_group(doubled, earmark):
    folder, _ = doubled
    (group,) = earmark("duplicates", "--catalog", folder, "--json").records
    (pair,) = group["pairs"]
    assert (pair["relation"], len(pair["ranges"])) == ("part", 1)
    assert pair["first"] in {track["id"] for key in ("tracks", "parts") for track in group[key]}


def test_csv_has_a_header_and_a_row_a_range(doubled, earmark):
    folder, part = doubled
    (row,) = csv.DictReader(earmark("duplicates", folder, "--csv").lines)
    assert (row["group"], row["relation"], row["first_path"]) == ("1", "part", str(part))
    assert float(row["second_start"]) == pytest.approx(4, abs=0.2)


def test_where_there_are_none_the_status_says_so(indexed, earmark):
    done = earmark("duplicates", indexed)
    assert (done.status, done.lines) == (1, ["no track holds what another one holds"])


def test_two_forms_at_once_are_refused(indexed, earmark):
    done = earmark("duplicates", indexed, "--json", "--csv")
    assert done.status == 2
    assert "give one" in done.err
    assert done.records[0]["error"]["code"] == "option_error"


def test_without_a_catalog_the_status_says_so(tmp_path, earmark):
    assert earmark("duplicates", tmp_path / "none").status == 4


def test_what_recurs_is_told_with_its_places(earmark, music, cut):
    part = cut(music[3], 6, 10)
    done = earmark("repeats", music[3], part, music[5])
    assert done.status == 0
    assert done.lines[0].startswith("item 1: 0:")
    assert [line.partition(": ")[0].strip() for line in done.lines[1:]] == [shown_path(str(music[3])), str(part)]


def test_repeats_as_json_and_csv_hold_the_same_places(earmark, music, cut):
    files = music[3], cut(music[3], 6, 10)
    (item,) = earmark("repeats", *files, "--json").records
    rows = list(csv.DictReader(earmark("repeats", *files, "--csv").lines))
    assert [row["path"] for row in rows] == [place["path"] for place in item["places"]] == [str(one) for one in files]
    assert [float(row["start"]) for row in rows] == pytest.approx(
        [place["start"] for place in item["places"]], abs=1e-3
    )


def test_unreadable_files_are_told_and_passed_over(earmark, music, tmp_path):
    broken, copy = tmp_path / "broken.wav", tmp_path / "copy.opus"
    broken.write_bytes(b"no sound")
    shutil.copy(music[3], copy)
    done = earmark("repeats", music[3], broken, copy)
    assert done.status == 1
    assert str(broken) in done.err
    assert "its content is that of another file" in done.err
    assert earmark("repeats", broken).status == 3


def test_a_folder_stands_for_its_files_and_places_are_told_from_here(earmark, music, cut, tmp_path, monkeypatch):
    folder = tmp_path / "episodes"
    folder.mkdir()
    for name, start in (("one.wav", 3), ("two.wav", 5)):
        shutil.move(cut(music[0], start, 8), folder / name)
    monkeypatch.chdir(tmp_path)
    done = earmark("repeats", "episodes")
    assert done.status == 0
    assert [line.split(":")[0] for line in done.lines[1:]] == ["  episodes/one.wav", "  episodes/two.wav"]
    (tmp_path / "empty").mkdir()
    assert "folder without audio" in earmark("repeats", "empty").err
