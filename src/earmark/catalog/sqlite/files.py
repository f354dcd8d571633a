"""The table `files`: which file holds which recording, as it was when it was read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earmark.catalog.backend import File
from earmark.catalog.sqlite.database import Database
from earmark.errors import CatalogDamaged

_BATCH = 500  # rows read by one statement
_FILE = "path, bytes, modified, track"


class FilesTable:
    """The files of a database."""

    def __init__(self, path: Path, database: Database) -> None:
        self.path, self._database, self._run = path, database, database.run

    def file(self, path: bytes) -> File | None:
        """Return what is known of a file, or None."""
        rows = self._run(f"SELECT {_FILE} FROM files WHERE path = ?", path)
        return _file(rows[0], self.path) if rows else None

    def files(self, number: int) -> list[File]:
        """Return the files that hold a recording."""
        sql = f"SELECT {_FILE} FROM files WHERE path > ? AND track = ? ORDER BY path LIMIT {_BATCH}"
        return [_file(row, self.path) for row in self._database.in_batches(sql, (b"",), number)]

    def files_below(self, path: bytes) -> Iterator[File]:
        """Yield what is known of the file with an absolute path, or of all files below the folder there."""
        own = self.file(path)
        if own is not None:
            yield own
        folder = path.rstrip(b"/")
        after, before = folder + b"/", folder + b"0"  # what follows "/" in the order of bytes
        sql = f"SELECT {_FILE} FROM files WHERE path > ? AND path < ? ORDER BY path LIMIT {_BATCH}"
        for row in self._database.in_batches(sql, (after,), before):
            yield _file(row, self.path)

    def remember(self, file: File) -> None:
        """Write what a file holds; inside a transaction."""
        sql = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)"
        self._run(sql, file.path, file.bytes, file.modified, file.track)

    def forget_file(self, path: bytes) -> None:
        """Forget a file, and not its track; inside a transaction."""
        self._run("DELETE FROM files WHERE path = ?", path)

    def forget_files(self, number: int) -> None:
        """Have the files of a recording read again when they are next added; inside a transaction."""
        self._run("DELETE FROM files WHERE track = ?", number)


def _file(row: tuple[Any, ...], path: Path) -> File:
    name, *numbers = row
    if not isinstance(name, bytes) or not all(isinstance(number, int) for number in numbers):
        raise CatalogDamaged(f"{path} is damaged: a row of its files; restore a copy made by `earmark export`")
    return File(*row)
