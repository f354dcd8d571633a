"""The coarse search: hits vote for a track and a diagonal (Wang, ISMIR 2003, section 2.3; NAFP, section 3.3).

A hit says that the clip's time q is the track's time r. Hits of one recording agree on r - q, so the tallest bins of
the histogram of r - q, track by track, are the candidates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.plan import Channel, VoteRule
from earmark.types import Frames, Hits

SAME_SPEED = 0.1  # difference of speeds, as a share, that registration makes up for
BIAS = 1 << 30  # frames; keeps diagonals positive, in 32 bits
_CELLS = 1 << 18  # entries of the table that tells which hits are alone
EVEN_CHANCE = 1e-3  # smallest vote of a neighbour


@dataclass(frozen=True, slots=True)
class Guess:
    """A track, and the second of it at which the clip would begin (negative: before the track)."""

    track: int
    start: float
    votes: float = 0.0
    speed: float = 1.0  # of the clip against the track, where the hits tell it


def vote(hits: Hits, channel: Channel) -> list[Guess]:
    """Return the candidates of a channel, most votes first; equal ones in order of track and time."""
    if not len(hits):
        return []
    rule, width = channel.votes, max(round(channel.votes.bin_seconds / channel.frame_seconds), 1)
    bins = (hits.reference_frames - hits.query_frames + np.int32(BIAS)) // np.int32(width)
    tracks = hits.tracks
    if rule.min_votes > 1:
        kept = np.flatnonzero(_in_company(bins, tracks, rule.min_votes))
        if len(kept) >= rule.limit:
            bins, tracks = bins[kept], tracks[kept]
    keys = tracks.astype(np.int64) << 32 | bins
    if rule.weighted:
        found, where = np.unique(keys, return_inverse=True)
        heights = _with_neighbours(found, np.bincount(where, weights=votes_of(hits)).astype(np.float64), rule)
    else:
        found, counts = np.unique(keys, return_counts=True)  # a third of the time that the inverse takes
        heights = _with_neighbours(found, counts.astype(np.float64), rule)
    guesses, taken = list[Guess](), defaultdict[int, list[int]](list)
    apart = round(rule.apart_seconds / channel.frame_seconds)
    for place in _tallest(heights, rule.limit * rule.shortlist):
        track, offset = int(found[place] >> 32), int(found[place] & 0xFFFFFFFF) * width - BIAS + width // 2
        others = taken[track]
        if len(others) < rule.per_track and all(abs(other - offset) >= apart for other in others):
            others.append(offset)
            guesses.append(Guess(track, offset * channel.frame_seconds, float(heights[place])))
            if len(guesses) == rule.limit:
                break
    return guesses


def vote_along(hits: Hits, channel: Channel, speeds: Sequence[float]) -> list[Guess]:
    """Return the candidates of a channel over several speeds, most votes first; equal ones in order of speed.

    A hit counts once however many keys name it. At a speed s, hits of one recording agree on r - s q.
    """
    if not len(hits):
        return []
    rule, width = channel.votes, max(round(channel.votes.bin_seconds / channel.frame_seconds), 1)
    tracks, reference_frames, query_frames = _once(hits)
    tallest: list[tuple[float, int, int, int]] = []  # (votes, minus the place of the speed, track, offset in frames)
    for place, speed in enumerate(speeds):
        offsets = reference_frames - np.rint(speed * query_frames).astype(np.int32)
        bins = (offsets + np.int32(BIAS)) // np.int32(width)
        kept = _in_company(bins, tracks, rule.min_votes)
        found, counts = np.unique(tracks[kept].astype(np.int64) << 32 | bins[kept], return_counts=True)
        heights = _with_neighbours(found, counts.astype(np.float64), rule)
        for one in _tallest(heights, rule.limit * rule.shortlist).tolist():
            offset = (int(found[one] & 0xFFFFFFFF) + 1) * width - BIAS  # between a bin and the next
            tallest.append((float(heights[one]), -place, int(found[one] >> 32), offset))
    return _apart(sorted(tallest, reverse=True), channel, speeds, middle=int(query_frames.max()) / 2)


def _once(hits: Hits) -> tuple[NDArray[np.int32], Frames, Frames]:
    """Return (tracks, reference frames, query frames) of hits, each once."""
    order = np.lexsort((hits.query_frames, hits.reference_frames, hits.tracks))
    columns = [column[order] for column in (hits.tracks, hits.reference_frames, hits.query_frames)]
    new = np.concatenate([[True], np.any([np.diff(column) != 0 for column in columns], axis=0)])
    return columns[0][new], columns[1][new], columns[2][new]


def _apart(
    tallest: Sequence[tuple[float, int, int, int]], channel: Channel, speeds: Sequence[float], *, middle: float
) -> list[Guess]:
    """Return the tallest bins as guesses, without those of a track that are like a taller one.

    Alike are bins that lie near each other in the clip's middle at about the same speed: where a few notes repeat
    themselves, the tallest may be of a wrong one.
    """
    rule, guesses, taken = channel.votes, list[Guess](), defaultdict[int, list[tuple[float, float]]](list)
    apart = rule.apart_seconds / channel.frame_seconds
    for votes, place, track, offset in tallest:
        speed = speeds[-place]
        here, others = offset + speed * middle, taken[track]
        if len(others) < rule.per_track and not any(
            abs(there - here) < apart and abs(other / speed - 1) < SAME_SPEED for there, other in others
        ):
            others.append((here, speed))
            guesses.append(Guess(track, offset * channel.frame_seconds, votes, speed))
            if len(guesses) == rule.limit:
                break
    return guesses


def votes_of(hits: Hits) -> NDArray[np.float32]:
    """Return what each hit counts, (n,): by how much its score exceeds that of its query frame's last hit."""
    frames, where = np.unique(hits.query_frames, return_inverse=True)
    floors = np.full(len(frames), np.inf, np.float32)
    np.minimum.at(floors, where, hits.scores)
    votes: NDArray[np.float32] = np.maximum(hits.scores - floors[where], 0) + EVEN_CHANCE
    return votes


