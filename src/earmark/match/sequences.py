"""The talk's fine search: a clip's sequence of segments is laid on those of the tracks that the coarse search names.

Edit distance or local alignment bridges what was cut out, put in or repeated, and gives the pieces with both times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from earmark.match.agreement import agreement_of, features_between, finest_rule
from earmark.match.compare import make_comparison
from earmark.match.heard import JUDGED_SECONDS, MOST_JUDGED, HeardSound
from earmark.match.lines import Strand
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage, joined
from earmark.match.pieces import SHORTEST_SECONDS, Piece, pieces_of, without_repetitions
from earmark.match.protocol import Options, References, Search, Sequential
from earmark.match.rivals import DECISIVE_Z
from earmark.match.shared import agreement_z
from earmark.match.votes import Guess
from earmark.match.windows import LONGEST_AT_ONCE_SECONDS, whole_windows
from earmark.match.windows import pieces_of as equal_parts
from earmark.plan import CompareRule
from earmark.types import Fingerprint

LONGEST_SEQUENCE_SECONDS = 120.0  # of a clip that is laid at once; longer ones in equal parts
REACH_SECONDS = 20.0  # before and after what the coarse search names of a track, within which pieces are looked for
MOST_TRACKS = 6  # that the coarse search names for a part of a clip
TRACKS_A_WINDOW = 1  # that each window names beside the ones of most evidence
EDGE_SECONDS = 0.5  # a piece that comes so near an end of the sound reaches it
MOST_CLAIMS = 20  # places of other tracks that a piece is judged against
PLACES = 6  # of a track that the odds pay for, as in explanation.py


def sequence_passages(matcher: Matcher, search: Search, options: Options, sound: Fingerprint) -> list[Passage]:
    """Return the pieces of a whole clip that `options.align` finds, in order of time."""
    if finest_rule(matcher.plan, sound) is None:
        return []
    frame = next(one.frame_seconds for one in matcher.plan.channels if one.layer == matcher.plan.compare[0].layer)
    heard = HeardSound(matcher, options, search, sound, 0.0, frame)
    windows = _windows(sound.seconds, frame)
    strands = [strand for begin, end, hits in heard.looked_up(windows) for strand in heard.laid(begin, end, (), hits)]
    pieces = list[Piece]()
    for begin, end in equal_parts(0.0, sound.seconds, LONGEST_SEQUENCE_SECONDS, frame):
        named = [one for one in strands if one.begin < end and one.end > begin]
        part = heard.between(begin, end)
        rule = finest_rule(matcher.plan, part)
        comparison = rule and make_comparison(rule, part.layers[rule.layer], hits=None, wide=False)
        if rule is not None and isinstance(comparison, Sequential):
            for track in _likeliest(named):
                own = [one for one in named if one.track == track]
                found = _pieces(comparison, matcher.references, rule, own, options.align)
                pieces += [one.later(begin) for one in found]
    looks = len(windows) * PLACES if len(windows) > 1 else 1
    judged = [_judged(heard, one, pieces, strands, looks=looks) for one in pieces]
    return joined([one for one in judged if one is not None])


def _windows(seconds: float, frame: float) -> list[tuple[float, float]]:
    """Return the windows that are looked up, of which the last one reaches the end."""
    if seconds <= LONGEST_AT_ONCE_SECONDS:
        return [(0.0, seconds)]
    windows = whole_windows(seconds, frame)
    return [*windows[:-1], (windows[-1][0], seconds)]


def _likeliest(strands: Sequence[Strand]) -> list[int]:
    """Return the tracks that windows agree with most, and the first ones of each window."""
    evidence: dict[int, dict[float, float]] = {}
    for one in strands:
        own = evidence.setdefault(one.track, {})
        own[one.begin] = max(own.get(one.begin, 0.0), agreement_z(one))
    totals = {track: sum(own.values()) for track, own in evidence.items()}
    ranked = sorted(totals, key=lambda track: -totals[track])[:MOST_TRACKS]
    for begin in dict.fromkeys(one.begin for one in strands):
        here = [track for track in evidence if begin in evidence[track]]
        ranked += sorted(here, key=lambda track: -evidence[track][begin])[:TRACKS_A_WINDOW]
    return list(dict.fromkeys(ranked))


def _pieces(
    comparison: Sequential, references: References, rule: CompareRule, strands: Sequence[Strand], method: str
) -> list[Piece]:
    """Return the pieces of a track in a part of a clip; strands say where the coarse search named it."""
    track, found = strands[0].track, list[Piece]()
    reference = references([track])[track].layers[rule.layer]
    for low, high in _regions(strands):
        layer, first = features_between(reference, low, high)
        if len(layer.frames):
            found += pieces_of(agreement_of(comparison.similarities(layer), first), track, method=method)
    return without_repetitions(found)


def _regions(strands: Sequence[Strand]) -> list[tuple[float, float]]:
    """Return the seconds of a track around what was named of it, that do not overlap, in order."""
    found = list[tuple[float, float]]()
    for one in sorted(strands, key=lambda one: one.reference_at(one.begin)):
        low, high = one.reference_at(one.begin) - REACH_SECONDS, one.reference_at(one.end) + REACH_SECONDS
        if found and low <= found[-1][1]:
            low, high = found[-1][0], max(found.pop()[1], high)
        found.append((low, high))
    return found


def _judged(
    heard: HeardSound, piece: Piece, pieces: Sequence[Piece], strands: Sequence[Strand], *, looks: int
) -> Passage | None:
    """Return a piece as a passage, as sure as its parts are as clips; None where it is too short to tell."""
    total = heard.fingerprint.seconds
    start = 0.0 if piece.start < EDGE_SECONDS else piece.start
    end = total if total - piece.end < EDGE_SECONDS else piece.end
    if end - start < SHORTEST_SECONDS:
        return None
    parts = equal_parts(start, end, JUDGED_SECONDS, heard.frame_seconds)[:MOST_JUDGED]
    weighed = [_weighed(heard, piece, [*strands, *pieces], low, high) for low, high in parts]
    found = [one for one in weighed if one is not None]
    if not found:
        return None
    surest = max(found, key=lambda one: one.log_odds)
    beyond_doubt = max(surest.evidence.get("z", 0.0) - DECISIVE_Z, 0.0)
    together = max(surest.log_odds, sum(one.log_odds for one in found))  # parts hear different sound
    return replace(
        surest,
        log_odds=together + beyond_doubt - math.log(looks),
        query_start=start,
        query_end=end,
        reference_start=_nearest(found, start).reference_at(start),
        reference_end=_nearest(found, end).reference_at(end),
        evidence={**surest.evidence, "support": round(piece.support, 3)},
    )


def _weighed(
    heard: HeardSound, piece: Piece, others: Sequence[Strand | Piece], low: float, high: float
) -> Passage | None:
    """Return a part of a piece as a passage, against what else claims it."""
    claims = {one.track: one.reference_at(low) for one in others if _claims(one, piece.track, low, high)}
    return heard.matcher.judge(
        heard.between(low, high),
        heard.search,
        heard.options,
        begin=low,
        claim=Guess(piece.track, piece.reference_at(low)),
        claims=[Guess(track, there) for track, there in claims.items()][:MOST_CLAIMS],
    )


def _claims(one: Strand | Piece, track: int, low: float, high: float) -> bool:
    """Return whether a place of another track claims half of a part of a clip."""
    begin, end = (one.begin, one.end) if isinstance(one, Strand) else (one.start, one.end)
    return one.track != track and min(end, high) - max(begin, low) > (high - low) / 2


def _nearest(passages: Sequence[Passage], second: float) -> Passage:
    return min(passages, key=lambda one: max(one.query_start - second, second - one.query_end))
