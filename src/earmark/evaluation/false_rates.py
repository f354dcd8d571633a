"""How often unknown clips are given a name: counted by length and threshold, with what chance leaves open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import betaincinv

from earmark.errors import OptionError
from earmark.match.calibration import FalseRates

# Thresholds that false answers are counted for, besides a calibration's own.
COUNTED_CONFIDENCES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
LIMIT_CHANCE = 0.05  # of a true share to be above its upper limit
INTERVAL_CHANCE = 0.05  # of a true share to be outside of its interval, half to each side
STEPS = 10_000  # to one, that a limit is rounded up to


def count_false(confidences: Mapping[float, Sequence[float]], *, threshold: float, tracks: int) -> FalseRates:
    """Return the table for a calibration of some threshold.

    `confidences` are those of the best candidates of unknown clips, by the clips' length in seconds, 0 without a
    candidate; `tracks`: how many the largest of the catalogs holds.
    """
    lengths = sorted(confidences)
    thresholds = sorted({*COUNTED_CONFIDENCES, threshold})
    false = [[int((np.asarray(confidences[one]) >= least).sum()) for least in thresholds] for one in lengths]
    clips = [len(confidences[one]) for one in lengths]
    most = [[upper_limit(count, asked) for count in row] for row, asked in zip(false, clips, strict=True)]
    return FalseRates(
        tracks, tuple(lengths), tuple(thresholds), tuple(clips), tuple(map(tuple, false)), tuple(map(tuple, most))
    )


def upper_limit(false: int, clips: int) -> float:
    """Return what a share is at most, with 95 % confidence: 3 / `clips` where none of many was false.

    Clopper and Pearson, Biometrika 26 (1934): sound for any share and any number of clips.
    """
    limit = exact_limits(false, clips, chances=(0.0, LIMIT_CHANCE))[1]
    return min(math.ceil(limit * STEPS) / STEPS, 1.0)


def exact_limits(
    false: int, clips: int, *, chances: tuple[float, float] = (INTERVAL_CHANCE / 2, INTERVAL_CHANCE / 2)
) -> tuple[float, float]:
    """Return the limits of a share that the true one is below or above with some chances (Clopper and Pearson)."""
    if not 0 <= false <= clips or clips < 1:
        raise OptionError(f"{false} of {clips}; give 0 to all of at least one")
    below, above = chances
    low = float(betaincinv(false, clips - false + 1, below)) if false and below else 0.0
    high = float(betaincinv(false + 1, clips - false, 1 - above)) if false < clips else 1.0
    return low, high
