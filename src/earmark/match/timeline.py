"""Several matches in time: what the windows of a long clip found, joined where one recording goes on.

Two windows belong to one stretch when they name the same track and lie on the same line of time. Their evidence adds
up, for they hear different sound. Looking at n windows gives chance n tries, which the odds of a stretch pay for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

ONE_LINE_SECONDS = 0.5  # two windows of a recording that goes on agree far better; a loop's repetition does not
OVERLAP = 0.5  # of two stretches of several matches, the less sure one goes when it shares so much of its time


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a clip and the part of a track that it comes from, in seconds."""

    track: int
    log_odds: float
    query_start: float
    query_end: float
    reference_start: float
    reference_end: float
    speed: float
    pitch: float
    jitter: float  # standard error of the position
    evidence: dict[str, float]  # of the surest window

    def reference_at(self, query_seconds: float) -> float:
        """Return the second of the track at a second of the clip, also outside the stretch."""
        return self.reference_start + self.speed * (query_seconds - self.query_start)


def joined(found: Iterable[Stretch], *, windows: int) -> list[Stretch]:
    """Return what `windows` windows found, each as it goes on from window to window; the surest first."""
    whole: list[tuple[Stretch, float]] = []  # with the log odds of the surest window
    for here in sorted(found, key=lambda stretch: stretch.query_start):
        for place, (before, _) in enumerate(whole):
            if _goes_on(before, here):
                whole[place] = _join(*whole[place], here)
                break
        else:
            whole.append((here, here.log_odds))
    paid = math.log(max(windows, 1))
    stretches = [replace(stretch, log_odds=stretch.log_odds - paid) for stretch, _ in whole]
    return sorted(stretches, key=lambda stretch: (-stretch.log_odds, stretch.query_start))


def one_after_another(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the stretches, given the surest first, that do not overlap a surer one, in order of time."""
    kept: list[Stretch] = []
    for stretch in stretches:
        length = max(stretch.query_end - stretch.query_start, 1e-9)
        shared = sum(
            max(min(stretch.query_end, other.query_end) - max(stretch.query_start, other.query_start), 0.0)
            for other in kept
        )
        if shared < OVERLAP * length:
            kept.append(stretch)
    return sorted(kept, key=lambda stretch: stretch.query_start)


def best_of_each_track(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the first stretch of every track, in the order given."""
    first: dict[int, Stretch] = {}
    for stretch in stretches:
        first.setdefault(stretch.track, stretch)
    return list(first.values())


def _goes_on(before: Stretch, here: Stretch) -> bool:
    middle = (here.query_start + here.query_end) / 2
    return (
        before.track == here.track and abs(before.reference_at(middle) - here.reference_at(middle)) < ONE_LINE_SECONDS
    )


def _join(before: Stretch, surest: float, here: Stretch) -> tuple[Stretch, float]:
    """Return both as one stretch; evidence against (negative log odds) in one window does not undo the other's.

    Nor does it bend the line of the other: the speed is measured from end to end only where both are likely.
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
