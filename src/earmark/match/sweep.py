"""The place of a clip on a whole track: its relief is laid on the track's peaks at every place.

What the coarse search names is a track more often than a place, since music stays like itself: a second of it under
noise has its nearest neighbours all over the track. So the best tracks are looked at from end to end, some frames at a
time. A track's peaks are a sparse matrix, frames by bins; its product with the clip's relief, bins by frames, holds
what each frame of the track says for each frame of the clip, and a place's sum is a diagonal of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earmark.match.align import Placing, Points, QueryMap, Warp

STEP_FRAMES = 4  # from one place to the next; of 8, the right place keeps half of its z instead of three quarters
APART_FRAMES = 16  # places of one track that are nearer to each other are one
HALVINGS = 4  # of the number of diagonals' terms; more pay off for long clips alone


class Sweep:
    """A clip's relief, ready to be laid on tracks from end to end."""

    def __init__(self, query: QueryMap) -> None:
        heights, spreads, self._least = query.columns()
        self._steps = -(-len(heights) // STEP_FRAMES)
        together = np.pad(heights, ((0, self._steps * STEP_FRAMES - len(heights)), (0, 0)))
        self._heights = np.zeros((heights.shape[1], _divisible(self._steps) + 1), np.float32)  # (bins, steps)
        self._heights[:, : self._steps] = together.reshape(self._steps, STEP_FRAMES, -1).mean(axis=1).T
        self._heights[:, -1] = spreads  # summed in the same product

    def cost(self, reference: Points) -> int:
        """Return how many products and sums it takes: a billion and more in a second of CPU time."""
        frames = reference.frames
        steps = int(frames[-1]) // STEP_FRAMES + 1 if len(frames) else 0
        return (len(frames) + steps) * self._steps

    def best_places(self, reference: Points, *, limit: int = 1) -> list[Placing]:
        """Return where the clip lies best on a track, at its own speed, best first.

        It may begin before the track or end after it. A track without peaks has no place.
        """
        if not len(reference.frames):
            return []
        z, before = self._everywhere(reference)
        found = []
        for _ in range(limit):
            best = int(z.argmax())
            if not np.isfinite(z[best]):
                break
            found.append(Placing(float((best - before) * STEP_FRAMES), Warp(), float(z[best])))
            near = APART_FRAMES // STEP_FRAMES
            z[max(best - near, 0) : best + near + 1] = -np.inf
        return found

    def _everywhere(self, reference: Points) -> tuple[NDArray[np.float32], int]:
        """Return z at each place, from where the clip ends as the track begins, and how many are before frame 0."""
        from scipy.sparse import csr_array  # here, because what is clear at once needs none of it

        bins, length = reference.bins, self._steps
        steps = reference.frames // STEP_FRAMES
        count = int(steps[-1]) + 1
        # As many empty steps as the clip is long before the track and after it.
        peaks = np.zeros(count + length + self._heights.shape[1], np.int32)
        peaks[length + 1 : length + 1 + count] = np.bincount(steps, minlength=count)
        ends = np.cumsum(peaks, dtype=np.int32)
        track = csr_array((np.ones(len(bins), np.float32), bins, ends), shape=(len(ends) - 1, len(self._heights)))
        says = track @ self._heights  # (steps of the track, steps of the clip and one)
        spread = np.concatenate([[0.0], np.cumsum(says[:, -1], dtype=np.float64)])
        places = count + length
        variances = (spread[length : length + places] - spread[:places]).astype(np.float32)
        return _diagonals(says[:, :-1])[:places] / np.sqrt(variances + np.float32(self._least)), length


def _divisible(steps: int) -> int:
    """Return the next number of columns that can be halved so often."""
    unit = 1 << HALVINGS
    return -(-steps // unit) * unit


def _diagonals(says: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of each diagonal, from each row on down to the right, that has a place in every column.

    Neighbours on a diagonal are added first, for all rows at once, so that half as many columns are left.
    """
    below = 1
    for _ in range(HALVINGS):
        says = says[:-below, 0::2] + says[below:, 1::2]
        below *= 2
    rows = len(says) - (says.shape[1] - 1) * below
    sums = says[:rows, 0].copy()
    for column in range(1, says.shape[1]):
        sums += says[column * below : column * below + rows, column]
    return sums
