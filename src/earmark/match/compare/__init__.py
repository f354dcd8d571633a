"""Comparisons by kind: how one layer of a window is laid on references."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec

from earmark.errors import OptionError
from earmark.match.compare.bits import BitComparison, BitSettings
from earmark.match.compare.peaks import PeakComparison, PeakSettings
from earmark.match.compare.sets import SetComparison, SetSettings
from earmark.match.compare.vectors import VectorComparison, VectorSettings
from earmark.match.protocol import Comparison
from earmark.plan import CompareRule
from earmark.schema import prepared
from earmark.types import Hits, Layer

ENTRY_POINTS = "earmark.comparisons"  # group in which an installed package may register more: (comparison, settings)
COMPARISONS: dict[str, tuple[Callable[..., Comparison], type[Any]]] = {
    "bits": (BitComparison, BitSettings),
    "peaks": (PeakComparison, PeakSettings),
    "sets": (SetComparison, SetSettings),
    "vectors": (VectorComparison, VectorSettings),
}

LONG_FIGURES = ("contrast", "rival_contrast", "rival", "margin", "share")  # that take long and place nothing
BRIEF_OPTIONS: dict[str, dict[str, Any]] = {
    "peaks": {"refined": 0, "warped_best": 2, "warped_first": 2, "clear_z": 40.0}
}


def make_comparison(rule: CompareRule, layer: Layer, *, hits: Callable[[], Hits] | None, wide: bool) -> Comparison:
    """Return the comparison of a window's layer that a rule asks for; raises ValueError for options it has not."""
    make, kind = COMPARISONS.get(rule.kind) or _installed(rule.kind)
    settings = msgspec.convert(rule.options, prepared(kind), strict=True)
    return make(layer, rule.figures, settings=settings, wide=wide, hits=hits)


def brief(rule: CompareRule) -> CompareRule:
    """Return a rule that takes less time and tells less: where a window lies, not how sure that is."""
    figures = tuple(figure for figure in rule.figures if figure not in LONG_FIGURES)
    return replace(rule, figures=figures, options=rule.options | BRIEF_OPTIONS.get(rule.kind, {}))


@cache
def _installed(kind: str) -> tuple[Callable[..., Comparison], type[Any]]:
    """Return a comparison that an installed package brings, and the type of its settings."""
    from importlib.metadata import entry_points

    found = [one for one in entry_points(group=ENTRY_POINTS) if one.name == kind]
    if not found:
        raise OptionError(f"comparison {kind!r} is not known: install the package that brings it")
    loaded: tuple[Callable[..., Comparison], type[Any]] = found[0].load()
    return loaded
