"""Borders of cross-fades: the middle of the time in which two recordings are heard together.

Which of the two agrees better depends on how loud each is; from when to when each is heard at all, far less.
"""

from __future__ import annotations

from dataclasses import dataclass

from earmark.match.heard import HeardSound
from earmark.match.lines import Line
from earmark.match.passages import Passage
from earmark.match.stretches import Evidence, Stretch, evidence_of

REACH_SECONDS = 10.0  # seconds to either side of a border in which a recording may be heard beside the other one
AUDIBLE_SHARE = 0.08  # share of its best agreement by which a recording is still heard: 0.2 placed fades worse
LEAST_SECONDS = 2.0  # seconds heard together, from which it is a fade: noise makes cuts seem to have one
EDGE_SECONDS = 1.0  # seconds beside a border in which a cut agrees as well as elsewhere
SPARE_SECONDS = 1.0  # seconds beside a fade in which what is left of its recordings is still of it
CUT_SHARES = 1.7  # sum of what both agree by at a cut, in shares of their best; in the middle of a fade about 0.8


@dataclass(frozen=True, slots=True)
class Fade:
    """A time, in seconds, in which one track gives way to another."""

    tracks: frozenset[int]
    start: float
    end: float

    @property
    def middle(self) -> float:
        """The border of the two."""
        return (self.start + self.end) / 2

    def holds(self, passage: Passage) -> bool:
        """Return whether a passage is no more than one of them as it fades."""
        is_inside = self.start - SPARE_SECONDS <= passage.query_start and passage.query_end <= self.end + SPARE_SECONDS
        return passage.track in self.tracks and is_inside


def may_fade(before: Evidence, after: Evidence, border: float) -> bool:
    """Return whether two lines agree so little where one follows the other that they may fade into each other."""
    return before.share(border - EDGE_SECONDS, border) + after.share(border, border + EDGE_SECONDS) < CUT_SHARES


def fade_between(before: Stretch, after: Stretch, heard: HeardSound) -> Fade | None:
    """Return the time in which two stretches that follow one another sound together; None where they are cut."""
    border = (before.end + after.start) / 2
    begin = heard.on_grid(max(border - REACH_SECONDS, before.start, heard.since))
    end = heard.on_grid(min(border + REACH_SECONDS, after.end, heard.seconds))
    first, last = (_laid_alone(one, begin, end, heard) for one in (after, before))
    if first is None or last is None:
        return None
    fade = Fade(frozenset((before.track, after.track)), first.begins(AUDIBLE_SHARE), last.ends(AUDIBLE_SHARE))
    return fade if fade.end - fade.start >= LEAST_SECONDS else None


def _laid_alone(one: Stretch, begin: float, end: float, heard: HeardSound) -> Evidence | None:
    """Return what speaks for a stretch's place in the sound around its border, laid by itself: it has its own speed."""
    middle = (one.start + one.end) / 2
    nearest = min(one.line.strands, key=lambda strand: abs(strand.middle - min(max(middle, begin), end)))
    laid = heard.laid(begin, end, [nearest])
    return evidence_of(Line(0, (laid[0],))) if laid else None
