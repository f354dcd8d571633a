"""A clip or a stream as it is heard: windows are matched as they come, and their evidence accumulates.

Identifying a file is one `hear` with `final`; sound that arrives is one every so often. Every look is a chance of a
false match, which the odds pay for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from earmark.match.matcher import Matcher
from earmark.match.passages import Merging, Passage, best_of_each_track, non_overlapping
from earmark.match.protocol import Options, Search
from earmark.types import Fingerprint

WINDOW_SECONDS = 10.0  # two recordings may be in a longer clip, and a diagonal bends over minutes
LONGEST_AT_ONCE_SECONDS = 15.0  # a clip up to here is one window
SHORTEST_LOOK_SECONDS = 1.0  # sound that is still arriving is not looked at earlier
MOST_LOOKS_PAID = 3_600  # looks in an hour: the odds of a stream are those of a false match in an hour


class Session:
    """What has been heard so far, and what it comes from."""

    def __init__(self, matcher: Matcher, snapshot: Callable[[], Search], options: Options) -> None:
        """`snapshot` returns the index as it is when a window is matched."""
        self._matcher, self._snapshot, self.options = matcher, snapshot, options
        self._settled, self._windows = Merging(), 0  # windows that are settled
        self._latest: Sequence[Passage] = ()  # of the sound after the settled windows
        self._found: list[Passage] | None = None
        self._looks = 0  # of which the odds pay for each
        self.since = 0.0  # second from which on the next `hear` wants its fingerprint
        self.seconds = 0.0  # heard so far

    def hear(self, fingerprint: Fingerprint, *, final: bool = True) -> None:
        """Match the sound from second `since` on; unless it is `final`, its end is looked at again with what follows.

        Frames of the fingerprint count from `since`. What the matcher raises leaves the session as it was.
        """
        grid = fingerprint.layers[self._matcher.plan.compare[0].layer].frame_seconds
        seconds = self.since + fingerprint.seconds
        if final and not self._windows and fingerprint.seconds > 1.5 * 5.0:
            from earmark.match.timeline import Timeline

            timeline = Timeline(self._matcher, self._snapshot(), self.options, fingerprint)
            timeline.look()
            self._found, self.since, self.seconds = timeline.passages(), seconds, seconds
            return
        if final:
            windows, rest = list(windows_of(fingerprint, grid)), None
        else:
            windows, rest = _settling(fingerprint, grid)
        found = [self._look(window, begin) for window, begin in windows]
        latest: Sequence[Passage] = ()
        if rest is not None and rest[0].seconds >= SHORTEST_LOOK_SECONDS:
            latest = self._look(*rest)
        for passages in found:
            self._settled.add(passages)
            self._windows += 1
        self.since = seconds if rest is None else self.since + rest[1]
        self._latest = latest
        self._looks = self._windows if final else self._looks + len(found) + bool(latest)
        self.seconds = seconds
        if rest is not None:
            self._settled.forget_unlikely(before=self.since - WINDOW_SECONDS)

    def forget(self, track: int) -> None:
        """Drop what was found of a track that cannot be had any more."""
        self._settled.drop(track)
        self._latest = [one for one in self._latest if one.track != track]

    def passages(self) -> list[Passage]:
        """Return what has been heard: one recording after another, or the best place of each track, surest first."""
        if self._found is not None:
            chosen = sorted(self._found, key=lambda one: one.query_start)
            if not self.options.several:
                chosen = best_of_each_track(sorted(self._found, key=lambda one: -one.log_odds))
            return chosen[: self.options.limit]
        merged = self._settled.with_more(self._latest).passages(looks=min(self._looks, MOST_LOOKS_PAID))
        chosen = non_overlapping(merged) if self.options.several else best_of_each_track(merged)
        return [one for one in chosen if one.confidence >= self.threshold][: self.options.limit]

    def playing(self) -> list[Passage]:
        """Return what is heard now: the passages that reach the last window, surest first."""
        now = [one for one in self.passages() if one.query_end >= self.seconds - WINDOW_SECONDS]
        return sorted(now, key=lambda one: -one.log_odds)

    def decision(self) -> Passage | None:
        """Return the surest passage that is heard now, or None as long as none is sure enough."""
        return next(iter(self.playing()), None)

    @property
    def threshold(self) -> float:
        """The confidence that counts as found."""
        asked = self.options.threshold
        return self._matcher.calibration.threshold if asked is None else asked

    def _look(self, window: Fingerprint, begin: float) -> list[Passage]:
        return self._matcher.match(window, self._snapshot(), self.options, begin=self.since + begin)


def windows_of(fingerprint: Fingerprint, frame_seconds: float) -> Iterator[tuple[Fingerprint, float]]:
    """Yield (fingerprint of a window, second at which it begins): equal parts of a long clip, or the whole."""
    if fingerprint.seconds <= LONGEST_AT_ONCE_SECONDS:
        yield fingerprint, 0.0
        return
    count = round(fingerprint.seconds / WINDOW_SECONDS)
    seconds = fingerprint.seconds / count
    edges = np.rint(np.arange(count + 1) * seconds / frame_seconds) * frame_seconds
    for begin, end in pairwise(edges.tolist()):
        window = fingerprint.between(begin, end)
        yield Fingerprint(window.spec, seconds, window.layers), begin


def _settling(
    fingerprint: Fingerprint, frame_seconds: float
) -> tuple[list[tuple[Fingerprint, float]], tuple[Fingerprint, float]]:
    """Return (windows that are complete, what is left), each with the second at which it begins."""
    length, begin = round(WINDOW_SECONDS / frame_seconds) * frame_seconds, 0.0
    windows = []
    while fingerprint.seconds >= LONGEST_AT_ONCE_SECONDS:
        windows.append((fingerprint.between(0.0, length), begin))
        fingerprint, begin = fingerprint.between(length, fingerprint.seconds), begin + length
    return windows, (fingerprint, begin)
