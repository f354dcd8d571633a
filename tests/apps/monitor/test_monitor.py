"""Stations are followed from their bytes to their plays; a monitor that is killed says everything once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.streams.servers import Server, encoded, icy

import earmark
from earmark.apps.monitor.stations import read_stations, stations_of
from earmark.audio.decode import load
from earmark.errors import OptionError

NOON = 1_700_000_000.0
ROOT = Path(__file__).parents[3]


def spans(catalog: earmark.Catalog, music: Sequence[Path]) -> list[tuple[str, str, float, float]]:
    """Return the plays as (station, name of the file, seconds of the source)."""
    return [
        (play.station, Path(play.track.path).stem, play.source_start, play.source_start + play.seconds)
        for play in catalog.plays.find()
        if play.state != "rejected"
    ]


def test_a_files_plays_are_kept_with_their_times_and_places(
    catalog: earmark.Catalog, show: Path, music: Sequence[Path]
) -> None:
    station = earmark.Station("show", show, zone="Asia/Kolkata", start=NOON)
    with earmark.Monitor(catalog, [station]) as monitor:
        events = list(monitor.events())
    assert [event.kind for event in events] == ["first_heard", "first_heard", "closed", "closed", "ended"]
    first, second = catalog.plays.find()
    assert [Path(play.track.path).stem for play in (first, second)] == [music[0].stem, music[2].stem]
    assert (first.start - NOON, first.end - NOON) == pytest.approx((0, 20), abs=0.3)
    assert (second.start - NOON, second.end - NOON) == pytest.approx((30, 50), abs=0.3)
    assert (second.reference_start, second.reference_end) == pytest.approx((5, 25), abs=0.3)
    assert (second.state, second.prominence, second.is_open, second.utc_offset) == (
        "accepted", "foreground", False, 19_800.0,
    )  # fmt: skip


def test_a_file_that_is_followed_again_has_its_plays_once(
    catalog: earmark.Catalog, show: Path, music: Sequence[Path]
) -> None:
    for _ in range(2):
        with earmark.Monitor(catalog, [earmark.Station("show", show)]) as monitor:
            kinds = [event.kind for event in monitor.events()]
    assert len(spans(catalog, music)) == 2
    assert kinds == ["known", "known", "ended"]


def test_many_sources_at_once_each_have_their_plays(
    catalog: earmark.Catalog, show: Path, music: Sequence[Path]
) -> None:
    stations = [earmark.Station(f"station {number}", show, start=NOON) for number in range(3)]
    with earmark.Monitor(catalog, stations) as monitor:
        list(monitor.events())
        assert [(one.state, one.seconds) for one in monitor.status()] == [("ended", 50.0)] * 3
    found = spans(catalog, music)
    assert sorted({name for name, *_ in found}) == [station.name for station in stations]
    assert len(found) == 6


def test_a_radio_stream_that_breaks_off_and_repeats_itself_is_one_play(
    catalog: earmark.Catalog, server: Server, music: Sequence[Path]
) -> None:
    """The second connection begins 3 s before the first one ended, as servers send what they have buffered."""
    song = load(music[1], rate=44_100)[0]
    parts = iter([song[: 14 * 44_100], song[11 * 44_100 : 26 * 44_100]])
    answers = [icy(encoded(part), interval=8_192, titles=[b"Something else"]) for part in parts]

    def live(handler: object) -> None:
        if answers:
            answers.pop(0)(handler)  # type: ignore[arg-type]
        else:
            connected.append(True)

    connected: list[bool] = []
    server.answers["/live"] = live
    options = earmark.MonitorOptions(allows_private=True)
    with earmark.Monitor(catalog, [earmark.Station("radio", f"{server.url}/live")], options=options) as monitor:
        kinds = list[str]()
        for event in monitor.events():
            kinds.append(event.kind)
            if kinds.count("gap") == 2:
                break
        assert monitor.status()[0].title == "Something else"
    (play,) = catalog.plays.find()
    assert Path(play.track.path) == music[1]
    assert play.note == "Something else"
    assert play.reference_end == pytest.approx(26, abs=0.5)


def test_a_url_of_this_machine_is_refused_unless_it_is_allowed(catalog: earmark.Catalog, server: Server) -> None:
    with earmark.Monitor(catalog, [f"{server.url}/live"]) as monitor:
        event = next(monitor.events())
    assert event.kind == "gap"
    assert "no public address" in event.detail["reason"]


def test_a_station_is_added_and_removed_while_others_go_on(catalog: earmark.Catalog, show: Path) -> None:
    with earmark.Monitor(catalog) as monitor:
        assert list(monitor.events()) == []
        monitor.add(earmark.Station("one", show, start=NOON))
        with pytest.raises(OptionError, match="two stations are called 'one'"):
            monitor.add(earmark.Station("one", show))
        monitor.remove("one")
        with pytest.raises(OptionError, match="no station is called 'one'"):
            monitor.remove("one")
        assert monitor.status() == []
    assert [play for play in catalog.plays.find() if play.is_open] == []


def test_a_file_that_cannot_be_read_ends_its_station_alone(
    catalog: earmark.Catalog, show: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp3").write_text("no music" * 100)
    with earmark.Monitor(catalog, [tmp_path / "text.mp3", tmp_path / "none.mp3", show]) as monitor:
        ended = {event.station: event.detail["reason"] for event in monitor.events() if event.kind == "ended"}
    assert "no audio" in ended["text"]
    assert "No such file" in ended["none"]
    assert ended["show"] == ""


def test_a_fifo_is_followed_as_it_is_written_to(
    catalog: earmark.Catalog, show: Path, tmp_path: Path, music: Sequence[Path]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with earmark.Monitor(catalog, [earmark.Station("pipe", pipe, start=NOON)]) as monitor:
        with pipe.open("wb") as end:
            end.write(show.read_bytes())
        list(monitor.events())
    assert [name for _, name, *_ in spans(catalog, music)] == [music[0].stem, music[2].stem]


def test_a_fifo_that_nobody_writes_to_does_not_hold_up_the_end(catalog: earmark.Catalog, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with earmark.Monitor(catalog, [earmark.Station("pipe", pipe)]) as monitor:
        monitor.remove("pipe")
        assert monitor.status() == []


def test_what_is_not_sure_is_told_on_request(catalog: earmark.Catalog, music: Sequence[Path], tmp_path: Path) -> None:
    sound = load(music[1], rate=16_000)[0][: 15 * 16_000]
    noise = np.random.default_rng(2).standard_normal(len(sound)).astype(np.float32)
    soundfile.write(tmp_path / "noisy.wav", 0.1 * noise + sound * 0.004, 16_000)
    options = earmark.MonitorOptions(threshold=0.999_999_9, candidates=0.0)
    with earmark.Monitor(catalog, [tmp_path / "noisy.wav"], options=options) as monitor:
        candidates = [event for event in monitor.events() if event.kind == "candidate"]
    assert candidates
    assert all(0 <= event.detail["confidence"] < 1 for event in candidates)
    assert all(-30 < event.detail["level"] < -10 for event in candidates)


KILLED = """
import sys
import earmark
catalog = earmark.open(sys.argv[1], read_only=True)
options = earmark.MonitorOptions(look_seconds=5.0)
with earmark.Monitor(catalog, [earmark.Station("show", sys.argv[2], start=1.7e9)], options=options) as monitor:
    for number, event in enumerate(monitor.events()):
        print(event.kind, flush=True)
