"""How a catalog's databases are opened, for writing and for reading, and what SQLite's errors mean.

The file may come from a stranger (SQLite's "Defense against the dark arts"): its schema is compared with ours before
the first query, lengths are limited, and a statement that takes more steps than the file's size allows is ended.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from earmark.catalog.backend import MOST_PACKED_BYTES
from earmark.catalog.sqlite.schema import Schema, objects
from earmark.errors import CatalogDamaged, CatalogError, CatalogLocked, CatalogNotFound, CatalogTooNew

COMPANIONS = ("", "-wal", "-shm", "-journal")  # ends of the names of a database's files

_BUSY_SECONDS = 10.0  # seconds; readers hold up checkpoints, never commits, and longer means something is stuck
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MOST_PACKED_BYTES + (1 << 20),  # bytes of a row, or of a value in it
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 20_000,  # bytes of a statement; ours, and of the schema, take up to 2,000
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
}
_MOST_REASON_LENGTH = 200  # characters of SQLite's own words, which may hold a name from the file
_MOST_OBJECTS = 100  # tables and indexes of a schema; ours has 11
_STEPS = 1_000_000  # steps of SQLite's machine between two looks at how many it has taken, some 10 ms
_SCHEMA_STEPS = 3  # looks while the schema is read
_LEAST_STEPS = 64  # looks that any statement may take, half a second
_STEPS_PER_BYTE = 4  # steps that a statement may take for each byte of the file; a whole check takes fewer than one


class Watch:
    """Ends a statement that would take for ever: counts its steps, and says when they are too many."""

    def __init__(self) -> None:
        self.left = _SCHEMA_STEPS

    def begin(self, size: int) -> None:
        """Let the next statement take as many steps as a file of `size` bytes may need."""
        self.left = _LEAST_STEPS + _STEPS_PER_BYTE * size // _STEPS

    def __call__(self) -> bool:
        """Return whether to end it, as SQLite's progress handler."""
        self.left -= 1
        return self.left < 0


def open_writer(path: Path, schema: Schema) -> tuple[sqlite3.Connection, Watch]:
    """Open for writing, made and upgraded where that is needed; a commit that returns is on the disk."""
    try:
        connection, watch = _connect(path, "mode=rwc")
        try:
            _check_schema(path, connection, schema)
            connection.execute(f"PRAGMA journal_mode = {schema.journal}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            if connection.execute("PRAGMA user_version").fetchone() != (schema.version,):
                schema.upgrade(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise known_error(path, error) from error
    except UnicodeDecodeError as error:  # of SQLite's own message, which quotes what the file holds
        raise _not_ours(path) from error
    return connection, watch


def open_reader(path: Path, schema: Schema) -> tuple[sqlite3.Connection, Watch, bool]:
    """Open for reading, and return whether SQLite follows what a writer changes meanwhile.

    Where the log's companions cannot be made, as on a read-only medium, it reads without them and follows nothing.
    """
    try:
        is_there = path.is_file()
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}; give yourself the right to read it") from error
    if not is_there:
        raise CatalogNotFound(f"no catalog is at {path.parent}; give the path of one, or make it with `earmark index`")
    for options in ("mode=ro", "mode=ro&immutable=1"):
        is_followed = "immutable" not in options
        if not is_followed and has_log(path):
            raise CatalogError(
                f"{path.parent} was not closed by its last writer and cannot be written to here; "
                "open it once where it can be written to, or copy it there"
            )
        try:
            connection, watch = _connect(path, options)
            try:
                if _check_schema(path, connection, schema) == 0:
                    raise CatalogNotFound(f"{path} holds no catalog yet; the process that makes it has not finished")
                connection.execute("PRAGMA query_only = ON")
            except BaseException:
                connection.close()
                raise
            return connection, watch, is_followed
        except sqlite3.Error as error:
            if result_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise known_error(path, error) from error
            refused = error
        except UnicodeDecodeError as error:
            raise _not_ours(path) from error
    raise known_error(path, refused) from refused


def has_log(path: Path) -> bool:
    """Return whether a database's log holds something that its file does not."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def address_of(path: Path) -> str:
    """Return a path, whatever bytes it is made of, as SQLite takes it in a URI."""
    return "file:///" + quote(os.fsencode(path.absolute()).lstrip(b"/"))


def _connect(path: Path, options: str) -> tuple[sqlite3.Connection, Watch]:
    connection, watch = (
        sqlite3.connect(
            f"{address_of(path)}?{options}",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        ),
        Watch(),
    )
    connection.text_factory = lambda text: text.decode("utf-8", "replace")  # the checksum tells of damage
    for limit, most in _LIMITS.items():
        connection.setlimit(limit, most)
    connection.set_progress_handler(watch, _STEPS)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection, watch


def _check_schema(path: Path, connection: sqlite3.Connection, schema: Schema) -> int:
    """Return the version of the schema, which is ours to the letter; 0 for an empty file."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.application_id and (application or version):
        raise _not_ours(path)
    if version > schema.version:
        raise CatalogTooNew(
            f"{path.parent} has schema {version}, this earmark knows up to {schema.version}; use a newer earmark"
        )
    sql = f"SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT {_MOST_OBJECTS}"
    found = frozenset(connection.execute(sql).fetchall())
    if version < 0 or found != objects(schema, version):
        raise _not_ours(path)
    return int(version)


def _not_ours(path: Path) -> CatalogDamaged:
    return CatalogDamaged(f"{path} is not a catalog's database, or was changed by another program; give a catalog")


def result_code(error: sqlite3.Error) -> int:
    """Return the primary result code; errors that Python's module raises by itself have none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def known_error(path: Path, error: sqlite3.Error) -> CatalogError:
    """Return the error of ours that says what SQLite's does, with what to do about it."""
    code, reason = result_code(error), str(error)[:_MOST_REASON_LENGTH]
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return CatalogLocked(f"{path} stays locked by another process; end that process, then try again")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return CatalogDamaged(f"{path} is damaged ({reason}); restore a copy made by `earmark export`")
    if code in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_ERROR):
        return CatalogDamaged(
            f"{path} holds what earmark never wrote ({reason}); restore a copy made by `earmark export`"
        )
    if code == sqlite3.SQLITE_FULL:
        return CatalogError(f"{path}: no space left on the disk; free some, then run it again: what was kept is kept")
    return CatalogError(f"{path}: {reason}; check the disk and the permissions, then open the catalog again")
