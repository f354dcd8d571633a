"""A query map laid on a whole track: the sum of every diagonal of track frames by query frames.

What the coarse search names is a track more often than a place, since music stays like itself. A track's peaks are a
sparse matrix, frames by bins; its product with the query's map, bins by frames, holds what each frame of the track says
for each frame of the clip, and a place's sum is a diagonal of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.match.compare.query_map import Place, QueryMap, Warp
from earmark.types import Layer

STEP_FRAMES = 4  # frames from one place to the next; with 8, the right place keeps half of its z, not three quarters
APART_FRAMES = 16  # least distance of two places of one track
PLACES_AT_ONCE = 1 << 13  # places of one product: nine minutes, 3 MB for a clip of 5 s
HALVINGS = 4  # rounds in which neighbours on a diagonal are added for all rows at once; a fifth gains nothing


class Correlation:
    """A query map, ready to be laid on tracks from end to end."""

    def __init__(self, query: QueryMap) -> None:
        heights, spreads, self._least = query.columns()
        self._steps = -(-len(heights) // STEP_FRAMES)
        together = np.pad(heights, ((0, self._steps * STEP_FRAMES - len(heights)), (0, 0)))
        unit = 1 << HALVINGS
        columns = -(-self._steps // unit) * unit  # what can be halved so often
        self._heights = np.zeros((heights.shape[1], columns + 1), np.float32)  # (bins, steps)
        self._heights[:, : self._steps] = together.reshape(self._steps, STEP_FRAMES, -1).mean(axis=1).T
        self._heights[:, -1] = spreads  # summed in the same product

    def cost(self, reference: Layer) -> int:
        """Return how many multiply-adds it takes: a billion and more in a second of CPU time."""
        frames = reference.frames
        steps = int(frames[-1]) // STEP_FRAMES + 1 if len(frames) else 0
        return (len(frames) + steps) * int(self._heights.shape[1])

    def best_places(self, reference: Layer, *, limit: int = 1) -> list[Place]:
        """Return where the clip lies best on a track, at its own speed, best first.

        It may begin before the track or end after it. A track without peaks has no place.
        """
        if not len(reference.frames):
            return []
        z = self._everywhere(reference)
        found = []
        for _ in range(limit):
            best = int(z.argmax())
            if not np.isfinite(z[best]):
                break
            found.append(Place(float((best - self._steps) * STEP_FRAMES), Warp(), float(z[best])))
            near = APART_FRAMES // STEP_FRAMES
            z[max(best - near, 0) : best + near + 1] = -np.inf
        return found

    def similarities(self, reference: Layer) -> NDArray[np.float32]:
        """Return what each step of a track says for each step of the clip, (steps of the clip, steps of the track).

        A step is `STEP_FRAMES`, in deviations by chance of what its peaks reach; not a number where it has none.
        """
        from scipy.sparse import csr_array

        steps = reference.frames // STEP_FRAMES
        count = int(steps[-1]) + 1 if len(steps) else 0
        ends = np.concatenate([[0], np.cumsum(np.bincount(steps, minlength=count))]).astype(np.int32)
        ones = np.ones(len(steps), np.float32)
        track = csr_array((ones, reference.values, ends), shape=(count, len(self._heights)))
        products = track @ self._heights
        deviations = np.sqrt(products[:, -1] + np.float32(self._least / STEP_FRAMES))
        deviations[np.diff(ends) == 0] = np.nan
        similarities: NDArray[np.float32] = (products[:, : self._steps] / deviations[:, None]).T
        return similarities

    def _everywhere(self, reference: Layer) -> NDArray[np.float32]:
        """Return z at each place, from where the clip ends as the track begins: so many steps before frame 0."""
        from scipy.sparse import csr_array  # here, because what is clear at once needs none of it

        bins, (rows, columns) = reference.values, self._heights.shape
        steps = reference.frames // STEP_FRAMES
        count = int(steps[-1]) + 1
        # Empty steps: before the track as many as the clip is long, after it as many as there are columns.
        peaks = np.zeros(count + self._steps + columns, np.int32)
        peaks[self._steps + 1 : self._steps + 1 + count] = np.bincount(steps, minlength=count)
        ends = np.cumsum(peaks, dtype=np.int32)
        z, ones = np.empty(count + self._steps, np.float32), np.ones(len(bins), np.float32)
        for first in range(0, len(z), PLACES_AT_ONCE):
            last = min(first + PLACES_AT_ONCE, len(z))
            part = ends[first : last + columns]
            inside = slice(part[0], part[-1])
            track = csr_array((ones[inside], bins[inside], part - part[0]), shape=(len(part) - 1, rows))
            z[first:last] = self._z(track @ self._heights)[: last - first]
        return z

    def _z(self, products: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return z at each place whose steps are all there, from (steps of a track, steps of the clip and one)."""
        sums = _diagonals(products[:, :-1])
        spread = np.concatenate([[0.0], np.cumsum(products[:, -1], dtype=np.float64)])
        variances = spread[self._steps : self._steps + len(sums)] - spread[: len(sums)]
        z: NDArray[np.float32] = sums / np.sqrt(variances.astype(np.float32) + np.float32(self._least))
        return z


def _diagonals(products: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of each diagonal, from each row on down to the right, that has a place in every column.

    Neighbours on a diagonal are added first, for all rows at once, so that half as many columns are left. The number
    of columns can be halved `HALVINGS` times.
    """
    below = 1
    for _ in range(HALVINGS):
        products = products[:-below, 0::2] + products[below:, 1::2]
        below *= 2
    rows = len(products) - (products.shape[1] - 1) * below
    sums = products[:rows, 0].copy()
    for column in range(1, products.shape[1]):
        sums += products[column * below : column * below + rows, column]
    return sums
