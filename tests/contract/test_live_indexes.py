"""What every live index does, whichever it is: in step with its store, and never in the way of a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.catalog.in_memory import InMemoryLiveIndex, InMemoryStore

from earmark.audio.decode import load
from earmark.catalog.backend import LiveIndex, RebuildProgress, Store
from earmark.catalog.local.generations import Generations
from earmark.catalog.local.live_index import LocalLiveIndex
from earmark.catalog.settings import Settings
from earmark.catalog.sqlite.store import SQLiteStore
from earmark.fingerprints.shazam import Shazam
from earmark.index.protocol import Search
from earmark.types import Fingerprint, Track

MAKER = Shazam()
SECONDS = 8


@dataclass(frozen=True)
class Opened:
    """A store and its live index."""

    store: Store
    index: LiveIndex


@dataclass(frozen=True)
class Kind:
    """A catalog that may be opened by a writer, closed, and opened by readers."""

    writer: Callable[[], Opened]
    reader: Callable[[], Opened]


@pytest.fixture(params=["local", "in memory"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    stores: list[Store] = []
    memory = InMemoryStore()

    def local(read_only: bool) -> Opened:
        store = SQLiteStore(tmp_path / "catalog.db", read_only=read_only)
        stores.append(store)
        return Opened(store, LocalLiveIndex(store, Generations(tmp_path), MAKER, "postings", read_only=read_only))

    def in_memory(read_only: bool) -> Opened:
        store = InMemoryStore(memory.database, read_only=read_only)
        return Opened(store, InMemoryLiveIndex(store, MAKER, "postings"))

    opened = local if request.param == "local" else in_memory
    yield Kind(lambda: opened(False), lambda: opened(True))
    for store in stores:
        store.close()


@pytest.fixture(scope="module")
def sounds(music: Sequence[Path]) -> list[Fingerprint]:
    return [MAKER.extract(load(path, rate=MAKER.rate)[0][: SECONDS * MAKER.rate]) for path in music[:5]]


@pytest.fixture
def writer(kind: Kind) -> Opened:
    opened = kind.writer()
    with opened.store.transaction():
        opened.store.write_settings(Settings("shazam", {}, str(MAKER.spec), "postings"))
    return opened


def insert(opened: Opened, *sounds: Fingerprint) -> list[int]:
    """Keep recordings in the store alone."""
    numbers = []
    with opened.store.transaction():
        for sound in sounds:
            place = opened.store.count()[0] + len(opened.store.removals(0))
            track = Track(f"t{place}", "", "", "", "", sound.seconds)
            numbers.append(opened.store.insert(track, b"%032d" % place, MAKER.pack(sound)))
    return numbers


def add(opened: Opened, *sounds: Fingerprint) -> list[int]:
    """Keep recordings and include them."""
    numbers = insert(opened, *sounds)
    opened.index.include(zip(numbers, sounds, strict=True))
    return numbers


def remove(opened: Opened, number: int) -> None:
    with opened.store.transaction():
        opened.store.delete(number)
    opened.index.apply_removals()


def best(search: Search, sound: Fingerprint) -> int | None:
    """The track with by far the most hits of a sound's own keys, if there is one."""
    tracks = search.search("landmarks", MAKER.keys(sound)["landmarks"]).tracks.tolist()
    ranked = sorted(set(tracks), key=tracks.count, reverse=True)
    return ranked[0] if ranked and tracks.count(ranked[0]) > len(sound.layers["peaks"].frames) / 4 else None


def test_what_is_included_is_found_at_once(writer: Opened, sounds: list[Fingerprint]) -> None:
    assert best(writer.index.snapshot(), sounds[0]) is None
    numbers = add(writer, *sounds[:3])
    assert [best(writer.index.snapshot(), sound) for sound in sounds] == [*numbers, None, None]
    assert writer.index.snapshot().channels == {"landmarks"}


def test_a_snapshot_is_not_disturbed_by_anything_that_comes_after_it(writer: Opened, sounds: list[Fingerprint]) -> None:
    first, second = add(writer, *sounds[:2])
    before = writer.index.snapshot()
    [third] = add(writer, sounds[2])
    remove(writer, first)
    writer.index.publish()
    writer.index.rebuild("postings")
    assert [best(before, sound) for sound in sounds[:3]] == [first, second, None]
    assert [best(writer.index.snapshot(), sound) for sound in sounds[:3]] == [None, second, third]


