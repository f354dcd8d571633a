"""Similarities of a clip and a track as log odds: segment by segment, that both are the same sound.

Chance is read from the matrix itself, since nearly all of its cells are of moments that have nothing to do with each
other; how strongly the same sound agrees, from the diagonal that agrees best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.match.protocol import Similarities
from earmark.match.stretches import IDLE_LOG_ODDS, LARGEST_RATE, WEAKEST_SHARE
from earmark.plan import CompareRule, Plan
from earmark.types import Fingerprint, Layer

SEGMENT_SECONDS = 0.5  # of sound that is compared at a time; the steps of a matrix are shorter and say too little
RUN_SECONDS = 3.0  # of a diagonal that tells how strongly the same sound agrees
SAME_DEVIATIONS = 2.5  # above chance, of a segment that may be the same


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """How surely each segment of a clip is each segment of a track."""

    log_odds: NDArray[np.float32]  # (n, m), nats a step
    same: NDArray[np.bool_]  # (n, m), whether it is likelier than not, and more than chance often is
    deviations: NDArray[np.float32]  # (n, m), of a segment, in standard deviations of chance
    clearest: float  # deviations from chance of the diagonal that agrees best, for `RUN_SECONDS`
    step_seconds: float
    window_seconds: float  # middle of the first row
    track_seconds: float  # middle of the first column

    def window_at(self, row: float) -> float:
        """Return the second of the clip in the middle of a row."""
        return self.window_seconds + row * self.step_seconds

    def track_at(self, column: float) -> float:
        """Return the second of the track in the middle of a column."""
        return self.track_seconds + column * self.step_seconds


def finest_rule(plan: Plan, sound: Fingerprint) -> CompareRule | None:
    """Return how the finest layer is compared that a sound has enough of; None where it has too little of any."""
    usable = (
        rule
        for rule in reversed(plan.compare)
        if rule.layer in sound.layers and len(sound.layers[rule.layer].frames) >= rule.min_features
    )
    return next(usable, None)


def features_between(layer: Layer, low: float, high: float) -> tuple[Layer, float]:
    """Return the features between two seconds, counted from the first of them, and its second."""
    frames, values = layer.within(low / layer.frame_seconds, high / layer.frame_seconds)
    base = frames[0] if len(frames) else np.int32(0)
    return Layer(frames - base, values, layer.frame_seconds), float(base) * layer.frame_seconds


def agreement_of(similar: Similarities, begin: float = 0.0) -> Agreement:
    """Return the log odds of similarities with a part of a track that begins at a second."""
    known, step = np.isfinite(similar.values), similar.step_seconds
    z = _deviations(similar.values, known)
    width = 2 * round(SEGMENT_SECONDS / step / 2) + 1
    sums, counts = (_along_diagonals(one, width) for one in (z, known.astype(np.float32)))
    heard = counts > 0
    correlation = max(float((sums[heard] ** 2 / counts[heard]).mean()), 1.0) if heard.any() else 1.0
    agreed, clearest = _strongest(z, known, round(RUN_SECONDS / step))
    strength = WEAKEST_SHARE * agreed
    log_odds = (strength * sums - strength**2 / 2 * counts) / (correlation * width)
    largest = strength**2 * (1 / WEAKEST_SHARE - 0.5) * float(known.mean()) / correlation / step
    log_odds = np.where(heard, log_odds * min(LARGEST_RATE / max(largest, 1e-9), 1.0), -IDLE_LOG_ODDS)
    deviations = sums / np.sqrt(np.maximum(counts, 1) * correlation)
    same = (log_odds > 0) & (deviations > SAME_DEVIATIONS)
    begins = similar.window_seconds, begin + similar.track_seconds
    return Agreement(log_odds.astype(np.float32), same, deviations.astype(np.float32), clearest, step, *begins)


def _deviations(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return values in standard deviations of all, beyond what each row and each column has on average; 0 if unknown.

    A moment may be like much of a track without being any of it.
    """
    above = np.where(known, values, 0).astype(np.float32)
    for axis in (0, 1):
        counts = np.maximum(known.sum(axis=axis, keepdims=True, dtype=np.float32), 1)
        above -= np.where(known, above.sum(axis=axis, keepdims=True) / counts, 0)
    return above / np.float32(max(float(np.sqrt((above**2).sum() / max(known.sum(), 1))), 1e-9))


def _along_diagonals(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return the sum of so many values, an odd number, on the diagonal around each one, (n, m)."""
    return _runs(np.pad(values, width // 2), width)


def _runs(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return the sum of so many values on the diagonal from each one on, where they lie inside; by doubling."""
    rows, columns = (length + 1 - width for length in values.shape)
    doubled, length, sums, taken = values, 1, np.zeros((rows, columns), np.float32), 0
    while True:
        if width & length:
            sums += doubled[taken : taken + rows, taken : taken + columns]
            taken += length
        if 2 * length > width:
            return sums
        doubled, length = doubled[:-length, :-length] + doubled[length:, length:], 2 * length


def _strongest(z: NDArray[np.float32], known: NDArray[np.bool_], width: int) -> tuple[float, float]:
    """Return the mean of the part of a diagonal that agrees best, and its deviations from chance."""
    width = min(width, *z.shape)
    sums, counts = _runs(z, width), _runs(known.astype(np.float32), width)
    clear = np.where(counts > 0, sums / np.sqrt(np.maximum(counts, 1)), 0)
    best = int(clear.argmax())
    mean = float(sums.flat[best]) / max(float(counts.flat[best]), 1.0)
    return max(mean, 0.0), float(clear.flat[best]) / max(float(clear.std()), 1e-9)
