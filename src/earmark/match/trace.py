"""How far a sound and a track agree, moment by moment: what a picture of an answer shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.match.agreement import agreement_of, features_between, finest_rule
from earmark.match.compare import make_comparison
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage
from earmark.match.protocol import Alignment, Options, Scores, Search, Sequential
from earmark.types import Fingerprint, Trace

STEP_SECONDS = 0.1  # from one moment to the next
AROUND_SECONDS = 1.0  # of sound that speaks for a moment
LONGEST_SECONDS = 120.0  # of a sound that is traced; more is too narrow to be seen
RIVAL_SECONDS = 10.0  # of the best passage, in which a runner-up is looked for
MARGIN_SECONDS = 4.0  # of the track, at least, before and after what passages hold of it
MARGIN_SHARE = 0.25  # the same, as a share of what they hold


def best_and_rival(
    matcher: Matcher,
    search: Search,
    options: Options,
    sound: Fingerprint,
    told: Sequence[Passage],
    candidates: Sequence[Passage],
) -> list[list[Passage]]:
    """Return what was told of the best track, or would be first, and then what the runner-up has to say.

    Where no candidate is of another track, that is what comes next in the middle of the best passage.
    """
    best = max(told or candidates[:1], key=lambda one: one.log_odds, default=None)
    if best is None:
        return []
    own = [one for one in told if one.track == best.track] or [best]
    grid = max(layer.frame_seconds for layer in sound.layers.values())
    begin = int(max((best.query_start + best.query_end - RIVAL_SECONDS) / 2, 0.0) / grid) * grid
    part = sound.between(begin, min(begin + RIVAL_SECONDS, sound.seconds))
    near = matcher.match(part, search, options, begin=begin)
    rivals = [one for one in [*candidates, *near] if one.track != best.track and one.track not in best.copies]
    return [own, rivals[:1]] if rivals else [own]


def trace_of(matcher: Matcher, sound: Fingerprint, passages: Sequence[Passage]) -> Trace | None:
    """Return how a sound agrees with the track of passages, along the line of each, by the finest layer that can tell.

    Of a long sound, the part around the first passage; None where no layer can tell.
    """
    start = _start(sound.seconds, passages[0], max(layer.frame_seconds for layer in sound.layers.values()))
    part = sound.between(start, min(start + LONGEST_SECONDS, sound.seconds))
    rule = finest_rule(matcher.plan, part)
    comparison = rule and make_comparison(rule, part.layers[rule.layer], hits=None, wide=False)
    if rule is None or not isinstance(comparison, Sequential):
        return None
    reference = matcher.references([passages[0].track])[passages[0].track].layers[rule.layer]
    seconds = np.arange(0.0, part.seconds, STEP_SECONDS) + STEP_SECONDS / 2
    agreement = [
        _around(comparison.over_time(reference, _alignment(one, start, part.seconds)), seconds) for one in passages
    ]
    low, high = min(one.reference_start for one in passages), max(one.reference_end for one in passages)
    margin = max(MARGIN_SECONDS, MARGIN_SHARE * (high - low))
    layer, first = features_between(reference, low - margin, high + margin)
    if not len(layer.frames):
        return None
    found = agreement_of(comparison.similarities(layer), first)
    half = found.step_seconds / 2
    return Trace(
        seconds=seconds + start,
        agreement=np.array(agreement, np.float32),
        similarity=found.deviations,
        step_seconds=found.step_seconds,
        start=start + found.window_seconds - half,
        reference_start=found.track_seconds - half,
    )


def _start(seconds: float, passage: Passage, grid: float) -> float:
    """Return the second at which the part of a sound begins that is traced, on the grid of its coarsest layer."""
    middle = (passage.query_start + passage.query_end) / 2
    start = min(max(middle - LONGEST_SECONDS / 2, 0.0), max(seconds - LONGEST_SECONDS, 0.0))
    return int(start / grid) * grid


def _alignment(passage: Passage, start: float, seconds: float) -> Alignment:
    """Return the line of a passage throughout a part of the sound."""
    return Alignment(passage.reference_at(start), passage.speed, passage.pitch, 0.0, 0.0, seconds)


def _around(scores: Scores, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how many deviations of chance the sound around each moment agrees; not a number if nothing says."""
    sums = np.concatenate([[0.0], np.cumsum(scores.values)])
    half = AROUND_SECONDS / 2
    low, high = (np.searchsorted(scores.seconds, seconds + shift) for shift in (-half, half))
    deviations = np.sqrt(np.maximum(high - low, 1) * scores.correlation)
    found: NDArray[np.float64] = np.where(high > low, (sums[high] - sums[low]) / deviations, np.nan)
    return found