"""


@pytest.mark.parametrize("events", [1, 2, 3])
def test_a_monitor_that_is_killed_keeps_every_play_once(
    events: int, folder: Path, show: Path, music: Sequence[Path]
) -> None:
    program = [sys.executable, "-c", KILLED, str(folder), str(show)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, cwd=ROOT) as running:
        assert running.stdout is not None
        for _ in range(events):
            running.stdout.readline()
        running.send_signal(signal.SIGKILL)
    with earmark.open(folder, read_only=True) as catalog:
        assert catalog.plays.problems() == []
        with earmark.Monitor(catalog, [earmark.Station("show", show, start=NOON)]) as monitor:
            list(monitor.events())
        found = spans(catalog, music)
        assert [name for _, name, *_ in found] == [music[0].stem, music[2].stem]
        assert [play.is_open for play in catalog.plays.find()] == [False, False]


def test_stations_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "stations.toml"
    path.write_text(
        'zone = "Europe/Berlin"\n[[station]]\nname = "One"\nsource = "https://one.example/live"\n'
        '[[station]]\nsource = "show.wav"\nzone = "UTC"\nstart = 2026-11-29T12:00:00Z\n'
    )
    one, two = read_stations(path)
    assert (one.name, one.source, one.zone) == ("One", "https://one.example/live", "Europe/Berlin")
    assert (two.name, two.source, two.zone) == ("show", str(tmp_path / "show.wav"), "UTC")
    assert two.start == 1_795_953_600.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("station = 1", "lists no stations"),
        ("[[station]]\nname = 'One'", "lists no stations"),
        ("[[station]]\nsource = 'a'\nvolume = 3", "volume"),
        ("[[station", "lists no stations"),
        ("[[station]]\nsource = 'a.wav'\nzone = 'Mars/Olympus'", "zone 'Mars/Olympus' is not known"),
    ],
)
def test_a_file_of_stations_that_makes_no_sense_says_so(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "stations.toml").write_text(text)
    with pytest.raises(OptionError, match=problem):
        read_stations(tmp_path / "stations.toml")


def test_sources_without_names_get_names_of_their_own() -> None:
    found = stations_of(["https://radio.example/live.mp3", "a/show.wav", "b/show.wav", "-"], ["First"])
    assert [one.name for one in found] == ["First", "show", "show 2", "stdin"]
    with pytest.raises(OptionError, match="2 names for 1 sources"):
        stations_of(["a.wav"], ["One", "Two"])


def test_a_source_that_cannot_be_opened_says_what_can(catalog: earmark.Catalog) -> None:
    with pytest.raises(OptionError, match="pipe it in"):
        earmark.Monitor(catalog, ["rtsp://camera.example/1"])
