"""Lines: a sound laid on one place of one track, window by window, and the stretches of it that agree.

Agreement is local in time: each peak or segment speaks for itself, so a stretch begins and ends where the agreement does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import math

import numpy as np
from numpy.typing import NDArray

from earmark.match.protocol import Alignment, Scores

Part = tuple[NDArray[np.float64], NDArray[np.float64], float]

STEP_SECONDS = 0.1  # resolution of borders
AGREEING_STEPS = 10  # over which the strongest agreement of a line is first sought: a second
SWITCH_LOG_ODDS = 4.0  # that a line begins to agree here, or ceases to: once in some seconds
COMPARED_SECONDS = 1.0  # that two lines share, from which their evidence is of one measure
WEAKEST_SHARE = 0.6  # of how strongly a line agrees at its best, from which on it is taken to agree
LARGEST_RATE = 8.0  # log odds a second: clear agreement must not make moments decide
GOES_ON_SECONDS = 0.5  # gap within which a line may go on in the stead of another
GOES_ON_SHARE = 0.5  # of the other's evidence, from which it does
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


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Log odds, step by step from the sound's beginning on, that a sound and a line agree."""

    strands: tuple[Strand, ...]
    first: int  # step of the first value
    values: NDArray[np.float64]
    strengths: tuple[float, ...]  # mean score of each layer where the line agrees best
    support: float  # sum of the values there
    best: tuple[float, float]  # seconds between which that is

    @property
    def rate(self) -> float:
        """Log odds a second where the line agrees best."""
        return self.support / max(self.best[1] - self.best[0], STEP_SECONDS)

    @property
    def track(self) -> int:
        """The track's number."""
        return self.strands[0].track

    def sum(self, start: float, end: float) -> float:
        """Return the sum of the values between two seconds; of nothing where the line does not lie."""
        low, high = (round(second / STEP_SECONDS) for second in (start, end))
        if low < self.first - 1 or high > self.last + 1:
            return -math.inf
        return float(self.values[max(low - self.first, 0) : high - self.first].sum())

    @property
    def last(self) -> int:
        """The step after the last value."""
        return self.first + len(self.values)


def evidence_of(strands: Sequence[Strand]) -> Evidence:
    """Return the evidence of a line, by how strongly it agrees where it agrees best."""
    first, parts = _parts(strands)
    strengths = tuple(_strongest(sums, counts) for sums, counts, _ in parts)
    values = _weighed(parts, strengths)
    found, support, best = agreeing(values, SWITCH_LOG_ODDS), 0.0, (0.0, 0.0)
    if found:
        low, high, _ = max(found, key=lambda one: one[2])
        means = [sums[low:high].sum() / max(counts[low:high].sum(), 1) for sums, counts, _ in parts]
        strengths = tuple(max(float(mean), 0.0) for mean in means)
        values = _weighed(parts, strengths)
        support = float(values[low:high].sum())
        best = ((first + low) * STEP_SECONDS, (first + high) * STEP_SECONDS)
    return Evidence(tuple(strands), first, values, strengths, support, best)


def comparable(lines: Sequence[Evidence]) -> list[Evidence]:
    """Return lines whose evidence is of one measure: that of the best line of the track, and not too much a second.

    Else a repetition that agrees very well for a moment would take that moment from the line that goes on.
    """
    found = []
    for line in lines:
        beside = [one for one in lines if one is line or _shared(one.best, line.best) >= COMPARED_SECONDS]
        measure = max((one for one in beside if one.track == line.track), key=lambda one: one.support)
        rate = max(one.rate for one in beside)
        first, parts = _parts(line.strands)
        strengths = [WEAKEST_SHARE * one for one in measure.strengths]
        values = _weighed(parts, strengths) * min(1.0, LARGEST_RATE / max(rate, 1e-9))
        found.append(replace(line, values=values))
    return found


def _shared(one: tuple[float, float], other: tuple[float, float]) -> float:
    return min(one[1], other[1]) - max(one[0], other[0])


def _parts(strands: Sequence[Strand]) -> tuple[int, list[Part]]:
    first = math.floor(strands[0].begin / STEP_SECONDS)
    steps = math.ceil(max(one.end for one in strands) / STEP_SECONDS) - first
    return first, [_binned(strands, layer, first, steps) for layer in strands[0].scores]


def _weighed(parts: Sequence[Part], strengths: Sequence[float]) -> NDArray[np.float64]:
    evidence = np.zeros(len(parts[0][0]))
    for (sums, counts, correlation), strength in zip(parts, strengths, strict=True):
        evidence += (strength * sums - strength**2 / 2 * counts) / correlation
    return evidence


def without(line: Evidence, stretch: Stretch) -> Evidence:
    """Return a line that does not agree throughout a stretch."""
    values = line.values.copy()
    low, high = (round(second / STEP_SECONDS) - line.first for second in (stretch.start, stretch.end))
    values[max(low, 0) : high] = -np.inf
    return replace(line, values=values)


