"""A query map laid on whole tracks: at every place, the sum of what the map holds under the track's peaks.

What the coarse search names is a track more often than a place, since music stays like itself. A peak adds a row of
the map, backwards, to the places at which the clip would have it: a product of a sparse matrix and a dense one, but for
rows that overlap. Rows that are a clip's length apart do not, so each set of such rows is a product of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.match.compare.query_map import Place, QueryMap, Warp
from earmark.types import Layer

STEP_FRAMES = 4  # frames from one place to the next; with 8, the right place keeps half of its z, not three quarters
APART_FRAMES = 16  # least distance of two places of one track
STEPS_AT_ONCE = (
    1 << 15
)  # steps of tracks that are laid one after another: 34 minutes, as much as a processor has at hand


class Correlation:
    """A query map, ready to be laid on tracks from end to end."""

    def __init__(self, query: QueryMap) -> None:
        heights, self._spreads, self._least = query.columns()
        self._steps = -(-len(heights) // STEP_FRAMES)
        together = np.pad(heights, ((0, self._steps * STEP_FRAMES - len(heights)), (0, 0)))
        self._heights = np.ascontiguousarray(
            together.reshape(self._steps, STEP_FRAMES, -1).mean(axis=1).T
        )  # (bins, steps)
        self._backwards = np.ascontiguousarray(self._heights[:, ::-1]).reshape(-1)

    def cost(self, reference: Layer) -> int:
        """Return how many multiply-adds it takes: a billion and more in a second of CPU time."""
        frames = reference.frames
        steps = int(frames[-1]) // STEP_FRAMES + 1 if len(frames) else 0
        return (len(frames) + steps) * (self._steps + 1)

    def best_place_on_each(self, references: Sequence[Layer]) -> list[Place | None]:
        """Return where the clip lies best on each track, at its own speed; a track without peaks has no place."""
        filled = [number for number, one in enumerate(references) if len(one.frames)]
        places: list[Place | None] = [None] * len(references)
        for number, z in zip(filled, self._everywhere([references[number] for number in filled]), strict=True):
            best = int(z.argmax())
            places[number] = self._place(best, float(z[best]))
        return places

    def best_places(self, reference: Layer, *, limit: int = 1) -> list[Place]:
        """Return where the clip lies best on a track, at its own speed, best first.

        It may begin before the track or end after it. A track without peaks has no place.
        """
        if not len(reference.frames):
            return []
        [z] = self._everywhere([reference])
        found = []
        for _ in range(limit):
            best = int(z.argmax())
            if not np.isfinite(z[best]):
                break
            found.append(self._place(best, float(z[best])))
            near = APART_FRAMES // STEP_FRAMES
            z[max(best - near, 0) : best + near + 1] = -np.inf
        return found

    def _place(self, number: int, z: float) -> Place:
        return Place(float((number - self._steps) * STEP_FRAMES), Warp(), z)

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
        deviations = np.sqrt(track @ self._spreads + np.float32(self._least / STEP_FRAMES))
        deviations[np.diff(ends) == 0] = np.nan
        similarities: NDArray[np.float32] = (track @ self._heights / deviations[:, None]).T
        return similarities

    def _everywhere(self, references: Sequence[Layer]) -> Iterator[NDArray[np.float32]]:
        """Yield z at each place of each track, from that on which the clip ends as the track begins."""
        lengths = [int(one.frames[-1]) // STEP_FRAMES + 1 for one in references]
        first = 0
        while first < len(references):
            last, total = first + 1, lengths[first]
            while last < len(references) and total + lengths[last] <= STEPS_AT_ONCE:
                total += lengths[last]
                last += 1
            begins = np.cumsum([0, *(length + 2 * self._steps for length in lengths[first:last])])
            z = self._one_after_another(references[first:last], begins)
            for begin, length in zip(begins[:-1].tolist(), lengths[first:last], strict=True):
                yield z[begin : begin + length + self._steps]
            first = last

    def _one_after_another(self, references: Sequence[Layer], begins: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return z at each step of tracks that begin, after as many empty steps as the clip has, at these ones."""
        before = begins + self._steps
        rows = np.concatenate(
            [one.frames // STEP_FRAMES + np.int32(at) for one, at in zip(references, before[:-1], strict=True)]
        )
        bins = np.concatenate([one.values for one in references])
        steps = int(before[-1])
        spread = np.zeros(steps + 1)
        np.cumsum(np.bincount(rows, self._spreads[bins], minlength=steps), out=spread[1:])
        variances = (spread[self._steps :] - spread[: -self._steps]).astype(np.float32)
        z: NDArray[np.float32] = self._sums(rows, bins, steps)[: len(variances)]
        z /= np.sqrt(variances + np.float32(self._least))
        return z

    def _sums(self, rows: NDArray[np.int32], bins: NDArray[np.int32], steps: int) -> NDArray[np.float32]:
        """Return the sum of the map under the peaks, which lie in these rows, with the clip at each step."""
        # scipy offers this product with a new array for each result only; here every result is added where it belongs.
        from scipy.sparse._sparsetools import csr_matvecs

        apart, count = self._steps, -(-steps // self._steps)  # of a set's rows, and how many it has
        within, which = rows // np.int32(apart), rows % np.int32(apart)
        order = np.argsort(which.astype(np.uint16), kind="stable")  # by set, then in order of time
        ends = np.zeros(apart * count + 1, np.int32)
        np.cumsum(np.bincount(which * np.int32(count) + within, minlength=apart * count), out=ends[1:])
        bins, ones = bins[order].astype(np.int32, copy=False), np.ones(len(bins), np.float32)
        sums = np.zeros((count + 2) * apart, np.float32)
        for number in range(apart):
            part, there = ends[number * count : (number + 1) * count + 1], sums[number + 1 : number + 1 + count * apart]
            csr_matvecs(count, len(self._heights), apart, part, bins, ones, self._backwards, there)
        return sums[apart:]
