"""What a long sound holds: lines through its windows, and which stretches of them explain it together."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from earmark.match.heard import JUDGED_SECONDS, MOST_JUDGED, MOST_REPETITIONS, MOVED_NUMBERS, HeardSound, claim_of
from earmark.match.lines import Line, Lines, Strand
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage, joined
from earmark.match.protocol import SAME_FACTOR, Options, Search
from earmark.match.rivals import DECISIVE_Z
from earmark.match.stretches import (
    Evidence,
    Stretch,
    comparable,
    evidence_of,
    explain,
    extended,
    settled,
    stretches_of,
)
from earmark.match.votes import Guess
from earmark.match.windows import HOP_SECONDS, last_window, pieces_of, whole_windows
from earmark.types import Fingerprint

MOST_LOOKS_PAID = 3_600  # looks in an hour: the odds of a stream are those of a false match in an hour
KEPT_SECONDS = 15.0  # how much of sound that arrives is at hand: a part of a stretch may be judged again
REMEMBERED_SECONDS = 60.0  # how far back lines go in sound that arrives; what began earlier stays as it was told
LEAST_SUPPORT = 6.0  # natural log odds of a stretch that is worth judging
SHORTEST_SECONDS = 1.25  # sound that a stretch must hold to be told: a word or a chord is shorter
CLAIMED_SHARE = 0.3  # share of a part that another stretch must cover to be its rival
MOST_CLAIMS = 20  # rivals that a part is judged against
BEGINNING_SECONDS = 1.0  # a line that agrees so near the beginning of its first window may have begun before it
EDGE_SECONDS = 0.5  # a stretch that comes so near an end of the sound reaches it
ROUNDS = 6  # times that a sound is explained; after each, what is not sure is left out

Explained = tuple[Stretch, Passage]


class Timeline:
    """What windows have been laid on so far; safe to ask again when what it raises is mended."""

    def __init__(self, matcher: Matcher, options: Options) -> None:
        self._matcher, self._options = matcher, options
        self._frame = next(
            one.frame_seconds for one in matcher.plan.channels if one.layer == matcher.plan.compare[0].layer
        )
        self._lines, self._latest = Lines(), list[Strand]()  # of settled windows; of the sound's end
        self._windows = 0  # that are settled
        self._places = 1 + MOST_REPETITIONS if matcher.plan.sweep else 1  # of a track that each stretch is tried at
        self._looks = 0  # that the odds pay for: of a file its windows, of sound that arrives every one
        self._last, self._next = -1.0, 0.0  # second at which the last settled window begins; earliest for the next one
        self._going_on = list[Strand]()  # of the last settled window
        self._past = list[Passage]()  # that ended before what is remembered
        self._surest: dict[int, tuple[Line, Passage]] = {}  # where lines lie best, and what they were judged to be
        self._found: Sequence[Passage] | None = None  # of what was heard last, once it was asked for
        self._forgotten = 0.0  # second before which lines are not remembered
        self.seconds = 0.0

    def hear(self, sound: Fingerprint, search: Search, *, since: float, final: bool) -> float:
        """Lay the windows that are new, of sound that begins at `since`, and return what `since` may be next time."""
        self._heard = HeardSound(self._matcher, self._options, search, sound, since, self._frame)
        self.seconds, self._found = since + sound.seconds, None
        lasting = whole_windows(self.seconds, self._frame, since=self._next)
        passing = [last_window(self.seconds, self._frame)]
        if passing[0][0] <= max([self._last, *(begin for begin, _ in lasting)]):
            passing = []
        if lasting:
            self._last = lasting[-1][0]
            self._next = self._last + HOP_SECONDS / 2
        if final:
            lasting, passing = lasting + passing, []
        for begin, end, hits in self._heard.looked_up(lasting):
            strands = self._heard.laid(begin, end, self._going_on, hits)
            self._lines.add(strands)
            self._going_on = [one for one in strands if _agreeing_stretches(one)]
        self._look_back(lasting)
        self._latest = []
        for begin, end, hits in self._heard.looked_up(passing):
            self._latest = self._heard.laid(begin, end, self._going_on, hits)
        self._windows += len(lasting)
        self._looks = self._windows if final else self._looks + len(lasting) + len(passing)
        if not final and self.seconds - self._forgotten > 2 * REMEMBERED_SECONDS:
            self._forget(self.seconds - REMEMBERED_SECONDS)
        kept = max(self.seconds - KEPT_SECONDS, 0.0) // HOP_SECONDS * HOP_SECONDS
        if not final and kept > since:
            self.passages()  # they are judged by sound that is not kept any longer
        return kept

    def copy(self) -> Timeline:
        """Return a timeline that hears on by itself."""
        other = copy.copy(self)
        other._lines, other._surest = self._lines.with_more(()), dict(self._surest)
        return other

    def passages(self) -> Sequence[Passage]:
        """Return what explains the sound, in order of time: what sounds alone or loudest, and what is beside it."""
        if self._found is None:
            self._found = self._explanation()
        return self._found

    def _explanation(self) -> list[Passage]:
        lines = [evidence_of(line) for line in self._lines.with_more(self._latest)]
        claims = [one for line in lines for one in stretches_of(line) if one.support >= LEAST_SUPPORT]
        claimed = {one.line.number for one in claims}
        lines = [line for line in lines if line.line.number in claimed]
        loudest = self._explained(lines, claims, ())
        beside = self._explained(self._left_over(claims, loudest), claims, loudest)
        return joined([*self._past, *(passage for _, passage in (*loudest, *beside))])

    def drop(self, track: int) -> None:
        """Forget a track."""
        self._found = None
        self._lines.drop(track)
        self._past = [one for one in self._past if one.track != track]
        self._latest, self._going_on = (
            [one for one in strands if one.track != track] for strands in (self._latest, self._going_on)
        )

    def _look_back(self, windows: Sequence[tuple[float, float]]) -> None:
        """Follow lines to before the window that named them."""
        number_of = {begin: number for number, (begin, _) in enumerate(windows)}
        missing: dict[int, list[Strand]] = {}
        for line in self._lines:
            number = number_of.get(line.begin, 0)
            if number and _begins_early(line):
                missing.setdefault(number - 1, []).append(line.strands[0])
        for number in range(max(missing, default=-1), -1, -1):
            if number in missing:
                agreeing = [
                    one for one in self._heard.laid(*windows[number], missing[number]) if _agreeing_stretches(one)
                ]
                self._lines.add(agreeing)
                if number:
                    earlier = [one for one in agreeing if _begins_early(Line(0, (one,)))]
                    missing.setdefault(number - 1, []).extend(earlier)

    def _explained(
        self, lines: Sequence[Evidence], claims: Sequence[Stretch], known: Sequence[Explained]
    ) -> list[Explained]:
        """Return the stretches that explain a sound beside what is known and are sure enough, in order of time."""
        lines, judged, kept = (
            comparable(lines),
            dict[tuple[int, float, float], tuple[Stretch, Passage | None]](),
            list[Explained](),
        )
        for _ in range(ROUNDS):
            kept, refused = [], list[Stretch]()
            for one in extended(settled(explain(lines), lines), lines, end=self.seconds):
                key = (one.line.number, round(one.start, 1), round(one.end, 1))
                if key not in judged:
                    placed = one if known else self._placed(one)
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
        return kept

    def _placed(self, one: Stretch) -> Stretch:
        """Return a stretch where it lies best on its track, or where it did as long as its sound was at hand."""
        if one.end - max(one.start, self._heard.since) >= SHORTEST_SECONDS:
            return self._heard.at_best_place(one)
        return replace(one, line=self._surest[one.line.number][0]) if one.line.number in self._surest else one

    def _left_over(self, claims: Sequence[Stretch], explained: Sequence[Explained]) -> list[Evidence]:
        """Return the lines of other tracks that agree with what passages leave unexplained."""
        by_window: dict[tuple[float, float], list[Strand]] = {}
        for claim in claims:
            if any(one.track != claim.track and one.overlap(claim.start, claim.end) >= 1.0 for one, _ in explained):
                for strand in claim.line.strands:
                    if strand.begin >= self._heard.since and claim.overlap(strand.begin, strand.end) > 0:
                        by_window.setdefault((strand.begin, strand.end), []).append(strand)
        lines, met = Lines(), [one for one, _ in explained]
        for (begin, end), strands in sorted(by_window.items()):
            window, layer = self._matcher.unexplained(
                self._heard.between(begin, end), self._heard.search, self._options, met, begin=begin
            )
            places = [Guess(one.track, one.reference_at(begin)) for one in strands]
            again = self._matcher.strands(window, self._heard.search, self._options, begin=begin, known=places)
            lines.add([replace(one, scores={layer: one.scores[layer]}) for one in again if layer in one.scores])
        found = [evidence_of(line) for line in lines]
        return [line for line in found if any(one.support >= LEAST_SUPPORT for one in stretches_of(line))]

    def _judged(self, one: Stretch, claims: Sequence[Stretch], known: Sequence[Explained]) -> Passage | None:
        """Return the passage of a stretch; None of one that is too short or holds too little."""
        if one.seconds < SHORTEST_SECONDS:
            return None
        number, begin, found = one.line.number % MOVED_NUMBERS, max(one.start, self._heard.since), list[Passage]()
        parts = pieces_of(begin, one.end, JUDGED_SECONDS, self._frame) if one.end - begin >= SHORTEST_SECONDS else []
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
            )
            if passage is not None and passage.evidence["seconds"] >= SHORTEST_SECONDS:
                found.append(passage)
        if one.start < self._heard.since and number in self._surest:
            found.append(self._surest[number][1])
        if not found:
            return None
        surest = max(found, key=lambda passage: passage.log_odds)
        together = sum(passage.log_odds for passage in found[: len(parts)])  # parts hear different sound
        surest = replace(surest, log_odds=max(surest.log_odds, together))
        self._surest[number] = one.line, surest
        return _told(one, surest, seconds=self.seconds, looks=self._looks * self._places)

    def _forget(self, before: float) -> None:
        """Keep what was found of passages that began before a second, and forget the lines until then."""
        self._past = [one for one in self.passages() if one.query_start < before]
        self._found = None
        self._lines.forget(before=before)
        kept = {line.number for line in self._lines}
        self._surest = {number: one for number, one in self._surest.items() if number in kept}
        self._forgotten = before

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


def _agreeing_stretches(strand: Strand) -> list[Stretch]:
    return stretches_of(evidence_of(Line(0, (strand,))))


def _begins_early(line: Line) -> bool:
    """Return whether a line agrees from its beginning on, so that it may have begun before."""
    found = stretches_of(evidence_of(line))
    return bool(found) and found[0].start < line.begin + BEGINNING_SECONDS