def stretches_of(line: Evidence) -> list[Stretch]:
    """Return the stretches of a line that agree, as if there were no other, in order of time."""
    return [_stretch(line, low, high, support) for low, high, support in agreeing(line.values, SWITCH_LOG_ODDS)]


def _stretch(line: Evidence, low: int, high: int, support: float) -> Stretch:
    start, end = (line.first + low) * STEP_SECONDS, (line.first + high) * STEP_SECONDS
    return Stretch(line.strands, max(start, line.strands[0].begin), min(end, line.strands[-1].end), support)


def explain(lines: Sequence[Evidence]) -> list[Stretch]:
    """Return the stretches that explain a sound best, of which none overlaps another, in order of time.

    It is the likeliest path through the lines and none of them; every change costs.
    """
    if not lines:
        return []
    order = sorted(range(len(lines)), key=lambda number: lines[number].first)
    total = max(line.first + len(line.values) for line in lines)
    scores = np.full(len(lines), -np.inf)
    none, waiting = 0.0, 0
    active = np.zeros(0, np.int64)
    entered = [np.full(len(line.values), -2, np.int32) for line in lines]  # -2: stayed; -1: from none; else from a line
    left = np.full(total + 1, -1, np.int32)  # line from which none was reached, -1: stayed
    for step in range(total):
        gone = [number for number in active.tolist() if lines[number].first + len(lines[number].values) <= step]
        fresh = []
        while waiting < len(order) and lines[order[waiting]].first <= step:
            fresh.append(order[waiting])
            waiting += 1
        best = int(active[scores[active].argmax()]) if len(active) else -1
        top = scores[best] if best >= 0 else -np.inf
        source, entry = (best, top - SWITCH_LOG_ODDS) if top > none else (-1, none - SWITCH_LOG_ODDS)
        if top - SWITCH_LOG_ODDS > none:
            none, left[step] = float(top - SWITCH_LOG_ODDS), best
        if gone:
            scores[gone] = -np.inf
            active = active[~np.isin(active, gone)]
        if fresh:
            active = np.append(active, fresh)
        for number in active.tolist():
            line = lines[number]
            at = step - line.first
            if entry > scores[number]:
                scores[number], entered[number][at] = entry, source
            scores[number] += line.values[at]
    found: list[Stretch] = []
    best = int(active[scores[active].argmax()]) if len(active) else -1
    state = best if best >= 0 and scores[best] - SWITCH_LOG_ODDS > none else -1
    end = total
    step = total
    while step > 0:
        if state < 0:
            step -= 1
            if left[step] >= 0:
                state, end = int(left[step]), step
            continue
        line = lines[state]
        at = step - 1 - line.first
        while entered[state][at] == -2:
            at -= 1
        source = int(entered[state][at])
        found.append(_stretch(line, at, end - line.first, float(line.values[at : end - line.first].sum())))
        step = line.first + at
        state, end = source, step
    return found[::-1]


def settled(stretches: Sequence[Stretch], lines: Sequence[Evidence]) -> list[Stretch]:
    """Return stretches in order of time, each as long as its line agrees at least half as well as what follows it.

    Music repeats itself, and recordings share parts: a line that goes on is likelier than one that begins here.
    """
    by_strands = {id(line.strands): line for line in lines}
    kept: list[Stretch] = []
    for one in stretches:
        kept.append(one)
        while len(kept) > 1:
            both = _one_of(kept[-2], kept[-1], by_strands)
            if both is None:
                break
            kept[-2:] = [both]
    return kept


def _one_of(before: Stretch, after: Stretch, lines: Mapping[int, Evidence]) -> Stretch | None:
    """Return the stretch that goes on in the other's stead, if one of two does."""
    if after.start - before.end > GOES_ON_SECONDS or before.strands is after.strands:
        return None
    found = []
    for one, other in ((before, after), (after, before)):
        gained = lines[id(one.strands)].sum(other.start, other.end)
        if gained >= GOES_ON_SHARE * lines[id(other.strands)].sum(other.start, other.end):
            found.append((one.support + gained, one))
    if not found:
        return None
    support, one = max(found, key=lambda pair: pair[0])
    return replace(one, start=before.start, end=after.end, support=support)


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


def _binned(strands: Sequence[Strand], layer: str, first: int, steps: int) -> Part:
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
        at = np.clip((scores.seconds[kept] / STEP_SECONDS).astype(int) - first, 0, steps - 1)
        sums += np.bincount(at, weights=scores.values[kept], minlength=steps)
        counts += np.bincount(at, minlength=steps)
    return sums, counts, correlation


def _strongest(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Return the largest mean score of a second."""
    ones = np.ones(min(AGREEING_STEPS, len(sums)))
    total, number = np.convolve(sums, ones, "valid"), np.convolve(counts, ones, "valid")
    enough = number >= max(number.max() / 2, 1)
    return max(float((total[enough] / number[enough]).max(initial=0.0)), 0.0)
