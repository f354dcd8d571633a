"""The plays of a catalog in SQLite, a file of their own: a monitor writes them while another process adds tracks.

The file is made when something is first kept. Any number of processes may write; each change is a transaction of its
own, durable when it returns.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import Any

import msgspec

from earmark.catalog.plays import Delivery, HeardSound, Play, State
from earmark.catalog.sqlite.database import Database, Value
from earmark.catalog.sqlite.schema import PLAYS
from earmark.errors import CatalogDamaged, CatalogError, PlayNotFound
from earmark.schema import prepared

_BATCH = 500  # rows read by one statement
_LONGEST_PLAY_SECONDS = 86_400.0  # seconds before a moment at which a play that reaches it may have begun
_EARLIEST, _LATEST = -62_135_510_400.0, 253_402_214_400.0  # seconds since 1970 of the days that a date can name
_WIDEST_OFFSET = 86_399.0  # seconds of the widest difference to UTC that a date can have
_LONGEST_NAME, _MOST_STATIONS = 1_000, 10_000  # characters of a station's name, and stations
_COLUMNS = "station = ?, begun = ?, ended = ?, state = ?, open = ?, body = ?, checksum = ?"


class SQLitePlays:
    """The plays in a catalog's folder; implements `PlayStore`."""

    def __init__(self, path: Path) -> None:
        """`path` need not be there yet."""
        self.path = path
        self._lock, self._closed = RLock(), False
        self._opened: Database | None = None

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._closed = True
            if self._opened is not None:
                self._opened.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Keep all changes made inside, or none; a transaction inside another one is a part of it."""
        return self._changing()

    # Plays

    def save(self, play: Play) -> Play:
        """Write a play, a new one where it has no number, and return it with its number."""
        with self._changing():
            if not play.number:
                sql = "INSERT INTO plays VALUES (NULL, ?, ?, ?, ?, ?, ?, ?) RETURNING number"
                ((number,),) = self._database().run(sql, *_values(play))
                return replace(play, number=int(number))
            self._database().run(f"UPDATE plays SET {_COLUMNS} WHERE number = ?", *_values(play), play.number)
            return play

    def remove(self, number: int) -> None:
        """Forget a play."""
        with self._changing():
            self._database().run("DELETE FROM plays WHERE number = ?", number)

    def get(self, number: int) -> Play:
        """Return a play; raises PlayNotFound, CatalogDamaged."""
        rows = self._rows("SELECT number, body, checksum FROM plays WHERE number = ?", number)
        if not rows:
            raise PlayNotFound(f"no play has the number {number}; earmark plays lists those there are")
        return _play(*rows[0], path=self.path)

    def find(
        self,
        *,
        station: str | None = None,
        since: float | None = None,
        until: float | None = None,
        state: State | None = None,
        is_open: bool | None = None,
        track: str | None = None,
        after: tuple[float, int] | None = None,
    ) -> Iterator[Play]:
        """Yield the plays that reach into the time between two moments, in order of their start and number.

        `track` is the id of the recording, or of one that sounds the same; `after` is the `place` of a play, after
        which they begin.
        """
        wanted: list[tuple[str, Value]] = []
        if since is not None:
            wanted += [("ended >= ?", since), ("begun >= ?", since - _LONGEST_PLAY_SECONDS)]
        wanted += [("begun < ?", until)] if until is not None else []
        wanted += [("station = ?", station)] if station is not None else []
        wanted += [("state = ?", state)] if state is not None else []
        wanted += [("open = ?", int(is_open))] if is_open is not None else []
        if track is not None:  # what may be it; the body says whether it is
            wanted += [("instr(body, ?) > 0", msgspec.json.encode(track))]
        where = "".join(f" AND {condition}" for condition, _ in wanted)
        sql = f"""SELECT begun, number, body, checksum FROM plays
            WHERE (begun, number) > (?, ?){where} ORDER BY begun, number LIMIT {_BATCH}"""
        begun, number = after or (float("-inf"), 0)
        for row in self._in_batches(sql, (float(begun), number), *(value for _, value in wanted)):
            play = _play(*row[1:], path=self.path)
            if track is None or play.is_of(track):
                yield play

    def stations(self) -> list[str]:
        """Return the names of the stations that have plays, in alphabetical order."""
        sql = f"SELECT DISTINCT substr(station, 1, {_LONGEST_NAME}) FROM plays ORDER BY 1 LIMIT {_MOST_STATIONS}"
        return [str(name) for (name,) in self._rows(sql)]

    # Heard sound

    def keep(self, heard: HeardSound) -> None:
        """Keep the fingerprint of a piece of sound."""
        with self._changing():
            checksum = zlib.crc32(heard.packed)
            values = heard.station, heard.start, heard.seconds, heard.packed, checksum
            self._database().run("INSERT INTO heard VALUES (NULL, ?, ?, ?, ?, ?)", *values)

    def heard(self, *, station: str | None = None, since: float | None = None) -> Iterator[HeardSound]:
        """Yield the pieces that reach beyond a moment, station by station, in order of time."""
        condition = "" if station is None else " AND station = ?"
        values: tuple[Value, ...] = (
            float("-inf") if since is None else since,
            *(() if station is None else (station,)),
        )
        sql = f"""SELECT station, begun, number, seconds, packed, checksum FROM heard
            WHERE (station, begun, number) > (?, ?, ?) AND begun + seconds > ?{condition}
            ORDER BY station, begun, number LIMIT {_BATCH}"""
        for name, begun, number, seconds, packed, checksum in self._in_batches(sql, ("", float("-inf"), 0), *values):
            is_sound = isinstance(seconds, float) and isinstance(packed, bytes)
            if not is_sound or zlib.crc32(packed) != checksum:
                raise CatalogDamaged(f"sound number {number} in {self.path} is damaged; it cannot be looked up again")
            yield HeardSound(name, begun, seconds, packed, number=number)

    def forget_heard(self, station: str, before: float) -> None:
        """Forget the pieces of a station that end before a moment."""
        with self._changing():
            self._database().run("DELETE FROM heard WHERE station = ? AND begun + seconds < ?", station, before)

    # Messages

    def queue(self, target: str, body: bytes) -> None:
        """Have a message delivered; it is kept until `delivered`."""
        with self._changing():
            self._database().run("INSERT INTO deliveries VALUES (NULL, ?, ?, 0, 0.0)", target, body)

    def deliveries(self, now: float, *, limit: int = 100) -> list[Delivery]:
        """Return the messages that are due, the oldest first."""
        names = [one.name for one in fields(Delivery)]
        sql = f"SELECT {', '.join(names)} FROM deliveries WHERE number > ? AND due <= ? ORDER BY number LIMIT ?"
        found = [dict(zip(names, row, strict=True)) for row in islice(self._in_batches(sql, (0,), now, limit), limit)]
        try:
            return msgspec.convert(found, prepared(list[Delivery]), builtin_types=(bytes,))
        except msgspec.MsgspecError as error:
            raise CatalogDamaged(f"a message in {self.path} is damaged ({error}); restore an exported copy") from error

    def postpone(self, number: int, due: float) -> None:
        """Count an attempt at a message, and try it again at `due`."""
        with self._changing():
            sql = "UPDATE deliveries SET attempts = attempts + 1, due = ? WHERE number = ?"
            self._database().run(sql, due, number)

    def delivered(self, number: int) -> None:
        """Forget a message."""
        with self._changing():
            self._database().run("DELETE FROM deliveries WHERE number = ?", number)

    # The whole

    def problems(self) -> list[str]:
        """Return what SQLite finds wrong with the file, and the rows that are damaged."""
        try:
            found = [f"{self.path}: {text}" for (text,) in self._rows("PRAGMA integrity_check(20)") if text != "ok"]
            sql = f"SELECT number, body, checksum FROM plays WHERE number > ? ORDER BY number LIMIT {_BATCH}"
            for row in self._in_batches(sql, (0,)):
                try:
                    _play(*row, path=self.path)
                except CatalogDamaged as error:
                    found.append(str(error))
        except CatalogDamaged as error:
            return [str(error)]
        return found

    def copy(self, folder: Path) -> bool:
        """Write a consistent copy into a folder that has none, and return whether there was anything to copy."""
        if self._opened is None and not self.path.exists():
            return False
        self._database().copy(folder / self.path.name)
        return True

    def _rows(self, sql: str, *values: Value) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none as long as nothing was ever kept."""
        with self._lock:
            return [] if self._is_absent() else self._database().run(sql, *values)

    def _in_batches(self, sql: str, after: tuple[Value, ...], *values: Value) -> Iterator[tuple[Any, ...]]:
        """Yield rows as `Database.in_batches` does; none as long as nothing was ever kept."""
        with self._lock:
            if self._is_absent():
                return
            database = self._database()
        yield from database.in_batches(sql, after, *values)

    def _is_absent(self) -> bool:
        return self._opened is None and not self._closed and not self.path.exists()

    def _database(self) -> Database:
        if self._closed:
            raise CatalogError(f"{self.path.parent} is closed; open it again")
        if self._opened is None:
            self._opened = Database(self.path, read_only=False, schema=PLAYS)
        return self._opened

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            database = self._database()
            if database.in_transaction:
                yield
                return
            with database.transaction():
                yield


def _play(number: int, body: Any, checksum: Any, *, path: Path) -> Play:
    """Return the play of a row, at a time that there is; raises CatalogDamaged."""
    try:
        if zlib.crc32(body) == checksum:
            play = msgspec.json.decode(body, type=prepared(Play))
            is_date = _EARLIEST <= play.start <= _LATEST and _EARLIEST <= play.end <= _LATEST
            if is_date and abs(play.utc_offset) <= _WIDEST_OFFSET:
                return replace(play, number=number)
    except (TypeError, UnicodeError, RecursionError, msgspec.MsgspecError):
        pass  # reported as damage below
    raise CatalogDamaged(f"play number {number} in {path} is damaged; restore a copy made by `earmark export`")


def _values(play: Play) -> tuple[Value, ...]:
    body = msgspec.json.encode(replace(play, number=0))
    return play.station, play.start, play.end, play.state, int(play.is_open), body, zlib.crc32(body)
