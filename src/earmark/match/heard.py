"""The sound that is at hand: its windows, looked up and laid on tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from earmark.match.lines import ONE_LINE_SECONDS, Line, Lines, Strand
from earmark.match.look import ONE_PLACE_SECONDS
from earmark.match.matcher import Matcher
from earmark.match.named import hits_of
from earmark.match.protocol import Options, Search
from earmark.match.rivals import CLEAR_Z
from earmark.match.stretches import Stretch
from earmark.match.votes import Guess
from earmark.match.windows import pieces_of
from earmark.types import Fingerprint, Hits

LOOKED_UP_WINDOWS = 24  # windows, a minute, that are looked up at once, because that is quicker
JUDGED_SECONDS = 10.0  # longest part of a stretch that is judged at once: speeds drift over minutes
NEARLY_SHARE = 0.6  # of how well a place agrees, from which another may be the right one: music repeats itself
CLOSE_SECONDS = 3.0  # least length of what tells places apart by a closer look
MOST_JUDGED = 4  # parts of a stretch that are judged
MOST_REPETITIONS = 5  # other places of a track that are tried
MOST_MOVED = 4  # known places at other speeds that are laid each by itself
MOVED_SPEED = 0.0075  # change of speed, as a share, from which a place is at another: noise bends windows by less
MOVED_NUMBERS = 1 << 40  # number of the first line through such a place; none of a sound comes near


CloserLook = Callable[[Sequence[tuple[float, float]]], Sequence[Fingerprint]]  # the parts between seconds, more closely


@dataclass(frozen=True, slots=True, eq=False)
class HeardSound:
    """What was heard last of a sound, and the index of that moment; times are seconds of the whole sound."""

    matcher: Matcher
    options: Options
    search: Search
    fingerprint: Fingerprint
    since: float  # second at which the fingerprint begins
    frame_seconds: float  # of the layer that windows begin with
    has_more: bool = False  # whether it is no closer than a recording's fingerprint, and parts can be
    parts: Mapping[tuple[float, float], Fingerprint] = field(default_factory=dict)  # that were looked at more closely
    explained: Sequence[Stretch] = ()  # what is left out of it

    @property
    def seconds(self) -> float:
        """The second at which it ends."""
        return self.since + self.fingerprint.seconds

    def on_grid(self, second: float) -> float:
        """Return the second of the frame that is nearest."""
        return float(np.rint(second / self.frame_seconds)) * self.frame_seconds

    def between(self, begin: float, end: float) -> Fingerprint:
        """Return the fingerprint between two seconds of the sound: of the part that holds them, where there is one."""
        for (first, last), part in self.parts.items():
            if first <= begin and end <= last:
                found = part.between(begin - first, end - first)
                break
        else:
            found = self.fingerprint.between(begin - self.since, end - self.since)
        if self.explained:
            found, _ = self.matcher.unexplained(found, self.search, self.options, self.explained, begin=begin)
        return found

    def without(self, stretches: Sequence[Stretch]) -> HeardSound:
        """Return the same without what stretches explain, as far as comparisons can tell that apart."""
        return replace(self, explained=(*self.explained, *stretches))

    def is_close_between(self, begin: float, end: float) -> bool:
        """Return whether the sound between two seconds was looked at as a query is."""
        return not self.has_more or any(first <= begin and end <= last for first, last in self.parts)

    def looked_at_closely(self, spans: Sequence[tuple[float, float]], closer: CloserLook) -> HeardSound:
        """Return the same with a closer look at the sound between some seconds."""
        return replace(self, parts={**self.parts, **dict(zip(spans, closer(spans), strict=True))})

    def end_of_part(self, begin: float) -> float:
        """Return the second at which the part of the sound ends that is looked at alike from a second on."""
        inside = [last for first, last in self.parts if first <= begin < last]
        after = [first for first, _ in self.parts if first > begin]
        return min([*inside, *after, self.seconds])

    def looked_up(self, windows: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float, Mapping[str, Hits]]]:
        """Yield (begin, end, hits) of each window; many windows are looked up at once."""
        frames = {one.name: one.frame_seconds for one in self.matcher.plan.channels}
        for first in range(0, len(windows), LOOKED_UP_WINDOWS):
            together = windows[first : first + LOOKED_UP_WINDOWS]
            begin = together[0][0]
            keys = self.matcher.keys(self.between(begin, together[-1][1]))
            hits = hits_of(keys, self.matcher.plan, self.search)
            for start, end in together:
                edges = {name: ((start - begin) / frame, (end - begin) / frame) for name, frame in frames.items()}
                yield start, end, {name: _between(found, *edges[name]) for name, found in hits.items()}

    def laid(
        self, begin: float, end: float, known: Sequence[Strand], hits: Mapping[str, Hits] | None = None
    ) -> list[Strand]:
        """Return a window laid on what `hits` name and on lines that are known, likeliest first."""
        places = [Guess(one.track, one.reference_at(begin)) for one in known]
        found = self._strands(begin, end, places, hits)
        for one in [one for one in known if _is_moved(one)][:MOST_MOVED] if len(known) > 1 or hits else []:
            if any(_is_at(one, other) and _is_moved(other) for other in found):
                continue
            # Of places that are compared at once, only the best one's speed is sought.
            again = self._strands(begin, end, [Guess(one.track, one.reference_at(begin))], None)
            found = [*(other for other in found if not _is_at(one, other)), *again]
        return found

    def _strands(
        self, begin: float, end: float, places: Sequence[Guess], hits: Mapping[str, Hits] | None
    ) -> list[Strand]:
        return self.matcher.strands(
            self.between(begin, end),
            self.search,
            self.options,
            begin=begin,
            known=places,
            hits=hits,
            only_clear=not self.is_close_between(begin, end),
        )

    def laid_on(self, begin: float, end: float, known: Sequence[Strand], named: Sequence[Guess]) -> list[Strand]:
        """Return a window laid on lines that are known and on places that are named, and on no other."""
        places = [*(Guess(one.track, one.reference_at(begin)) for one in known), *named]
        return self.matcher.strands(self.between(begin, end), self.search, self.options, begin=begin, known=places)

    def at_best_place(self, one: Stretch) -> Stretch:
        """Return a stretch where it lies best on its track: windows name one round of music that repeats itself."""
        shifts, totals = self._places(one)
        return self.moved(one, shifts[int(totals.argmax())]) if totals.argmax() else one

    def has_one_place(self, one: Stretch) -> bool:
        """Return whether a stretch agrees with no other place of its track nearly as well."""
        shifts, totals = self._places(one)
        return not any(
            total >= NEARLY_SHARE * totals[0] for seconds, total in zip(shifts, totals, strict=True) if seconds
        )

    def _places(self, one: Stretch) -> tuple[list[float], NDArray[np.float64]]:
        """Return (seconds from a stretch's place to others of its track, 0 first; how well each agrees)."""
        spans = [(max(one.start, self.since), one.end)]
        is_moved = claim_of(one.line, *spans[0]).speed != 1  # segments do not tell rounds apart at another speed
        spans = spans if is_moved else self._close_spans(*spans[0])
        parts = [part for span in spans for part in pieces_of(*span, JUDGED_SECONDS, self.frame_seconds)][:MOST_JUDGED]
        begin, end = parts[0]
        claim = claim_of(one.line, begin, end)
        guesses = self.matcher.repetitions(self.between(begin, end), self.search, self.options, claim)
        apart = [guess.start - claim.start for guess in guesses]
        shifts = [0.0]
        for seconds in apart:  # of two that are nearer, one would be compared in the other's stead
            if all(abs(seconds - other) >= ONE_PLACE_SECONDS for other in shifts):
                shifts.append(seconds)
        shifts = shifts[: 1 + MOST_REPETITIONS]
        totals = np.zeros(len(shifts))
        for begin, end in parts if len(shifts) > 1 else ():
            here = claim_of(one.line, begin, end)
            places = [replace(here, start=here.start + seconds) for seconds in shifts]
            totals += self.matcher.agreement(
                self.between(begin, end),
                self.search,
                self.options,
                places,
                is_close=not is_moved and self.is_close_between(begin, end),
            )
        return shifts, totals

    def _close_spans(self, start: float, end: float) -> list[tuple[float, float]]:
        """Return the spans between two seconds that were looked at closely; all of it where that is too little."""
        spans = [(max(first, start), min(last, end)) for first, last in self.parts]
        spans = [(first, last) for first, last in spans if last - first >= CLOSE_SECONDS]
        enough = min((end - start) / 2, JUDGED_SECONDS)
        return spans if sum(last - first for first, last in spans) >= enough else [(start, end)]

    def moved(self, one: Stretch, seconds: float) -> Stretch:
        """Return a stretch so many seconds later on its track."""
        lines = Lines(numbers=count(MOVED_NUMBERS + one.line.number))
        for strand in one.line.strands:
            if strand.begin >= self.since and one.overlap(strand.begin, strand.end):
                place = Guess(one.track, strand.reference_at(strand.begin) + seconds)
                window = self.between(strand.begin, strand.end)
                again = self.matcher.strands(window, self.search, self.options, begin=strand.begin, known=[place])
                lines.add(again[:1])
        moved = max(lines, key=lambda line: len(line.strands), default=None)
        return one if moved is None else replace(one, line=moved)


def _is_moved(one: Strand) -> bool:
    """Return whether a window surely plays at another speed: one that is less clear is bent by noise."""
    return abs(one.alignment.speed - 1) >= MOVED_SPEED and one.window_z >= CLEAR_Z


def _is_at(one: Strand, other: Strand) -> bool:
    """Return whether two windows of a sound lie on one place of a track."""
    return one.track == other.track and abs(one.reference_at(other.middle) - other.reference_at(other.middle)) < (
        ONE_LINE_SECONDS
    )


def claim_of(line: Line, start: float, end: float) -> Guess:
    """Return where a part of a sound between two seconds lies, as a line says."""
    middle = (start + end) / 2
    strand = min(line.strands, key=lambda one: one.distance(middle))
    speed = strand.alignment.speed if _is_moved(strand) else 1.0
    return Guess(line.track, strand.reference_at(middle) - (end - start) / 2, speed=speed)


def _between(hits: Hits, first: float, last: float) -> Hits:
    """Return the hits of query frames between two, counted from the first."""
    kept = (hits.query_frames >= first) & (hits.query_frames < last)
    begin = np.int32(round(first))
    return Hits(hits.query_frames[kept] - begin, hits.tracks[kept], hits.reference_frames[kept], hits.scores[kept])
