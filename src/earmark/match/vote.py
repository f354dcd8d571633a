"""The coarse search: hits vote for a track and a time line.

A hit says that the clip's frame q is the track's frame r. Hits of one recording agree on r - q, so the tallest bins of
the histogram of r - q, track by track, are the candidates (Wang, ISMIR 2003, §2.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earmark.types import Hits

BIN_FRAMES = 2  # a bin and its successor count together, so peaks may move by a frame
APART_FRAMES = 6  # two candidates of a track are at least so far apart
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
    offsets = hits.reference_frames.astype(np.int64) - hits.query_frames + (1 << 30)
    lines, votes = np.unique(hits.tracks.astype(np.int64) << 32 | offsets // BIN_FRAMES, return_counts=True)
    both = votes.copy()
    follows = np.flatnonzero(np.diff(lines) == 1)
    both[follows] += votes[follows + 1]
    found: list[Candidate] = []
    tallest = np.argsort(-both, kind="stable")[: 8 * limit]
    for track, line, count in zip(lines[tallest] >> 32, lines[tallest] & 0xFFFFFFFF, both[tallest], strict=True):
        offset = int(line) * BIN_FRAMES - (1 << 30) + 1
        rivals = [other for other in found if other.track == track]
        if len(rivals) < A_TRACK and all(abs(other.offset - offset) >= APART_FRAMES for other in rivals):
            found.append(Candidate(int(track), offset, float(count)))
            if len(found) == limit:
                break
    return found
