"""What a long sound holds: lines through its windows, the stretches that agree, and which of them explain it together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from earmark.match.lines import Evidence, Lines, Strand, Stretch, comparable, evidence_of, explain, settled, stretches_of, without
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage
from earmark.match.protocol import Options, Search
from earmark.match.rivals import DECISIVE_Z
from earmark.match.votes import Guess
from earmark.types import Fingerprint, Hits, Layer

WINDOW_SECONDS = 5.0
HOP_SECONDS = 2.5
TOGETHER_SECONDS = 60.0  # windows that are looked up at once
LEAST_SUPPORT = 6.0
JUDGED_SECONDS = 10.0
EDGE_SECONDS = 0.5
ROUNDS = 6
SHORTEST_SECONDS = 1.0
MOST_CLAIMS = 20
SAME_LINE_SECONDS = 1.0  # gap across which a line that goes on is one passage

Explained = tuple[Stretch, Passage]


class Timeline:
    """A whole sound."""

    def __init__(self, matcher: Matcher, search: Search, options: Options, sound: Fingerprint) -> None:
        self._matcher, self._search, self._options, self._sound = matcher, search, options, sound
        self._frame = sound.layers[matcher.plan.compare[0].layer].frame_seconds
        self._lines = Lines()
        self._windows = windows_of(sound.seconds, self._frame)

    def look(self) -> None:
        """Lay every window on the tracks."""
        going_on: list[Strand] = []
        for begin, end, hits in self._looked_up():
            known = [Guess(one.track, one.reference_at(begin)) for one in going_on]
            window = self._sound.between(begin, end)
            strands = self._matcher.strands(window, self._search, self._options, begin=begin, known=known, hits=hits)
            self._lines.add(strands)
            going_on = [one for one in strands if _agrees(one)]
        self._look_back()

    def _looked_up(self) -> Iterator[tuple[float, float, Mapping[str, Hits]]]:
        """Yield (begin, end, hits) of each window; many windows are looked up at once."""
        frames = {one.name: one.frame_seconds for one in self._matcher.plan.channels}
        at_once = max(round(TOGETHER_SECONDS / HOP_SECONDS), 1)
        for first in range(0, len(self._windows), at_once):
            windows = self._windows[first : first + at_once]
            begin = windows[0][0]
            hits = self._matcher.hits(self._sound.between(begin, windows[-1][1]), self._search)
            for start, end in windows:
                yield start, end, {
                    name: _hits_between(found, (start - begin) / frames[name], (end - begin) / frames[name])
                    for name, found in hits.items()
                }

    def _look_back(self) -> None:
        """Follow lines to before the window that named them."""
        number_of = {begin: number for number, (begin, _) in enumerate(self._windows)}
        missing: dict[int, list[Strand]] = {}
        for line in self._lines:
            number = number_of[line[0].begin]
            found = stretches_of(evidence_of(line)) if number else []
            if found and found[0].start < line[0].begin + 1.0:
                missing.setdefault(number - 1, []).append(line[0])
        for number in range(max(missing, default=-1), -1, -1):
            begin, end = self._windows[number]
            places = [Guess(one.track, one.reference_at(begin)) for one in missing.get(number, ())]
            if not places:
                continue
            window = self._sound.between(begin, end)
            strands = self._matcher.strands(window, self._search, self._options, begin=begin, known=places)
            agreeing = [one for one in strands if _agrees(one)]
            self._lines.add(agreeing)
            if number:
                earlier = [one for one in agreeing if stretches_of(evidence_of([one]))[0].start < begin + 1.0]
                missing.setdefault(number - 1, []).extend(earlier)

    def passages(self) -> list[Passage]:
        """Return what explains the sound: what sounds alone or loudest, then what is left beside it."""
        lines = [evidence_of(line) for line in self._lines]
        own = {id(line): [one for one in stretches_of(line) if one.support >= LEAST_SUPPORT] for line in lines}
        lines = [line for line in lines if own[id(line)]]
        self._claims = [one for line in lines for one in own[id(line)]]
        loudest = self._explained(lines, ())
        beside: list[Explained] = []
        if loudest and "peaks" in self._sound.layers:
            rest = self._rest(loudest)
            beside = self._explained(self._laid_again(loudest, rest), loudest)
        return _joined([*loudest, *beside])

    def _explained(self, lines: list[Evidence], known: Sequence[Explained]) -> list[Explained]:
        """Return the stretches that explain a sound beside what is known, and are sure enough, in order of time."""
        lines = comparable(lines)
        judged: dict[tuple[int, int, int], Passage | None] = {}
        kept: list[Explained] = []
        for _ in range(ROUNDS):
            refused, kept = list[Stretch](), []
            for one in settled(explain(lines), lines):
                key = (id(one.strands[0]), round(one.start * 10), round(one.end * 10))
                if key not in judged:
                    judged[key] = self._judged(one, known)
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

    def _rest(self, explained: Sequence[Explained]) -> Fingerprint:
        """Return the sound without the peaks that passages explain."""
        peaks = self._sound.layers["peaks"]
        left = np.ones(len(peaks.frames), bool)
        for one, _ in explained:
            reference = self._matcher.references([one.track])[one.track].layers["peaks"]
            left &= ~met(peaks, reference, one)
        layer = Layer(peaks.frames[left], peaks.values[left], peaks.frame_seconds)
        return replace(self._sound, layers={**self._sound.layers, "peaks": layer})

    def _laid_again(self, explained: Sequence[Explained], rest: Fingerprint) -> list[Evidence]:
        """Return the lines of other tracks that agree with what passages leave unexplained."""
        by_window: dict[tuple[float, float], list[Strand]] = {}
        for claim in self._claims:
            if not any(one.overlap(claim.start, claim.end) >= 1.0 and one.track != claim.track for one, _ in explained):
                continue
            for strand in claim.strands:
                if claim.overlap(strand.begin, strand.end) > 0:
                    by_window.setdefault((strand.begin, strand.end), []).append(strand)
        lines = Lines()
        for (begin, end), strands in sorted(by_window.items()):
            places = [Guess(one.track, one.reference_at(begin)) for one in strands]
            window = rest.between(begin, end)
            again = self._matcher.strands(window, self._search, self._options, begin=begin, known=places)
            lines.add([replace(one, scores={"peaks": one.scores["peaks"]}) for one in again if "peaks" in one.scores])
        found = [evidence_of(line) for line in lines]
        return [line for line in found if any(one.support >= LEAST_SUPPORT for one in stretches_of(line))]

    def _judged(self, one: Stretch, known: Sequence[Explained]) -> Passage | None:
        """Return the passage of a stretch; None of one that is too short or holds too little."""
        if one.end - one.start < SHORTEST_SECONDS:
            return None
        best: Passage | None = None
        for start, end in _pieces(one.start, one.end, self._frame)[:4]:
            middle, half = (start + end) / 2, (end - start) / 2
            claims = [
                Guess(other.track, other.reference_at(middle) - half)
                for other in self._claims
                if other.strands is not one.strands and other.overlap(start, end) > 0.3 * (end - start)
            ]
            beside = {other.track: other for other, _ in known if other.overlap(start, end) > 0.3 * (end - start)}
            claims = [*(Guess(other.track, other.reference_at(middle) - half) for other in beside.values()), *claims]
            found = self._matcher.judge(
                self._sound.between(start, end),
                self._search,
                self._options,
                begin=start,
                claim=Guess(one.track, one.reference_at(middle) - half),
                claims=claims[:MOST_CLAIMS],
                beside=frozenset(beside),
            )
            if found is not None and (best is None or found.log_odds > best.log_odds):
                best = found
        if best is None:
            return None
        z = best.evidence.get("z", 0.0)
        odds = best.log_odds + max(z - DECISIVE_Z, 0.0) - math.log(len(self._windows))
        start = 0.0 if one.start < EDGE_SECONDS else one.start
        end = self._sound.seconds if self._sound.seconds - one.end < EDGE_SECONDS else one.end
        first, last = one.reference_at(start), one.reference_at(end)
        return replace(
            best,
            log_odds=odds,
            query_start=start,
            query_end=end,
            reference_start=first,
            reference_end=last,
            speed=(last - first) / max(end - start, 1e-9) if len(one.strands) > 2 else best.speed,
        )


def _agrees(strand: Strand) -> bool:
    return bool(stretches_of(evidence_of([strand])))


def _joined(explained: Sequence[Explained]) -> list[Passage]:
    """Return passages in order of time; those of one line that go on are one."""
    found: list[Passage] = []
    for _, passage in sorted(explained, key=lambda one: (one[1].query_start, one[1].query_end)):
        for place, before in enumerate(found):
            apart = abs(before.reference_at(passage.query_start) - passage.reference_start)
            if before.track == passage.track and apart < 0.25 and passage.query_start - before.query_end <= SAME_LINE_SECONDS:
                surer = max(before, passage, key=lambda one: one.log_odds)
                last = max(before, passage, key=lambda one: one.query_end)
                found[place] = replace(
                    surer,
                    query_start=before.query_start,
                    reference_start=before.reference_start,
                    query_end=last.query_end,
                    reference_end=last.reference_end,
                )
                break
        else:
            found.append(passage)
    return found


def _hits_between(hits: Hits, first: float, last: float) -> Hits:
    """Return the hits of query frames between two, counted from the first."""
    kept = (hits.query_frames >= first) & (hits.query_frames < last)
    shift = np.int32(round(first))
    return Hits(hits.query_frames[kept] - shift, hits.tracks[kept], hits.reference_frames[kept], hits.scores[kept])


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
        edges = [strand.reference_at(low) / frame - 2, strand.reference_at(high) / frame + 2]
        part = slice(*np.searchsorted(reference.frames, edges))
        alignment = strand.alignment
        seconds = (reference.frames[part] * frame - alignment.start) / alignment.speed + strand.begin
        at = np.rint(seconds / frame).astype(np.int64)
        bins = np.rint(reference.values[part] * alignment.pitch).astype(np.int64)
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
