"""The check of candidates: a track's peaks are laid on the clip where vectors or landmarks say that they belong.

The place is known to a fraction of a segment, so little is tried beside it, and what fits by chance is little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from earmark.match.align import Placing, Points, QueryMap
from earmark.match.search import WARP_COST

# z that one of 22,400 clips of unknown sound reached, of 1 to 10 s, among 3, 13 and 668 tracks: 12.8, with another
# track too near to be clear. The next are at 11.4.
DECISIVE = 12.0
REACH_FRAMES = 12  # to either side of a line's own place that others are tried: 0.2 s
FINELY = 16  # likeliest places, tried a frame beside too: repetitions may differ by less than a frame's misfit
CLOSELY = 5  # lines that all of the query's speeds are tried for: vectors take 4 % for none in a short clip


@dataclass(frozen=True, slots=True)
class Place:
    """Where a clip should lie on a reference: reference frame = start + speed * query frame."""

    reference: Points
    start: float
    speed: float


def checked(query: QueryMap, places: Sequence[Place]) -> list[Placing]:
    """Return the best placing near each place, in their order.

    The likeliest are told to the frame, a few of them and the first ones tried at all of the query's speeds.
    """
    if not places:
        return []
    middles = [place.start + (place.speed - 1) * query.frames / 2 for place in places]  # where it is turned about
    placings = query.rough(
        [place.reference for place in places], [round(middle) for middle in middles], reach=REACH_FRAMES
    )
    ranks = sorted(range(len(places)), key=lambda number: -placings[number].z)
    for number, finer in zip(ranks[:FINELY], _beside(query, places, placings, ranks[:FINELY]), strict=True):
        placings[number] = max(placings[number], finer, key=lambda placing: placing.z)
    ranks.sort(key=lambda number: -placings[number].z)
    decided = placings[ranks[0]].z >= DECISIVE
    closely = ranks[:1] if decided else [*ranks[:CLOSELY], *range(min(CLOSELY, len(places)))]
    for number in dict.fromkeys(closely):
        warped = query.warped(places[number].reference, middles[number])
        if warped.z > placings[number].z + WARP_COST:
            placings[number] = warped
    return placings


def _beside(
    query: QueryMap, places: Sequence[Place], placings: Sequence[Placing], which: Sequence[int]
) -> list[Placing]:
    """Return the better of the placings a frame to either side of some."""
    references, starts = [places[number].reference for number in which], [placings[number].start for number in which]
    return query.rough(references, [round(start) for start in starts], reach=1)
