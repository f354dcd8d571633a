"""Confidence: the probability that a match is right, a logistic model over its evidence, kept as data.

A calibration belongs to the fingerprint, the plan and the index that it was fitted for (`earmark calibrate`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import msgspec

BEST_Z_BY_CHANCE = 5.0  # standard deviations, of the best of 668 tracks under unknown clips: the 5th percentile is 4.5
BEST_CONTRAST_BY_CHANCE = 6.0  # standard deviations, likewise: the 5th percentile is 5


class Model(msgspec.Struct, frozen=True):
    """Weights of features for one set of compared layers."""

    layers: tuple[str, ...]
    features: tuple[str, ...]
    rising: tuple[str, ...]  # features that can only speak for a match
    lengths: tuple[float, ...]  # seconds of a clip
    weights: tuple[tuple[float, ...], ...]  # (lengths, features)
    threshold: float  # confidence that counts as found


class Calibration(msgspec.Struct, frozen=True):
    """The models of one kind of catalog, and what they were fitted for."""

    spec: str
    plan: str  # digest of the plan
    index: str  # name of the index
    models: tuple[Model, ...]  # the first for when every layer can be compared
    fitted_on: str  # in words


def probability(log_odds: float) -> float:
    """Return the probability for log odds."""
    return 1 / (1 + math.exp(-min(max(log_odds, -30.0), 30.0)))


def features_of(evidence: Mapping[str, float], model: Model) -> tuple[float, ...]:
    """Return the features that a model weighs."""
    return tuple(FEATURES[name](evidence) for name in model.features)


def _lead_in_contrast(evidence: Mapping[str, float]) -> float:
    rival = max(evidence["rival_contrast"], BEST_CONTRAST_BY_CHANCE)
    contrast = max(evidence["contrast"], BEST_CONTRAST_BY_CHANCE)
    return (contrast - rival) / max(contrast, rival)


# Each is bounded or compressed, so that a very clear match stays one.
FEATURES: Mapping[str, Callable[[Mapping[str, float]], float]] = {
    "constant": lambda evidence: 1.0,
    "similarity": lambda evidence: evidence["similarity"],
    "lead in similarity": lambda evidence: evidence["similarity"] - evidence["rival"],
    "margin": lambda evidence: evidence["margin"],
    "share": lambda evidence: evidence["share"],
    "log of surplus": lambda evidence: math.log1p(evidence["surplus"]),
    "log of matches beyond chance": lambda evidence: math.log1p(max(evidence["matched"] - evidence["expected"], 0.0)),
    "root of z": lambda evidence: math.sqrt(max(evidence["z"], 0.0)),
    "lead in z": lambda evidence: math.tanh((evidence["z"] - evidence["rival_z"]) / 8) * 8,
    "lead in z over chance": lambda evidence: math.tanh(
        (evidence["z"] - max(evidence["rival_z"], BEST_Z_BY_CHANCE)) / 8
    ),
    "lead in contrast over chance": _lead_in_contrast,
    "log of seconds": lambda evidence: math.log(max(evidence["seconds"], 0.5)),
}