def test_a_search_does_not_wait_for_a_rebuild(writer: Opened, sounds: list[Fingerprint]) -> None:
    numbers, found = add(writer, *sounds[:2]), []

    def ask(progress: RebuildProgress) -> None:
        found.append([best(writer.index.snapshot(), sound) for sound in sounds[:2]])

    writer.index.rebuild("postings", ask)
    assert found == [numbers, numbers]


def test_a_track_that_is_excluded_is_found_no_more_and_its_damage_is_told(
    writer: Opened, sounds: list[Fingerprint]
) -> None:
    first, second = add(writer, *sounds[:2])
    writer.index.exclude(second, "")
    assert (writer.index.problems, writer.index.degraded) == ((), False)
    writer.index.exclude(first, "track one is damaged")
    assert [best(writer.index.snapshot(), sound) for sound in sounds[:2]] == [None, None]
    assert (tuple(writer.index.problems), writer.index.degraded) == (("track one is damaged",), True)
    writer.index.publish()
    assert [best(writer.index.snapshot(), sound) for sound in sounds[:2]] == [None, None]
    writer.index.rebuild("postings")
    assert (tuple(writer.index.problems), writer.index.degraded) == ((), False)


def test_an_index_that_is_opened_again_knows_the_same_published_or_not(
    kind: Kind, writer: Opened, sounds: list[Fingerprint]
) -> None:
    first, second = add(writer, *sounds[:2])
    assert [best(kind.reader().index.snapshot(), sound) for sound in sounds[:2]] == [first, second]
    writer.index.publish()
    assert writer.index.unpublished == 0
    remove(writer, first)
    [third] = add(writer, sounds[2])
    assert [best(kind.reader().index.snapshot(), sound) for sound in sounds[:3]] == [None, second, third]


def test_a_reader_follows_what_is_added_and_removed(kind: Kind, writer: Opened, sounds: list[Fingerprint]) -> None:
    first, second = add(writer, *sounds[:2])
    reader = kind.reader()
    before = reader.index.snapshot()
    assert not reader.index.refresh()
    [third] = add(writer, sounds[2])
    assert reader.index.refresh()
    assert not reader.index.refresh()
    remove(writer, first)
    assert reader.index.refresh(wait=False)
    assert [best(reader.index.snapshot(), sound) for sound in sounds[:3]] == [None, second, third]
    assert [best(before, sound) for sound in sounds[:3]] == [first, second, None]


def test_a_reader_finds_a_track_whose_content_has_changed(
    kind: Kind, writer: Opened, sounds: list[Fingerprint]
) -> None:
    add(writer, sounds[0])
    [old] = add(writer, sounds[1])
    writer.index.publish()
    reader = kind.reader()
    with writer.store.transaction():
        track = writer.store.recording(old).track
        writer.store.delete(old)
        new = writer.store.insert(track, b"changed".ljust(32), MAKER.pack(sounds[3]))
    reader.index.refresh()
    assert [best(reader.index.snapshot(), sounds[place]) for place in (1, 3)] == [None, new]


def test_a_reader_follows_what_is_published_and_made_anew(
    kind: Kind, writer: Opened, sounds: list[Fingerprint]
) -> None:
    numbers, reader = add(writer, *sounds[:2]), kind.reader()
    for change in (writer.index.publish, lambda: writer.index.rebuild("postings")):
        numbers += add(writer, sounds[len(numbers)])
        change()
        reader.index.refresh()
        assert [best(reader.index.snapshot(), sound) for sound in sounds[: len(numbers)]] == numbers
        assert reader.index.unpublished == 0


def test_a_writer_has_nobody_to_follow(writer: Opened, sounds: list[Fingerprint]) -> None:
    add(writer, sounds[0])
    assert not writer.index.refresh()


def test_it_tells_about_itself(writer: Opened, sounds: list[Fingerprint]) -> None:
    add(writer, *sounds[:2])
    writer.index.publish()
    assert writer.index.name == "postings"
    assert writer.index.stats()["tracks"] == 2
    assert writer.index.check() == []
    assert writer.index.size() >= 0
