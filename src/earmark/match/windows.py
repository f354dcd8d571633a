"""Windows of a sound: five seconds each, every one of them half-way into the one before."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

WINDOW_SECONDS = 5.0  # a recording that plays for less lies in one of them for the most part, or in two by halves
HOP_SECONDS = 2.5
LONGEST_AT_ONCE_SECONDS = 7.5  # a sound up to here is one window: two would hold nearly the same


def whole_windows(seconds: float, frame_seconds: float, *, since: float = 0.0) -> list[tuple[float, float]]:
    """Return the (begin, end) of the windows on the grid that a sound holds whole, which begin at `since` or later."""
    found = []
    for number in range(
        max(math.ceil((since - HOP_SECONDS / 2) / HOP_SECONDS), 0), math.floor(seconds / HOP_SECONDS) + 1
    ):
        begin = float(np.rint(number * HOP_SECONDS / frame_seconds)) * frame_seconds
        if begin >= since and begin + WINDOW_SECONDS <= seconds:
            found.append((begin, begin + WINDOW_SECONDS))
    return found


def last_window(seconds: float, frame_seconds: float) -> tuple[float, float]:
    """Return the (begin, end) of the window that ends with the sound."""
    begin = max(math.floor((seconds - WINDOW_SECONDS) / frame_seconds), 0) * frame_seconds
    return begin, seconds


def pieces_of(start: float, end: float, longest: float, frame_seconds: float) -> list[tuple[float, float]]:
    """Return the (start, end) of equal parts, none longer than `longest`, that begin with a frame."""
    count = max(math.ceil((end - start) / longest), 1)
    edges = (np.rint(np.linspace(start, end, count + 1) / frame_seconds) * frame_seconds).tolist()
    return list(pairwise(edges))
