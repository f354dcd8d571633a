"""Time ranges of tracks, as they come from strangers: checked and put in order before they are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from earmark.errors import OptionError
from earmark.types import TimeRange

MOST_RANGES = 20_000  # of a track; a word of lyrics each, for hours
MOST_PAYLOAD_BYTES = 1 << 16  # bytes of JSON


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
