"""Coarse and fine search in one: from an index's hits to alignments, the best first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from earmark.match.align import Alignment, Placing, Points, QueryMap, warps
from earmark.match.vote import vote
from earmark.types import Hits

CANDIDATES = 60  # of the coarse search; on the development clips at 0 dB the right one is nearly always among them
BY_MATCHES, BY_VOTES = 5, 8  # of these the fine search also tries other speeds
ALIKE = 0.5  # of two z; further apart, two tracks are not looked at for being copies
WARP_COST = 1.0  # of z: about what the best of so many warps gains by chance
DECISIVE = 12.0  # z of a rough placing that no chance placing on the development clips comes near
USUAL_WARPS = warps(range(-4, 5))  # what turntables, tapes and radio stations do, a per cent at a time
WIDE_WARPS = warps(range(-10, 11))


@dataclass(frozen=True, slots=True)
class Aligned:
    """A track, how the clip lies on it, and how well it lies on the best other track."""

    track: int
    alignment: Alignment
    rival_z: float


def search(hits: Hits, query: QueryMap, reference: Callable[[int], Points | None], *, limit: int = 1) -> list[Aligned]:
    """Return how the clip lies on up to `limit` tracks, largest z first.

    `reference` gives a track's constellation, or None when it cannot be read.
    """
    known = [
        (candidate, points) for candidate in vote(hits, limit=CANDIDATES) if (points := reference(candidate.track))
    ]
    if not known:
        return []
    rough = query.rough([points for _, points in known], [candidate.offset for candidate, _ in known])
    places = sorted(range(len(known)), key=lambda place: -rough[place].z)
    decided = rough[places[0]].z >= DECISIVE
    closely = places[:1] if decided else dict.fromkeys([*places[:BY_MATCHES], *range(min(BY_VOTES, len(known)))])
    for place in closely:
        warped = query.warped(known[place][1], rough[place].start)
        if warped.z > rough[place].z + WARP_COST:
            rough[place] = warped
    best: dict[int, tuple[Placing, Points]] = {}
    for place in sorted(range(len(known)), key=lambda place: -rough[place].z):
        best.setdefault(known[place][0].track, (rough[place], known[place][1]))
    ranked = list(best.items())
    return [
        Aligned(track, query.measured(points, placing), _rival_z(query, ranked, rank))
        for rank, (track, (placing, points)) in enumerate(ranked[:limit])
    ]


def _rival_z(query: QueryMap, ranked: list[tuple[int, tuple[Placing, Points]]], rank: int) -> float:
    """Return the largest z of another track, but for tracks that hold the same sound there: a copy is no rival."""
    placing, points = ranked[rank][1]
    for place, (_, (other, other_points)) in enumerate(ranked):
        if place == rank:
            continue
        alike = min(placing.z, other.z) > ALIKE * max(placing.z, other.z)
        if not (alike and query.is_same_sound((points, placing.start), (other_points, other.start))):
            return other.z
    return 0.0
