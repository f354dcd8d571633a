"""What a long sound holds: lines through its windows, and which stretches of them explain it together."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence

from earmark.match.continuation import Continuation, agreeing_stretches
from earmark.match.heard import CloserLook, HeardSound
from earmark.match.judgement import Judgement
from earmark.match.lines import Line, Lines, Strand
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage, joined
from earmark.match.protocol import Options, Search
from earmark.match.rivals import PLAIN_Z
from earmark.match.stretches import LEAST_SUPPORT, Stretch, comparable, evidence_of, explain, settled, stretches_of
from earmark.match.windows import HOP_SECONDS, WINDOW_SECONDS, last_window, whole_windows
from earmark.types import Fingerprint

KEPT_SECONDS = 15.0  # how much of sound that arrives is at hand: a part of a stretch may be judged again
REMEMBERED_SECONDS = 60.0  # how far back lines go in sound that arrives; what began earlier stays as it was told
BEGINNING_SECONDS = 1.0  # a line that agrees so near the beginning of its first window may have begun before it
BEYOND_DOUBT_Z = 40.0  # z from which a look as at a recording is enough: 45 to 100 of clean music, 20 to 35 in noise
REPEATED_SECONDS = 20.0  # of a stretch that are looked at more closely if its track has another such place
SAMPLED_SECONDS = 15.0  # of sound that arrives and resembles nothing, of which one part is looked at more closely
AT_ONCE_SECONDS = 0.5  # pause between two recordings in which no third one is looked for


class Timeline:
    """What windows have been laid on so far; safe to ask again when what it raises is mended."""

    def __init__(self, matcher: Matcher, options: Options) -> None:
        self._matcher, self._options = matcher, options
        self._frame = next(
            one.frame_seconds for one in matcher.plan.channels if one.layer == matcher.plan.compare[0].layer
        )
        self._lines, self._latest = Lines(), list[Strand]()  # of settled windows; of the sound's end
        self._windows = 0  # that are settled
        self._judgement = Judgement(matcher, options)
        self._parts: Mapping[tuple[float, float], Fingerprint] = {}  # at hand that were looked at more closely
        self._looked_until = -math.inf  # second up to which sound was last looked at more closely
        self._looks = 0  # that the odds pay for: of a file its windows, of sound that arrives every one
        self._last, self._next = -1.0, 0.0  # second at which the last settled window begins; earliest for the next one
        self._continuation = Continuation()  # of the settled windows
        self._past = list[Passage]()  # that ended before what is remembered
        self._found: Sequence[Passage] | None = None  # of what was heard last, once it was asked for
        self._forgotten = 0.0  # second before which lines are not remembered
        self._is_final = False  # whether nothing follows what was heard last
        self.seconds = 0.0

    def hear(
        self, sound: Fingerprint, search: Search, *, since: float, final: bool, closer: CloserLook | None = None
    ) -> float:
        """Lay the windows that are new, of sound that begins at `since`, and return what `since` may be next time.

        Of a sound that is no closer than a recording's, `closer` looks again where no place explains it beyond doubt.
        """
        at_hand = {span: part for span, part in self._parts.items() if span[1] > since}
        self._heard = HeardSound(
            self._matcher, self._options, search, sound, since, self._frame, has_more=closer is not None, parts=at_hand
        )
        going_on = self._continuation.going_on
        self.seconds, self._found, self._is_final = since + sound.seconds, None, final
        lasting = whole_windows(self.seconds, self._frame, since=self._next)
        passing = [last_window(self.seconds, self._frame)]
        if passing[0][0] <= max([self._last, *(begin for begin, _ in lasting)]):
            passing = []
        if lasting:
            self._last = lasting[-1][0]
            self._next = self._last + HOP_SECONDS / 2
        if final:
            lasting, passing = lasting + passing, []
        self._lay(lasting)
        self._latest = []
        if passing and not self._continuation.fills(*passing[0]):
            for begin, end, hits in self._heard.looked_up(passing):
                self._latest = self._heard.laid(begin, end, self._continuation.going_on, hits)
        self._windows += len(lasting)
        self._looks = self._windows if final else self._looks + len(lasting) + len(passing)
        if closer is not None:
            self._look_closer(lasting, closer, going_on, final=final)
            self._parts = self._heard.parts
        if not final and self.seconds - self._forgotten > 2 * REMEMBERED_SECONDS:
            self._forget(self.seconds - REMEMBERED_SECONDS)
        kept = max(self.seconds - KEPT_SECONDS, 0.0) // HOP_SECONDS * HOP_SECONDS
        if not final and kept > since:
            told = {one.track for one in self.passages()}  # judged by sound that is not kept any longer
            self._lines.forget_ended(before=kept, but=told)
        return kept

    def _lay(self, windows: Sequence[tuple[float, float]]) -> None:
        """Lay windows that follow one another."""
        for strands in self._continuation.through(self._heard, windows):
            self._lines.add(strands)
        self._look_back(windows)

    def _look_closer(
        self, windows: Sequence[tuple[float, float]], closer: CloserLook, going_on: list[Strand], *, final: bool
    ) -> None:
        """Lay the windows again, more closely, that are not explained beyond doubt; `going_on` before the first.

        Unless it is `final`, what resembles nothing that is known is looked at now and then: most of a broadcast may.
        """
        is_due = final or (bool(windows) and windows[-1][1] - self._looked_until >= SAMPLED_SECONDS)
        if not windows or not (is_due or self._resembles(windows, going_on)):
            return
        stretches = [one for one in self._likeliest() if _is_clear(one) and one.end > windows[0][0]]
        alone = self._judgement.alone
        alone |= {one.line.number for one in stretches if one.line.number in alone or self._heard.has_one_place(one)}
        clear = _together([(one.start, one.end) for one in stretches])
        repeated = [one for one in stretches if one.line.number not in alone]
        doubtful = [
            (begin, end)
            for begin, end in windows
            if not any(first <= begin and end <= last for first, last in clear)
            or any(min(end, one.start + REPEATED_SECONDS, one.end) - max(begin, one.start) > 0 for one in repeated)
        ]
        self._judgement.alone = alone
        spans = _together(doubtful)
        if not spans:
            return
        self._heard, self._looked_until = self._heard.looked_at_closely(spans, closer), spans[-1][1]
        self._lines = self._lines.outside(spans)
        at_end = self._continuation
        for first, last in spans:
            before = going_on if first == windows[0][0] else []
            self._continuation = Continuation(before, _outside(clear, first, last))
            self._lay([one for one in doubtful if first <= one[0] and one[1] <= last])
        if doubtful[-1] != windows[-1]:
            self._continuation = at_end

    def _resembles(self, windows: Sequence[tuple[float, float]], going_on: Sequence[Strand]) -> bool:
        """Return whether windows, or those before them, resemble a place that is known."""
        laid = (strand for line in self._lines for strand in line.strands if strand.end > windows[0][0])
        return any(strand.window_z >= PLAIN_Z for strand in (*going_on, *laid))

    def copy(self) -> Timeline:
        """Return a timeline that hears on by itself."""
        other = copy.copy(self)
        other._lines, other._judgement = self._lines.with_more(()), self._judgement.copy()
        other._continuation = self._continuation.copy()
        return other

    def passages(self) -> Sequence[Passage]:
        """Return what explains the sound, in order of time: what sounds alone or loudest, and what is beside it."""
        if self._found is None and self.seconds:
            lines = self._lines.with_more(self._latest)
            found = self._judgement.passages(lines, self._heard, looks=self._looks, final=self._is_final)
            self._found = joined([*self._past, *found])
        return self._found or []

    def _likeliest(self) -> list[Stretch]:
        """Return the stretches that explain the sound as far as lines alone tell."""
        lines = comparable([evidence_of(line) for line in self._lines])
        return settled(explain(lines), lines)

    def drop(self, track: int) -> None:
        """Forget a track."""
        self._found = None
        self._lines.drop(track)
        self._judgement.drop(track)
        self._past = [one for one in self._past if one.track != track]
        self._continuation.drop(track)
        self._latest = [one for one in self._latest if one.track != track]

    def _look_back(self, windows: Sequence[tuple[float, float]]) -> None:
        """Follow lines to before the window that named them."""
        number_of = {begin: number for number, (begin, _) in enumerate(windows)}
        missing: dict[int, list[Strand]] = {}
        for line in list(self._lines):
            if line.begin not in number_of:
                continue
            is_beside = self._continuation.fills(line.begin, line.begin + WINDOW_SECONDS)
            is_worse = is_beside and line.track in self._continuation.tracks  # a worse place of what fills the sound
            if not is_worse and _begins_early(line):
                if not is_beside and self._continuation.fills(line.begin - HOP_SECONDS, line.begin + HOP_SECONDS):
                    self._lines.add(self._continuation.back(self._heard, line.strands[0]))
                elif number_of[line.begin]:
                    missing.setdefault(number_of[line.begin] - 1, []).append(line.strands[0])
        for number in range(max(missing, default=-1), -1, -1):
            if number in missing:
                agreeing = [
                    one for one in self._heard.laid(*windows[number], missing[number]) if agreeing_stretches(one)
                ]
                self._lines.add(agreeing)
                if number:
                    earlier = [one for one in agreeing if _begins_early(Line(0, (one,)))]
                    missing.setdefault(number - 1, []).extend(earlier)

    def _forget(self, before: float) -> None:
        """Keep what was found of passages that began before a second, and forget the lines until then."""
        self._past = [one for one in self.passages() if one.query_start < before]
        self._found = None
        self._lines.forget(before=before)
        self._continuation.forget(before=before)
        self._judgement.remember({line.number for line in self._lines}, since=before)
        self._forgotten = before


def _is_clear(one: Stretch) -> bool:
    """Return whether a window of a stretch is beyond doubt."""
    strands = (strand for strand, _, _ in one.line.parts(one.start, one.end))
    return any(strand.window_z >= BEYOND_DOUBT_Z for strand in strands)


def _together(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans in order of time; those that follow one another at once, or overlap, are one."""
    found: list[tuple[float, float]] = []
    for first, last in sorted(spans):
        if found and first - found[-1][1] <= AT_ONCE_SECONDS:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def _outside(spans: Sequence[tuple[float, float]], first: float, last: float) -> list[tuple[float, float]]:
    """Return the parts of spans that end before a second, or begin after another."""
    parts = [part for begin, end in spans for part in ((begin, min(end, first)), (max(begin, last), end))]
    return [(begin, end) for begin, end in parts if end > begin]


def _begins_early(line: Line) -> bool:
    """Return whether a line agrees from its beginning on, so that it may have begun before."""
    found = stretches_of(evidence_of(line))
    return bool(found) and found[0].start < line.begin + BEGINNING_SECONDS and found[0].support >= LEAST_SUPPORT
