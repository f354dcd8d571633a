"""What recurs in and across recordings, as opening music and jingles do: shared ranges, joined into items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from earmark.catalog.duplicates import StoredSound
from earmark.match.shared import Range
from earmark.types import Repeat, RepeatPlace

SHORTEST_REPEAT_SECONDS = 2.0  # seconds; shorter repeats are words and beats
SAME_SHARE = 0.5  # share of the time covered by two estimates from which they are one place
INSIDE_SHARE = 0.8  # share of a place inside another item's from which it belongs to that item

Progress = Callable[[int, int], object]  # (tracks done, tracks in all)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where something recurs in a track, by one comparison; seconds."""

    track: int
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start

    def common(self, other: Estimate) -> float:
        """Return how many seconds both hold."""
        if self.track != other.track:
            return 0.0
        return max(min(self.end, other.end) - max(self.start, other.start), 0.0)

    def is_same(self, other: Estimate) -> bool:
        """Return whether both are of one place."""
        common = self.common(other)
        return common > SAME_SHARE * (self.seconds + other.seconds - common)


def repeats(sounds: StoredSound, *, total: int, shortest: float, progress: Progress | None) -> list[Repeat]:
    """Return what recurs for `shortest` seconds, that of most places first."""
    pairs = list[tuple[Estimate, Estimate]]()
    for done, (number, sound) in enumerate(sounds, start=1):
        for one in sounds.ranges(number, sound, known=lambda other: other < number, within=True):  # noqa: B023
            pair = _estimates(number, one)
            if one.seconds >= shortest and pair is not None:
                pairs.append(pair)
        if progress is not None:
            progress(done, total)
    found = [
        Repeat(
            median(place.seconds for place in item),
            tuple(RepeatPlace(sounds.track(place.track), place.start, place.end) for place in item),
        )
        for item in items_of(pairs)
    ]
    return sorted(found, key=lambda one: (-len(one.places), -one.seconds))


def items_of(pairs: Iterable[tuple[Estimate, Estimate]]) -> list[list[Estimate]]:
    """Return the places of each item, in order of track and time, from pairs of places that hold the same sound.

    The borders of a place are the medians of what all comparisons say of it.
    """
    estimates = [one for pair in pairs for one in pair]
    group = list(range(len(estimates)))

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = number = group[group[number]]
        return number

    for number in range(0, len(estimates), 2):
        group[root(number)] = root(number + 1)
    place_of = _places(estimates)
    for own in place_of:
        for number in own[1:]:
            group[root(number)] = root(own[0])
    items: dict[int, list[Estimate]] = {}
    for own in place_of:
        items.setdefault(root(own[0]), []).append(_consensus([estimates[number] for number in own]))
    ordered = [sorted(places, key=lambda one: (one.track, one.start)) for places in items.values()]
    return _without_parts([places for places in ordered if len(places) > 1])


def _estimates(number: int, one: Range) -> tuple[Estimate, Estimate] | None:
    """Return the two places of a range; None of a loop, which follows itself, and of the mirror image of a range."""
    if one.track == number and one.track_start < one.end:
        return None
    return Estimate(number, one.start, one.end), Estimate(one.track, one.track_start, one.track_end)


def _places(estimates: Sequence[Estimate]) -> list[list[int]]:
    """Return which estimates are of one place."""
    order = sorted(range(len(estimates)), key=lambda number: (estimates[number].track, estimates[number].start))
    places = list[list[int]]()
    for number in order:
        one = estimates[number]
        near = (own for own in reversed(places[-8:]) if one.is_same(_consensus([estimates[other] for other in own])))
        place = next(near, None)
        if place is None:
            places.append([number])
        else:
            place.append(number)
    return places


def _consensus(estimates: Sequence[Estimate]) -> Estimate:
    return Estimate(estimates[0].track, median(one.start for one in estimates), median(one.end for one in estimates))


def _without_parts(items: Sequence[Sequence[Estimate]]) -> list[list[Estimate]]:
    """Return items without those whose places all lie in places of longer ones: music repeats itself."""
    kept = list[list[Estimate]]()
    for item in sorted(items, key=lambda own: -median(place.seconds for place in own)):
        longer = [place for own in kept for place in own]
        if not all(any(one.common(other) >= INSIDE_SHARE * one.seconds for other in longer) for one in item):
            kept.append(list(item))
    return kept