def tracks_by_votes(hits: Hits) -> list[int]:
    """Return the tracks that were hit, most votes first, wherever in them the hits are."""
    found, where = np.unique(hits.tracks, return_inverse=True)
    votes = np.bincount(where, weights=votes_of(hits))
    order: list[int] = found[np.argsort(-votes, kind="stable")].tolist()
    return order


def _with_neighbours(bins: NDArray[np.int64], own: NDArray[np.float64], rule: VoteRule) -> NDArray[np.float64]:
    """Return the votes of each bin with those of the next one, or of both neighbours: diagonals move by a frame."""
    heights, follows = own.copy(), np.flatnonzero(np.diff(bins) == 1)
    heights[follows] += own[follows + 1]
    if rule.neighbours == "both":
        heights[follows + 1] += own[follows]
    return heights


def _tallest(heights: NDArray[np.float64], wanted: int) -> NDArray[np.int64]:
    """Return where the tallest bins stand, tallest first, equal ones in their order; `wanted` of them, 0 for all."""
    if 0 < wanted < len(heights):
        least = np.partition(heights, len(heights) - wanted)[len(heights) - wanted]
        high = np.flatnonzero(heights >= least)
        return high[np.argsort(-heights[high], kind="stable")][:wanted]
    return np.argsort(-heights, kind="stable")


def _in_company(bins: NDArray[np.int32], tracks: NDArray[np.int32], votes: int) -> NDArray[np.bool_]:
    """Return which hits have so many in their bin and the next to each side, or in a cell that looks alike.

    Most hits are chance and alone; passing them over saves sorting them.
    """
    cell = (bins + tracks * np.int32(7_919)) & np.int32(_CELLS - 1)  # a prime spreads tracks
    filled = np.bincount(cell, minlength=_CELLS)
    around = filled + np.roll(filled, -1) + np.roll(filled, 1)
    company: NDArray[np.bool_] = (around >= votes).take(cell)
    return company
