"""Registration: a clip's peaks brought to lie on a recording's, at any tempo and pitch free of each other.

Where a clip lies is known to a fraction of a second and its tempo to some per cent. Peaks near each other in time are
paired, whatever their pitch; pairs of equal sounds have one ratio of frequencies and lie on one line. The ratio is the
fullest cell of a histogram; a line is then fitted through its pairs, with less and less tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.match.compare.query_map import Warp
from earmark.types import Layer

Numbers = NDArray[np.float64]
LARGEST_SLOPE = 0.5  # of a line through pairs, beyond which they are a chord or two, not a clip


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """How pairs are gathered and fitted."""

    slack_frames: int = 20  # error of a candidate's place, and what its error of speed makes of it
    cell_frames: float = 4.0  # cells of the histogram in time
    cell_pitch: float = 0.012  # the same in pitch: a fifth of a semitone
    full_bin: int = 64  # peaks from here on tell the pitch to a cell, and count whole
    steepest: float = 0.1  # error of a candidate's speed
    slope_step: float = 0.008  # steps in which speeds are tried: 1.3 frames at the edge of 10 s
    tolerances: tuple[tuple[float, float], ...] = ((5.0, 4.0), (3.0, 2.0), (2.5, 1.2))  # frames and bins of each fit
    fewest: int = 6  # pairs that a line is fitted through


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pairs of peaks that may be the same sound."""

    query: Numbers  # frames of the clip
    lag: Numbers  # frames of the clip by which the recording's peak would come too early
    pitch: Numbers  # logarithm of the clip's frequency over the recording's
    bins: Numbers  # bins of the clip's peaks

    def those(self, kept: NDArray[np.bool_]) -> _Pairs:
        return _Pairs(self.query[kept], self.lag[kept], self.pitch[kept], self.bins[kept])


def register(
    query: Layer, reference: Layer, start: float, speed: float, *, widest: float, settings: RegistrationSettings
) -> tuple[float, Warp] | None:
    """Return (reference frame at which the clip begins, its warp) near a place and speed; None where little agrees."""
    middle, reach = float(query.frames[-1]) / 2, float(np.log(widest))
    pairs = _pairs(query, reference, start, speed, slack=settings.slack_frames, reach=reach)
    if len(pairs.query) < settings.fewest:
        return None
    pitch = _fullest_pitch(pairs, reach, settings)
    alike = pairs.those(np.abs(pairs.pitch - pitch) <= settings.cell_pitch + 1 / pairs.bins)
    lag, slope = _fullest_line(alike.query - middle, alike.lag, settings)
    for frames, bins in settings.tolerances:
        start, speed = start - speed * (lag - slope * middle), speed * (1 - slope)
        pairs = _pairs(query, reference, start, speed, slack=frames, reach=reach)
        near = pairs.those(np.abs(pairs.pitch - pitch) * pairs.bins <= bins)
        if len(near.query) < settings.fewest:
            return None
        weights = near.bins**2  # a bin is the less of a peak's pitch, the higher it is
        pitch = float((weights * near.pitch).sum() / weights.sum())
        slope, lag = _line(near.query - middle, near.lag)
        if abs(slope) > LARGEST_SLOPE:
            return None
    return start - speed * (lag - slope * middle), Warp(speed * (1 - slope), float(np.exp(pitch)))


def _pairs(query: Layer, reference: Layer, start: float, speed: float, *, slack: float, reach: float) -> _Pairs:
    """Return the pairs of peaks within `slack` frames of the clip and a ratio of frequencies of exp(`reach`)."""
    edges = [start - speed * slack, start + speed * (float(query.frames[-1]) + slack)]
    frames, bins = reference.within(*edges)
    at = (frames - start) / speed
    low, high = np.searchsorted(query.frames, at - slack), np.searchsorted(query.frames, at + slack)
    counts = high - low
    places = np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))
    pitch = np.log(query.values)[places] - np.repeat(np.log(bins), counts)
    near = np.abs(pitch) <= reach
    places, here = places[near], np.repeat(at, counts)[near]
    frames = query.frames[places].astype(np.float64)
    return _Pairs(frames, frames - here, pitch[near], query.values[places].astype(np.float64))


def _fullest_pitch(pairs: _Pairs, reach: float, settings: RegistrationSettings) -> float:
    """Return the pitch in the middle of the four neighbouring cells of lag and pitch that hold most pairs."""
    column = ((pairs.lag + settings.slack_frames) / settings.cell_frames).astype(np.int64)
    row = ((pairs.pitch + reach) / settings.cell_pitch).astype(np.int64)
    columns, rows = int(2 * settings.slack_frames / settings.cell_frames) + 2, int(2 * reach / settings.cell_pitch) + 2
    weights = np.minimum(pairs.bins / settings.full_bin, 1.0)
    cells = np.bincount(row * columns + column, weights, minlength=rows * columns).reshape(rows, columns)
    fours = cells[:-1, :-1] + cells[1:, :-1] + cells[:-1, 1:] + cells[1:, 1:]
    return (int(fours.max(axis=1).argmax()) + 1) * settings.cell_pitch - reach


def _fullest_line(at: Numbers, lag: Numbers, settings: RegistrationSettings) -> tuple[float, float]:
    """Return (lag at 0, slope) of the line within a cell of which most pairs lie."""
    steps = round(settings.steepest / settings.slope_step)
    slopes = np.arange(-steps, steps + 1) * settings.slope_step
    width = settings.cell_frames / 2
    reach = settings.slack_frames + settings.steepest * float(np.abs(at).max(initial=0)) + width
    columns = int(2 * reach / width) + 2
    column = ((lag - slopes[:, None] * at + reach) / width).astype(np.int64)
    column += np.arange(len(slopes))[:, None] * columns
    cells = np.bincount(column.ravel(), minlength=len(slopes) * columns).reshape(len(slopes), columns)
    twos = cells[:, :-1] + cells[:, 1:]
    row, place = divmod(int(twos.argmax()), twos.shape[1])
    return (place + 1) * width - reach, float(slopes[row])


def _line(at: Numbers, values: Numbers) -> tuple[float, float]:
    """Return (slope, value at 0) of the straight line through points, by least squares."""
    mean = float(at.mean())
    spread = float(((at - mean) ** 2).sum()) + 1e-9
    slope = float(((at - mean) * values).sum()) / spread
    return slope, float(values.mean()) - slope * mean
