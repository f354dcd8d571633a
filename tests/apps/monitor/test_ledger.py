"""From passages to plays: each airing once, whatever gaps, repeats, reconnects and restarts part it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from earmark.apps.monitor.events import MonitorEvent
from earmark.apps.monitor.ledger import Ledger, Part, Thresholds
from earmark.catalog.plays import Play, PlayedTrack
from earmark.catalog.sqlite.plays import SQLitePlays

THRESHOLDS = Thresholds(accepted=0.9, review=0.5)
SONG = PlayedTrack("song", "Song", "Somebody", "", "song.flac", 180.0)
JINGLE = PlayedTrack("jingle", "Jingle", "", "", "jingle.wav", 4.0)
NOON = 1_700_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLitePlays]:
    plays = SQLitePlays(tmp_path / "plays.db")
    yield plays
    plays.close()


@pytest.fixture
def ledger(store: SQLitePlays) -> Callable[..., Ledger]:
    return lambda **options: Ledger(store, "one", THRESHOLDS, **options)


def part(start: float, end: float, place: float = 0.0, *, track: PlayedTrack = SONG, confidence: float = 0.99) -> Part:
    """Return a passage, its times counted from noon; `place`: second of the recording at its start."""
    return Part(track, NOON + start, NOON + end, start, place, place + end - start, confidence)


def look(ledger: Ledger, until: float, *parts: Part, since: float = 0.0) -> list[MonitorEvent]:
    return ledger.update(parts, since=NOON + since, until=NOON + until)


def spans(store: SQLitePlays) -> list[tuple[str, float, float]]:
    """Return the plays that count, as (track, start, end) from noon."""
    found = [play for play in store.find() if play.state != "rejected"]
    return [(play.track.id, round(play.start - NOON, 3), round(play.end - NOON, 3)) for play in found]


def kinds(events: Sequence[MonitorEvent]) -> list[str]:
    return [event.kind for event in events]


def test_a_play_begins_at_once_goes_on_and_ends(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    one = ledger()
    assert kinds(look(one, 10, part(3, 10))) == ["first_heard"]
    assert [play.is_open for play in store.find()] == [True]
    assert look(one, 60, part(2.5, 60)) == []
    assert spans(store) == [("song", 2.5, 60)]
    assert look(one, 190, part(2.5, 182)) == []
    events = look(one, 215, part(2.5, 182.5))
    assert kinds(events) == ["closed"]
    assert events[0].play is not None
    assert events[0].play.share == pytest.approx(1.0)
    assert [(play.is_open, play.end - NOON) for play in store.find()] == [(False, 182.5)]


def test_what_somebody_decides_while_it_plays_stays(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    one = ledger()
    look(one, 10, part(0, 10))
    (play,) = store.find()
    store.save(replace(play, state="rejected"))
    look(one, 60, part(0, 60))
    look(one, 190, part(0, 60))
    assert [(play.state, play.is_open, play.seconds) for play in store.find()] == [("rejected", False, 60.0)]


def test_what_is_less_sure_is_for_review_until_it_is_surer(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    one = ledger()
    events = look(one, 5, part(0, 5, confidence=0.6))
    assert [event.play.state for event in events if event.play] == ["review"]
    assert kinds(look(one, 10, part(0, 10, confidence=0.95))) == ["confirmed"]
    look(one, 15, part(0, 15, confidence=0.7))
    assert [(play.state, play.confidence) for play in store.find()] == [("accepted", 0.95)]


@pytest.mark.parametrize(
    ("second", "count"),
    [
        (part(63, 90, 0.0), 1),  # a loop: it begins again at once
        (part(80, 100, 80.0), 1),  # somebody spoke, and it went on under that
        (part(80, 100, 0.0), 2),  # it was played again
        (part(80, 100, 90.0), 2),  # another place of it
        (part(95, 120, 95.0), 2),  # too long a time without it
    ],
)
def test_two_parts_are_one_play_or_two(
    second: Part, count: int, ledger: Callable[..., Ledger], store: SQLitePlays
) -> None:
    look(ledger(), 130, part(0, 60), second)
    assert len(spans(store)) == count


def test_a_loop_of_many_rounds_is_one_play(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    one, rounds = ledger(), list[Part]()
    for number in range(60):
        rounds.append(part(4.0 * number, 4.0 * number + 3.9, track=JINGLE))
        look(one, 4.0 * number + 4, *rounds)
    assert kinds(one.close(0.0)) == ["closed"]
    assert spans(store) == [("jingle", 0, 239.9)]


def test_a_jingle_that_comes_every_minute_is_a_play_each_time(
    ledger: Callable[..., Ledger], store: SQLitePlays
) -> None:
    one, rounds = ledger(), list[Part]()
    for number in range(5):
        rounds.append(part(60.0 * number, 60.0 * number + 4, track=JINGLE))
        look(one, 60.0 * number + 5, *rounds)
    assert [start for _, start, _ in spans(store)] == [0, 60, 120, 180, 240]


def test_two_recordings_at_once_are_two_plays(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    look(ledger(), 60, part(0, 60), part(20, 24, track=JINGLE))
    assert spans(store) == [("song", 0, 60), ("jingle", 20, 24)]


@pytest.mark.parametrize("missing", [0.0, 5.0, 40.0])
@pytest.mark.parametrize("repeated", [0.0, 3.0, 15.0])
def test_an_airing_over_many_reconnects_is_one_play(
    missing: float, repeated: float, ledger: Callable[..., Ledger], store: SQLitePlays
) -> None:
    """After each the server repeats some of what it has sent, or begins later; both move the place in the recording."""
    one, begin = ledger(), 0.0
    while begin < 170:
        end = min(begin + 30, 179.0)
        for until in (begin + 5, end):
            look(one, until, part(begin, until, max(begin - repeated, 0.0)), since=begin)
        one.settle()
        begin = end + missing + 0.5
    one.close(0.0)
    assert len(spans(store)) == 1


def test_the_same_song_again_an_hour_later_is_another_play(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    one = ledger()
    look(one, 180, part(0, 180))
    one.settle()
    look(one, 3_800, part(3_600, 3_780), since=3_600)
    assert len(spans(store)) == 2


@pytest.mark.parametrize("moment", range(3, 178, 11))
def test_a_monitor_that_is_killed_goes_on_with_what_it_had_begun(
    moment: int, ledger: Callable[..., Ledger], store: SQLitePlays
) -> None:
    first = ledger()
    for until in range(2, moment, 5):
        look(first, until, part(0, until))
    second = ledger()  # nothing was said to the first one
    events = list[MonitorEvent]()
    begin = moment + 20.0
    for until in range(moment + 25, 260, 5):
        end = min(float(until), 180.0)
        parts = [part(begin, end, begin)] if end > begin else []
        events += look(second, until, *parts, since=begin)
    assert len(spans(store)) == 1
    assert kinds(events) == ["closed"]
    assert [play.is_open for play in store.find()] == [False]


def test_a_file_that_is_read_again_adds_nothing(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    for _ in range(2):
        one = ledger()
        events = look(one, 110, part(0, 60), part(100, 104, track=JINGLE)) + one.close(0.0)
    assert spans(store) == [("song", 0, 60), ("jingle", 100, 104)]
    assert kinds(events) == ["known", "known"]


def test_what_later_looks_take_back_counts_no_more(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    one = ledger()
    look(one, 10, part(4, 10))
    assert kinds(look(one, 70)) == ["withdrawn"]
    assert [(play.state, play.is_open) for play in store.find()] == [("rejected", False)]


def test_copies_of_a_recording_are_one_play(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    album = replace(part(0, 10), copies=frozenset({"single"}))
    single = replace(
        part(10, 60, 10), track=replace(SONG, id="single", title="Song (single)"), copies=frozenset({"song"})
    )
    look(ledger(), 60, album, single)
    (play,) = store.find()
    assert (play.track.id, play.copies, play.seconds) == ("song", ("single",), 60)


def test_local_time_is_that_of_the_moment(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    look(ledger(utc_offset=lambda moment: 7_200.0 if moment > NOON + 50 else 3_600.0), 70, part(0, 9), part(60, 69, 90))
    assert [play.utc_offset for play in store.find()] == [3_600.0, 7_200.0]


def test_other_stations_plays_are_left_alone(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    look(ledger(), 60, part(0, 60))
    other = Ledger(store, "two", THRESHOLDS)
    look(other, 60, part(0, 60))
    assert [(play.station, play.number) for play in store.find()] == [("one", 1), ("two", 2)]


def test_a_rescan_leaves_alone_what_is_on_air(ledger: Callable[..., Ledger], store: SQLitePlays) -> None:
    look(ledger(), 60, part(0, 60))
    (before,) = store.find()
    again = ledger(resumes=False)
    assert look(again, 30, part(0, 30)) + again.close(0.0) == []
    assert list[Play](store.find()) == [before]
