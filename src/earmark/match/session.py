"""A clip or a stream as it is heard: windows are matched as they come, and their evidence accumulates.

Identifying a file is one `hear` with `final`; sound that arrives is one every so often. Every look is a chance of a
false match, which the odds pay for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from earmark.match.glance import glanced
from earmark.match.heard import CloserLook
from earmark.match.matcher import Matcher
from earmark.match.other_speeds import passages_at_other_speeds, unbent
from earmark.match.passages import Passage, best_of_each_track, non_overlapping
from earmark.match.protocol import Options, Search
from earmark.match.sequences import sequence_passages
from earmark.match.timeline import Timeline
from earmark.match.windows import LONGEST_AT_ONCE_SECONDS, WINDOW_SECONDS
from earmark.types import Fingerprint

LONGEST_WHOLE_SECONDS = 15.0  # of sound that is looked at as a whole, besides its windows
SHORTEST_LOOK_SECONDS = 1.0  # sound that is still arriving is not looked at earlier
PLACED_SECONDS = 10.0  # of a passage, by which other places of it are found
NOW_SECONDS = 2 * WINDOW_SECONDS  # before the end, in which what ends there is heard now


class Session:
    """What has been heard so far, and what it comes from."""

    def __init__(self, matcher: Matcher, snapshot: Callable[[], Search], options: Options) -> None:
        """`snapshot` returns the index as it is when sound is matched."""
        self.matcher, self._snapshot, self.options = matcher, snapshot, options
        self._timeline: Timeline | None = None  # of a sound that is longer than a window
        self._whole: Sequence[Passage] = ()  # of all the sound at once, as long as it is short
        self._sound: Fingerprint | None = None  # what was heard last
        self._looks = 0  # at the whole, of which its odds pay for each
        self.since = 0.0  # second from which on the next `hear` wants its fingerprint
        self.seconds = 0.0  # heard so far

    def hear(self, fingerprint: Fingerprint, *, final: bool = True, closer: CloserLook | None = None) -> None:
        """Match the sound from second `since` on; unless it is `final`, its end is looked at again with what follows.

        Frames of the fingerprint count from `since`. Of one that is no closer than a recording's, `closer` looks again
        at what stays in doubt. What the matcher raises leaves the session as it was.
        """
        search, seconds = self._snapshot(), self.since + fingerprint.seconds
        timeline, whole, looks, since = self._timeline, list[Passage](), self._looks, self.since
        if self.options.align:
            whole, looks = sequence_passages(self.matcher, search, self.options, fingerprint), 1
        elif seconds > LONGEST_AT_ONCE_SECONDS:
            timeline = Timeline(self.matcher, self.options) if timeline is None else timeline.copy()
            since = timeline.hear(fingerprint, search, since=self.since, final=final, closer=closer)
        if not self.options.align and seconds <= LONGEST_WHOLE_SECONDS and (final or seconds >= SHORTEST_LOOK_SECONDS):
            close = fingerprint if closer is None else closer([(0.0, seconds)])[0]
            whole, looks = self.matcher.match(close, search, self.options), 1 if final else looks + 1
        elif self.options.speed and final and timeline is not None:
            known = [one for one in timeline.passages() if one.confidence >= self.threshold]
            whole, looks = passages_at_other_speeds(
                self.matcher, search, self.options, fingerprint, known, since=self.since, closer=closer
            )
        self._timeline, self._whole, self._looks, self.since = timeline, whole, looks, since
        self._sound, self.seconds = fingerprint, seconds

    def glance(self, fingerprint: Fingerprint) -> bool:
        """Match a short clip that was glanced at, and return whether that settles what it is."""
        self._whole = glanced(self.matcher, fingerprint, self._snapshot(), self.options)
        self._looks, self._sound, self.seconds = 1, fingerprint, fingerprint.seconds
        return bool(self._whole)

    def forget(self, track: int) -> None:
        """Drop what was found of a track that cannot be had any more."""
        self._whole = [one for one in self._whole if one.track != track]
        if self._timeline is not None:
            self._timeline.drop(track)

    def passages(self) -> list[Passage]:
        """Return what has been heard: one recording after another, or the best place of each track, surest first."""
        paid, several = math.log(max(self._looks, 1)), self.options.several
        found = [] if self._timeline is None else self._timeline.passages()
        whole = [replace(one, log_odds=one.log_odds - paid) for one in self._whole]
        if self.options.speed:
            found = unbent(found, whole)
        by_odds = sorted(whole, key=lambda one: -one.log_odds)
        if self.options.align:
            found = non_overlapping(by_odds) if several else by_odds
        else:
            found = _with_the_whole(found, non_overlapping(by_odds) if several else whole, several=several)
        surest = sorted(found, key=lambda one: (-one.log_odds, one.query_start))
        chosen = surest if several else best_of_each_track(surest)
        chosen = [one for one in chosen if one.confidence >= self.threshold][: self.options.most]
        chosen = sorted(chosen, key=lambda one: one.query_start) if several else chosen
        return [place for one in chosen for place in self._places(one)] if self.options.places else chosen

    def _places(self, passage: Passage) -> list[Passage]:
        """Return a passage, and the other places of its track that its sound fits."""
        begin = self.seconds - self._sound.seconds if self._sound else 0.0
        start, end = max(passage.query_start, begin), min(passage.query_end, passage.query_start + PLACED_SECONDS)
        if self._sound is None or end <= start:
            return [passage]
        part = self._sound.between(start - begin, end - begin)
        return self.matcher.places(part, self._snapshot(), self.options, passage)

    def playing(self) -> list[Passage]:
        """Return what is heard now: the passages that reach the last ten seconds, surest first."""
        now = [one for one in self.passages() if one.query_end >= self.seconds - NOW_SECONDS]
        return sorted(now, key=lambda one: -one.log_odds)

    def decision(self) -> Passage | None:
        """Return the surest passage that is heard now, or None as long as none is sure enough."""
        return next(iter(self.playing()), None)

    @property
    def threshold(self) -> float:
        """The confidence that counts as found."""
        asked = self.options.threshold
        return self.matcher.calibration.threshold if asked is None else asked


def _with_the_whole(found: Sequence[Passage], whole: Sequence[Passage], *, several: bool) -> list[Passage]:
    """Return passages of windows and of the whole sound: of one place, as long as windows say and as sure as either.

    Of `several` that follow one another, the whole sound adds what no window knows.
    """
    passages = list(found)
    for one in whole:
        place = next((number for number, other in enumerate(passages) if other.lies_on(one)), None)
        repeated = next(
            (n for n, other in enumerate(passages) if other.track == one.track and one.overlaps(other)), None
        )
        if place is None and repeated is not None and _is_clearer(one, passages[repeated]):
            passages[repeated] = replace(one, log_odds=max(one.log_odds, passages[repeated].log_odds))
        elif place is None and not (several and any(one.overlaps(other) for other in found)):
            passages.append(one)
        elif place is not None and one.log_odds > passages[place].log_odds:
            passages[place] = replace(passages[place], log_odds=one.log_odds, evidence=one.evidence)
    return passages


def _is_clearer(one: Passage, other: Passage) -> bool:
    """Return whether more speaks for a place by the whole sound than for another by a part of it."""
    return one.evidence.get("z", 0.0) > other.evidence.get("z", 0.0)
