"""How `catalog.db` is opened, for writing and for reading, and what SQLite's errors mean."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from earmark.catalog.sqlite import schema
from earmark.errors import CatalogDamaged, CatalogError, CatalogLocked, CatalogNotFound, CatalogTooNew

COMPANIONS = ("", "-wal", "-shm", "-journal")  # ends of the names of a database's files

_BUSY_SECONDS = 10.0  # seconds; readers hold up checkpoints, never commits, and longer means something is stuck


def open_writer(path: Path) -> sqlite3.Connection:
    """Open for writing, made and upgraded where that is needed; a commit that returns is on the disk."""
    try:
        connection = _connect(f"file:{quote(os.fspath(path))}?mode=rwc")
        try:
            _check_version(path, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            if connection.execute("PRAGMA user_version").fetchone() != (schema.VERSION,):
                schema.upgrade(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise known_error(path, error) from error
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open for reading; where the log's companions cannot be made, as on a read-only medium, without them."""
    if not path.is_file():
        raise CatalogNotFound(f"no catalog is at {path.parent}; make one with earmark.open(path) or earmark index")
    log = path.with_name(path.name + "-wal")
    for options in ("mode=ro", "mode=ro&immutable=1"):
        if "immutable" in options and log.exists() and log.stat().st_size:
            raise CatalogError(
                f"{path.parent} was not closed by its last writer and cannot be written to here; "
                "open it once where it can be written to, or copy it there"
            )
        try:
            connection = _connect(f"file:{quote(os.fspath(path))}?{options}")
            try:
                if _check_version(path, connection) == 0:
                    raise CatalogNotFound(f"{path} holds no catalog yet; the process that makes it has not finished")
            except BaseException:
                connection.close()
                raise
            return connection
        except sqlite3.Error as error:
            if result_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise known_error(path, error) from error
            refused = error
    raise known_error(path, refused) from refused


def _connect(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    connection.text_factory = lambda text: text.decode("utf-8", "replace")  # the checksum tells of damage
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _check_version(path: Path, connection: sqlite3.Connection) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != schema.APPLICATION_ID and (application or version or objects):
        raise CatalogDamaged(f"{path} is not a catalog's database; give the folder of a catalog")
    if version > schema.VERSION:
        raise CatalogTooNew(
            f"{path.parent} has schema {version}, this earmark knows up to {schema.VERSION}; use a newer earmark"
        )
    return int(version)


def result_code(error: sqlite3.Error) -> int:
    """Return the primary result code; errors that Python's module raises by itself have none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def known_error(path: Path, error: sqlite3.Error) -> CatalogError:
    """Return the error of ours that says what SQLite's does, with what to do about it."""
    code = result_code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return CatalogLocked(f"{path} stays locked by another process; end that process, then try again")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return CatalogDamaged(f"{path} is damaged ({error}); restore a copy made by earmark export")
    if code == sqlite3.SQLITE_FULL:
        return CatalogError(f"{path}: no space left on the disk; free some, then run it again: what was kept is kept")
    return CatalogError(f"{path}: {error}; check the disk and the permissions, then open the catalog again")
