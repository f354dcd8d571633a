"""What every store does, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.catalog.in_memory import InMemoryStore

from earmark.catalog.backend import File, Recording, Store
from earmark.catalog.settings import Settings
from earmark.catalog.sqlite.store import SQLiteStore
from earmark.errors import CatalogError, CatalogReadOnly, TrackExists, TrackNotFound
from earmark.types import Track

SETTINGS = Settings("shazam", {"density": "lean"}, "shazam/1/00", "postings")


def track(id: str = "one", *, title: str = "Title") -> Track:
    return Track(id, title, "Artist", "Album", "a/b.mp3", 61.5, True, 17, {"genre": "Polka"})


def content(id: str) -> bytes:
    return id.encode().ljust(32, b".")


def insert(store: Store, *ids: str) -> list[int]:
    with store.transaction():
        return [store.insert(track(id), content(id), f"fingerprint of {id}".encode()) for id in ids]


@dataclass(frozen=True)
class Kind:
    """A store that may write, and what opens others of the same catalog."""

    store: Store
    reader: Callable[[], Store]


@pytest.fixture(params=["sqlite", "in memory"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    opened: list[Store] = []

    def kept(store: Store) -> Store:
        opened.append(store)
        return store

    if request.param == "sqlite":
        path = tmp_path / "catalog.db"
        yield Kind(kept(SQLiteStore(path)), lambda: kept(SQLiteStore(path, read_only=True)))
    else:
        own = InMemoryStore()
        yield Kind(kept(own), lambda: kept(InMemoryStore(own.database, read_only=True)))
    for store in opened:
        store.close()


@pytest.fixture
def store(kind: Kind) -> Store:
    return kind.store


def test_settings_are_none_until_they_are_written(store: Store) -> None:
    assert store.settings() is None
    with store.transaction():
        store.write_settings(SETTINGS)
    assert store.settings() == SETTINGS


def test_a_recording_comes_back_as_it_was_kept(store: Store) -> None:
    [number] = insert(store, "one")
    assert store.recording(number) == Recording(number, content("one"), track())
    assert (store.number_of("one"), store.number_with(content("one")), store.id_of(number)) == (number, number, "one")
    assert (store.has_id("one"), store.has_id("two")) == (True, False)
    assert store.number_with(content("two")) is None
    assert store.count() == (1, 61.5)


def test_what_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(TrackNotFound, match="'nothing'"):
        store.number_of("nothing")
    for ask in (store.recording, store.id_of):
        with pytest.raises(TrackNotFound, match="the number 7"):
            ask(7)


def test_fingerprints_come_in_batches_and_those_that_are_gone_are_left_out(store: Store) -> None:
    first, second, third = insert(store, "one", "two", "three")
    assert store.fingerprints([third, 99, first]) == {first: b"fingerprint of one", third: b"fingerprint of three"}
    assert store.fingerprints([]) == {}
    assert list(store.fingerprints_after(first)) == [(second, b"fingerprint of two"), (third, b"fingerprint of three")]


def test_a_batch_may_be_large(store: Store) -> None:
    numbers = insert(store, *(f"t{n}" for n in range(1_203)))
    assert list(store.fingerprints(numbers)) == numbers
    assert [one.number for one in store.recordings() if isinstance(one, Recording)] == numbers


def test_a_number_is_never_used_again_and_its_removal_is_told(store: Store) -> None:
    first, second = insert(store, "one", "two")
    with store.transaction():
        store.delete(second)
    assert insert(store, "two") == [second + 1]
    assert list(store.removals(0)) == [(1, second)]
    assert list(store.removals(1)) == []
    with store.transaction():
        store.delete(first)
    assert list(store.removals(1)) == [(2, first)]


def test_an_id_belongs_to_one_track(store: Store) -> None:
    _, second = insert(store, "one", "two")
    with store.transaction(), pytest.raises(TrackExists, match="'one'"):
        store.insert(track("one"), content("three"), b"")
    with store.transaction(), pytest.raises(TrackExists, match="'one'"):
        store.change(second, track("one"))
    with store.transaction():
        store.change(second, track("two", title="Other"))
    assert store.recording(second).track.title == "Other"


def test_a_file_is_remembered_until_its_track_is_deleted(store: Store) -> None:
    first, second = insert(store, "one", "two")
    file, other = File(b"/caf\xe9.wav", 10, 2**61, first), File(b"/b.wav", 1, 2, second)
    with store.transaction():
        store.remember(file)
        store.remember(other)
    assert (store.file(file.path), list(store.files(first))) == (file, [file])
    with store.transaction():
        store.forget_files(second)
        store.delete(first)
    assert (store.file(file.path), store.file(other.path)) == (None, None)


def test_a_transaction_that_fails_changes_nothing(store: Store) -> None:
    def break_off() -> None:
        with store.transaction():
            store.insert(track(), content("one"), b"")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert store.count() == (0, 0.0)
    insert(store, "one")


def test_a_reader_sees_what_is_committed_and_its_version_says_so(kind: Kind) -> None:
    insert(kind.store, "one")
    reader = kind.reader()
    before, own = reader.version(), kind.store.version()
    assert reader.version() == before
    insert(kind.store, "two")
    assert reader.version() != before
    assert kind.store.version() == own  # its own commits are no news to it
    assert reader.count()[0] == 2
    with pytest.raises(CatalogReadOnly), reader.transaction():
        pass


def test_a_store_that_is_closed_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(CatalogError, match="is closed; open it again"):
        store.count()


def test_it_is_sound_and_says_how_large_it_is_and_what_it_runs_on(store: Store) -> None:
    insert(store, "one")
    assert store.problems() == []
    assert store.size() > 0
    assert len(store.info()) == 1


def test_words_about_a_track_keep_its_other_fields(store: Store) -> None:
    [number] = insert(store, "one")
    changed = replace(track(), tags={"mood": "calm"}, path="c.mp3")
    with store.transaction():
        store.change(number, changed)
    assert store.recording(number) == Recording(number, content("one"), changed)
