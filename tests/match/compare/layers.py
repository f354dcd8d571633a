"""Layers of peaks as the tests of comparisons make them: a frame lasts a second, so that places are frames."""

from __future__ import annotations

import numpy as np

from earmark.types import Layer, SalienceMap

NO_PEAKS = Layer(np.zeros(0, np.int32), np.zeros(0, np.int32), 1.0)


def peaks(frames: np.ndarray, bins: np.ndarray, salience: np.ndarray | None = None) -> Layer:
    """Return a layer of peaks, with a salience map (frames, bins) from 0 Hz where one is given."""
    weights = None if salience is None else SalienceMap(salience[:, ::2] | salience[:, 1::2] << np.uint8(4), 0)
    return Layer(frames.astype(np.int32), bins.astype(np.int32), 1.0, weights)


def with_salience(layer: Layer, salience: np.ndarray) -> Layer:
    """Return the same peaks with a salience map (frames, bins)."""
    return peaks(layer.frames, layer.values, salience)
