"""What explains a sound: which stretches of its lines, each judged as a clip of its own."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from earmark.match.beside import Beside
from earmark.match.fades import Fade, fade_between, may_fade
from earmark.match.heard import JUDGED_SECONDS, MOST_JUDGED, MOST_REPETITIONS, MOVED_NUMBERS, HeardSound, claim_of
from earmark.match.lines import Line
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage, joined
from earmark.match.protocol import SAME_FACTOR, Options
from earmark.match.rivals import DECISIVE_Z
from earmark.match.stretches import (
    LEAST_SUPPORT,
    Evidence,
    Stretch,
    bridged,
    comparable,
    evidence_of,
    explain,
    extended,
    settled,
    stretches_of,
)
from earmark.match.windows import pieces_of

MOST_LOOKS_PAID = 3_600  # looks in an hour: the odds of a stream are those of a false match in an hour
SHORTEST_SECONDS = 1.25  # sound that a stretch must hold to be told: a word or a chord is shorter
CLAIMED_SHARE = 0.3  # share of a part that another stretch must cover to be its rival
MOST_CLAIMS = 20  # rivals that a part is judged against
EDGE_SECONDS = 0.5  # a stretch that comes so near an end of the sound reaches it
DECIDED_Z = 60.0  # z of ten seconds that are not judged again with what follows: 40 of a window leaves no doubt
FADE_GAP_SECONDS = 1.0  # largest gap between two recordings that may fade into each other
ROUNDS = 6  # times that a sound is explained; after each, what is not sure is left out

Explained = tuple[Stretch, Passage]


class Judgement:
    """Judges what lines say of a sound, and remembers it where the sound is not kept."""

    def __init__(self, matcher: Matcher, options: Options) -> None:
        self._matcher, self._options = matcher, options
        self._places = 1 + MOST_REPETITIONS if matcher.plan.sweep else 1  # of a track that each stretch is tried at
        self._weighed: dict[int, Evidence] = {}  # of the lines of the last look: most are as they were
        self._surest: dict[int, tuple[Line, Passage]] = {}  # where lines lie best, and what they were judged to be
        self._refused: dict[int, list[Stretch]] = {}  # what was not sure enough, by line: it gets no surer
        self._beside, self._heard_beside = Beside(), list[Passage]()  # the latter as of the last look
        self._decided = set[int]()  # numbers of lines of which an earlier look left no doubt
        self.alone = frozenset[int]()  # numbers of lines that no other place of their track comes near

    def copy(self) -> Judgement:
        """Return one that remembers by itself."""
        other = copy.copy(self)
        other._surest = dict(self._surest)
        other._refused = {number: list(one) for number, one in self._refused.items()}
        other._decided = set(self._decided)
        other._beside = self._beside.copy()
        return other

    def remember(self, numbers: Collection[int], *, since: float) -> None:
        """Forget all lines but some, and what began to sound beside others before a second."""
        self._heard_beside = [one for one in self._heard_beside if one.query_start >= since]
        self._surest = {number: one for number, one in self._surest.items() if number in numbers}
        self._refused = {number: one for number, one in self._refused.items() if number in numbers}
        self._decided.intersection_update(numbers)
        self.alone &= frozenset(numbers)

    def drop(self, track: int) -> None:
        """Forget a track."""
        self._heard_beside = [one for one in self._heard_beside if one.track != track]
        self._beside.drop(track)

    def passages(self, lines: Iterable[Line], heard: HeardSound, *, looks: int, final: bool = True) -> list[Passage]:
        """Return the passages of the lines through a sound: what sounds alone or loudest, then what is beside it.

        Their odds pay for so many looks, where they are doubtful. At the `final` look all is judged again.
        """
        self._heard, self._looks = heard, looks
        if final:
            self._decided.clear()
        weighed = self._evidence_of(lines)
        claims = [one for line in weighed for one in stretches_of(line) if one.support >= LEAST_SUPPORT]
        claimed = {one.line.number for one in claims}
        loudest = self._explained([line for line in weighed if line.line.number in claimed], claims, ())
        left = self._beside.lines([one for one, _ in loudest], claims, heard)
        beside = [passage for _, passage in self._explained(left, claims, loudest)]
        before = [one for one in self._heard_beside if one.query_start < heard.since]
        self._heard_beside = joined([*before, *beside])
        self._decided |= {
            number
            for number, (_, passage) in self._surest.items()
            if passage.evidence.get("z", 0.0) >= DECIDED_Z and passage.confidence >= self._threshold
        }
        if not final:  # of sound that arrives, what fades out has often left what is at hand
            return [*(passage for _, passage in loudest), *self._heard_beside]
        told, fades = self._faded(loudest)
        return [*told, *(one for one in self._heard_beside if not any(fade.holds(one) for fade in fades))]

    def _faded(self, explained: Sequence[Explained]) -> tuple[list[Passage], list[Fade]]:
        """Return (the passages that explain a sound, with borders in the middle of fades; the fades)."""
        told, fades = [passage for _, passage in explained], list[Fade]()
        for number, (before, after) in enumerate(pairwise(one for one, _ in explained)):
            if after.track not in told[number].copies and self._may_fade(before, after):
                fade = fade_between(before, after, self._heard)
                if fade is not None and before.start < fade.middle < after.end:
                    there, here = before.line.reference_at(fade.middle), after.line.reference_at(fade.middle)
                    told[number] = replace(told[number], query_end=fade.middle, reference_end=there)
                    told[number + 1] = replace(told[number + 1], query_start=fade.middle, reference_start=here)
                    fades.append(fade)
        return told, fades

    def _may_fade(self, before: Stretch, after: Stretch) -> bool:
        """Return whether one of two stretches may fade into the other, as far as their lines tell."""
        lines = [self._weighed.get(one.line.number) for one in (before, after)]
        border = (before.end + after.start) / 2
        if before.track == after.track or after.start - before.end > FADE_GAP_SECONDS or border <= self._heard.since:
            return False
        return lines[0] is None or lines[1] is None or may_fade(lines[0], lines[1], border)

    def _evidence_of(self, lines: Iterable[Line]) -> list[Evidence]:
        """Return the evidence of lines, that of lines which are as they were at the last look as it was."""
        before, self._weighed = self._weighed, {}
        for line in lines:
            known = before.get(line.number)
            self._weighed[line.number] = known if known is not None and known.line is line else evidence_of(line)
        return list(self._weighed.values())

    def _explained(
        self, lines: Sequence[Evidence], claims: Sequence[Stretch], known: Sequence[Explained]
    ) -> list[Explained]:
        """Return the stretches that explain a sound beside what is known and are sure enough, in order of time."""
        lines, kept = comparable(lines), list[Explained]()
        heard = self._heard.without([one for one, _ in known])
        judged = dict[tuple[int, float, float], tuple[Stretch, Passage | None]]()
        if not known:
            lines = [self._without_refused(line) for line in lines]
        for _ in range(ROUNDS):
            kept, refused = [], list[Stretch]()
            for one in bridged(extended(settled(explain(lines), lines), lines, end=self._heard.seconds)):
                key = (one.line.number, round(one.start, 1), round(one.end, 1))
                if key not in judged:
                    placed = heard.at_best_place(one) if known else self._placed(one)
                    judged[key] = placed, self._judged(placed, claims, known)
                placed, passage = judged[key]
                if passage is None or passage.confidence < self._threshold:
                    refused.append(one)
                else:
                    kept.append((placed, passage))
            if not refused:
                break
            for one in refused:
                lines = [line.without(one) if line.line is one.line else line for line in lines]
                if not known:
                    self._refused.setdefault(one.line.number, []).append(one)
        return kept

    def _without_refused(self, line: Evidence) -> Evidence:
        """Return the evidence of a line without what was refused of it, as long as no window was added to it."""
        known = self._refused.get(line.line.number, [])
        if any(one.line is not line.line for one in known):
            known = self._refused[line.line.number] = []
        for one in known:
            line = line.without(one)
        return line

    def _placed(self, one: Stretch) -> Stretch:
        """Return a stretch where it lies best on its track, or where it did as long as its sound was at hand."""
        if one.line.number in self.alone:
            return one
        if one.end - max(one.start, self._heard.since) >= SHORTEST_SECONDS:
            return self._heard.at_best_place(one)
        return replace(one, line=self._surest[one.line.number][0]) if one.line.number in self._surest else one

    def _judged(self, one: Stretch, claims: Sequence[Stretch], known: Sequence[Explained]) -> Passage | None:
        """Return the passage of a stretch; None of one that is too short or holds too little."""
        if one.seconds < SHORTEST_SECONDS:
            return None
        number, begin, found = one.line.number % MOVED_NUMBERS, max(one.start, self._heard.since), list[Passage]()
        if not known and number in self._decided and one.seconds > JUDGED_SECONDS:
            return _told(one, self._surest[number][1], seconds=self._heard.seconds, looks=self._looks * self._places)
        parts = (
            pieces_of(begin, one.end, JUDGED_SECONDS, self._heard.frame_seconds)
            if one.end - begin >= SHORTEST_SECONDS
            else []
        )
        for start, end in parts[:MOST_JUDGED]:
            beside = [other for other, _ in known if other.overlap(start, end) > CLAIMED_SHARE * (end - start)]
            others = [
                other
                for other in claims
                if other.line.number != one.line.number and other.overlap(start, end) > CLAIMED_SHARE * (end - start)
            ]
            passage = self._matcher.judge(
                self._heard.between(start, end),
                self._heard.search,
                self._options,
                begin=start,
                claim=claim_of(one.line, start, end),
                claims=[claim_of(other.line, start, end) for other in [*beside, *others][:MOST_CLAIMS]],
                beside=frozenset(other.track for other in beside),
                rest=self._heard.without(beside).between(start, end) if beside else None,
            )
            if passage is not None and passage.evidence["seconds"] >= SHORTEST_SECONDS:
                found.append(passage)
        if not known and one.start < self._heard.since and number in self._surest:
            found.append(self._surest[number][1])
        if not found:
            return None
        surest = max(found, key=lambda passage: passage.log_odds)
        together = sum(passage.log_odds for passage in found[: len(parts)])  # parts hear different sound
        surest = replace(surest, log_odds=max(surest.log_odds, together))
        if not known:  # lines through what is left are others at every look
            self._surest[number] = one.line, surest
        return _told(one, surest, seconds=self._heard.seconds, looks=self._looks * self._places)

    @property
    def _threshold(self) -> float:
        asked = self._options.threshold
        return self._matcher.calibration.threshold if asked is None else asked


def _told(one: Stretch, judged: Passage, *, seconds: float, looks: int) -> Passage:
    """Return a passage as long as its stretch; its odds pay for every look where they are doubtful."""
    beyond_doubt = max(judged.evidence.get("z", 0.0) - DECISIVE_Z, 0.0)
    start = 0.0 if one.start < EDGE_SECONDS else one.start
    end = seconds if seconds - one.end < EDGE_SECONDS else one.end
    place: Callable[[float], float] = judged.reference_at
    speed, is_measured = judged.speed, judged.is_measured
    if one.seconds > JUDGED_SECONDS:
        straight = one.line.straight(start, end)
        place = one.line.reference_at if straight is None else straight.reference_at
        if straight is not None and abs(straight.speed - speed) > 3 * straight.error:
            speed, is_measured = straight.speed, is_measured and abs(straight.speed - speed) < SAME_FACTOR
    first, last = place(start), place(end)
    return replace(
        judged,
        log_odds=judged.log_odds + beyond_doubt - _paid(looks),
        query_start=start,
        query_end=end,
        reference_start=first,
        reference_end=last,
        speed=speed,
        is_measured=is_measured,
    )


def _paid(looks: int) -> float:
    """Return the log odds that so many looks cost."""
    return math.log(min(max(looks, 1), MOST_LOOKS_PAID))
