"""`earmark monitor`, `plays`, `rescan` and `listen`."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from earmark.apps.cli.commands.listen import Screen, heard, meter
from earmark.apps.cli.output import Output
from earmark.audio.decode import load
from earmark.streams.files import FileSource

RATE = 16_000


@pytest.fixture(scope="module")
def show(music: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of the second excerpt, then 8 s of an unknown one."""
    parts = [load(music[1], rate=RATE)[0][: 12 * RATE], load(music[10], rate=RATE)[0][: 8 * RATE]]
    path = tmp_path_factory.mktemp("show") / "show.wav"
    soundfile.write(path, np.concatenate(parts), RATE)
    return path


AT = ("--start", "2026-11-29T12:00:00Z", "--zone", "Europe/Berlin")


def test_monitor_tells_what_begins_and_ends_and_plays_lists_it(
    earmark: Callable[..., Any], catalog: Path, show: Path, tmp_path: Path
) -> None:
    done = earmark("monitor", show, "--catalog", catalog, "--name", "One", *AT)
    assert done.status == 0
    assert [line.split(":")[0] for line in done.lines] == ["One", "One"]
    assert "2026-11-29 13:00:00" in done.lines[0]
    assert "ended after 0:12" in done.lines[1]
    listed = earmark("plays", "--catalog", catalog)
    assert (listed.status, len(listed.lines)) == (0, 1)
    assert listed.lines[0].startswith("1\tOne\t2026-11-29 13:00:00\t0:1")
    (record,) = earmark("plays", "--catalog", catalog, "--json").records
    assert (record["station"], record["state"], record["open"]) == ("One", "accepted", False)
    assert earmark("plays", "--catalog", catalog, "--csv").lines[0].startswith("play,station,start,end")
    assert "INDEX 01 00:00:00" in earmark("plays", "--catalog", catalog, "--cue").out
    assert earmark("plays", "--catalog", catalog, "--audacity").out.startswith("0.0")
    assert earmark("plays", "--catalog", catalog, "--station", "Two").status == 1
    assert earmark("plays", "--catalog", catalog, "--since", "2026-11-29T12:00:30Z").status == 1
    assert earmark("plays", "--catalog", catalog, "--report", tmp_path / "day.html").status == 0
    assert "1 play of 1 track on 1 station" in (tmp_path / "day.html").read_text()
    assert earmark("plays", "--catalog", catalog, "--report", tmp_path / "day.json").status == 0
    assert json.loads((tmp_path / "day.json").read_text())["tracks"][0]["plays"] == 1


def test_a_play_can_be_rejected_and_accepted_again(earmark: Callable[..., Any], catalog: Path, show: Path) -> None:
    earmark("monitor", show, "--catalog", catalog, "--quiet")
    assert earmark("plays", "--catalog", catalog, "--reject", "1").status == 0
    assert earmark("plays", "--catalog", catalog).status == 1
    assert len(earmark("plays", "--catalog", catalog, "--state", "rejected").lines) == 1
    assert earmark("plays", "--catalog", catalog, "--accept", "1").status == 0
    assert len(earmark("plays", "--catalog", catalog).lines) == 1
    missing = earmark("plays", "--catalog", catalog, "--reject", "7")
    assert missing.status != 0
    assert "no play has the number 7" in missing.err


def test_monitor_prints_lists_and_scores_and_keeps_clips(
    earmark: Callable[..., Any], catalog: Path, show: Path, tmp_path: Path, music: Sequence[Path]
) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text(f"start,end,track\n0,12,{music[1].name}\n12,20,\n")
    done = earmark(
        "monitor", show, "--catalog", catalog, *AT, "--csv", "--evaluate", truth, "--keep-clips", tmp_path / "clips",
    )  # fmt: skip
    assert done.status == 0
    assert done.lines[0].startswith("play,station")
    assert done.lines[1].startswith("1,show,2026-11-29T12:00:00.")
    assert "precision 0.9" in done.lines[2] or "precision 1.0" in done.lines[2]
    assert "0 invented" in done.lines[2]
    assert len(list((tmp_path / "clips" / "show").iterdir())) == 1


def test_a_source_that_cannot_be_read_does_not_stop_the_others(
    earmark: Callable[..., Any], catalog: Path, show: Path, tmp_path: Path
) -> None:
    done = earmark("monitor", show, tmp_path / "none.wav", "--catalog", catalog, "--json")
    assert done.status == 1
    assert "none: " in done.err
    assert [record["event"] for record in done.records if record["station"] == "show"] == [
        "first_heard", "closed", "ended",
    ]  # fmt: skip
    assert earmark("monitor", tmp_path / "none.wav", "--catalog", catalog).status == 3


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("rtsp://camera.example/",), "pipe it in"),
        (("a.wav", "--zone", "Mars"), "zone 'Mars'"),
        (("a.wav", "--start", "noon"), "'noon' is no time"),
        (("a.wav", "--csv", "--json"), "exclude each other"),
        (("a.wav", "--name", "One", "--name", "Two"), "2 names for 1 sources"),
        (("none.toml",), "give a TOML file"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    earmark: Callable[..., Any], indexed: Path, arguments: Sequence[str], problem: str
) -> None:
    done = earmark("monitor", *arguments, "--catalog", indexed)
    assert done.status == 2
    assert problem in done.err


def test_rescan_finds_what_was_added_later(
    earmark: Callable[..., Any], catalog: Path, show: Path, music: Sequence[Path]
) -> None:
    now = ("--start", "2099-01-01T00:00:00Z")  # after the tracks that are known were added
    assert earmark("monitor", show, "--catalog", catalog, "--keep-sound", "2", "--quiet", *now).status == 0
    assert earmark("rescan", "--catalog", catalog).status == 1


@pytest.mark.skipif(importlib.util.find_spec("sounddevice") is not None, reason="the extra mic is installed")
def test_listen_says_what_it_needs(earmark: Callable[..., Any], indexed: Path) -> None:
    done = earmark("listen", "--catalog", indexed)
    assert done.status == 2
    assert "pip install 'earmark[mic]'" in done.err


def test_what_listen_prints_is_a_line_for_what_is_new_and_an_object_a_look(
    indexed: Path, show: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import earmark as library

    with library.open(indexed, read_only=True) as catalog:
        for output in (Output(), Output(json=True)):
            capsys.readouterr()
            screen = Screen(output)
            for event in heard(catalog, FileSource(show, rate=RATE), None, 6.0):
                screen.show(event)
            lines = capsys.readouterr().out.splitlines()
            if output.json:
                events = [json.loads(line) for line in lines]
                kinds = [event["event"] for event in events]
                assert kinds[0] == "listening"
                assert kinds[-2:] == ["found", "ended"]
                assert events[-1]["position"] == pytest.approx(6, abs=0.2)
            else:
                assert len(lines) == 1
                assert ", at 0:0" in lines[0]


def test_the_meter_fills_with_the_level() -> None:
    assert [meter(level).count("#") for level in (-120, -60, -30, 0, 3)] == [0, 0, 10, 20, 20]
