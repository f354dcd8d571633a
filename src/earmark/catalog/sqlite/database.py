"""One connection to `catalog.db`, shared by threads; raises errors of `earmark.errors` only."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from earmark.catalog.sqlite.connection import known_error, open_reader, open_writer, result_code
from earmark.errors import CatalogDamaged, CatalogError, CatalogReadOnly

Value = str | bytes | int | float


class Database:
    """A database file, open."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        """Open the file, made and upgraded when it may be written to."""
        self.path = path
        self._lock = threading.RLock()
        self._read_only = read_only
        self._stopped = ""
        self._closed = False
        self._connection = open_reader(path) if read_only else open_writer(path)

    def close(self) -> None:
        """Close the file; a writer empties the log into it first, so that the folder is small and portable."""
        with self._lock:
            if self._closed:
                return
            try:
                if not self._read_only and not self._stopped:
                    self.run("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._closed = True
                self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all changes made inside, or none; when it returns they are on the disk."""
        if self._read_only:
            raise CatalogReadOnly(f"{self.path} is open for reading; open it with read_only=False to change it")
        with self._lock:
            if self._stopped:
                raise CatalogError(self._stopped)
            self.run("BEGIN IMMEDIATE")
            try:
                yield
                self.run("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise

    def run(self, sql: str, *values: Value) -> list[tuple[Any, ...]]:
        """Return the rows of one statement."""
        with self._lock:
            if self._closed:
                raise CatalogError(f"{self.path.parent} is closed; open it again")
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                known = known_error(self.path, error)
                if result_code(error) == sqlite3.SQLITE_IOERR:
                    self._stopped = str(known)  # after a failed sync nothing is tried again
                raise known from error

    def in_batches(self, sql: str, after: int = 0) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query that takes the last number seen; no lock is held between batches."""
        while rows := self.run(sql, after):
            if rows[-1][0] <= after:
                raise CatalogDamaged(f"{self.path} is damaged: its rows are out of order; restore an exported copy")
            yield from rows
            after = rows[-1][0]
