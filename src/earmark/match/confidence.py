"""Confidence: the probability that a match is right, from the evidence for it.

A logistic model over figures of the fine search. It was fitted on clips of the development music and of the training
music with equal weight for every kind of clip, known and unknown (benchmarks/fit_confidence.py prints the
coefficients and what they reach), so it is a probability where half of what is asked is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WEIGHTS = (-12.596, 5.873, -3.214, 0.923, 21.785, -1.412)  # of `features`
# Log odds of 4. On the clips that it was fitted on, 3.5 lets through at most 0.5 % of any kind of unknown clip; on
# another seed, among four times as many tracks, three of 200 clips of 1 s came to 3.6. Promised is 1 %, on any music.
THRESHOLD = 0.982


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one placing of a clip on a track."""

    matched: float  # reference peaks that fall on the clip's peaks
    expected: float  # as many would by chance, were the clip somewhere else
    z: float  # the surplus in standard deviations of chance
    rival_z: float  # the same of the best other track
    share: float  # of the reference's peaks within the clip, the surplus
    seconds: float  # of the clip


def log_odds(evidence: Evidence) -> float:
    """Return the natural logarithm of the odds that the match is right."""
    return sum(weight * feature for weight, feature in zip(WEIGHTS, features(evidence), strict=True))


def probability(odds: float) -> float:
    """Return the probability for log odds."""
    return 1 / (1 + math.exp(-min(max(odds, -30.0), 30.0)))


def logarithm_of_odds(probability: float) -> float:
    """Return the log odds of a probability between 0 and 1."""
    return math.log(probability / (1 - probability))


def features(evidence: Evidence) -> tuple[float, ...]:
    """Return the figures that the model weighs; each is compressed, so that a very clear match stays one."""
    surplus = math.log1p(max(evidence.matched - evidence.expected, 0.0))
    return (
        1.0,
        surplus,
        math.sqrt(max(evidence.z, 0.0)),
        math.tanh((evidence.z - evidence.rival_z) / 8) * 8,
        evidence.share,
        math.log(max(evidence.seconds, 0.5)),
    )
