"""The comparison of bits: how few of them differ along a diagonal (Haitsma and Kalker, ISMIR 2002, section 4.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from earmark.match.protocol import Alignment, Candidate, Others, Placement, Scores
from earmark.types import Layer

NEARBY = range(-2, 3)  # frames beside a candidate's place that are tried
CORRELATED = 3.0  # standard deviations of chance over those of independent bits (the paper's figure)


@dataclass(frozen=True, slots=True)
class BitSettings:
    """None."""


class BitComparison:
    """The bits of one window."""

    def __init__(self, layer: Layer, figures: Sequence[str], *, settings: BitSettings, wide: bool, hits: Any) -> None:
        self._bits, self._frame = layer.values[:, 0], layer.frame_seconds

    def near(self, references: Sequence[Layer], candidates: Sequence[Candidate], *, own: bool) -> list[Placement]:
        return [
            max(
                (self._at(layer, round(one.start / self._frame) + shift) for shift in NEARBY),
                key=lambda at: at.figures["z"],
            )
            for layer, one in zip(references, candidates, strict=True)
        ]

    def fit(self, reference: Layer, placement: Placement, *, measuring: bool = True) -> Alignment:
        first, last = placement.detail
        edges = first * self._frame, last * self._frame
        return Alignment(placement.start, 1.0, 1.0, self._frame, *edges, {"z": placement.figures["z"]})

    def evidence(self, candidate: Candidate, alignment: Alignment, others: Others) -> Mapping[str, float]:
        return {"z": round(candidate.figure("z"), 3), "rival_z": round(others.largest("z"), 3)}

    def over_time(self, reference: Layer, alignment: Alignment) -> Scores:
        start = round(alignment.start / self._frame)
        first, last = max(-start, 0), min(len(self._bits), len(reference.values) - start)
        frames = np.arange(first, max(last, first))
        different = np.bitwise_count(self._bits[frames] ^ reference.values[start + frames, 0])
        return Scores(frames * self._frame, (16.0 - different) / np.sqrt(8.0), CORRELATED**2)

    def same(self, one: tuple[Layer, Placement], other: tuple[Layer, Placement]) -> bool:
        start = round(one[1].start / self._frame)
        part = one[0].values[max(start, 0) : start + len(self._bits)]
        other_start = round(other[1].start / self._frame)
        there = other[0].values[max(other_start, 0) : other_start + len(part)]
        count = min(len(part), len(there))
        return count > 0 and float(np.bitwise_count(part[:count] ^ there[:count]).mean()) < 0.2 * 32

    def _at(self, reference: Layer, start: int) -> Placement:
        first, last = max(-start, 0), min(len(self._bits), len(reference.values) - start)
        if last <= first:
            return Placement(start * self._frame, 1.0, {"z": 0.0}, (0, 0))
        different = np.bitwise_count(self._bits[first:last] ^ reference.values[start + first : start + last, 0])
        bits = 32 * len(self._bits)  # what lies beside the track is like nothing
        share = (float(different.sum()) + 16 * (len(self._bits) - len(different))) / bits
        z = (0.5 - share) * np.sqrt(bits) / (0.5 * CORRELATED)
        return Placement(start * self._frame, 1.0, {"z": float(z)}, (first, last))


BITS = BitComparison, BitSettings
