"""Tracks that are looked through when nothing is decisive: the likeliest whole, more of them where hits lie."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from earmark.match.protocol import Candidate, Checkable, Placement, References, Registrable, Sweepable
from earmark.match.rivals import DECISIVE_Z
from earmark.match.votes import BIAS, Guess, tracks_by_votes
from earmark.plan import SweepRule
from earmark.types import Fingerprint, Hits, Layer

READ_AT_ONCE = 16  # references that a sweep reads and looks through in one batch: it may stop after it
CHECKED_SECONDS = 0.25  # width of the bins of diagonals of which one place each is checked
MOST_CHECKED = 256  # places, those with most hits; a clip of 1 s seldom has more
CHECKED_REACH_SECONDS = 0.16  # to either side of a bin's middle that places are tried


def looked_through(
    rule: SweepRule,
    sweepable: Sweepable,
    ranked: Sequence[Candidate],
    hits: Hits,
    references: References,
    *,
    frame_seconds: float,
) -> list[Guess]:
    """Return the best places of the likeliest tracks: those that are ranked, best first, then by votes of the hits."""
    tracks = list(dict.fromkeys([*(one.track for one in ranked), *tracks_by_votes(hits)]))
    best = ranked[0].figure("z") if ranked else 0.0
    others = tracks[rule.most_tracks :]
    return [
        *swept(rule, sweepable, tracks, references, best=best),
        *checked(rule, sweepable, others, hits, references, frame_seconds=frame_seconds),
    ]


def swept(
    rule: SweepRule, sweepable: Sweepable, tracks: Iterable[int], references: References, *, best: float
) -> list[Guess]:
    """Return the best place of tracks that are searched from end to end, the best ones of all.

    The tracks come in the order given, the likeliest first, until one is beyond doubt, which `best` is the z so far of,
    or enough is done.
    """
    layer = _layer_of(rule, sweepable)
    left, found, beyond_doubt = rule.budget, list[tuple[float, int, float]](), max(DECISIVE_Z, best)
    for batch in _in_batches(islice(tracks, rule.most_tracks), references):
        swept = list[tuple[int, Layer]]()
        for track, reference in batch:
            one = reference.layers[layer].unpacked()
            cost = sweepable.sweep_cost(one)
            if cost <= left:
                left -= cost
                swept.append((track, one))
        places = sweepable.sweep_each([one for _, one in swept])
        found += [(one.figures["z"], track, one.start) for (track, _), one in zip(swept, places, strict=True) if one]
        if left < rule.budget // 100 or max(found, default=(0.0,))[0] > beyond_doubt:  # less than a usual track takes
            break
    return [Guess(track, start) for _, track, start in heapq.nlargest(rule.places, found)]


def checked(
    rule: SweepRule,
    sweepable: Sweepable,
    tracks: Sequence[int],
    hits: Hits,
    references: References,
    *,
    frame_seconds: float,
) -> list[Guess]:
    """Return the best place of tracks at which hits lie, whose frames are so long, the best ones of all.

    Noise leaves few hits of a second of music where they belong, and one is enough here.
    """
    if not isinstance(sweepable, Checkable):
        return []
    own = np.isin(hits.tracks, np.array(tracks[: rule.checked_tracks], np.int32))
    width = max(round(CHECKED_SECONDS / frame_seconds), 1)
    bins = (hits.reference_frames[own] - hits.query_frames[own]) // np.int32(width)
    places, votes = np.unique(hits.tracks[own].astype(np.int64) << 32 | (bins + np.int32(BIAS)), return_counts=True)
    places = places[np.argsort(-votes, kind="stable")[:MOST_CHECKED]]
    starts = (((places & 0xFFFFFFFF) - BIAS + 0.5) * (width * frame_seconds)).tolist()
    numbers: list[int] = (places >> 32).tolist()
    layer, read = _layer_of(rule, sweepable), references(list(dict.fromkeys(numbers)))
    laid = sweepable.check([read[one].layers[layer] for one in numbers], starts, reach_seconds=CHECKED_REACH_SECONDS)
    best: dict[int, tuple[float, int, float]] = {}
    for track, place in zip(numbers, laid, strict=True):
        best[track] = max(best.get(track, (-np.inf, track, 0.0)), (place.figures["z"], track, place.start))
    return [Guess(track, start) for _, track, start in heapq.nlargest(rule.checked_places, best.values())]


def repetitions(rule: SweepRule, sweepable: Sweepable, reference: Layer, *, most: int, share: float) -> list[float]:
    """Return the seconds of a reference at which a window lies best, with so large a share of the best one's z.

    They are as many as the rule allows, unless it is said how many at `most`; none where they would take too long.
    """
    if not most and sweepable.sweep_cost(reference) > rule.repetition_budget:
        return []
    places = sweepable.sweep(reference, limit=most or rule.repetitions)
    least = share * places[0].figures["z"] if places else 0.0
    return [place.start for place in places if place.figures["z"] >= least]


def repetitions_at_speed(
    rule: SweepRule, sweepable: Sweepable, reference: Layer, placement: Placement, *, seconds: float
) -> list[float]:
    """Return the same for a window of so many seconds that lies on the reference at another speed.

    They are told as those of a clip at the recording's speed are: as if it lay so that its middle is right.
    """
    if not isinstance(sweepable, Registrable) or sweepable.sweep_cost(reference) > rule.repetition_budget:
        return []
    turned = (placement.speed - 1) * seconds / 2
    return [start + turned for start in sweepable.repetitions(reference, placement, limit=rule.repetitions)]


def _layer_of(rule: SweepRule, sweepable: Sweepable) -> str:
    return rule.layer if sweepable.seconds < rule.short_seconds else rule.strongest


def _in_batches(tracks: Iterator[int], references: References) -> Iterator[list[tuple[int, Fingerprint]]]:
    while batch := list(islice(tracks, READ_AT_ONCE)):
        read = references(batch)
        yield [(track, read[track]) for track in batch]
