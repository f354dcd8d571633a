"""Windows of a sound: five seconds each, every one of them half-way into the one before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

WINDOW_SECONDS = 5.0  # a recording that plays for less lies in one of them for the most part, or in two by halves
HOP_SECONDS = 2.5
LONGEST_AT_ONCE_SECONDS = 7.5  # a sound up to here is one window: two would hold nearly the same


def windows_of(seconds: float, frame_seconds: float, *, since: float = 0.0) -> list[tuple[float, float]]:
    """Return the (begin, end) of the windows of a sound that begin at `since` or later, each with a frame.

    The last one ends with the sound.
    """
    if seconds <= LONGEST_AT_ONCE_SECONDS:
        return [(0.0, seconds)] if since <= 0 else []
    last = math.floor((seconds - WINDOW_SECONDS) / frame_seconds) * frame_seconds
    begins = [*_grid(last, frame_seconds), last]
    return [(begin, min(begin + WINDOW_SECONDS, seconds)) for begin in begins if begin >= since]


def _grid(last: float, frame_seconds: float) -> Iterator[float]:
    """Yield where windows begin on the grid, as long as the sound has half a hop after them."""
    for number in range(math.ceil(last / HOP_SECONDS)):
        begin = float(np.rint(number * HOP_SECONDS / frame_seconds)) * frame_seconds
        if last - begin >= HOP_SECONDS / 2 or number == 0:
            yield begin


def settled_before(seconds: float, frame_seconds: float) -> float:
    """Return where the first window begins that sound after `seconds` may still change."""
    if seconds <= LONGEST_AT_ONCE_SECONDS:
        return 0.0
    number = math.floor((seconds - WINDOW_SECONDS) / HOP_SECONDS) + 1
    return float(np.rint(number * HOP_SECONDS / frame_seconds)) * frame_seconds


def pieces_of(start: float, end: float, longest: float, frame_seconds: float) -> list[tuple[float, float]]:
    """Return the (start, end) of equal parts, none longer than `longest`, that begin with a frame."""
    count = max(math.ceil((end - start) / longest), 1)
    edges = (np.rint(np.linspace(start, end, count + 1) / frame_seconds) * frame_seconds).tolist()
    return list(pairwise(edges))
