"""Recall, reciprocal rank, false positives, intervals and calibration.

Conventions
    ranks: the place of the first right candidate among a query's candidates, from 1; 0 when there is none; shape (n,)
    scores: a query's confidence in its first candidate; -inf when there is none; shape (n,)
Shares are from 0 to 1. Functions of no queries raise OptionError: a share of nothing is no figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from earmark.errors import OptionError

Z_95 = 1.959963984540054  # the normal distribution's two-sided 95 % point


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many, with its 95 % interval."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share itself."""
        return self.hits / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval: (low, high)."""
        return wilson_interval(self.hits, self.total)

    @classmethod
    def of(cls, flags: Iterable[bool]) -> Share:
        """Return the share of true flags; raises OptionError for none."""
        values = [bool(flag) for flag in flags]
        if not values:
            raise OptionError("a share of 0 queries; give at least one")
        return cls(sum(values), len(values))


def wilson_interval(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of hits / total (Wilson, JASA 22, 1927): never outside 0 to 1, sound for few queries."""
    if not 0 <= hits <= total or total < 1:
        raise OptionError(f"{hits} of {total}; give 0 to all of at least one")
    share, z = hits / total, Z_95
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def recall_at(ranks: ArrayLike, k: int) -> Share:
    """Return the share of queries whose right candidate is among the first `k`: hit rate, recall@top-k."""
    if k < 1:
        raise OptionError(f"k={k}; give 1 or more")
    places = np.asarray(ranks, np.int64)
    return Share.of((places >= 1) & (places <= k))


def mean_reciprocal_rank(ranks: ArrayLike) -> float:
    """Return the mean of 1 / rank, 0 for queries without a right candidate."""
    places = np.asarray(ranks, np.float64)
    if not len(places):
        raise OptionError("a mean of 0 queries; give at least one")
    return float(np.mean(np.where(places >= 1, 1 / np.maximum(places, 1), 0.0)))


def first_rank(flags: Sequence[bool]) -> int:
    """Return the rank of the first true flag, from 1, or 0."""
    return next((rank for rank, flag in enumerate(flags, start=1) if flag), 0)


def threshold_at(false_positive_rate: float, kinds: Iterable[ArrayLike]) -> float:
    """Return the score above which at most a share of every kind of negative lies; -inf when all may be answered.

    `kinds` are the scores of the queries that have no right answer, one array a kind (music, noise, speech, ...), so
    that an easy kind cannot make up for a hard one. nan without any.
    """
    cuts = []
    for scores in kinds:
        falling = np.sort(np.asarray(scores, np.float64))[::-1]
        allowed = int(false_positive_rate * len(falling))
        cuts.append(float(falling[allowed]) if allowed < len(falling) else -math.inf)
    return max(cuts, default=math.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Whether answers of 90 % confidence are right nine times of ten."""

    confidence: NDArray[np.float64]  # mean of each bin that is not empty
    accuracy: NDArray[np.float64]  # share of right answers in it
    counts: NDArray[np.int64]
    expected_error: float  # ECE: mean distance of the two, weighted by counts
    brier: float  # mean of (confidence - right)^2


def reliability(confidences: ArrayLike, right: ArrayLike, *, bins: int = 10) -> Reliability:
    """Return the reliability curve over equal bins, ECE (Naeini et al., AAAI 2015) and Brier's score (1950)."""
    values, truth = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    if values.shape != truth.shape or not len(values):
        raise OptionError(f"{values.shape} confidences for {truth.shape} outcomes; give as many, at least one")
    if values.min() < 0 or values.max() > 1:
        raise OptionError(f"confidences from {values.min()} to {values.max()}; give probabilities")
    places = np.minimum((values * bins).astype(np.int64), bins - 1)
    counts = np.bincount(places, minlength=bins)
    filled = counts > 0
    confidence = np.bincount(places, values, bins)[filled] / counts[filled]
    accuracy = np.bincount(places, truth, bins)[filled] / counts[filled]
    error = float(np.sum(counts[filled] * np.abs(confidence - accuracy)) / len(values))
    return Reliability(confidence, accuracy, counts[filled], error, float(np.mean((values - truth) ** 2)))
