"""The place of a clip on a whole track: its relief is laid on the track's peaks at every place.

What the coarse search names is a track more often than a place, since music stays like itself: a second of it under
noise has its nearest neighbours all over the track. So the best tracks are looked at from end to end, two frames at a
time. A track's peaks are a sparse matrix, frames by bins; its product with the clip's relief, bins by frames, holds
what each frame of the track says for each frame of the clip, and a place's sum is a diagonal of it.
"""

from __future__ import annotations

import numpy as np

from earmark.match.align import Placing, Points, QueryMap, Warp

STEP_FRAMES = 4  # from one place to the next; a relief is spread over three, and places are refined after


class Sweep:
    """A clip's relief, ready to be laid on tracks from end to end."""

    def __init__(self, query: QueryMap) -> None:
        heights, self._spreads, self._least = query.columns()
        missing = -len(heights) % STEP_FRAMES
        paired = np.pad(heights, ((0, missing), (0, 0))).reshape(-1, STEP_FRAMES, heights.shape[1])
        self._heights = np.ascontiguousarray(paired.mean(axis=1).T)  # (bins, steps)

    def cost(self, reference: Points) -> int:
        """Return how many products it takes: some 60 million a second of CPU time and more in longer clips."""
        return len(reference.frames) * int(self._heights.shape[1])

    def best_place(self, reference: Points) -> Placing:
        """Return where the clip lies best on a track, at its own speed; it may begin before the track or end after."""
        from scipy.sparse import csr_array  # here, because what is clear at once needs none of it

        if not len(reference.frames):
            return Placing(0.0, Warp(), 0.0)
        bins, length = reference.bins, self._heights.shape[1]
        steps = reference.frames // STEP_FRAMES
        count = int(steps[-1]) + 1
        # As many empty steps as the clip is long before the track and after it.
        peaks = np.zeros(count + 2 * length + 1, np.int32)
        peaks[length + 1 : length + 1 + count] = np.bincount(steps, minlength=count)
        ends = np.cumsum(peaks, dtype=np.int32)
        track = csr_array((np.ones(len(bins), np.float32), bins, ends), shape=(len(ends) - 1, len(self._heights)))
        says = track @ self._heights  # (steps of the track, steps of the clip)
        places = len(says) - length + 1
        diagonals = np.lib.stride_tricks.as_strided(
            says, (places, length), (says.strides[0], says.strides[0] + says.strides[1])
        )
        spread = np.concatenate([[0.0], np.cumsum(self._spreads[bins], dtype=np.float64)])[ends]
        z = diagonals.sum(axis=1) / np.sqrt(spread[length : length + places] - spread[:places] + self._least)
        best = int(z.argmax())
        return Placing(float((best - length) * STEP_FRAMES), Warp(), float(z[best]))
