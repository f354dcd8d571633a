"""Lines: a sound laid on one place of one track, window by window."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

import numpy as np

from earmark.match.protocol import Alignment, Scores
from earmark.match.windows import WINDOW_SECONDS

FEWEST_STRAIGHT = 3  # windows that a straight line is fitted through
LEAST_ERROR_SECONDS = 0.005  # of a window's place, however well windows agree
LARGEST_BEND_SECONDS = 0.1  # from a straight line, beyond which there is none
ONE_LINE_SECONDS = 0.25  # distance of two windows of a recording that goes on; repetitions differ by more


@dataclass(frozen=True, slots=True, eq=False)
class Strand:
    """One window of a sound laid on a track; seconds of the sound."""

    track: int
    begin: float
    end: float
    length: float  # of the track, in its seconds
    alignment: Alignment  # its seconds count from `begin`
    scores: Mapping[str, Scores]  # by layer; their seconds count from the sound's beginning

    def reference_at(self, second: float) -> float:
        """Return the second of the track at a second of the sound."""
        return self.alignment.start + self.alignment.speed * (second - self.begin)

    def sound_at(self, second: float) -> float:
        """Return the second of the sound at a second of the track."""
        return self.begin + (second - self.alignment.start) / self.alignment.speed

    @property
    def middle(self) -> float:
        """The second in the middle of the window."""
        return (self.begin + self.end) / 2

    def until(self, end: float) -> Strand:
        """Return the part of it before a second."""
        scores = {
            layer: replace(one, seconds=one.seconds[:kept], values=one.values[:kept])
            for layer, one in self.scores.items()
            for kept in [int(np.searchsorted(one.seconds, end))]
        }
        return replace(self, end=end, scores=scores)

    @property
    def window_z(self) -> float:
        """z of a usual window of it: that of a whole grows with the root of its length."""
        return self.alignment.figures.get("z", 0.0) * math.sqrt(WINDOW_SECONDS / (self.end - self.begin))

    def distance(self, second: float) -> float:
        """Return how far a second is from the middle, in lengths of the window."""
        return abs(self.middle - second) / (self.end - self.begin)


@dataclass(frozen=True, slots=True)
class Straight:
    """A straight line: second q of the sound is second `start` + `speed` x q of the track."""

    start: float
    speed: float
    error: float  # standard error of the speed

    def reference_at(self, second: float) -> float:
        """Return the second of the track at a second of the sound."""
        return self.start + self.speed * second


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A place of one track through several windows."""

    number: int
    strands: tuple[Strand, ...]  # in order of time

    @property
    def track(self) -> int:
        """The track's number."""
        return self.strands[0].track

    @property
    def begin(self) -> float:
        """The second at which the first window begins."""
        return self.strands[0].begin

    @property
    def end(self) -> float:
        """The second at which the last window ends."""
        return self.strands[-1].end

    @property
    def inside(self) -> tuple[float, float]:
        """The seconds between which the line lies within its track."""
        first, last = self.strands[0], self.strands[-1]
        return max(first.sound_at(0.0), self.begin), min(last.sound_at(last.length), self.end)

    def reference_at(self, second: float) -> float:
        """Return the second of the track at a second of the sound."""
        return min(self.strands, key=lambda strand: strand.distance(second)).reference_at(second)

    def straight(self, start: float, end: float) -> Straight | None:
        """Return the straight line that fits windows between two seconds best; None where they are few or it bends."""
        parts = [
            (middle := min(max(strand.middle, low), high), strand.reference_at(middle))
            for strand, low, high in self.parts(start, end)
        ]
        if len(parts) < FEWEST_STRAIGHT:
            return None
        seconds, places = np.array(parts).T
        centred = seconds - seconds.mean()
        spread = float((centred**2).sum())
        slope = float((centred * places).sum()) / spread
        residuals = places - places.mean() - slope * centred
        if np.abs(residuals).max() > LARGEST_BEND_SECONDS:
            return None
        placed = max(strand.alignment.position_error for strand, _, _ in self.parts(start, end))
        error = float(np.sqrt((residuals**2).sum() / (len(parts) - 2))) + placed + LEAST_ERROR_SECONDS
        return Straight(float(places.mean()) - slope * float(seconds.mean()), slope, error / spread**0.5)

    def goes_on(self, strand: Strand) -> bool:
        """Return whether a strand of the track lies on this line, in a window that has none yet."""
        if any(one.begin == strand.begin for one in self.strands):
            return False
        for near in reversed(self.strands):
            if near.begin <= strand.end and strand.begin <= near.end:
                middle = (near.middle + strand.middle) / 2
                if abs(near.reference_at(middle) - strand.reference_at(middle)) < ONE_LINE_SECONDS:
                    return True
        return False

    def with_one_more(self, strand: Strand) -> Line:
        """Return the line with a strand."""
        return Line(self.number, tuple(sorted((*self.strands, strand), key=lambda one: one.begin)))

    def joined_with(self, other: Line) -> Line:
        """Return the line through the windows of both."""
        strands = {one.begin: one for one in (*other.strands, *self.strands)}
        return self if other is self else Line(self.number, tuple(strands[begin] for begin in sorted(strands)))

    def since(self, second: float) -> Line:
        """Return the line without the windows that ended before a second."""
        return Line(self.number, tuple(one for one in self.strands if one.end >= second))

    def parts(self, start: float, end: float) -> Iterator[tuple[Strand, float, float]]:
        """Yield (strand, its begin, its end) between two seconds; what two windows share is of both by halves."""
        for number, strand in enumerate(self.strands):
            low, high = strand.begin, strand.end
            if number and self.strands[number - 1].end > low:
                low = (low + self.strands[number - 1].end) / 2
            if number + 1 < len(self.strands) and self.strands[number + 1].begin < high:
                high = (high + self.strands[number + 1].begin) / 2
            low, high = max(low, start), min(high, end)
            if low < high:
                yield strand, low, high


