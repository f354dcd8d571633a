"""Passages: parts of a clip that come from parts of tracks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from earmark.match.calibration import probability

ONE_DIAGONAL_SECONDS = 0.5  # largest distance of two passages of a recording that goes on; repetitions differ by more
GAP_SECONDS = 1.0  # across which a recording that goes on is one passage
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
    copies: frozenset[int] = frozenset()  # other tracks that hold the same sound
    is_measured: bool = True  # whether speed and pitch are surely these

    @property
    def confidence(self) -> float:
        """The probability that it is right."""
        return probability(self.log_odds)

    def reference_at(self, query_seconds: float) -> float:
        """Return the second of the track at a second of the clip, also outside the passage."""
        return self.reference_start + self.speed * (query_seconds - self.query_start)

    def overlaps(self, other: Passage) -> bool:
        """Return whether they share half of the shorter one's time."""
        shared = min(self.query_end, other.query_end) - max(self.query_start, other.query_start)
        shorter = min(self.query_end - self.query_start, other.query_end - other.query_start)
        return shared > OVERLAP * max(shorter, 1e-9)

    def lies_on(self, other: Passage) -> bool:
        """Return whether both are of one place of one track, wherever in the clip."""
        middle = (other.query_start + other.query_end) / 2
        apart = abs(self.reference_at(middle) - other.reference_at(middle))
        return self.track == other.track and apart < ONE_DIAGONAL_SECONDS

    def goes_on_in(self, later: Passage) -> bool:
        """Return whether a passage that begins no earlier is of the same place, and beside or right after this one."""
        apart = abs(self.reference_at(later.query_start) - later.reference_start)
        is_next = later.query_start - self.query_end <= GAP_SECONDS
        return self.track == later.track and is_next and apart < ONE_DIAGONAL_SECONDS

    def joined_with(self, later: Passage) -> Passage:
        """Return both as one, as sure as the surer."""
        surer = max(self, later, key=lambda one: one.log_odds)
        longer = max(self, later, key=lambda one: one.query_end - one.query_start)
        last = max(self, later, key=lambda one: one.query_end)
        return replace(
            surer,
            speed=longer.speed,
            pitch=longer.pitch,
            is_measured=longer.is_measured,
            query_start=self.query_start,
            reference_start=self.reference_start,
            query_end=last.query_end,
            reference_end=last.reference_end,
        )


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


def joined(passages: Sequence[Passage]) -> list[Passage]:
    """Return passages in order of time; those that go on beside or after each other are one."""
    found: list[Passage] = []
    for passage in sorted(passages, key=lambda one: (one.query_start, one.query_end)):
        place = next((number for number, before in enumerate(found) if before.goes_on_in(passage)), None)
        if place is None:
            found.append(passage)
        else:
            found[place] = found[place].joined_with(passage)
    return found
