"""The tables of `catalog.db`, and how an older schema becomes the present one."""

from __future__ import annotations

import sqlite3
from functools import cache

APPLICATION_ID = 0x6561726B  # "eark" in the header of the file; no other SQLite database has it


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


MIGRATIONS = (
    _create,
    _allow_details,
    _add_ranges,
)  # entry n makes schema n + 1 of schema n; schema 0 is an empty file, released ones never change
VERSION = len(MIGRATIONS)


@cache
def objects(version: int) -> frozenset[tuple[str, ...]]:
    """Return (type, name, table, SQL) of all that a database of a version consists of."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for migrate in MIGRATIONS[:version]:
            migrate(connection)
        return frozenset(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall())
    finally:
        connection.close()


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a database to the present schema in one transaction, so that a crash leaves the old one."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        for migrate in MIGRATIONS[found:]:
            migrate(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
