"""What a long sound holds: lines through its windows, the stretches that agree, and which of them explain it together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from earmark.match.lines import Lines, Strand, Stretch, stretches_of
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage
from earmark.match.protocol import Options, Search
from earmark.match.rivals import DECISIVE_Z
from earmark.match.votes import Guess
from earmark.types import Fingerprint

WINDOW_SECONDS = 5.0
HOP_SECONDS = 2.5
LEAST_SUPPORT = 6.0
JUDGED_SECONDS = 10.0
EDGE = 0.5


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
            active = [one for one in strands if stretches_of([one])][:8]
        self._backwards()

    def _backwards(self) -> None:
        missing: dict[int, list[Guess]] = {}
        order = {begin: n for n, (begin, _) in enumerate(self._windows)}
        for line in self._lines:
            first = order[line[0].begin]
            if first:
                found = stretches_of(line)
                if found and found[0].start < line[0].begin + 1.0:
                    missing.setdefault(first - 1, []).append(line[0])
        for number in sorted(missing, reverse=True):
            pending = missing[number]
            while pending and number >= 0:
                begin, end = self._windows[number]
                guesses = [Guess(one.track, one.reference_at(begin)) for one in pending]
                strands = self._matcher.strands_at(self._cut(begin, end), self._search, self._options, begin=begin, places=guesses)
                kept = [one for one in strands if stretches_of([one])]
                self._lines.add(kept)
                pending = [one for one in kept if stretches_of([one])[0].start < begin + 1.0]
                number -= 1

    def passages(self) -> list[Passage]:
        """Return what explains the sound, in order of support."""
        pending = [one for line in self._lines for one in stretches_of(line) if one.support >= LEAST_SUPPORT]
        self._all = list(pending)
        accepted: list[tuple[Stretch, Passage]] = []
        while pending:
            pending.sort(key=lambda one: one.support)
            one = pending.pop()
            left = self._left_of(one, [other for other, _ in accepted])
            if left is None:
                continue
            if left is not one:
                if left.support >= LEAST_SUPPORT:
                    pending.append(left)
                continue
            passage = self._judged(one)
            if passage is not None and passage.confidence >= self._threshold:
                accepted.append((one, passage))
        return [passage for _, passage in accepted]

    @property
    def _threshold(self) -> float:
        asked = self._options.threshold
        return self._matcher.calibration.threshold if asked is None else asked

    def _left_of(self, one: Stretch, accepted: Sequence[Stretch]) -> Stretch | None:
        """Cut away what others explain."""
        start, end = one.start, one.end
        for other in accepted:
            shared = other.overlap(start, end)
            if not shared:
                continue
            if other.start <= start and other.end >= end:
                return None
            if other.start <= start:
                start = other.end
            elif other.end >= end:
                end = other.start
            elif other.start - start > end - other.end:
                end = other.start
            else:
                start = other.end
        if (start, end) == (one.start, one.end):
            return one
        if end - start < 0.5:
            return None
        share = (end - start) / (one.end - one.start)
        return replace(one, start=start, end=end, support=one.support * share)

    def _judged(self, one: Stretch) -> Passage | None:
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
            found = self._matcher.judge(self._cut(start, end), self._search, self._options, begin=start, claim=claim, claims=claims)
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
