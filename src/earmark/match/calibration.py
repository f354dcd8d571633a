"""Confidence: the probability that a match is right, a logistic model over its evidence, kept as data.

A calibration belongs to the fingerprint, the plan and the index that it was fitted for, on as many known as unknown
clips. Between the lengths that have weights of their own, these change with the logarithm.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec
import numpy as np

Evidence = Mapping[str, float]

# The low end of what the best of 668 tracks has under unknown clips of 1 to 5 s: from 5th to 95th percentile, z of 4.5
# to 7.5 and a contrast of 5 to 20. The best of 3 tracks has 2 to 4.5 and 2 to 10: there any track seems to lead.
BEST_Z_BY_CHANCE = 5.0
BEST_CONTRAST_BY_CHANCE = 6.0
GUESSED_THRESHOLD = 0.982  # confidence: log odds of 4, z of 16
GUESSED_Z = 12.0  # z of even odds where nothing was fitted: what no chance match of peaks reaches (decision 10)
LARGEST_LOG_ODDS = 30.0  # natural logarithm; beyond it a float64 probability is 1
FARTHEST_LENGTH = 1.25  # ratio of a clip's length to the nearest measured one, beyond which its false rate is not known


class Model(msgspec.Struct, frozen=True):
    """Weights of features for one set of compared layers."""

    layers: tuple[str, ...]
    features: tuple[str, ...]
    rising: tuple[str, ...]  # features that can only speak for a match
    lengths: tuple[float, ...]  # seconds of a clip
    weights: tuple[tuple[float, ...], ...]  # (lengths, features)
    threshold: float  # confidence that lets at most one unknown clip in a hundred through

    def check(self) -> None:
        """Raise ValueError when it is none that can be used here, as one of a newer release may be."""
        unknown = [name for name in self.features if name not in FEATURES]
        shape = [len(row) for row in self.weights]
        if unknown or not shape or shape != [len(self.features)] * len(self.lengths) or not 0 < self.threshold < 1:
            raise ValueError(
                f"{len(self.lengths)} lengths and {len(self.features)} features with weights {shape}, "
                f"threshold {self.threshold}, unknown features {unknown}"
            )

    def log_odds(self, evidence: Evidence) -> float:
        """Return the natural logarithm of the odds that a match is right."""
        place, known = math.log(max(evidence["seconds"], 0.1)), np.log(self.lengths)
        weights = [np.interp(place, known, column) for column in zip(*self.weights, strict=True)]
        return float(np.dot(weights, features_of(evidence, self)))


class FalseRates(msgspec.Struct, frozen=True):
    """How many clips of which catalogs held nothing would be given a name, counted by length and threshold."""

    tracks: int  # in the largest of the catalogs
    seconds: tuple[float, ...]  # lengths of clips, rising
    thresholds: tuple[float, ...]  # confidences, rising
    clips: tuple[int, ...]  # (lengths,) that were asked
    false: tuple[tuple[int, ...], ...]  # (lengths, thresholds), of these given a name
    most: tuple[tuple[float, ...], ...]  # (lengths, thresholds), upper limit of the share: 95 % are below theirs

    def check(self) -> None:
        """Raise ValueError when it is no table that can be used here."""
        shape = (len(self.seconds), len(self.thresholds))
        columns = [*self.false, *self.most]
        is_whole = len(self.clips) == len(self.false) == len(self.most) == shape[0] > 0 < shape[1]
        is_rising = all(list(one) == sorted(set(one)) for one in (self.seconds, self.thresholds))
        is_share = all(0 <= share <= 1 for row in self.most for share in row)
        if not is_whole or any(len(one) != shape[1] for one in columns) or not is_rising or not is_share:
            raise ValueError(f"false rates of {shape[0]} lengths and {shape[1]} thresholds do not fit together")

    def at_most(self, seconds: float, threshold: float) -> float | None:
        """Return the upper limit for clips of a length at a threshold; None beyond what was counted.

        It is that of the next lower threshold, and of the worse of the two lengths that a clip is between.
        """
        row = bisect_right(self.thresholds, threshold) - 1
        if row < 0 or not self.seconds[0] / FARTHEST_LENGTH <= seconds <= self.seconds[-1] * FARTHEST_LENGTH:
            return None
        above = min(bisect_left(self.seconds, seconds), len(self.seconds) - 1)
        below = max(bisect_right(self.seconds, seconds) - 1, 0)
        return max(self.most[below][row], self.most[above][row])


class Calibration(msgspec.Struct, frozen=True):
    """The models of one kind of catalog, and what they were fitted for."""

    spec: str
    plan: str  # digest of the plan
    index: str  # name of the index
    models: tuple[Model, ...]  # the first for when every layer can be compared
    fitted_on: str  # in words
    warped: Model | None = None  # for clips that were found at any speed and pitch, by one layer
    false_rates: FalseRates | None = None  # of clips at their own speed; None where they were not counted

    @property
    def every_model(self) -> tuple[Model, ...]:
        """The models, that at any speed last."""
        return self.models if self.warped is None else (*self.models, self.warped)

    def check(self) -> None:
        """Raise ValueError when it holds what cannot be used here."""
        for model in self.every_model:
            model.check()
        if self.false_rates is not None:
            self.false_rates.check()

    @property
    def threshold(self) -> float:
        """The confidence that counts as found unless another is asked for."""
        return self.models[0].threshold if self.models else GUESSED_THRESHOLD

    def expected_false_rate(self, seconds: float, threshold: float) -> float | None:
        """Return how probable it is, at most, that an unknown clip is given a name; None where that was not counted."""
        return None if self.false_rates is None else self.false_rates.at_most(seconds, threshold)

    def log_odds(self, evidence: Evidence, layers: Collection[str]) -> float:
        """Return log odds for evidence of these layers, such that `threshold` serves whichever could be compared.

        For layers that no model weighs they are a careful guess by z, as for a kind that was never calibrated.
        """
        for model in self.models:
            if set(model.layers) == set(layers):
                return model.log_odds(evidence) - (logit(model.threshold) - logit(self.threshold))
        return evidence.get("z", 0.0) - GUESSED_Z

    def warped_log_odds(self, evidence: Evidence) -> float:
        """Return log odds for evidence of a clip that was found at any speed and pitch, for the same `threshold`."""
        if self.warped is None:
            return evidence.get("z", 0.0) - GUESSED_Z
        return self.warped.log_odds(evidence) - (logit(self.warped.threshold) - logit(self.threshold))


def choose(
    known: Iterable[Calibration], *, spec: str, plan: str, index: str, any_speed: bool = False
) -> tuple[Calibration, bool]:
    """Return the calibration for a catalog, and whether it was fitted for such a one; else the nearest of its kind.

    Nearest is one of the same spec, then plan, then that which weighs the most sets of layers, then one that was
    fitted at any speed where the plan finds clips so, then one for the same index. For a kind that has none it is one
    without models, which guesses.
    """
    calibrations = [one for one in known if one.spec.partition("/")[0] == spec.partition("/")[0]]
    for one in calibrations:
        if (one.spec, one.plan, one.index) == (spec, plan, index):
            return one, True
    guess = Calibration(spec, plan, index, (), "nothing")

    def nearness(one: Calibration) -> tuple[bool, bool, bool, int, bool, bool]:
        is_alike = (one.warped is not None) == any_speed
        return bool(one.models), one.spec == spec, one.plan == plan, len(one.models), is_alike, one.index == index

    return max([guess, *calibrations], key=nearness), False


def probability(log_odds: float) -> float:
    """Return the probability for log odds."""
    return 1 / (1 + math.exp(-min(max(log_odds, -LARGEST_LOG_ODDS), LARGEST_LOG_ODDS)))


def logit(probability: float) -> float:
    """Return the log odds of a probability between 0 and 1."""
    return math.log(probability / (1 - probability))


def features_of(evidence: Evidence, model: Model) -> tuple[float, ...]:
    """Return the features that a model weighs."""
    return tuple(FEATURES[name](evidence) for name in model.features)


def _lead_in_contrast(evidence: Evidence) -> float:
    runner_up = max(evidence["rival_contrast"], BEST_CONTRAST_BY_CHANCE)
    contrast = max(evidence["contrast"], BEST_CONTRAST_BY_CHANCE)
    return (contrast - runner_up) / max(contrast, runner_up)


# Each is bounded or compressed, so that a very clear match stays one.
FEATURES: Mapping[str, Callable[[Evidence], float]] = {
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
