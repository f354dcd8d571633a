"""Stretches: where a sound and a line agree, moment by moment, and which lines explain the sound together.

Evidence is local in time: each peak or segment speaks for itself, so a stretch begins and ends where agreement does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from earmark.match.lines import ONE_LINE_SECONDS, Line

STEP_SECONDS = 0.1  # resolution of borders
STRONGEST_STEPS = 10  # in which a line's strongest agreement is sought first: a second
SWITCH_LOG_ODDS = 4.0  # against a change of line, or of none, at a moment: there are 55 moments to one in some seconds
IDLE_LOG_ODDS = 0.02  # against a step of which nothing speaks: silence is in no stretch that it ends
WEAKEST_SHARE = 0.6  # of how strongly a line agrees at its best, from half of which on it is taken to agree
LARGEST_RATE = 8.0  # log odds a second: what agrees very clearly must not make single moments decide
COMPARED_SECONDS = 1.0  # that two lines share, from which their evidence is of one measure
LEAST_SUPPORT = 6.0  # natural log odds of a stretch that is worth judging
SOFT_SECONDS = 3.0  # seconds beside a stretch that may belong to it although little speaks for it
SOFT_SHARE = 0.3  # share of its best agreement by which a line agrees where noise hides what is soft
SOFT_LOG_ODDS = 1.0  # largest log odds against it: 15 of 17 gaps at a sound's ends, 1 of 34 within, were of the stretch
BRIDGED_SECONDS = 5.0  # gap within which a recording goes on that noise hides, unless something else is there
GOES_ON_SECONDS = 0.5  # gap within which a line may go on in the stead of another
GOES_ON_SHARE = 0.5  # of the other's evidence, from which it does: music repeats itself

Part = tuple[NDArray[np.float64], NDArray[np.float64], float]  # (sums of scores, their numbers, correlation), by step


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A part of a line throughout which it agrees."""

    line: Line
    start: float
    end: float
    support: float  # natural logarithm of the odds against chance, of agreement alone

    @property
    def track(self) -> int:
        """The track's number."""
        return self.line.track

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start

    @property
    def middle(self) -> float:
        """The second in its middle."""
        return (self.start + self.end) / 2

    def overlap(self, start: float, end: float) -> float:
        """Return how many seconds lie between two seconds."""
        return max(min(self.end, end) - max(self.start, start), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Log odds, step by step, that a sound and a line agree."""

    line: Line
    first: int  # step of the first value, from the sound's beginning
    values: NDArray[np.float64]
    heard: NDArray[np.bool_]  # steps of which anything speaks
    strengths: Mapping[str, float]  # mean score of each layer where the line agrees best
    support: float  # sum of the values there
    best: tuple[float, float]  # seconds between which that is
    parts: Mapping[str, Part] = field(repr=False)  # what each layer says

    @property
    def last(self) -> int:
        """The step after the last value."""
        return self.first + len(self.values)

    @property
    def rate(self) -> float:
        """Log odds a second where the line agrees best."""
        return self.support / max(self.best[1] - self.best[0], STEP_SECONDS)

    def sum(self, start: float, end: float, *, share: float | None = None) -> float:
        """Return the sum of the values between two seconds, minus infinity where the line does not lie.

        With a share: of those by which it would agree by that share of its best agreement.
        """
        values = self.values
        if share is not None:
            values = np.where(np.isneginf(values), values, self._weighed(share))
        low, high = (round(second / STEP_SECONDS) for second in (start, end))
        if low < self.first - 1 or high > self.last + 1:
            return -math.inf
        return float(values[max(low - self.first, 0) : high - self.first].sum())

    def share(self, start: float, end: float) -> float:
        """Return how well the line agrees between two seconds, as a share of how well it does at its best."""
        met = best = 0.0
        low, high = (max(round(second / STEP_SECONDS) - self.first, 0) for second in (start, end))
        for layer, (sums, counts, correlation) in self.parts.items():
            strength = self.strengths[layer]
            met += strength * float(sums[low:high].sum()) / correlation
            best += strength**2 * float(counts[low:high].sum()) / correlation
        return met / best if best > 0 else 0.0

    def begins(self, share: float) -> float:
        """Return the second from which on the line is heard to the end, if only by a share of its best agreement."""
        left = np.cumsum(self._weighed(share)[::-1])[::-1]
        return (self.first + int(left.argmax())) * STEP_SECONDS

    def ends(self, share: float) -> float:
        """Return the second until which the line is heard from the beginning, if only by a share of its best."""
        return (self.first + int(np.cumsum(self._weighed(share)).argmax()) + 1) * STEP_SECONDS

    def _weighed(self, share: float) -> NDArray[np.float64]:
        strengths = {layer: share * strength for layer, strength in self.strengths.items()}
        return np.maximum(_weighed(self.line, strengths, self.parts), -LARGEST_RATE)

    def without(self, stretch: Stretch) -> Evidence:
        """Return the evidence as if nothing agreed throughout a stretch."""
        values = self.values.copy()
        low, high = (round(second / STEP_SECONDS) - self.first for second in (stretch.start, stretch.end))
        values[max(low, 0) : high] = -np.inf
        return replace(self, values=values)

    def stretch(self, low: int, high: int) -> Stretch:
        """Return the stretch between two places among the values."""
        start, end = (self.first + low) * STEP_SECONDS, (self.first + high) * STEP_SECONDS
        support = float(self.values[low:high].sum())
        first, last = self.line.inside
        if not self.heard[:low].any():
            start = first
        if not self.heard[high:].any():
            end = last
        return Stretch(self.line, max(start, first), min(end, last), support)


def evidence_of(line: Line) -> Evidence:
    """Return the evidence of a line, by how strongly it agrees where it agrees best."""
    first, parts = _first(line), _parts(line)
    strengths = {layer: _strongest(sums, counts) for layer, (sums, counts, _) in parts.items()}
    values, support, best = _weighed(line, strengths, parts), 0.0, (0.0, 0.0)
    if found := agreeing(values):
        low, high, _ = max(found, key=lambda one: one[2])
        strengths = {
            layer: max(float(sums[low:high].sum()) / max(counts[low:high].sum(), 1), 0.0)
            for layer, (sums, counts, _) in parts.items()
        }
        values = _weighed(line, strengths, parts)
        support, best = float(values[low:high].sum()), ((first + low) * STEP_SECONDS, (first + high) * STEP_SECONDS)
    heard = sum((counts for _, counts, _ in parts.values()), start=np.zeros(len(values))) > 0
    return Evidence(line, first, values, heard, strengths, support, best, parts)


def stretches_of(evidence: Evidence) -> list[Stretch]:
    """Return the stretches of a line that agree, as if there were no other, in order of time."""
    return [evidence.stretch(low, high) for low, high, _ in agreeing(evidence.values)]


def comparable(lines: Sequence[Evidence]) -> list[Evidence]:
    """Return lines whose evidence is of one measure: by the best line of a track, and at no moment too much.

    Else a repetition that agrees very well for a moment would take that moment from the line that goes on.
    """
    rates = np.full(max((line.last for line in lines), default=0), LARGEST_RATE)
    for line in lines:
        for low, high, _ in agreeing(line.values):
            part = rates[line.first + low : line.first + high]
            np.maximum(part, line.rate, out=part)
    found = []
    for line in lines:
        beside = [one for one in lines if one is line or _share(one, line)]
        measure = max((one for one in beside if one.line.track == line.line.track), key=lambda one: one.support)
        strengths = {layer: WEAKEST_SHARE * strength for layer, strength in measure.strengths.items()}
        values = _weighed(line.line, strengths, line.parts)
        found.append(replace(line, values=values * LARGEST_RATE / rates[line.first : line.last]))
    return found


def explain(lines: Sequence[Evidence]) -> list[Stretch]:
    """Return the stretches that explain a sound best, of which none overlaps another, in order of time.

    It is the likeliest path through the lines and none of them (Viterbi); every change costs.
    """
    path, entries = _Path(lines), sorted(range(len(lines)), key=lambda number: lines[number].first)
    first = min((line.first for line in lines), default=0)
    for step in range(first, max((line.last for line in lines), default=0)):
        fresh = []
        while entries and lines[entries[0]].first <= step:
            fresh.append(entries.pop(0))
        path.go_on(step, fresh)
    return path.stretches(first)


def settled(stretches: Sequence[Stretch], lines: Sequence[Evidence]) -> list[Stretch]:
    """Return stretches in order of time, each as long as its line agrees at least half as well as what follows it.

    Music repeats itself, and recordings share parts: a line that goes on is likelier than one that begins here.
    """
    by_line = {evidence.line.number: evidence for evidence in lines}
    kept: list[Stretch] = []
    for one in stretches:
        kept.append(one)
        while len(kept) > 1:
            both = _one_of(kept[-2], kept[-1], by_line)
            if both is None:
                break
            kept[-2:] = [both]
    return kept


def extended(stretches: Sequence[Stretch], lines: Sequence[Evidence], *, end: float) -> list[Stretch]:
    """Return stretches, each up to its neighbours and the ends of the sound where little speaks against it.

    Noise hides what is soft, and a recording that begins a second late is less likely than one that is soft there.
    """
    by_line = {evidence.line.number: evidence for evidence in lines}
    found = list(stretches)
    for number, one in enumerate(found):
        before = found[number - 1].end if number else 0.0
        after = found[number + 1].start if number + 1 < len(found) else end
        evidence = by_line[one.line.number]
        if (
            0 < one.start - before <= SOFT_SECONDS
            and evidence.sum(before, one.start, share=SOFT_SHARE) >= -SOFT_LOG_ODDS
        ):
            one = replace(one, start=before)
        if 0 < after - one.end <= SOFT_SECONDS and evidence.sum(one.end, after, share=SOFT_SHARE) >= -SOFT_LOG_ODDS:
            one = replace(one, end=after)
        found[number] = one
    return found


def bridged(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Return stretches in order of time; those that follow one another on one line, though it was lost, are one."""
    kept: list[Stretch] = []
    for one in stretches:
        if kept and _goes_on(kept[-1], one):
            before = kept.pop()
            one = Stretch(before.line.joined_with(one.line), before.start, one.end, before.support + one.support)
        kept.append(one)
    return kept


def agreeing(evidence: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    """Return (first step, step after the last, sum) of parts that agree, by the likeliest path through two states."""
    outside, inside = 0.0, -SWITCH_LOG_ODDS
    entered, left = np.zeros(len(evidence), bool), np.zeros(len(evidence), bool)
    for step, value in enumerate(evidence.tolist()):
        entered[step], left[step] = outside - SWITCH_LOG_ODDS > inside, inside - SWITCH_LOG_ODDS > outside
        before = outside
        outside = max(outside, inside - SWITCH_LOG_ODDS)
        inside = max(inside, before - SWITCH_LOG_ODDS) + value
    found, end = list[tuple[int, int, float]](), len(evidence)
    is_inside = inside - SWITCH_LOG_ODDS > outside
    for step in range(len(evidence) - 1, -1, -1):
        if is_inside and entered[step]:
            found.append((step, end, float(evidence[step:end].sum())))
            is_inside = False
        elif not is_inside and left[step]:
            is_inside, end = True, step
    if is_inside and end:
        found.append((0, end, float(evidence[:end].sum())))
    return found[::-1]


class _Path:
    """The likeliest path so far to each line, and to none of them."""

    def __init__(self, lines: Sequence[Evidence]) -> None:
        self._lines, self._scores, self._none = lines, np.full(len(lines), -np.inf), 0.0
        self._active = list[int]()
        self._entered: list[dict[int, int]] = [{} for _ in lines]  # step: the line it was entered from, -1 for none
        self._left: dict[int, int] = {}  # step: the line from which none was entered
        self._end = 0

    def go_on(self, step: int, fresh: Sequence[int]) -> None:
        """Go on by a step, at which some lines begin."""
        best = max(self._active, key=lambda number: float(self._scores[number]), default=-1)
        top = float(self._scores[best]) if best >= 0 else -math.inf
        source, entry = (best, top) if top > self._none else (-1, self._none)
        if top - SWITCH_LOG_ODDS > self._none:
            self._none, self._left[step] = top - SWITCH_LOG_ODDS, best
        self._active = [number for number in self._active if self._lines[number].last > step] + list(fresh)
        for number in self._active:
            line = self._lines[number]
            if entry - SWITCH_LOG_ODDS > self._scores[number]:
                self._scores[number], self._entered[number][step] = entry - SWITCH_LOG_ODDS, source
            self._scores[number] += line.values[step - line.first]
        self._end = step + 1

    def stretches(self, first: int) -> list[Stretch]:
        """Return the stretches of the likeliest path, in order of time."""
        best = max(self._active, key=lambda number: float(self._scores[number]), default=-1)
        is_inside = best >= 0 and self._scores[best] - SWITCH_LOG_ODDS > self._none
        found, state, step = list[Stretch](), best if is_inside else -1, self._end
        while step > first:
            if state < 0:
                step -= 1
                state = self._left.get(step, -1)
                continue
            line, end = self._lines[state], step
            step -= 1
            while step not in self._entered[state]:
                step -= 1
            found.append(line.stretch(step - line.first, end - line.first))
            state = self._entered[state][step]
        return found[::-1]


def _goes_on(before: Stretch, after: Stretch) -> bool:
    middle = (before.end + after.start) / 2
    return (
        before.track == after.track
        and after.start - before.end <= BRIDGED_SECONDS
        and abs(before.line.reference_at(middle) - after.line.reference_at(middle)) < ONE_LINE_SECONDS
    )


def _one_of(before: Stretch, after: Stretch, lines: Mapping[int, Evidence]) -> Stretch | None:
    """Return the stretch that goes on in the other's stead, if one of two does."""
    if after.start - before.end > (BRIDGED_SECONDS if before.track == after.track else GOES_ON_SECONDS):
        return None
    if before.line is after.line:
        support = lines[before.line.number].sum(before.start, after.end)
        return replace(before, end=after.end, support=support)
    found = []
    for one, other in ((before, after), (after, before)):
        gained = lines[one.line.number].sum(other.start, other.end)
        if gained >= GOES_ON_SHARE * lines[other.line.number].sum(other.start, other.end):
            found.append((one.support + gained, one))
    if not found:
        return None
    support, one = max(found, key=lambda pair: pair[0])
    return replace(one, start=before.start, end=after.end, support=support)


def _share(one: Evidence, other: Evidence) -> bool:
    """Return whether two lines agree best at the same time, for long enough to be compared."""
    return min(one.best[1], other.best[1]) - max(one.best[0], other.best[0]) >= COMPARED_SECONDS


def _first(line: Line) -> int:
    return math.floor(line.begin / STEP_SECONDS)


def _parts(line: Line) -> dict[str, Part]:
    """Return what each layer says, step by step."""
    steps = math.ceil(line.end / STEP_SECONDS) - _first(line)
    layers = dict.fromkeys(layer for strand in line.strands for layer in strand.scores)
    return {layer: _binned(line, layer, steps) for layer in layers}


def _binned(line: Line, layer: str, steps: int) -> Part:
    sums, counts, correlation = np.zeros(steps), np.zeros(steps), 1.0
    for strand, low, high in line.parts(line.begin, line.end):
        scores = strand.scores.get(layer)
        if scores is None:
            continue
        correlation = scores.correlation
        kept = slice(*np.searchsorted(scores.seconds, [low, high]))
        at = np.clip((scores.seconds[kept] / STEP_SECONDS).astype(int) - _first(line), 0, steps - 1)
        sums += np.bincount(at, weights=scores.values[kept], minlength=steps)
        counts += np.bincount(at, minlength=steps)
    return sums, counts, correlation


def _weighed(line: Line, strengths: Mapping[str, float], parts: Mapping[str, Part]) -> NDArray[np.float64]:
    """Return the log odds of each step, of scores that are normal about a strength against scores about zero."""
    evidence = np.full(math.ceil(line.end / STEP_SECONDS) - _first(line), -IDLE_LOG_ODDS)
    for layer, (sums, counts, correlation) in parts.items():
        strength = strengths.get(layer, 0.0)
        evidence += (strength * sums - strength**2 / 2 * counts) / correlation
    low, high = (max(round(second / STEP_SECONDS) - _first(line), 0) for second in line.inside)
    evidence[:low] = evidence[high:] = -np.inf
    return evidence


def _strongest(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Return the largest mean score of a second."""
    ones = np.ones(min(STRONGEST_STEPS, len(sums)))
    total, number = np.convolve(sums, ones, "valid"), np.convolve(counts, ones, "valid")
    enough = number >= max(float(number.max(initial=0.0)) / 2, 1)
    return max(float((total[enough] / number[enough]).max(initial=0.0)), 0.0)
