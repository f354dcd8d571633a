"""Time ranges of tracks, the second screen: checked and put in order before they are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import msgspec

from earmark.errors import OptionError
from earmark.types import TimeRange

if TYPE_CHECKING:
    from earmark.catalog.backend import Store

MOST_RANGES = 20_000  # time ranges of a track: each word of hours of lyrics
MOST_PAYLOAD_BYTES = 1 << 16  # bytes of a time range's JSON


class Ranges:
    """What belongs to parts of a catalog's tracks."""

    _store: Store
    _writing: Callable[[], AbstractContextManager[None]]

    def ranges(self, id: str) -> tuple[TimeRange, ...]:
        """Return the time ranges of a track in order of their start; raises TrackNotFound."""
        return tuple(self._store.ranges(self._store.number_of(id)))

    def write_ranges(self, id: str, ranges: Iterable[TimeRange]) -> tuple[TimeRange, ...]:
        """Give a track time ranges in place of those it has, and return them in order of their start.

        Raises TrackNotFound, and OptionError for a range that ends before it starts or a payload that is no JSON.
        """
        ordered = ordered_ranges(ranges)
        with self._writing(), self._store.transaction():
            self._store.write_ranges(self._store.number_of(id), ordered)
        return ordered


def ordered_ranges(ranges: Iterable[TimeRange]) -> tuple[TimeRange, ...]:
    """Return ranges in order of their start; raises OptionError for one that cannot be kept."""
    ordered = tuple(sorted(ranges, key=lambda one: (one.start, one.end)))
    if len(ordered) > MOST_RANGES:
        raise OptionError(f"{len(ordered):,} time ranges; a track can have {MOST_RANGES:,}")
    for one in ordered:
        if not (math.isfinite(one.end) and 0 <= one.start <= one.end):
            raise OptionError(f"a time range from {one.start} to {one.end}; give seconds, the end after the start")
        try:
            size = len(msgspec.json.encode(one.payload))
        except (TypeError, ValueError, RecursionError) as error:
            raise OptionError(f"the payload at {one.start:g} s cannot be written as JSON ({error})") from error
        if size > MOST_PAYLOAD_BYTES:
            raise OptionError(f"a payload of {size:,} bytes at {one.start:g} s; {MOST_PAYLOAD_BYTES:,} can be kept")
    return ordered
