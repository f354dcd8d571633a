"""Windows of a sound in order of time: what goes on is followed ahead, beyond what one window holds.

Where one place explains the sound beyond doubt, its windows are asked only for what else sounds at the same time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from earmark.match.heard import NEARLY_SHARE, HeardSound
from earmark.match.lines import Line, Strand
from earmark.match.named import named_by
from earmark.match.rivals import CLEAR_Z
from earmark.match.stretches import Stretch, evidence_of, stretches_of
from earmark.match.windows import HOP_SECONDS, WINDOW_SECONDS
from earmark.types import Hits

AHEAD_SECONDS = 25.0  # that a line is followed at once: a speed that is known to 0.1 % is 25 ms off at the end
LEAST_SECONDS = 7.5  # that following ahead must gain: a window and its hop, or nothing is saved
EDGE_SECONDS = 0.5  # at a window's ends, of which it is not asked whether a line fills them
MOST_ROUNDS = 4  # other places of their tracks that are followed at first
CLEARER = 1.1  # share of another round's z by which one must exceed it to be followed in its stead
MOST_FOLLOWED = 4  # places that are followed together: a recording and its copies
ALONE_SHARE = 0.85  # of how well a place agrees around, in each hop where nothing else sounds: 0.87 to 1.12 measured
BEFORE_SHARE = 0.7  # of how well it agreed before, which music itself may be less clear than


@dataclass(slots=True)
class Continuation:
    """What goes on at the end of the windows that were laid so far."""

    going_on: list[Strand] = field(default_factory=list)  # of the last window
    spans: list[tuple[float, float]] = field(default_factory=list)  # seconds between which a place fills the sound
    tracks: set[int] = field(default_factory=set)  # of those places
    alone: list[tuple[float, float]] = field(default_factory=list)  # seconds between which nothing else sounds

    def through(self, heard: HeardSound, windows: Sequence[tuple[float, float]]) -> Iterator[list[Strand]]:
        """Yield the strands of windows in order of time, likeliest first, and of what is followed ahead of them."""
        beside: list[Strand] = []
        going_on = [one for one in self.going_on if _fills(one, gap=EDGE_SECONDS)]
        yield from self._ahead(heard, going_on, gap=EDGE_SECONDS)
        for begin, end, hits in heard.looked_up([one for one in windows if not _lies_in(self.alone, *one)]):
            if self.fills(begin, end):
                found = self._beside(heard, begin, end, beside, hits)
                yield found
                beside = [one for one in found if agreeing_stretches(one)]
                continue
            strands = heard.laid(begin, end, [*self.going_on, *beside], hits)
            yield strands
            beside, self.going_on = [], [one for one in strands if agreeing_stretches(one)]
            leading = [one for one in strands if _fills(one)]
            yield from self._ahead(heard, leading, _rounds(leading, self.going_on))

    def back(self, heard: HeardSound, strand: Strand) -> list[Strand]:
        """Return the strand of a place before a window that named it, where another one was thought to fill the sound.

        Music repeats itself: the place that goes on may be the right one of what came before, too.
        """
        begin, end = (
            heard.on_grid(max(strand.begin - AHEAD_SECONDS, heard.since)),
            heard.on_grid(strand.end - HOP_SECONDS),
        )
        for one in heard.laid(begin, end, [strand]):
            agreeing = agreeing_stretches(one)
            if agreeing and agreeing[-1].end >= end - EDGE_SECONDS:  # laid again without what does not agree
                return heard.laid(heard.on_grid(agreeing[-1].start), end, [one])
        return []

    def fills(self, begin: float, end: float) -> bool:
        """Return whether one place explains a window beyond doubt."""
        return _lies_in(self.spans, begin, end)

    def copy(self) -> Continuation:
        """Return one that goes on by itself."""
        return Continuation(list(self.going_on), list(self.spans), set(self.tracks), list(self.alone))

    def forget(self, *, before: float) -> None:
        """Forget what filled the sound until a second."""
        self.spans = [span for span in self.spans if span[1] >= before]
        self.alone = [span for span in self.alone if span[1] >= before]

    def drop(self, track: int) -> None:
        """Forget a track."""
        self.going_on = [one for one in self.going_on if one.track != track]
        self.spans, self.tracks, self.alone = [], self.tracks - {track}, []

    def _ahead(
        self, heard: HeardSound, leading: Sequence[Strand], rounds: Sequence[Strand] = (), *, gap: float = 0.0
    ) -> Iterator[list[Strand]]:
        """Yield the strands of places that fill a window, as far as they go on to fill the sound.

        Of what filled the sound before, moments up to `gap` seconds are passed over. Of a track that nearly agrees at
        other `rounds` of its music too, the one is followed that agrees best so far.
        """
        while leading:
            begin = heard.on_grid(leading[0].end - HOP_SECONDS)
            end = min(begin + AHEAD_SECONDS, heard.end_of_part(begin))
            if end - begin < 2 * WINDOW_SECONDS:
                return
            ahead = heard.laid(begin, end, _of_different_tracks(leading)[:MOST_FOLLOWED])
            if rounds:
                ahead, rounds = _with_clearer(ahead, heard.laid(begin, end, rounds)), []
            reached = [(one, last) for one in ahead if (last := _filled_until(one, gap=gap)) >= begin + LEAST_SECONDS]
            if not reached:
                return
            kept = [strand for one, last in reached for strand in _only_until(heard, one, last)]
            yield kept
            last = max(one.end for one in kept)
            self.spans.append((leading[0].begin, last))
            self.alone += _alone(leading[0], kept[0])
            self.tracks |= {one.track for one in kept}
            self.going_on, leading = kept, [one for one in kept if one.end >= end - EDGE_SECONDS]

    def _beside(
        self, heard: HeardSound, begin: float, end: float, known: Sequence[Strand], hits: Mapping[str, Hits]
    ) -> list[Strand]:
        """Return what else agrees with a window that a place fills."""
        others = named_by(heard.matcher.plan, hits, without=frozenset(one.track for one in self.going_on))
        named = [guess for one in others for guess in one.standing_out]
        if not named and not known:
            return []
        return heard.laid_on(begin, end, known, named)


def agreeing_stretches(strand: Strand) -> list[Stretch]:
    """Return the stretches throughout which a window agrees with a place, in order of time."""
    return stretches_of(evidence_of(Line(0, (strand,))))


def _rounds(leading: Sequence[Strand], others: Sequence[Strand]) -> list[Strand]:
    """Return other places of the leading tracks that agree nearly as well."""
    clearest = {one.track: one.window_z for one in reversed(leading)}
    least = {track: NEARLY_SHARE * z for track, z in clearest.items()}
    found = [one for one in others if one not in leading and one.window_z >= least.get(one.track, math.inf)]
    return found[:MOST_ROUNDS]


def _with_clearer(ahead: Sequence[Strand], rounds: Sequence[Strand]) -> list[Strand]:
    """Return strands, that of another round in the stead of one of its track that it agrees clearly better than."""
    found = list(ahead)
    for one in rounds:
        for number, other in enumerate(found):
            if one.track == other.track and one.window_z > CLEARER * other.window_z:
                found[number] = one
    return found


def _fills(strand: Strand, *, gap: float = 0.0) -> bool:
    return _filled_until(strand, gap=gap) >= strand.end - EDGE_SECONDS


def _filled_until(strand: Strand, *, gap: float = 0.0) -> float:
    """Return the second until which a place explains a window from its beginning on, beyond doubt."""
    if strand.window_z < CLEAR_Z:
        return strand.begin
    until = strand.begin
    for one in agreeing_stretches(strand):
        if one.start > until + (gap if until > strand.begin else EDGE_SECONDS):
            break
        until = one.end
    heard = max((float(one.seconds[-1]) for one in strand.scores.values() if len(one.seconds)), default=strand.begin)
    return min(until, heard + EDGE_SECONDS)  # silence is filled by nothing


def _alone(before: Strand, ahead: Strand) -> list[tuple[float, float]]:
    """Return the seconds between which a place goes on to agree as it did: whatever else sounded would hide a part."""
    layer, scores = max(ahead.scores.items(), key=lambda one: len(one[1].values))
    earlier = before.scores[layer].values if layer in before.scores else scores.values
    least = ALONE_SHARE * float(scores.values.mean())
    if len(earlier):
        least = max(least, BEFORE_SHARE * float(earlier.mean()))
    edges = np.linspace(ahead.begin, ahead.end, max(round((ahead.end - ahead.begin) / HOP_SECONDS), 1) + 1).tolist()
    found: list[tuple[float, float]] = []
    for first, last in pairwise(edges):
        values = scores.values[slice(*np.searchsorted(scores.seconds, [first, last]))]
        if len(values) and values.mean() >= least:
            begin = found.pop()[0] if found and found[-1][1] == first else first
            found.append((begin, last))
    return found


def _lies_in(spans: Sequence[tuple[float, float]], begin: float, end: float) -> bool:
    return any(first <= begin and end <= last for first, last in spans)


def _only_until(heard: HeardSound, strand: Strand, end: float) -> list[Strand]:
    """Return a strand up to a second: laid again, if it is shorter then, so that what follows does not bend it."""
    end = heard.on_grid(end)
    return [strand] if end >= strand.end - EDGE_SECONDS else heard.laid(strand.begin, end, [strand])


def _of_different_tracks(strands: Sequence[Strand]) -> list[Strand]:
    return list({one.track: one for one in reversed(strands)}.values())[::-1]
