"""The tables of a catalog's databases, and how an older schema becomes the present one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one kind of database, as functions that make each version of the one before."""

    application_id: int  # number in the header of the file; no other SQLite database has it
    # Entry n makes version n + 1 of version n; version 0 is an empty file. Released ones never change.
    migrations: tuple[Callable[[sqlite3.Connection], None], ...]
    journal: str  # mode of its journal

    @property
    def version(self) -> int:
        """The present version."""
        return len(self.migrations)

    def upgrade(self, connection: sqlite3.Connection) -> None:
        """Bring a database to the present version in one transaction, so that a crash leaves the old one."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            for migrate in self.migrations[found:]:
                migrate(connection)
            connection.execute(f"PRAGMA application_id = {self.application_id}")
            connection.execute(f"PRAGMA user_version = {self.version}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _create(connection: sqlite3.Connection) -> None:
    # A track's number is never used twice (AUTOINCREMENT), so it orders what happened whatever the clock does, and an
    # index may go on holding the number of a track that is gone. A track is one recording: `content` is the SHA-256 of
    # its file, and any number of files may hold it. SQLite has no checksums of its own, so rows carry a CRC-32.
    connection.execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER NOT NULL)")
    connection.execute("""CREATE TABLE tracks (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        content BLOB NOT NULL UNIQUE,
        path BLOB NOT NULL,
        title TEXT NOT NULL,
        artist TEXT NOT NULL,
        album TEXT NOT NULL,
        seconds REAL NOT NULL,
        complete INTEGER NOT NULL,
        added INTEGER NOT NULL,
        tags TEXT NOT NULL,
        checksum INTEGER NOT NULL)""")
    connection.execute("""CREATE TABLE fingerprints (
        track INTEGER PRIMARY KEY REFERENCES tracks (number) ON DELETE CASCADE,
        packed BLOB NOT NULL,
        checksum INTEGER NOT NULL)""")
    connection.execute("""CREATE TABLE files (
        path BLOB PRIMARY KEY,
        bytes INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        track INTEGER NOT NULL REFERENCES tracks (number) ON DELETE CASCADE) WITHOUT ROWID""")
    connection.execute("CREATE INDEX files_track ON files (track)")
    connection.execute("CREATE TABLE removals (sequence INTEGER PRIMARY KEY AUTOINCREMENT, track INTEGER NOT NULL)")


def _allow_details(_: sqlite3.Connection) -> None:
    """Let `tracks.tags` hold chapters and words of the file beside the tags, which an earlier earmark cannot read."""


def _add_ranges(connection: sqlite3.Connection) -> None:
    connection.execute("""CREATE TABLE ranges (
        track INTEGER PRIMARY KEY REFERENCES tracks (number) ON DELETE CASCADE,
        ranges BLOB NOT NULL,
        checksum INTEGER NOT NULL)""")


def _allow_planes(_: sqlite3.Connection) -> None:
    """Let fingerprints be packed in planes of bits and coded, which an earlier earmark takes for damage."""


def _create_plays(connection: sqlite3.Connection) -> None:
    # `body` holds all of a row as JSON, with a CRC-32; the columns beside it are what rows are looked for by. Times are
    # UTC, seconds since 1970. A play names its track by id and words, not by number: it stays when the track goes.
    connection.execute("""CREATE TABLE plays (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        station TEXT NOT NULL,
        begun REAL NOT NULL,
        ended REAL NOT NULL,
        state TEXT NOT NULL,
        open INTEGER NOT NULL,
        body BLOB NOT NULL,
        checksum INTEGER NOT NULL)""")
    connection.execute("CREATE INDEX plays_station ON plays (station, begun)")
    connection.execute("CREATE INDEX plays_begun ON plays (begun)")
    connection.execute("""CREATE TABLE heard (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        station TEXT NOT NULL,
        begun REAL NOT NULL,
        seconds REAL NOT NULL,
        packed BLOB NOT NULL,
        checksum INTEGER NOT NULL)""")
    connection.execute("CREATE INDEX heard_station ON heard (station, begun)")
    connection.execute("""CREATE TABLE deliveries (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL,
        body BLOB NOT NULL,
        attempts INTEGER NOT NULL,
        due REAL NOT NULL)""")


TRACKS = Schema(0x6561726B, (_create, _allow_details, _add_ranges, _allow_planes), journal="WAL")  # "eark"
# "earp". Several processes may write plays, each for its stations: SQLite before 3.51.3 could lose a commit of one of
# two that write and checkpoint a write-ahead log at once, so there is none.
PLAYS = Schema(0x65617270, (_create_plays,), journal="TRUNCATE")


@cache
def objects(schema: Schema, version: int) -> frozenset[tuple[str, ...]]:
    """Return (type, name, table, SQL) of all that a database of a version consists of."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for migrate in schema.migrations[:version]:
            migrate(connection)
        return frozenset(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall())
    finally:
        connection.close()
