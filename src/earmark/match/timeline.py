"""What a long sound holds: lines through its windows, the stretches that agree, and which of them explain it together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from earmark.match.lines import Evidence, Lines, Strand, Stretch, evidence_of, explain, stretches_of, without
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage
from earmark.match.protocol import Options, Search
from earmark.match.rivals import DECISIVE_Z
from earmark.match.votes import Guess
from earmark.types import Fingerprint, Layer

WINDOW_SECONDS = 5.0
HOP_SECONDS = 2.5
LEAST_SUPPORT = 6.0
JUDGED_SECONDS = 10.0
EDGE = 0.5
ROUNDS = 6
SHORTEST_SECONDS = 1.0


class Timeline:
    """A whole sound."""

    def __init__(self, matcher: Matcher, search: Search, options: Options, sound: Fingerprint) -> None:
        self._matcher, self._search, self._options, self._sound = matcher, search, options, sound
        self._frame = sound.layers[matcher.plan.compare[0].layer].frame_seconds
        self._lines = Lines()
        self._windows = windows_of(sound.seconds, self._frame)

    def look(self) -> None:
        """Lay every window on the tracks."""
        active: list[Strand] = []
        for begin, end in self._windows:
            known = [Guess(one.track, one.reference_at(begin)) for one in active]
            strands = self._matcher.strands(self._cut(begin, end), self._search, self._options, begin=begin, known=known)
            self._lines.add(strands)
            active = [one for one in strands if stretches_of(evidence_of([one]))][:8]
        self._backwards()

    def _backwards(self) -> None:
        missing: dict[int, list[Guess]] = {}
        order = {begin: n for n, (begin, _) in enumerate(self._windows)}
        for line in self._lines:
            first = order[line[0].begin]
            if first:
                found = stretches_of(evidence_of(line))
                if found and found[0].start < line[0].begin + 1.0:
                    missing.setdefault(first - 1, []).append(line[0])
        for number in sorted(missing, reverse=True):
            pending = missing[number]
            while pending and number >= 0:
                begin, end = self._windows[number]
                guesses = [Guess(one.track, one.reference_at(begin)) for one in pending]
                strands = self._matcher.strands_at(self._cut(begin, end), self._search, self._options, begin=begin, places=guesses)
                kept = [one for one in strands if stretches_of(evidence_of([one]))]
                self._lines.add(kept)
                pending = [one for one in kept if stretches_of(evidence_of([one]))[0].start < begin + 1.0]
                number -= 1

    def passages(self) -> list[Passage]:
        """Return what explains the sound, in order of time."""
        lines = [evidence_of(line) for line in self._lines]
        self._all = [one for line in lines for one in stretches_of(line) if one.support >= LEAST_SUPPORT]
        kept = {id(one.strands[0]) for one in self._all}
        lines = [line for line in lines if id(line.strands[0]) in kept]
        first = self._explained(lines, self._sound)
        rest = self._rest(first)
        second = self._explained(self._laid_again(lines, first, rest), rest) if first else []
        return [passage for _, passage in (*first, *second)]

    def _rest(self, explained: Sequence[tuple[Stretch, Passage]]) -> Fingerprint:
        """Return the sound without the peaks that passages explain."""
        peaks = self._sound.layers["peaks"]
        alive = np.ones(len(peaks.frames), bool)
        for one, _ in explained:
            reference = self._matcher.references([one.track])[one.track].layers["peaks"]
            alive &= ~met(peaks, reference, one)
        left = Layer(peaks.frames[alive], peaks.values[alive], peaks.frame_seconds)
        return replace(self._sound, layers={**self._sound.layers, "peaks": left})

    def _laid_again(self, lines: Sequence[Evidence], explained: Sequence[tuple[Stretch, Passage]], rest: Fingerprint) -> list[Evidence]:
        found = []
        for line in lines:
            strands = []
            for strand in line.strands:
                if sum(one.overlap(strand.begin, strand.end) for one, _ in explained) < 1.0:
                    continue
                window = rest.between(strand.begin, strand.end)
                again = self._matcher.strands_at(window, self._search, self._options, begin=strand.begin, places=[Guess(strand.track, strand.reference_at(strand.begin))])
                for one in again[:1]:
                    strands.append(replace(one, scores={"peaks": one.scores["peaks"]} if "peaks" in one.scores else {}))
            strands = [one for one in strands if one.scores]
            if strands:
                found.append(evidence_of(strands))
        return [line for line in found if any(one.support >= LEAST_SUPPORT for one in stretches_of(line))]

    def _explained(self, lines: list[Evidence], sound: Fingerprint) -> list[tuple[Stretch, Passage]]:
        judged: dict[tuple[int, int, int], Passage | None] = {}
        kept: list[tuple[Stretch, Passage]] = []
        for _ in range(ROUNDS):
            refused, kept = [], []
            for one in explain(lines):
                key = (id(one.strands[0]), round(one.start * 10), round(one.end * 10))
                if key not in judged:
                    judged[key] = self._judged(one, sound) if one.end - one.start >= SHORTEST_SECONDS else None
                passage = judged[key]
                if passage is None or passage.confidence < self._threshold:
                    refused.append(one)
                else:
                    kept.append((one, passage))
            if not refused:
                break
            for one in refused:
                number = next(n for n, line in enumerate(lines) if line.strands is one.strands)
                lines[number] = without(lines[number], one)
        return kept

    @property
    def _threshold(self) -> float:
        asked = self._options.threshold
        return self._matcher.calibration.threshold if asked is None else asked

    def _judged(self, one: Stretch, sound: Fingerprint) -> Passage | None:
        looks = len(self._windows)
        pieces = _pieces(one.start, one.end, self._frame)
        best: Passage | None = None
        for start, end in pieces[:4]:
            claims = [
                Guess(other.track, other.reference_at((start + end) / 2) - (end - start) / 2)
                for other in self._all
                if other is not one and other.overlap(start, end) > 0.3 * (end - start)
            ][:20]
            claim = Guess(one.track, one.reference_at((start + end) / 2) - (end - start) / 2)
            found = self._matcher.judge(sound.between(start, end), self._search, self._options, begin=start, claim=claim, claims=claims)
            if found is not None and (best is None or found.log_odds > best.log_odds):
                best = found
        if best is None:
            return None
        z = best.evidence.get("z", 0.0)
        odds = best.log_odds + max(z - DECISIVE_Z, 0.0) - math.log(looks)
        start = 0.0 if one.start < EDGE else one.start
        end = self._sound.seconds if self._sound.seconds - one.end < EDGE else one.end
        first, last = one.reference_at(start), one.reference_at(end)
        return replace(
            best,
            log_odds=min(odds, best.log_odds) if z < DECISIVE_Z else min(odds, max(best.log_odds, odds)),
            query_start=start,
            query_end=end,
            reference_start=first,
            reference_end=last,
            speed=(last - first) / max(end - start, 1e-9) if len(one.strands) > 2 else best.speed,
        )

    def _cut(self, begin: float, end: float) -> Fingerprint:
        return self._sound.between(begin, end)


def met(peaks: Layer, reference: Layer, stretch: Stretch) -> NDArray[np.bool_]:
    """Return which peaks of a sound a reference meets throughout a stretch."""
    frame = peaks.frame_seconds
    found = np.zeros(len(peaks.frames), bool)
    width = 4096
    for number, strand in enumerate(stretch.strands):
        before, after = stretch.strands[max(number - 1, 0)], stretch.strands[min(number + 1, len(stretch.strands) - 1)]
        low = stretch.start if not number else max(stretch.start, (before.middle + strand.middle) / 2)
        high = stretch.end if number + 1 == len(stretch.strands) else min(stretch.end, (after.middle + strand.middle) / 2)
        if high <= low:
            continue
        first, last = np.searchsorted(peaks.frames, [low / frame, high / frame])
        a, b = np.searchsorted(reference.frames, [strand.reference_at(low) / frame - 2, strand.reference_at(high) / frame + 2])
        alignment = strand.alignment
        at = np.rint(((reference.frames[a:b] * frame - alignment.start) / alignment.speed + strand.begin) / frame).astype(np.int64)
        bins = np.rint(reference.values[a:b] * alignment.pitch).astype(np.int64)
        there = np.unique(np.concatenate([(at + x) * width + bins + y for x in (-1, 0, 1) for y in (-1, 0, 1)]))
        own = peaks.frames[first:last].astype(np.int64) * width + peaks.values[first:last]
        found[first:last] |= np.isin(own, there)
    return found


def windows_of(seconds: float, frame: float) -> list[tuple[float, float]]:
    """Return (begin, end) of windows that overlap by half."""
    if seconds <= 1.5 * WINDOW_SECONDS:
        return [(0.0, seconds)]
    count = math.ceil((seconds - WINDOW_SECONDS) / HOP_SECONDS) + 1
    begins = np.rint(np.linspace(0, seconds - WINDOW_SECONDS, count) / frame) * frame
    return [(float(begin), float(min(begin + WINDOW_SECONDS, seconds))) for begin in begins]


def _pieces(start: float, end: float, frame: float) -> list[tuple[float, float]]:
    count = max(math.ceil((end - start) / JUDGED_SECONDS), 1)
    edges = np.rint(np.linspace(start, end, count + 1) / frame) * frame
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
