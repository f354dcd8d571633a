"""A clip or a stream as it is heard: windows are matched as they come, and their evidence accumulates.

Identifying a file is one `hear` with `final`; sound that arrives is one every so often. Every look is a chance of a
false match, which the odds pay for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from earmark.match.matcher import Matcher
from earmark.match.passages import Passage, best_of_each_track, merge_windows, non_overlapping
from earmark.match.protocol import Options, Search
from earmark.types import Fingerprint

WINDOW_SECONDS = 10.0  # two recordings may be in a longer clip, and a diagonal bends over minutes
LONGEST_AT_ONCE_SECONDS = 15.0  # a clip up to here is one window
SHORTEST_LOOK_SECONDS = 1.0  # sound that is still arriving is not looked at earlier


class Session:
    """What has been heard so far, and what it comes from."""

    def __init__(self, matcher: Matcher, snapshot: Callable[[], Search], options: Options) -> None:
        """`snapshot` returns the index as it is when a window is matched."""
        self._matcher, self._snapshot, self.options = matcher, snapshot, options
        self._settled: list[Passage] = []
        self._latest: list[Passage] = []
        self._looks = self._settled_looks = 0
        self.since = 0.0  # second from which on the next `hear` wants its fingerprint
        self.seconds = 0.0  # heard so far

    def hear(self, fingerprint: Fingerprint, *, final: bool = True) -> None:
        """Match the sound from second `since` on; unless it is `final`, its end is looked at again with what follows.

        Frames of the fingerprint count from `since`.
        """
        self.seconds, self._latest = self.since + fingerprint.seconds, []
        if final:
            self._looks = self._settled_looks  # what was looked at before its end is looked at anew
            for window, begin in windows_of(fingerprint, self._grid(fingerprint)):
                self._settled += self._look(window, self.since + begin)
            self.since = self.seconds
            return
        frame_seconds = self._grid(fingerprint)
        settled = round(WINDOW_SECONDS / frame_seconds) * frame_seconds
        while fingerprint.seconds >= LONGEST_AT_ONCE_SECONDS:
            self._settled += self._look(fingerprint.between(0.0, settled), self.since)
            self._settled_looks += 1
            fingerprint = fingerprint.between(settled, fingerprint.seconds)
            self.since += settled
        if fingerprint.seconds >= SHORTEST_LOOK_SECONDS:
            self._latest = self._look(fingerprint, self.since)

    def passages(self) -> list[Passage]:
        """Return what has been heard: one recording after another, or the best place of each track, surest first."""
        merged = merge_windows([*self._settled, *self._latest], looks=self._looks)
        chosen = non_overlapping(merged) if self.options.several else best_of_each_track(merged)
        return [one for one in chosen if one.confidence >= self.threshold][: self.options.limit]

    def decision(self) -> Passage | None:
        """Return the surest passage that is sure enough, or None as long as there is none."""
        return max(self.passages(), key=lambda one: one.log_odds, default=None)

    @property
    def threshold(self) -> float:
        """The confidence that counts as found."""
        asked = self.options.threshold
        return self._matcher.calibration.threshold if asked is None else asked

    def _look(self, window: Fingerprint, begin: float) -> list[Passage]:
        self._looks += 1
        return self._matcher.match(window, self._snapshot(), self.options, begin=begin)

    def _grid(self, fingerprint: Fingerprint) -> float:
        """Return the seconds of a frame of the layer that is compared first: windows begin with one."""
        return fingerprint.layers[self._matcher.plan.compare[0].layer].frame_seconds


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
