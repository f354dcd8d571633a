"""Which features the confidence of each kind of catalog weighs, by the layers that were compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Which features the confidence weighs, where these layers were compared."""

    layers: tuple[str, ...]
    features: tuple[str, ...]  # names in match/calibration.py
    rising: tuple[str, ...]  # features that can only speak for a match: their weights are not negative
    lengths: tuple[float, ...]  # seconds of a clip, each with weights of its own


LANDMARKS = ModelShape(
    layers=("peaks",),
    features=(
        "constant",
        "log of matches beyond chance",
        "root of z",
        "lead in z",
        "share",
        "log of seconds",
    ),
    rising=(),
    lengths=(1.0,),
)
CHECKED = ModelShape(
    layers=("vectors", "peaks"),
    features=("constant", "similarity", "lead in z over chance", "log of surplus", "lead in contrast over chance"),
    rising=("similarity", "lead in z over chance", "log of surplus", "lead in contrast over chance"),
    lengths=(1.0, 2.0, 5.0),
)
ALONE = ModelShape(
    layers=("vectors",),
    features=("constant", "similarity", "lead in similarity", "margin", "share"),
    rising=("similarity", "lead in similarity", "margin", "share"),
    lengths=(1.0, 2.0, 5.0),
)


def plan_of(fingerprinter: str, preset: Mapping[str, Any]) -> tuple[tuple[ModelShape, ...], str]:
    """Return the shapes of a kind of catalog's models, and the digest of its plan."""
    if fingerprinter == "shazam":
        return (LANDMARKS,), ""
    return ((CHECKED, ALONE) if preset.get("peaks", True) else (ALONE,)), ""
