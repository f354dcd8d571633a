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

STEP_FRAMES = 4  # from one place to the next; a relief is spread over three, and places are refined after
LONG_FRAMES, LONG_STEP_FRAMES = 192, 8  # of clips so long, of which less is enough
APART_FRAMES = 16  # places of one track that are nearer to each other are one


class Sweep:
    """A clip's relief, ready to be laid on tracks from end to end."""

    def __init__(self, query: QueryMap, *, closely: bool = False) -> None:
        """`closely` takes the shorter step for long clips too."""
        heights, self._spreads, self._least = query.columns()
        self._step = STEP_FRAMES if closely or len(heights) < LONG_FRAMES else LONG_STEP_FRAMES
        missing = -len(heights) % self._step
        together = np.pad(heights, ((0, missing), (0, 0))).reshape(-1, self._step, heights.shape[1])
        self._heights = np.ascontiguousarray(together.mean(axis=1).T)  # (bins, steps)

    def cost(self, reference: Points) -> int:
        """Return how many products and sums it takes: a billion and more in a second of CPU time."""
        frames = reference.frames
        steps = int(frames[-1]) // self._step + 1 if len(frames) else 0
        return (len(frames) + steps) * int(self._heights.shape[1])

    def best_places(self, reference: Points, *, limit: int = 1) -> list[Placing]:
        """Return where the clip lies best on a track, at its own speed, best first.

        It may begin before the track or end after it. A track without peaks has no place.
        """
        if not len(reference.frames):
            return []
        z, length = self._everywhere(reference)
        found = []
        for _ in range(limit):
            best = int(z.argmax())
            if not np.isfinite(z[best]):
                break
            found.append(Placing(float((best - length) * self._step), Warp(), float(z[best])))
            near = APART_FRAMES // self._step
            z[max(best - near, 0) : best + near + 1] = -np.inf
        return found

    def _everywhere(self, reference: Points) -> tuple[NDArray[np.float64], int]:
        """Return z at each place, from where the clip ends as the track begins, and how many are before frame 0."""
        from scipy.sparse import csr_array  # here, because what is clear at once needs none of it

        bins, length = reference.bins, self._heights.shape[1]
        steps = reference.frames // self._step
        count = int(steps[-1]) + 1
        # As many empty steps as the clip is long before the track and after it.
        peaks = np.zeros(count + 2 * length + 1, np.int32)
        peaks[length + 1 : length + 1 + count] = np.bincount(steps, minlength=count)
        ends = np.cumsum(peaks, dtype=np.int32)
        spread = np.concatenate([[0.0], np.cumsum(self._spreads[bins], dtype=np.float64)])[ends]
        track = csr_array((np.ones(len(bins), np.float32), bins, ends), shape=(len(ends) - 1, len(self._heights)))
        says = track @ self._heights  # (steps of the track, steps of the clip)
        places = len(says) - length + 1
        diagonals = np.lib.stride_tricks.as_strided(
            says, (places, length), (says.strides[0], says.strides[0] + says.strides[1])
        )
        z = diagonals.sum(axis=1) / np.sqrt(spread[length : length + places] - spread[:places] + self._least)
        return np.asarray(z, np.float64), length
