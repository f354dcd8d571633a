"""The truth of a catalog in SQLite: tracks, their files and their fingerprints.

The writer (one process, under `lock.WriterLock`) keeps a write-ahead log with `synchronous=FULL`: a commit that has
returned survives a loss of power. Only it checkpoints, because SQLite before 3.51.3 could lose a commit when two
connections wrote and checkpointed at once. Readers open `mode=ro` and work on a read-only medium too.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import msgspec

from earmark.catalog.backend import MOST_PACKED_BYTES, Recording
from earmark.catalog.settings import Settings
from earmark.catalog.sqlite.database import Database, Value
from earmark.catalog.sqlite.files import FilesTable
from earmark.catalog.sqlite.ranges import RangesTable
from earmark.catalog.unpack import MOST_SECONDS
from earmark.errors import CatalogDamaged, TrackExists, TrackNotFound
from earmark.schema import prepared
from earmark.types import Chapter, Track

_BATCH = 500  # rows read by one statement
_TRACK = "number, id, content, path, title, artist, album, seconds, complete, added, tags, checksum"
_PACKED = f"""SELECT number, CASE WHEN length(packed) <= {MOST_PACKED_BYTES} THEN packed END, f.checksum, content
    FROM tracks LEFT JOIN fingerprints f ON track = number"""
_FOREIGN_KEYS = "SELECT * FROM pragma_foreign_key_check LIMIT 20"
_SHOWN = 100  # characters of an id that a sentence about damage holds
_MOST_SETTINGS_BYTES = 1 << 16


class _TrackRow(msgspec.Struct, array_like=True, frozen=True):
    """What a row of `tracks` has to hold between its number and its checksum, whoever wrote it."""

    id: str
    content: bytes
    path: bytes
    title: str
    artist: str
    album: str
    seconds: Annotated[float, msgspec.Meta(ge=0, le=MOST_SECONDS)]
    complete: bool | int
    added: int
    tags: str

    def track(self, tags: Mapping[str, str], chapters: tuple[Chapter, ...]) -> Track:
        """Return the track, without its number and the digest of its content."""
        words = self.id, self.title, self.artist, self.album, os.fsdecode(self.path)
        return Track(*words, self.seconds, bool(self.complete), self.added, tags, chapters)


class _Details(msgspec.Struct, array_like=True, frozen=True):
    """What `tracks.tags` holds from schema 2 on, where there is more than tags."""

    tags: dict[str, str]
    chapters: tuple[Chapter, ...]
    file_words: dict[str, str | None]


class SQLiteStore(FilesTable, RangesTable):
    """The store of a catalog in a folder."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the database, made and upgraded when the store may write."""
        super().__init__(path, Database(path, read_only=read_only))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Keep all changes made inside, or none; when it returns they are on the disk."""
        return self._database.transaction()

    def version(self) -> int:
        """Return a number that changes when another connection commits."""
        return self._database.version()

    # Settings

    def settings(self) -> Settings | None:
        """Return what the catalog was made with, or None when that was never written."""
        rows = self._run("SELECT value, checksum FROM settings WHERE name = 'catalog'")
        if not rows:
            return None
        value, checksum = rows[0]
        try:
            if len(value) <= _MOST_SETTINGS_BYTES and zlib.crc32(value) == checksum:
                return msgspec.json.decode(value, type=prepared(Settings))
        except (msgspec.MsgspecError, TypeError, UnicodeError, RecursionError):
            pass  # reported as damage below
        raise CatalogDamaged(f"the settings in {self.path} are damaged; restore a copy made by `earmark export`")

    def write_settings(self, settings: Settings) -> None:
        """Write what the catalog is made with; inside a transaction."""
        value = msgspec.json.encode(settings)
        self._run("INSERT OR REPLACE INTO settings VALUES ('catalog', ?, ?)", value, zlib.crc32(value))

    # Tracks

    def insert(
        self, track: Track, content: bytes, packed: bytes, *, file_words: Mapping[str, str | None] | None = None
    ) -> int:
        """Add a recording and its fingerprint, and return its number; inside a transaction.

        Raises TrackExists when another recording has the id.
        """
        if self._run("SELECT 1 FROM tracks WHERE id = ?", track.id):
            raise TrackExists(f"another recording has the id {track.id!r}; choose another, or remove that one first")
        values = _track_values(track, content, file_words or {})
        sql = f"INSERT INTO tracks ({_TRACK}) VALUES (NULL{', ?' * 11}) RETURNING number"
        ((number,),) = self._run(sql, *values, _checksum(values))
        self._run("INSERT INTO fingerprints VALUES (?, ?, ?)", number, packed, zlib.crc32(packed, zlib.crc32(content)))
        return int(number)

    def change(self, number: int, track: Track, *, file_words: Mapping[str, str | None] | None = None) -> None:
        """Write other words about a recording; inside a transaction. Raises TrackExists when the id is taken."""
        taken = self._run("SELECT 1 FROM tracks WHERE id = ? AND number != ?", track.id, number)
        if taken:
            raise TrackExists(f"another recording has the id {track.id!r}; choose another, or remove that one first")
        before = self.recording(number)
        values = _track_values(track, before.content, before.file_words if file_words is None else file_words)
        columns = ", ".join(f"{name} = ?" for name in _TRACK.split(", ")[1:])
        self._run(f"UPDATE tracks SET {columns} WHERE number = ?", *values, _checksum(values), number)

    def delete(self, number: int) -> None:
        """Forget a recording, its files and its fingerprint; inside a transaction."""
        self._run("INSERT INTO removals (track) VALUES (?)", number)
        self._run("DELETE FROM tracks WHERE number = ?", number)

    def recording(self, number: int) -> Recording:
        """Return a recording by its number; raises TrackNotFound, CatalogDamaged."""
        rows = self._run(f"SELECT {_TRACK} FROM tracks WHERE number = ?", number)
        if not rows:
            raise TrackNotFound(f"no track has the number {number}; it was removed meanwhile")
        return _recording(rows[0], self.path)

    def number_of(self, id: str) -> int:
        """Return the number of the track with an id; raises TrackNotFound."""
        rows = self._run("SELECT number FROM tracks WHERE id = ?", id)
        if not rows:
            raise TrackNotFound(f"no track has the id {id!r}; `earmark list` shows those there are")
        return int(rows[0][0])

    def id_of(self, number: int) -> str:
        """Return the id of a track, which stands even where the rest of its row is damaged."""
        rows = self._run("SELECT id FROM tracks WHERE number = ?", number)
        if not rows:
            raise TrackNotFound(f"no track has the number {number}; it was removed meanwhile")
        return str(rows[0][0])

    def _name_of(self, number: int) -> str | int:
        rows = self._run("SELECT id FROM tracks WHERE number = ?", number)
        return rows[0][0] if rows else number

    def has_id(self, id: str) -> bool:
        """Return whether a track has that id."""
        return bool(self._run("SELECT 1 FROM tracks WHERE id = ?", id))

    def number_with(self, content: bytes) -> int | None:
        """Return the number of the recording whose file has that SHA-256, or None."""
        rows = self._run("SELECT number FROM tracks WHERE content = ?", content)
        return int(rows[0][0]) if rows else None

    def recordings(self, after: int = 0) -> Iterator[Recording | CatalogDamaged]:
        """Yield those with a higher number in the order they were added; for a damaged row, the error that names it."""
        for row in self._database.in_batches(
            f"SELECT {_TRACK} FROM tracks WHERE number > ? ORDER BY number LIMIT {_BATCH}", (after,)
        ):
            try:
                yield _recording(row, self.path)
            except CatalogDamaged as error:
                yield error

    def last(self) -> tuple[int, int]:
        """Return the highest number that was ever given, and the highest sequence number of a removal; 0 for none."""
        given = dict(self._run("SELECT name, seq FROM sqlite_sequence LIMIT 10"))
        numbers = given.get("tracks", 0), given.get("removals", 0)
        if not all(isinstance(number, int) for number in numbers):
            raise CatalogDamaged(f"{self.path} is damaged: it does not say how many tracks it had; restore a copy")
        return numbers

    def count(self) -> tuple[int, float]:
        """Return how many recordings there are, and how many seconds they last together."""
        plausible = f"CASE WHEN seconds BETWEEN 0 AND {MOST_SECONDS} THEN seconds END"
        ((tracks, seconds),) = self._run(f"SELECT count(*), coalesce(sum({plausible}), 0.0) FROM tracks")
        return int(tracks), float(seconds)

    # Fingerprints

    def fingerprints(self, numbers: Sequence[int]) -> Mapping[int, bytes | CatalogDamaged]:
        """Return the packed fingerprints of these recordings, an error for a damaged one; none for unknown numbers."""
        rows = self._database.of_numbers(f"{_PACKED} WHERE number IN (?...) ORDER BY number", numbers)
        return {row[0]: _packed(*row, path=self.path, id=self._name_of) for row in rows}

    def fingerprints_after(self, number: int) -> Iterator[tuple[int, bytes | CatalogDamaged]]:
        """Yield (number, packed) of every recording with a higher number; an error for a damaged one."""
        for row in self._database.in_batches(f"{_PACKED} WHERE number > ? ORDER BY number LIMIT {_BATCH}", (number,)):
            yield row[0], _packed(*row, path=self.path, id=self._name_of)

    def removals(self, after: int) -> list[tuple[int, int]]:
        """Return (sequence, number) of every recording that was removed after that sequence number."""
        sql = f"SELECT sequence, track FROM removals WHERE sequence > ? ORDER BY sequence LIMIT {_BATCH}"
        found = list(self._database.in_batches(sql, (after,)))
        if not all(isinstance(number, int) for _, number in found):
            raise CatalogDamaged(f"{self.path} is damaged: a removal names no track; restore an exported copy")
        return found

    # The whole

    def problems(self) -> list[str]:
        """Return what SQLite finds wrong with the database file."""
        try:
            found = [text for (text,) in self._run("PRAGMA integrity_check(20)") if text != "ok"]
            if not found:
                found = [f"a row of {row[0]} names no track" for row in self._run(_FOREIGN_KEYS)]
        except CatalogDamaged as error:
            return [str(error)]
        return [f"{self.path}: {text}" for text in found]

    def copy(self, folder: Path) -> None:
        """Write a consistent copy into a folder that has none, whoever writes meanwhile.

        Raises CatalogDamaged where the file is: a copy of pages that belong to several tables might have no end.
        """
        problems = [text for (text,) in self._run("PRAGMA quick_check(1)") if text != "ok"]
        if problems:
            raise CatalogDamaged(f"{self.path} is damaged ({problems[0]}); restore a copy made by `earmark export`")
        self._database.copy(folder / self.path.name)

    def size(self) -> int:
        """Return the size of the database file and its log."""
        return self._database.size()

    def info(self) -> Mapping[str, str]:
        """Return the version of SQLite."""
        return {"sqlite": sqlite3.sqlite_version}


def _packed(
    number: int, packed: Any, checksum: Any, content: Any, *, path: Path, id: Callable[[int], str | int]
) -> bytes | CatalogDamaged:
    """Return a packed fingerprint, or the error that names its track when its checksum does not hold."""
    try:
        if zlib.crc32(packed, zlib.crc32(content)) == checksum:
            return bytes(packed)
    except TypeError:
        pass  # a blob that is none any more: reported as damage below
    return CatalogDamaged(
        f"the fingerprint of track {str(id(number))[:_SHOWN]!r} in {path} is damaged; `earmark verify` marks it, and "
        "adding its file again heals it"
    )


def _recording(row: tuple[Any, ...], path: Path) -> Recording:
    number, *values, checksum = row
    try:
        if _checksum(values) != checksum:
            raise ValueError("checksum")
        row_of_track = msgspec.convert(values, prepared(_TrackRow), builtin_types=(bytes,))
        details = msgspec.json.decode(row_of_track.tags, type=prepared(dict[str, str] | _Details))
        if isinstance(details, dict):
            details = _Details(details, (), {})
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as error:
        raise CatalogDamaged(
            f"the row of track number {number} (id {str(values[0])[:_SHOWN]!r}) in {path} is damaged; "
            "remove it and add its file again"
        ) from error
    track = row_of_track.track(details.tags, details.chapters)
    return Recording(number, row_of_track.content, track, details.file_words)


def _track_values(track: Track, content: bytes, file_words: Mapping[str, str | None]) -> list[Value]:
    details = _Details(dict(track.tags), track.chapters, dict(file_words))
    tags = msgspec.json.encode(details if track.chapters or file_words else details.tags).decode()
    words = [track.title, track.artist, track.album]
    return [track.id, content, os.fsencode(track.path), *words, track.seconds, int(track.complete), track.added, tags]


def _checksum(values: Iterable[Value]) -> int:
    return zlib.crc32(msgspec.msgpack.encode(list(values)))
