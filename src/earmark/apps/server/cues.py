"""Time ranges of what plays, as events at their time: the second screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from earmark.types import TimeRange

LONGEST_SLEEP_SECONDS = 30.0


class Cues:
    """Which ranges of a track are on at a position, and when that changes next."""

    def __init__(self) -> None:
        self._ranges: Sequence[TimeRange] = ()
        self._on: set[int] = set()

    def load(self, ranges: Sequence[TimeRange]) -> list[dict[str, Any]]:
        """Take the ranges of another track, and return the ends of those that were on."""
        events = [self._event("exit", number) for number in sorted(self._on)]
        self._ranges, self._on = ranges, set()
        return events

    def at(self, position: float) -> list[dict[str, Any]]:
        """Return what begins and ends by a position."""
        on = {number for number, one in enumerate(self._ranges) if one.start <= position < one.end}
        over, new = self._on - on, on - self._on
        self._on = on
        return [self._event("exit", number) for number in sorted(over)] + [
            self._event("enter", number) for number in sorted(new)
        ]

    def wait(self, position: float, speed: float) -> float:
        """Return after how many seconds to look again."""
        moments = (moment for one in self._ranges for moment in (one.start, one.end) if moment > position)
        left = (min(moments, default=math.inf) - position) / max(speed, 0.1)
        return min(left, LONGEST_SLEEP_SECONDS)

    def _event(self, kind: str, number: int) -> dict[str, Any]:
        one = self._ranges[number]
        return {"type": kind, "range": {"start": one.start, "end": one.end, "payload": one.payload}}
