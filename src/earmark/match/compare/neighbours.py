"""The nearest neighbours of a clip's segments in the whole catalog: what a diagonal's similarities are held against."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from earmark.types import Hits

ON_DIAGONAL_HOPS = 2.5  # query hops within which a neighbour lies on a diagonal


class Neighbours:
    """Hits of a clip's segments, some of which may not have been looked up."""

    def __init__(self, hits: Hits | None, rows: NDArray[np.int64] | None, segments: int, hop: int) -> None:
        """`rows`: which segment each hit is of; `hop`: frames from one segment to the next."""
        empty = np.zeros(0, np.int32)
        self._hits = Hits(empty, empty, empty, np.zeros(0, np.float32)) if hits is None else hits
        self._rows = np.zeros(0, np.int64) if rows is None else rows
        self._segments, self._hop = segments, hop

    @cached_property
    def background(self) -> float:
        """The mean score of the segments' last neighbours: how similar the clip is to anything."""
        return float(self._floors.mean())

    def share_on(self, track: int, offset: float, speed: float, duplicates: Collection[int]) -> float:
        """Return the share of segments whose nearest neighbour, `duplicates` left out, lies on a diagonal."""
        nearest = self._nearest(duplicates)
        if not len(nearest):
            return 0.0
        hits = self._hits
        there = offset + speed * hits.query_frames
        near = np.abs(hits.reference_frames - there) <= ON_DIAGONAL_HOPS * self._hop
        return float((near & (hits.tracks == track))[nearest].mean())

    def margin(
        self, track: int, rows: NDArray[np.int64], similarities: NDArray[np.float32], duplicates: Collection[int]
    ) -> float:
        """Return the mean of how much similarities along a diagonal exceed that of the best neighbour off its track.

        Only segments that were looked up count, if any was. `duplicates` are tracks that hold the same sound.
        """
        best = self._floors.copy()
        other = ~np.isin(self._hits.tracks, [track, *duplicates])
        np.maximum.at(best, self._rows[other], self._hits.scores[other])
        above: NDArray[np.float32] = similarities - best[rows]
        asked = self._asked[rows]
        return float((above[asked] if asked.any() else above).mean())

    @cached_property
    def _floors(self) -> NDArray[np.float32]:
        """The score of each segment's last neighbour: what any track reaches."""
        floors = np.full(self._segments, np.inf, np.float32)
        np.minimum.at(floors, self._rows, self._hits.scores)
        return np.where(self._asked, floors, floors[self._asked].mean() if self._asked.any() else 0)

    @cached_property
    def _asked(self) -> NDArray[np.bool_]:
        """Which segments have hits."""
        asked = np.zeros(self._segments, bool)
        asked[self._rows] = True
        return asked

    def _nearest(self, duplicates: Collection[int]) -> NDArray[np.int64]:
        """Which hit is the nearest neighbour, outside of some tracks, of each segment that has one."""
        order = np.lexsort((-self._hits.scores, self._rows))
        order = order[~np.isin(self._hits.tracks[order], list(duplicates))]
        _, first = np.unique(self._rows[order], return_index=True)
        nearest: NDArray[np.int64] = order[first]
        return nearest
