"""What sounds beside known recordings: lines through what these leave unexplained, which is looked up again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from earmark.match.heard import JUDGED_SECONDS, HeardSound
from earmark.match.lines import Lines, Strand
from earmark.match.named import hits_of
from earmark.match.stretches import Evidence, Stretch, evidence_of, stretches_of
from earmark.match.votes import Guess

LEAST_SUPPORT = 6.0  # natural log odds of a stretch that is worth judging
SHARED_SECONDS = 1.0  # from which something sounds at the same time


def lines_beside(
    known: Sequence[Stretch], claims: Sequence[Stretch], heard: HeardSound, *, without: frozenset[int]
) -> list[Evidence]:
    """Return the lines of other tracks that agree with what known stretches leave: those that claim it, and new ones.

    Windows that were looked at closely are looked up again; where a recording goes on beyond doubt, none were. Tracks
    that the index still names may be left out.
    """
    claiming = _claiming(known, claims, since=heard.since)
    looked_up = {span for one in known for span in _windows_of(one, heard)}
    lines = Lines()
    for begin, end in sorted(claiming.keys() | looked_up):
        window, layer = heard.matcher.unexplained(
            heard.between(begin, end), heard.search, heard.options, known, begin=begin
        )
        places = [Guess(one.track, one.reference_at(begin)) for one in claiming.get((begin, end), ())]
        hits, here = None, without | {one.track for one in known if one.overlap(begin, end) >= SHARED_SECONDS}
        if (begin, end) in looked_up:
            hits = hits_of(heard.matcher.keys(window), heard.matcher.plan, heard.search, layer=layer)
        laid = heard.matcher.strands(window, heard.search, heard.options, begin=begin, known=places, hits=hits)
        beside = [one for one in laid if one.track not in here and layer in one.scores]
        lines.add([replace(one, scores={layer: one.scores[layer]}) for one in beside])
    found = [evidence_of(line) for line in lines]
    return [line for line in found if any(one.support >= LEAST_SUPPORT for one in stretches_of(line))]


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
