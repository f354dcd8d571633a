"""Reports, lists and scores of plays."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from earmark.apps.monitor.export import as_csv, as_cue, as_json_lines, as_labels
from earmark.apps.monitor.report import report_page, report_record, write_report
from earmark.apps.monitor.truth import evaluated, read_truth
from earmark.catalog.plays import Play, PlayedTrack
from earmark.errors import OptionError
from earmark.types import Track

NOON = 1_795_953_600.0  # 2026-11-29T12:00:00Z
SONG = PlayedTrack("song", "Song", "Somebody", "Album", "a/song.flac", 180.0)


def play(number: int, start: float, end: float, **changes: object) -> Play:
    made = Play(
        "One", SONG, NOON + start, NOON + end, start, 0.0, end - start, 0.5, 0.99, "accepted", "foreground", False,
        utc_offset=3_600.0, number=number,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


PLAYS = [
    play(1, 0, 100),
    play(2, 90, 150, track=replace(SONG, id="other", title="<b>Other</b>\x1b[2J"), prominence="background"),
    play(3, 4_000, 4_100, station="Two"),
]


def test_a_table_holds_a_row_a_play_in_utc_and_local_time() -> None:
    rows = list(csv.DictReader(as_csv(PLAYS).splitlines()))
    assert [row["play"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["start"] == "2026-11-29T12:00:00.000Z"
    assert rows[0]["local_end"] == "2026-11-29T13:01:40.000+01:00"
    assert "\x1b" not in rows[1]["title"]


def test_json_lines_hold_an_object_a_play() -> None:
    first = json.loads(as_json_lines(PLAYS).splitlines()[0])
    assert (first["track"]["title"], first["seconds"], first["state"]) == ("Song", 100.0, "accepted")


def test_a_cue_sheet_has_a_file_a_station() -> None:
    lines = as_cue(PLAYS).splitlines()
    assert [line for line in lines if line.startswith("FILE")] == ['FILE "One" WAVE', 'FILE "Two" WAVE']
    assert "    INDEX 01 66:40:00" in lines


def test_labels_are_seconds_of_the_stations_sound() -> None:
    assert as_labels(PLAYS[:1]) == "0.000000\t100.000000\tSomebody - Song\n"


def test_a_report_counts_airtime_and_names_what_is_unknown() -> None:
    record = report_record(PLAYS, since=NOON, until=NOON + 7_200)
    assert [(one["id"], one["plays"], one["seconds"], one["background_seconds"]) for one in record["tracks"]] == [
        ("song", 2, 200.0, 0.0), ("other", 1, 60.0, 60.0),
    ]  # fmt: skip
    one, two = record["stations"]
    assert (one["known_seconds"], two["known_seconds"]) == (150.0, 100.0)
    assert one["unknown"] == [{"start": "2026-11-29T12:02:30.000Z", "end": "2026-11-29T14:00:00.000Z"}]
    assert len(two["unknown"]) == 2


def test_the_page_is_whole_and_shows_titles_as_text() -> None:
    page = report_page(PLAYS)
    assert "&lt;b&gt;Other&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "\x1b" not in page
    assert "<script" not in page
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    assert page.count("<svg") == 2
    assert page.count('<rect class="foreground"') == 2


def test_a_play_over_the_hour_is_drawn_in_both() -> None:
    page = report_page([play(1, 3_500, 3_700)])
    assert page.count('<rect class="foreground"') == 2


def test_no_plays_are_a_page_too(tmp_path: Path) -> None:
    write_report(tmp_path / "day.html", [])
    assert "0 plays of 0 tracks on 0 stations" in (tmp_path / "day.html").read_text()
    with pytest.raises(OptionError, match="name a file"):
        write_report(tmp_path / "none" / "day.html", [])


TRACKS = [Track("song", "Song", "", "", "a/song.flac", 180.0), Track("other", "Other", "", "", "b/other.flac", 60.0)]


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    return path


def test_plays_are_scored_by_what_was_on_air(tmp_path: Path) -> None:
    truth = read_truth(table(tmp_path, "start,end,track\n0,100,song\n200,260,b/other.flac\n300,400,\n"), TRACKS)
    found = [
        play(1, 10, 50),
        play(2, 50.5, 100),
        play(3, 300, 350),
        play(4, 0, 9, state="review"),
    ]
    (row,) = evaluated(truth, found)
    assert row.recall == pytest.approx(89.5 / 160)
    assert row.precision == pytest.approx(89.5 / 139.5)
    assert (row.fragmentation, row.invented) == (2.0, 1)
    assert row.border_median == pytest.approx(5.0)


def test_times_may_be_utc_and_stations_are_scored_apart(tmp_path: Path) -> None:
    noon = "2026-11-29T12:00:00Z,2026-11-29T12:01:40Z,Song"
    text = f"station,start,end,track\nOne,{noon}\nTwo,{noon}\n"
    rows = evaluated(read_truth(table(tmp_path, text), TRACKS), [play(1, 0, 100)])
    assert {row.condition: row.recall for row in rows} == {"One": 1.0, "Two": 0.0, "all": 0.5}


@pytest.mark.parametrize(
    "text", ["begin,end\n0,1\n", "start,end,track\n0,1,Unknown\n", "start,end,track\nnow,1,song\n"]
)
def test_a_table_that_makes_no_sense_says_so(tmp_path: Path, text: str) -> None:
    with pytest.raises(OptionError, match="cannot be understood"):
        read_truth(table(tmp_path, text), TRACKS)
