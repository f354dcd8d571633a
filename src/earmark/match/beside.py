"""What sounds beside known recordings: lines through what these leave unexplained, which is looked up again."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from earmark.match.heard import JUDGED_SECONDS, HeardSound
from earmark.match.lines import Lines, Strand
from earmark.match.named import hits_of
from earmark.match.stretches import LEAST_SUPPORT, Evidence, Stretch, evidence_of, stretches_of
from earmark.match.votes import Guess

SHARED_SECONDS = 1.0  # seconds of overlap from which two recordings sound at the same time


class Beside:
    """Finds what sounds beside known recordings, look by look.

    Windows are laid once, as long as the same is known of them: sound that arrives is looked at every second.
    """

    def __init__(self) -> None:
        self._laid: dict[Hashable, list[Strand]] = {}  # of the last look
        self._dropped = frozenset[int]()  # tracks that cannot be had any more

    def copy(self) -> Beside:
        """Return one that goes on by itself."""
        return copy.copy(self)

    def drop(self, track: int) -> None:
        """Forget a track, which the index may still name."""
        self._dropped |= {track}

    def lines(self, known: Sequence[Stretch], claims: Sequence[Stretch], heard: HeardSound) -> list[Evidence]:
        """Return the lines of other tracks that agree with what known stretches leave: that claim it, and new ones.

        Windows that were looked at closely are looked up again; where a recording goes on beyond doubt, none were.
        """
        claiming = _claiming(known, claims, since=heard.since)
        looked_up = {span for one in known for span in _windows_of(one, heard)}
        lines, before, self._laid = Lines(), self._laid, {}
        for begin, end in sorted(claiming.keys() | looked_up):
            here = [one for one in known if one.overlap(begin, end) > 0]
            places = [Guess(one.track, one.reference_at(begin)) for one in claiming.get((begin, end), ())]
            looks_up, is_close = (begin, end) in looked_up, heard.is_close_between(begin, end)
            key = (begin, end, looks_up, is_close, _known_of(here, begin, end), frozenset(places))
            laid = before[key] if key in before else _left_in((begin, end), here, places, heard, looks_up=looks_up)
            self._laid[key] = laid
            named = self._dropped | {one.track for one in here if one.overlap(begin, end) >= SHARED_SECONDS}
            lines.add([one for one in laid if one.track not in named])
        found = [evidence_of(line) for line in lines]
        return [line for line in found if any(one.support >= LEAST_SUPPORT for one in stretches_of(line))]


def _left_in(
    span: tuple[float, float], known: Sequence[Stretch], places: Sequence[Guess], heard: HeardSound, *, looks_up: bool
) -> list[Strand]:
    """Return what a window without known stretches is laid on, by the layer that tells them apart alone."""
    matcher, search, options, begin = heard.matcher, heard.search, heard.options, span[0]
    window, layer = matcher.unexplained(heard.between(*span), search, options, known, begin=begin)
    hits = hits_of(matcher.keys(window), matcher.plan, search, layer=layer) if looks_up else None
    laid = matcher.strands(window, search, options, begin=begin, known=places, hits=hits)
    return [replace(one, scores={layer: one.scores[layer]}) for one in laid if layer in one.scores]


def _known_of(known: Sequence[Stretch], begin: float, end: float) -> Hashable:
    """Return what tells apart what is known of a window, to a tenth of a second."""
    seconds = ((one.track, max(one.start, begin), min(one.end, end), one.line.reference_at(begin)) for one in known)
    return frozenset((track, *(round(second, 1) for second in rest)) for track, *rest in seconds)


def _claiming(
    known: Sequence[Stretch], claims: Sequence[Stretch], *, since: float
) -> dict[tuple[float, float], list[Strand]]:
    """Return the strands of what claims the time of another track, by their windows, of sound that is at hand."""
    found: dict[tuple[float, float], list[Strand]] = {}
    for claim in claims:
        shared = (one.overlap(claim.start, claim.end) for one in known if one.track != claim.track)
        if any(seconds >= SHARED_SECONDS for seconds in shared):
            for strand in claim.line.strands:
                if strand.begin >= since and claim.overlap(strand.begin, strand.end) > 0:
                    found.setdefault((strand.begin, strand.end), []).append(strand)
    return found


def _windows_of(one: Stretch, heard: HeardSound) -> Iterator[tuple[float, float]]:
    """Yield the windows of a stretch that were looked at closely."""
    for strand in one.line.strands:
        begin, end = strand.begin, strand.end
        is_window = begin >= heard.since and end - begin <= JUDGED_SECONDS
        if is_window and one.overlap(begin, end) > 0 and heard.is_close_between(begin, end):
            yield begin, end
