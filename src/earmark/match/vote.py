"""The coarse search: hits vote for a track and a time line.

A hit says that the clip's frame q is the track's frame r. Hits of one recording agree on r - q, so the tallest bins of
the histogram of r - q, track by track, are the candidates (Wang, ISMIR 2003, §2.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.types import Hits

BIN_FRAMES = 2  # a bin and its successor count together, so peaks may move by a frame
APART_FRAMES = 6  # two candidates of a track are at least so far apart
COMPANY = 3  # hits, itself included: a line with fewer is none of the candidates when there are many hits
_BIAS = 1 << 30  # keeps lines positive
_CELLS = 1 << 18  # of the table that tells which hits are alone
A_TRACK = 4  # candidates; a loop fits at many places, and must not crowd out other recordings


@dataclass(frozen=True, slots=True)
class Candidate:
    """A track, and the frame of it where the clip would begin (negative when it begins before the track)."""

    track: int
    offset: int
    votes: float


def vote(hits: Hits, *, limit: int) -> list[Candidate]:
    """Return up to `limit` candidates, most votes first; equal ones in order of track and time."""
    if not len(hits):
        return []
    line = (hits.reference_frames - hits.query_frames + np.int32(_BIAS)) // BIN_FRAMES
    kept = _not_alone(line, hits.tracks)
    if kept.sum() < limit:
        kept[:] = True
    lines, votes = np.unique(hits.tracks[kept].astype(np.int64) << 32 | line[kept], return_counts=True)
    both = votes.copy()
    follows = np.flatnonzero(np.diff(lines) == 1)
    both[follows] += votes[follows + 1]
    found: list[Candidate] = []
    tallest = _largest(both, 8 * limit)
    for track, line, count in zip(lines[tallest] >> 32, lines[tallest] & 0xFFFFFFFF, both[tallest], strict=True):
        offset = int(line) * BIN_FRAMES - _BIAS + 1
        rivals = [other for other in found if other.track == track]
        if len(rivals) < A_TRACK and all(abs(other.offset - offset) >= APART_FRAMES for other in rivals):
            found.append(Candidate(int(track), offset, float(count)))
            if len(found) == limit:
                break
    return found


def _largest(counts: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Return where the largest counts stand, largest first, equal ones in their order; `wanted` of them or fewer."""
    as_many = np.cumsum(np.bincount(counts)[::-1])  # have at least the count that is so far below the largest
    least = max(len(as_many) - 1 - int(np.searchsorted(as_many, wanted)), 1)
    high = np.flatnonzero(counts >= least)
    return high[np.argsort(-counts[high], kind="stable")][:wanted]


def _not_alone(line: NDArray[np.int32], tracks: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which hits have `COMPANY` in their bin and the next to each side, or in a cell that looks alike.

    Most hits are chance and alone; passing them over saves sorting them.
    """
    cell = (line + tracks * np.int32(7_919)) & np.int32(_CELLS - 1)  # a prime spreads tracks over the table
    filled = np.bincount(cell, minlength=_CELLS)
    around = filled.take(cell) + filled.take(cell + 1, mode="wrap") + filled.take(cell - 1, mode="wrap")
    company: NDArray[np.bool_] = around >= COMPANY
    return company