class Lines:
    """The lines of a sound, from windows in any order."""

    def __init__(
        self, lines: Mapping[int, Sequence[Line]] | None = None, *, numbers: Iterator[int] | None = None
    ) -> None:
        self._lines = {track: list(known) for track, known in (lines or {}).items()}  # by track
        self._numbers = (
            count() if numbers is None else numbers
        )  # no two lines of a sound have the same, copies included

    def __iter__(self) -> Iterator[Line]:
        return chain.from_iterable(self._lines.values())

    def add(self, strands: Sequence[Strand]) -> None:
        """Take the strands of one window, likeliest first."""
        for strand in strands:
            known = self._lines.setdefault(strand.track, [])
            for place in reversed(range(len(known))):
                if known[place].goes_on(strand):
                    known[place] = known[place].with_one_more(strand)
                    break
            else:
                known.append(Line(next(self._numbers), (strand,)))

    def with_more(self, strands: Sequence[Strand]) -> Lines:
        """Return a copy that has taken the strands of another window."""
        more = Lines(self._lines, numbers=self._numbers)
        more.add(strands)
        return more

    def outside(self, spans: Sequence[tuple[float, float]]) -> Lines:
        """Return a copy without the windows that lie in one of some spans."""
        kept = Lines(numbers=self._numbers)
        for track, known in self._lines.items():
            for line in known:
                strands = [
                    one for one in line.strands if not any(low <= one.begin and one.end <= high for low, high in spans)
                ]
                if strands:
                    kept._lines.setdefault(track, []).append(Line(line.number, tuple(strands)))
        return kept

    def forget(self, *, before: float) -> None:
        """Forget the windows that ended before a second."""
        shortened = {track: [line.since(before) for line in known] for track, known in self._lines.items()}
        self._lines = {
            track: kept for track, known in shortened.items() if (kept := [line for line in known if line.strands])
        }

    def forget_ended(self, *, before: float, but: Collection[int]) -> None:
        """Forget the lines that ended before a second, except those of some tracks."""
        self._lines = {
            track: kept
            for track, known in self._lines.items()
            if (kept := [line for line in known if track in but or line.end >= before])
        }

    def drop(self, track: int) -> None:
        """Forget a track."""
        self._lines.pop(track, None)
