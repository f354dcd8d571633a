"""Lines: a sound laid on one place of one track, window by window, and the stretches of it that agree.

Agreement is local in time: each peak or segment speaks for itself, so a stretch begins and ends where the agreement does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from earmark.match.protocol import Alignment, Scores

STEP_SECONDS = 0.1  # resolution of borders
AGREEING_STEPS = 10  # over which the strongest agreement of a line is first sought: a second
SWITCH_LOG_ODDS = 4.0  # that a line begins to agree here, or ceases to: once in some seconds
ONE_LINE_SECONDS = 0.25  # distance of two windows of a recording that goes on; repetitions differ by more


@dataclass(frozen=True, slots=True, eq=False)
class Strand:
    """One window of a sound laid on a track; seconds of the sound."""

    track: int
    begin: float
    end: float
    alignment: Alignment  # its seconds count from `begin`
    scores: Mapping[str, Scores]  # by layer; their seconds count from the sound's beginning

    def reference_at(self, second: float) -> float:
        """Return the second of the track at a second of the sound."""
        return self.alignment.start + self.alignment.speed * (second - self.begin)

    @property
    def middle(self) -> float:
        """The second in the middle of the window."""
        return (self.begin + self.end) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A part of a line throughout which it agrees."""

    strands: tuple[Strand, ...]  # of the line, in order of time
    start: float
    end: float
    support: float  # natural logarithm of the odds against chance, of agreement alone

    @property
    def track(self) -> int:
        """The track's number."""
        return self.strands[0].track

    def reference_at(self, second: float) -> float:
        """Return the second of the track at a second of the sound."""
        return min(self.strands, key=lambda strand: abs(strand.middle - second)).reference_at(second)

    def overlap(self, start: float, end: float) -> float:
        """Return how many seconds lie between two seconds."""
        return max(min(self.end, end) - max(self.start, start), 0.0)


class Lines:
    """The lines of a sound, from windows given in order of time."""

    def __init__(self) -> None:
        self._lines: dict[int, list[list[Strand]]] = {}  # by track

    def __iter__(self) -> Iterator[list[Strand]]:
        return chain.from_iterable(self._lines.values())

    def add(self, strands: Sequence[Strand]) -> None:
        """Take the strands of one window, likeliest first."""
        taken: set[int] = set()
        for strand in strands:
            known = self._lines.setdefault(strand.track, [])
            line = next((one for one in reversed(known) if id(one) not in taken and _goes_on(one, strand)), None)
            if line is None:
                line = []
                known.append(line)
            taken.add(id(line))
            line.append(strand)
            line.sort(key=lambda one: one.begin)


def _goes_on(line: Sequence[Strand], strand: Strand) -> bool:
    for near in (line[-1], line[0]):
        if near.begin == strand.begin:
            return False
        if near.begin <= strand.end and strand.begin <= near.end:
            middle = (near.middle + strand.middle) / 2
            if abs(near.reference_at(middle) - strand.reference_at(middle)) < ONE_LINE_SECONDS:
                return True
    return False


def stretches_of(strands: Sequence[Strand]) -> list[Stretch]:
    """Return the stretches of a line that agree, in order of time."""
    begin, end = strands[0].begin, strands[-1].end
    steps = max(round((end - begin) / STEP_SECONDS), 1)
    parts = [_binned(strands, layer, begin, steps) for layer in strands[0].scores]
    strengths = [_strongest(sums, counts) for sums, counts, _ in parts]
    found: list[tuple[int, int, float]] = []
    for _ in range(2):
        evidence = np.zeros(steps)
        for (sums, counts, correlation), strength in zip(parts, strengths, strict=True):
            evidence += (strength * sums - strength**2 / 2 * counts) / correlation
        found = agreeing(evidence, SWITCH_LOG_ODDS)
        if not found:
            return []
        first, last, _ = max(found, key=lambda one: one[2])
        strengths = [
            max(float(sums[first:last].sum() / max(counts[first:last].sum(), 1)), 0.0) for sums, counts, _ in parts
        ]
    return [
        Stretch(tuple(strands), begin + first * STEP_SECONDS, begin + last * STEP_SECONDS, support)
        for first, last, support in found
    ]


def agreeing(evidence: NDArray[np.float64], switch: float) -> list[tuple[int, int, float]]:
    """Return (first step, step after the last, sum) of the parts that agree, by the likeliest path through two states.

    `evidence`: log odds of each step; changing between agreeing and not costs `switch` each time.
    """
    out, inside = 0.0, -switch
    entered = np.zeros(len(evidence), bool)  # whether the best path inside came from outside here
    left = np.zeros(len(evidence), bool)
    for step, value in enumerate(evidence.tolist()):
        came_in, came_out = out - switch > inside, inside - switch > out
        entered[step], left[step] = came_in, came_out
        out, inside = (inside - switch if came_out else out), (out - switch if came_in else inside) + value
    found, end = list[tuple[int, int, float]](), None
    is_inside = inside - switch > out
    if is_inside:
        end = len(evidence)
    for step in range(len(evidence) - 1, -1, -1):
        if is_inside and entered[step]:
            found.append((step, end, float(evidence[step:end].sum())))
            is_inside = False
        elif not is_inside and left[step]:
            is_inside, end = True, step
    if is_inside:
        found.append((0, end, float(evidence[:end].sum())))
    return found[::-1]


def _binned(strands: Sequence[Strand], layer: str, begin: float, steps: int) -> tuple[NDArray, NDArray, float]:
    """Return (sum of scores, number of them) of each step, each by the strand whose middle is nearest, and correlation."""
    sums, counts, correlation = np.zeros(steps), np.zeros(steps), 1.0
    for number, strand in enumerate(strands):
        scores = strand.scores.get(layer)
        if scores is None:
            continue
        correlation = scores.correlation
        low, high = strand.begin, strand.end
        if number and strands[number - 1].end > low:
            low = (strands[number - 1].middle + strand.middle) / 2
        if number + 1 < len(strands) and strands[number + 1].begin < high:
            high = (strands[number + 1].middle + strand.middle) / 2
        kept = (scores.seconds >= low) & (scores.seconds < high)
        at = np.clip(((scores.seconds[kept] - begin) / STEP_SECONDS).astype(int), 0, steps - 1)
        sums += np.bincount(at, weights=scores.values[kept], minlength=steps)
        counts += np.bincount(at, minlength=steps)
    return sums, counts, correlation


def _strongest(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Return the largest mean score of a second."""
    ones = np.ones(min(AGREEING_STEPS, len(sums)))
    total, number = np.convolve(sums, ones, "valid"), np.convolve(counts, ones, "valid")
    enough = number >= max(number.max() / 2, 1)
    return max(float((total[enough] / number[enough]).max(initial=0.0)), 0.0)
