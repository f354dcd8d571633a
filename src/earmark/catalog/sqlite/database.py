"""One connection to `catalog.db`, shared by threads; raises errors of `earmark.errors` only."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from earmark.catalog.sqlite.connection import address_of, known_error, open_reader, open_writer, result_code
from earmark.catalog.sqlite.schema import TRACKS, Schema
from earmark.errors import CatalogDamaged, CatalogError, CatalogLocked, CatalogReadOnly

Value = str | bytes | int | float

_ATTEMPTS = 3  # times that a statement is run on a file that changes meanwhile
_VALUES = 100  # values of one statement; answers look up fewer
_BATCH_BYTES = 1 << 24  # bytes of text and blobs at which a batch of rows ends


class Database:
    """A database file, open."""

    def __init__(self, path: Path, *, read_only: bool, schema: Schema = TRACKS) -> None:
        """Open the file, made and upgraded when it may be written to."""
        self.path, self._schema = path, schema
        self._lock = threading.RLock()
        self._read_only = read_only
        self._stopped = ""
        self._closed = False
        self._process = os.getpid()
        whole = path.absolute()
        self._files = whole, whole.with_name(whole.name + "-wal")
        self._is_followed, self._reopened = True, 0
        self._open()

    def close(self) -> None:
        """Close the file; a writer empties the log into it first, so that the folder is small and portable."""
        if self._process != os.getpid():
            return  # a child that was forked leaves it to its parent
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
        self._check_process()
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
                    with suppress(sqlite3.Error):  # the first error says more
                        self._connection.rollback()
                raise

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction

    def run(self, sql: str, *values: Value) -> list[tuple[Any, ...]]:
        """Return the rows of one statement."""
        return self._rows(sql, values, most_bytes=None)

    def in_batches(self, sql: str, after: tuple[Value, ...], *values: Value) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query that takes the key of the last row seen, its first columns, and other values.

        No lock is held between batches. Keys rise, or a forged file might have no end; and what rows hold together is
        no more than the file has, or it might give all of them the same pages.
        """
        read, types = 0, [type(value) for value in after]
        while rows := self._rows(sql, (*after, *values), most_bytes=_BATCH_BYTES):
            for row in rows:
                key = row[: len(after)]
                if [type(value) for value in key] != types or key <= after:
                    raise CatalogDamaged(f"{self.path} is damaged: its rows are out of order; restore an exported copy")
                after = key
                read += _size_of(row)
            self._check_size(read)
            yield from rows

    def of_numbers(self, sql: str, numbers: Iterable[int]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, in order of number, for the numbers that stand where its "?..." is."""
        read, waiting = 0, sorted(set(numbers))
        while waiting:
            part = tuple(waiting[:_VALUES])
            rows = self._rows(sql.replace("?...", ", ".join("?" * len(part))), part, most_bytes=_BATCH_BYTES)
            size = sum(map(_size_of, rows))
            read += size
            self._check_size(read)
            yield from rows
            last = rows[-1][0] if size >= _BATCH_BYTES else part[-1]
            waiting = [number for number in waiting if number > last]

    def copy(self, path: Path) -> None:
        """Write a consistent copy to a path where nothing is, whoever writes meanwhile."""
        with self._lock:
            try:
                self.run("PRAGMA query_only = OFF")  # which would hold for the copy too
                self.run("VACUUM INTO ?", address_of(path))
            finally:
                if self._read_only:
                    self.run("PRAGMA query_only = ON")

    def version(self) -> int:
        """Return a number that changes when another connection commits."""
        ((version,),) = self.run("PRAGMA data_version")
        return int(version) + (self._reopened << 32)

    def size(self) -> int:
        """Return how many bytes the file and its log have."""
        return sum(one.st_size for one in map(_status_of, self._files) if one)

    def _check_size(self, read: int) -> None:
        if read > self.size():
            raise CatalogDamaged(f"{self.path} is damaged: several rows share their content; restore an exported copy")

    def _rows(self, sql: str, values: tuple[Value, ...], *, most_bytes: int | None) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, the first of them when they are of more than `most_bytes`."""
        self._check_process()
        with self._lock:
            if self._closed:
                raise CatalogError(f"{self.path.parent} is closed; open it again")
            if not self._is_followed:
                return self._of_one_state(sql, values, most_bytes)
            return self._taken(sql, values, most_bytes)

    def _taken(self, sql: str, values: tuple[Value, ...], most_bytes: int | None) -> list[tuple[Any, ...]]:
        try:
            self._watch.begin(self.size())
            cursor = self._connection.execute(sql, values)
            if most_bytes is None:
                return cursor.fetchall()
            rows, size = list[tuple[Any, ...]](), 0
            for row in cursor:
                rows.append(row)
                size += _size_of(row)
                if size >= most_bytes:
                    cursor.close()
                    break
            return rows
        except sqlite3.Error as error:
            known = known_error(self.path, error)
            if result_code(error) == sqlite3.SQLITE_IOERR:
                self._stopped = str(known)  # after a failed sync nothing is tried again
            raise known from error
        except UnicodeDecodeError as error:  # of SQLite's own message, which quotes what the file holds
            raise CatalogDamaged(
                f"{self.path} holds what earmark never wrote; restore a copy made by `earmark export`"
            ) from error
        except (UnicodeError, OverflowError) as error:  # of a value that SQLite cannot hold
            raise CatalogError(f"{self.path}: {error}; give text and numbers that can be kept") from error

    def _of_one_state(self, sql: str, values: tuple[Value, ...], most_bytes: int | None) -> list[tuple[Any, ...]]:
        """Return rows of a file whose changes SQLite does not follow: it is opened again when it is another one."""
        for _ in range(_ATTEMPTS):
            if self._state() != self._seen:
                connection = self._connection
                self._open()
                connection.close()
                self._reopened += 1
                if self._is_followed:
                    return self._taken(sql, values, most_bytes)
            try:
                rows = self._taken(sql, values, most_bytes)
            except CatalogError:  # of pages from before a change and after it
                if self._state() == self._seen:
                    raise
            else:
                if self._state() == self._seen:
                    return rows
        raise CatalogLocked(f"{self.path} is being changed while it is read; try again when its writer has ended")

    def _open(self) -> None:
        self._seen = self._state()
        if self._read_only:
            self._connection, self._watch, self._is_followed = open_reader(self.path, self._schema)
        else:
            self._connection, self._watch = open_writer(self.path, self._schema)

    def _state(self) -> tuple[int, ...]:
        """Return what tells the file and its log from those of another moment."""
        found = [_status_of(file) for file in self._files]
        return tuple(number for one in found if one for number in (one.st_ino, one.st_size, one.st_mtime_ns))

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise CatalogError(
                f"{self.path.parent} was opened by process {self._process}, which this one was forked from; open it "
                "again here, with read_only=True while the other one writes"
            )


def _size_of(row: tuple[Any, ...]) -> int:
    return sum(len(value) for value in row if isinstance(value, str | bytes))


def _status_of(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None
