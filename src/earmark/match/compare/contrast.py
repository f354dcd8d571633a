"""How far what lies under a reference's peaks stands out of the bins around it, held tones too (decision 10)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.match.compare.query_map import Place, QueryMap
from earmark.types import Layer

AROUND_BINS = 8  # bins to either side that a place has to stand out of: 62 Hz; 3 to 24 rank alike (decision 10)


class Contrast:
    """The contrast of a query's map."""

    def __init__(self, query: QueryMap) -> None:
        """Bins below the first that is heard at all are no surroundings."""
        heights, bins = query.uncentred, np.arange(query.bins)
        first = int(heights.any(axis=0).argmax())
        low = np.minimum(np.maximum(bins - AROUND_BINS, first), bins)
        high = np.minimum(bins + AROUND_BINS + 1, query.bins)
        sums = np.cumsum(np.pad(heights, ((0, 0), (1, 0))), axis=1, dtype=np.float32)
        self._above = heights - np.divide(sums[:, high] - sums[:, low], high - low, dtype=np.float32)  # (frames, bins)
        self._variance, self._least = float(self._above[:, first:].var()), query.least

    def under(self, references: Sequence[Layer], places: Sequence[Place]) -> list[float]:
        """Return by how many standard deviations what lies under each reference's peaks exceeds the bins around it.

        It has no level of chance, since other music of the same notes has contrast too: compare it with the contrast of
        other references.
        """
        length, bins = self._above.shape
        parts = [
            reference.within(place.start - 1, place.start + place.warp.speed * length + 1)
            for reference, place in zip(references, places, strict=True)
        ]
        lengths = np.array([len(frames) for frames, _ in parts])
        filled = np.flatnonzero(lengths)
        if not len(filled):
            return [0.0] * len(places)
        warped = np.array([(place.start, place.warp.speed, place.warp.pitch) for place in places]).repeat(
            lengths, axis=0
        )
        at = np.rint((np.concatenate([frames for frames, _ in parts]) - warped[:, 0]) / warped[:, 1]).astype(np.int32)
        moved = np.rint(np.concatenate([values for _, values in parts]) * warped[:, 2]).astype(np.int32)
        kept = (at >= 0) & (at < length) & (moved < bins)
        found = np.where(kept, self._above[np.where(kept, at, 0), np.where(kept, moved, 0)], np.float32(0))
        firsts = (np.cumsum(lengths) - lengths)[filled]
        sums, counts = np.add.reduceat(found, firsts), np.add.reduceat(kept, firsts, dtype=np.int64)
        contrasts: NDArray[np.float64] = np.zeros(len(places))
        contrasts[filled] = sums / np.sqrt(self._variance * counts + self._least)
        told: list[float] = contrasts.tolist()
        return told
