"""Hand-made windows of a sound laid on tracks, with scores that are told moment by moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from earmark.match.lines import Line, Strand
from earmark.match.protocol import Alignment, Scores

WINDOW, HOP = 5.0, 2.5  # seconds


def alignment(start: float, *, speed: float = 1.0) -> Alignment:
    return Alignment(start, speed, 1.0, 0.001, 0.0, WINDOW)


def strand(
    track: int,
    begin: float,
    reference: float,
    *,
    seconds: float = WINDOW,
    length: float = 1_000.0,
    speed: float = 1.0,
    scores: Mapping[str, Scores] | None = None,
) -> Strand:
    """A window that begins at a second of the sound, and at one of the track."""
    return Strand(track, begin, begin + seconds, length, alignment(reference, speed=speed), scores or {})


def scores(seconds: Sequence[float], values: Sequence[float], *, correlation: float = 1.0) -> Scores:
    return Scores(np.array(seconds, np.float64), np.array(values, np.float64), correlation)


def line(number: int, *strands: Strand) -> Line:
    return Line(number, strands)


def windows(
    track: int, begins: Sequence[float], offset: float, *, speed: float = 1.0, length: float = 1_000.0
) -> list[Strand]:
    """Windows on one diagonal: second t of the sound is second `offset` + `speed` t of the track."""
    return [strand(track, begin, offset + speed * begin, speed=speed, length=length) for begin in begins]
