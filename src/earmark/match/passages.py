"""Passages: parts of a clip that come from parts of tracks, merged where one recording goes on from window to window.

Two windows belong to one passage when they name the same track and lie on the same diagonal. Their evidence adds up,
since they hear different sound. n looks are n chances of a false match: subtract log n from the log odds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from earmark.match.calibration import probability

ONE_DIAGONAL_SECONDS = 0.5  # largest distance of two windows of a recording that goes on; repetitions differ by more
OVERLAP = 0.5  # share of its time by which the less sure of two passages goes, when several are asked for


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a clip and the part of a track that it comes from, in seconds."""

    track: int
    log_odds: float  # natural logarithm of the odds that it is right
    query_start: float
    query_end: float
    reference_start: float
    reference_end: float
    speed: float
    pitch: float
    position_error: float  # standard error of the position
    evidence: Mapping[str, float]  # figures of the surest window
    is_measured: bool = True  # whether speed and pitch are surely these

    @property
    def confidence(self) -> float:
        """The probability that it is right."""
        return probability(self.log_odds)

    def reference_at(self, query_seconds: float) -> float:
        """Return the second of the track at a second of the clip, also outside the passage."""
        return self.reference_start + self.speed * (query_seconds - self.query_start)


class Merging:
    """Passages of windows, given in order of time, each as it goes on from window to window."""

    def __init__(self, merged: Iterable[tuple[Passage, float]] = ()) -> None:
        self._merged = list(merged)  # each with the log odds of its surest window

    def add(self, found: Iterable[Passage]) -> None:
        """Take what one window found."""
        for here in sorted(found, key=lambda passage: passage.query_start):
            for place, (before, _) in enumerate(self._merged):
                if _goes_on(before, here):
                    self._merged[place] = _join(*self._merged[place], here)
                    break
            else:
                self._merged.append((here, here.log_odds))

    def with_more(self, found: Iterable[Passage]) -> Merging:
        """Return a copy that has taken another window."""
        more = Merging(self._merged)
        more.add(found)
        return more

    def passages(self, *, looks: int) -> list[Passage]:
        """Return the passages, the surest first; their odds pay for so many looks."""
        paid = math.log(max(looks, 1))
        passages = [replace(passage, log_odds=passage.log_odds - paid) for passage, _ in self._merged]
        return sorted(passages, key=lambda passage: (-passage.log_odds, passage.query_start))

    def drop(self, track: int) -> None:
        """Forget a track."""
        self._merged = [(passage, surest) for passage, surest in self._merged if passage.track != track]

    def forget_unlikely(self, *, before: float) -> None:
        """Forget what ended before a second and is more likely wrong than right: a stream may be endless."""
        self._merged = [
            (passage, surest) for passage, surest in self._merged if passage.log_odds > 0 or passage.query_end >= before
        ]


def non_overlapping(passages: Iterable[Passage]) -> list[Passage]:
    """Return the passages, given the surest first, that do not overlap a surer one, in order of time."""
    kept: list[Passage] = []
    for passage in passages:
        length = max(passage.query_end - passage.query_start, 1e-9)
        shared = sum(
            max(min(passage.query_end, other.query_end) - max(passage.query_start, other.query_start), 0.0)
            for other in kept
        )
        if shared < OVERLAP * length:
            kept.append(passage)
    return sorted(kept, key=lambda passage: passage.query_start)


def best_of_each_track(passages: Iterable[Passage]) -> list[Passage]:
    """Return the first passage of every track, in the order given."""
    first: dict[int, Passage] = {}
    for passage in passages:
        first.setdefault(passage.track, passage)
    return list(first.values())


def _goes_on(before: Passage, here: Passage) -> bool:
    middle = (here.query_start + here.query_end) / 2
    apart = abs(before.reference_at(middle) - here.reference_at(middle))
    return before.track == here.track and apart < ONE_DIAGONAL_SECONDS


def _join(before: Passage, surest: float, here: Passage) -> tuple[Passage, float]:
    """Return both as one passage, and the log odds of its surest window.

    Evidence against it (negative log odds) in one window does not undo the other's, nor bend its diagonal: the speed is
    measured from end to end only where both are likely.
    """
    surer = here if here.log_odds > surest else before
    start, end = surer.reference_at(before.query_start), surer.reference_at(here.query_end)
    speed = surer.speed
    if min(before.log_odds, here.log_odds) > 0:
        start, end = before.reference_start, here.reference_end
        speed = (end - start) / max(here.query_end - before.query_start, 1e-9)
    both = replace(
        surer,
        log_odds=max(before.log_odds, here.log_odds, before.log_odds + here.log_odds),
        query_start=before.query_start,
        query_end=here.query_end,
        reference_start=start,
        reference_end=end,
        speed=speed,
    )
    return both, max(surest, here.log_odds)
