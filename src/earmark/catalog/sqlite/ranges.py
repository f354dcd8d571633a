"""The table of time ranges: all those of a track in one row, as JSON with a checksum."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from earmark.catalog.backend import MOST_RANGES_BYTES
from earmark.catalog.sqlite.database import Database
from earmark.errors import CatalogDamaged, OptionError
from earmark.schema import prepared
from earmark.types import TimeRange


class RangesTable:
    """The part of a store that keeps time ranges."""

    _database: Database

    def ranges(self, number: int) -> Sequence[TimeRange]:
        """Return the time ranges of a recording in their order; raises CatalogDamaged."""
        if not self._database.run("SELECT 1 FROM sqlite_master WHERE name = 'ranges'"):
            return ()  # an older schema, open for reading
        rows = self._database.run("SELECT ranges, checksum FROM ranges WHERE track = ?", number)
        if not rows:
            return ()
        packed, checksum = rows[0]
        try:
            if len(packed) <= MOST_RANGES_BYTES and zlib.crc32(packed) == checksum:
                return msgspec.json.decode(packed, type=prepared(tuple[TimeRange, ...]))
        except (msgspec.MsgspecError, TypeError, UnicodeError, RecursionError):
            pass  # reported as damage below
        raise CatalogDamaged(
            f"the time ranges of track number {number} in {self._database.path} are damaged; write them again"
        )

    def write_ranges(self, number: int, ranges: Sequence[TimeRange]) -> None:
        """Write all time ranges of a recording, in place of those it has; inside a transaction."""
        packed = msgspec.json.encode(list(ranges))
        if len(packed) > MOST_RANGES_BYTES:
            raise OptionError(f"time ranges of {len(packed):,} bytes; {MOST_RANGES_BYTES:,} can be kept with a track")
        self._database.run("DELETE FROM ranges WHERE track = ?", number)
        if ranges:
            self._database.run("INSERT INTO ranges VALUES (?, ?, ?)", number, packed, zlib.crc32(packed))
