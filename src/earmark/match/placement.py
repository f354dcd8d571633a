"""From alignments of a window to a passage: which layer says where it lies, and how far it reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from earmark.match.passages import Passage
from earmark.match.protocol import Alignment

EDGE_SECONDS = 1.0  # distance from the clip's edge within which a match is taken to reach it
PLACED_Z = 3.0  # z from which a finer layer tells place and speed: right to 50 ms twice as often as vectors
BOUNDED_Z = 7.0  # z from which it tells the ends too


def combine(alignments: Sequence[Alignment]) -> Alignment:
    """Return what the layers say together: the first one, corrected by the finer ones after it where these are sure."""
    best = alignments[0]
    for finer in alignments[1:]:
        z = finer.figures.get("z", 0.0)
        if z >= BOUNDED_Z:
            best = finer
        elif z >= PLACED_Z:
            best = replace(finer, first=best.first, last=best.last)
    return best


def passage_of(
    track: int,
    alignment: Alignment,
    *,
    log_odds: float,
    evidence: Mapping[str, float],
    begin: float,
    seconds: float,
    length: float,
) -> Passage:
    """Return the passage of a window of `seconds`, which begins at `begin` of the clip, in a track of `length`."""
    start, end = clip_to_track(alignment, seconds=seconds, length=length)
    return Passage(
        track=track,
        log_odds=log_odds,
        query_start=begin + start,
        query_end=begin + end,
        reference_start=alignment.start + alignment.speed * start,
        reference_end=alignment.start + alignment.speed * end,
        speed=alignment.speed,
        pitch=alignment.pitch,
        position_error=alignment.position_error,
        evidence=evidence,
        is_measured=alignment.is_measured,
    )


def clip_to_track(alignment: Alignment, *, seconds: float, length: float) -> tuple[float, float]:
    """Return the (start, end) in a window of `seconds` of what was aligned.

    It reaches the window's edges where it comes near, and no farther than the track, which is `length` seconds long.
    """
    start = 0.0 if alignment.first < EDGE_SECONDS else alignment.first
    end = seconds if seconds - alignment.last < EDGE_SECONDS else alignment.last
    before, after = -alignment.start / alignment.speed, (length - alignment.start) / alignment.speed
    start, end = max(start, before), min(end, after)
    return start, max(end, start)
