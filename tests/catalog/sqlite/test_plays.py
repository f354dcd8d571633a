"""The store of plays: durable, shared by processes, and honest about damage."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import earmark
from earmark.catalog.plays import HeardSound, Play, PlayedTrack
from earmark.catalog.sqlite.plays import SQLitePlays
from earmark.errors import CatalogDamaged, CatalogError, CatalogTooNew, PlayNotFound

TRACK = PlayedTrack("id", "Title", "Artist", "Album", "a.flac", 100.0)


def play(start: float, end: float, station: str = "one", **changes: object) -> Play:
    made = Play(
        station, TRACK, start, end, 0.0, 1.0, 2.0, 0.5, 0.99, "accepted", "foreground", False, evidence={"z": 20.5}
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLitePlays]:
    plays = SQLitePlays(tmp_path / "plays.db")
    yield plays
    plays.close()


def test_nothing_is_made_before_something_is_kept(store: SQLitePlays) -> None:
    assert list(store.find()) == []
    assert store.stations() == []
    assert not store.path.exists()
    store.save(play(0, 1))
    assert store.path.exists()


def test_a_play_comes_back_as_it_was_kept(store: SQLitePlays) -> None:
    kept = store.save(play(1.25, 2.5, copies=("b", "c"), note="they say", utc_offset=3_600.0))
    assert kept.number == 1
    assert store.get(1) == kept
    changed = store.save(replace(kept, end=9.0, is_open=True))
    assert list(store.find()) == [changed]
    store.remove(1)
    with pytest.raises(PlayNotFound, match="number 1"):
        store.get(1)
    assert store.save(play(3, 4)).number == 2


def test_plays_are_found_by_their_track_or_a_copy_of_it_and_page_by_page(store: SQLitePlays) -> None:
    odd = replace(TRACK, id='a "b"\n\u00e9')
    kept = [
        store.save(play(0, 5)),
        store.save(play(0, 5, track=odd, note="id")),
        store.save(play(10, 15, track=odd, copies=("id",))),
        store.save(play(20, 25, track=replace(TRACK, id="i"))),
    ]
    assert list(store.find(track="id")) == [kept[0], kept[2]]
    assert list(store.find(track=odd.id)) == kept[1:3]
    assert list(store.find(after=kept[0].place)) == kept[1:]
    assert list(store.find(after=kept[2].place, since=5)) == kept[3:]


def test_plays_are_found_by_what_is_asked(store: SQLitePlays) -> None:
    for start, station, state in ((0, "one", "accepted"), (10, "two", "review"), (20, "one", "rejected")):
        store.save(play(start, start + 5, station, state=state, is_open=start == 20))
    assert [one.start for one in store.find(since=5)] == [0, 10, 20]
    assert [one.start for one in store.find(since=5.5, until=20)] == [10]
    assert [one.start for one in store.find(station="one")] == [0, 20]
    assert [one.start for one in store.find(state="review")] == [10]
    assert [one.start for one in store.find(is_open=True)] == [20]
    assert store.stations() == ["one", "two"]


def test_more_plays_than_one_batch_come_in_order_and_once(store: SQLitePlays) -> None:
    with store.transaction():
        for number in range(1_200):
            store.save(play(number % 7, number % 7 + 1))
    found = [(one.start, one.number) for one in store.find()]
    assert found == sorted(found)
    assert len(set(found)) == 1_200


def test_a_transaction_keeps_all_or_nothing(store: SQLitePlays) -> None:
    with pytest.raises(PlayNotFound), store.transaction():
        store.get(store.save(play(0, 1)).number + 1)
    assert list(store.find()) == []


def test_heard_sound_is_kept_and_forgotten(store: SQLitePlays) -> None:
    for start in (0, 60, 120):
        store.keep(HeardSound("one", start, 60.0, b"x" * (start + 1)))
    assert [(one.start, len(one.packed)) for one in store.heard(since=60)] == [(60, 61), (120, 121)]
    store.forget_heard("one", before=121)
    assert [one.start for one in store.heard(station="one")] == [120]
    assert list(store.heard(station="two")) == []


def test_messages_are_kept_until_they_are_taken(store: SQLitePlays) -> None:
    store.queue("http://a", b"first")
    store.queue("http://a", b"second")
    first, second = store.deliveries(now=0.0)
    store.postpone(first.number, 10.0)
    store.delivered(second.number)
    assert store.deliveries(now=5.0) == []
    assert [(one.body, one.attempts) for one in store.deliveries(now=10.0)] == [(b"first", 1)]


def test_damage_is_named(store: SQLitePlays) -> None:
    store.save(play(0, 1))
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute("UPDATE plays SET body = replace(body, 'Title', 'Other')")
    connection.close()
    with pytest.raises(CatalogDamaged, match="play number 1"):
        store.get(1)
    assert [problem for problem in store.problems() if "play number 1" in problem]


def test_a_file_of_a_newer_earmark_and_one_of_another_program_are_refused(tmp_path: Path) -> None:
    for name, statements, error in (
        ("newer.db", ["PRAGMA application_id = 1700885104", "PRAGMA user_version = 99"], CatalogTooNew),
        ("other.db", ["CREATE TABLE plays (a)"], CatalogDamaged),
    ):
        connection = sqlite3.connect(tmp_path / name, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()
        with pytest.raises(error):
            SQLitePlays(tmp_path / name).save(play(0, 1))


def test_a_closed_store_says_so(store: SQLitePlays) -> None:
    store.save(play(0, 1))
    store.close()
    with pytest.raises(CatalogError, match="closed"):
        store.save(play(0, 1))


def test_several_processes_write_at_the_same_time(store: SQLitePlays) -> None:
    program = """if True:
        import sys
        from pathlib import Path
        from tests.catalog.sqlite.test_plays import play
        from earmark.catalog.sqlite.plays import SQLitePlays
        store = SQLitePlays(Path(sys.argv[1]))
        for number in range(20):
            store.save(play(number, number + 1, sys.argv[2]))
        store.close()
    """
    root = Path(__file__).parents[3]
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(store.path), name], cwd=root) for name in ("one", "two")
    ]
    assert [one.wait() for one in running] == [0, 0]
    assert sorted(one.station for one in store.find()) == ["one"] * 20 + ["two"] * 20


def test_verify_names_a_damaged_play(catalog_folder: Path) -> None:
    with earmark.open(catalog_folder) as catalog:
        catalog.plays.save(play(0, 1))
        connection = sqlite3.connect(catalog_folder / "plays.db", isolation_level=None)
        connection.execute("UPDATE plays SET body = replace(body, 'Title', 'Other')")
        connection.close()
        assert [problem for problem in catalog.verify().problems if "play number 1" in problem]


def test_a_catalog_open_for_reading_keeps_plays_and_an_export_takes_them_along(
    catalog_folder: Path, tmp_path: Path
) -> None:
    with earmark.open(catalog_folder, read_only=True) as catalog:
        catalog.plays.save(play(0, 1))
        catalog.export(tmp_path / "copy.earmark")
    with earmark.open(tmp_path / "copy.earmark") as copy:
        assert [one.start for one in copy.plays.find()] == [0]
        assert copy.verify().ok


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE plays SET begun = x'00' WHERE number = 2",
        "UPDATE heard SET seconds = x'00'",
        "UPDATE heard SET station = x'00'",
        "UPDATE deliveries SET body = 5",
        "UPDATE deliveries SET attempts = 'many'",
    ],
)
def test_a_row_of_other_types_is_damage(store: SQLitePlays, statement: str) -> None:
    for start in (0, 5):
        store.save(play(start, start + 1))
    store.keep(HeardSound("one", 0.0, 9.0, b"sound"))
    store.queue("https://example.org", b"{}")

    def kept() -> list[int]:
        return [len(list(one)) for one in (store.find(), store.heard(since=-1.0), store.deliveries(now=5.0))]

    assert kept() == [2, 1, 1]
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute(statement)
    connection.close()
    with pytest.raises(CatalogDamaged):
        kept()


@pytest.mark.parametrize("changes", [{"end": 1e300}, {"start": -1e12}, {"utc_offset": 1e6}])
def test_a_play_at_no_time_that_there_is_is_damage(store: SQLitePlays, changes: dict[str, float]) -> None:
    body = msgspec.json.encode(replace(store.save(play(1, 2)), number=0, **changes))  # type: ignore[arg-type]
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute("UPDATE plays SET body = ?, checksum = ?", (body, zlib.crc32(body)))
    connection.close()
    with pytest.raises(CatalogDamaged, match="play number 1"):
        list(store.find())
