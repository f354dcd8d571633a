"""The figures of scenes: a row for each kind, condition and noise, and rows of all conditions of a kind together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from earmark.evaluation.metrics import Share
from earmark.evaluation.scenes.scores import PieceScore, SceneScore

BORDER_SECONDS = (0.5, 1.0, 3.0)  # seconds within which both borders of a piece are right, for a column each
ALL = "all"  # condition of a row of several conditions


@dataclass(frozen=True, slots=True)
class SceneRow:
    """The figures of one condition of scenes, or of the pieces with one label in them.

    Figures of borders, fragments and speed are of the pieces that are named; None where there are none.
    """

    kind: str
    condition: str
    snr_decibels: float | None
    label: str  # "": all pieces
    scenes: int
    hours: float
    named: Share | None  # pieces that are named
    all_named: Share  # scenes of which every piece is named; where nothing is known, nothing is found
    borders: dict[float, Share]  # pieces with both borders right, by seconds
    invented: int  # passages
    misplaced: int  # wrong passages whose track plays then, at another place
    precision: float | None  # seconds of passages that are right
    recall: float | None  # share of the pieces' seconds that were found
    fragmentation: float | None  # passages of a piece
    over_seconds: float | None  # mean seconds beyond a piece's borders
    border_median: float | None  # seconds
    border_p95: float | None
    speed_median: float | None  # error as a share
    speed_p95: float | None
    processor_seconds_an_hour: float

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall."""
        if self.precision is None or self.recall is None:
            return None
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def rows_of(scores: Sequence[SceneScore]) -> list[SceneRow]:
    """Return the rows, in the order in which the scenes came."""
    rows = list[SceneRow]()
    for kind, of_kind in _grouped(scores, lambda one: one.scene.kind).items():
        for snr, of_snr in _grouped(of_kind, lambda one: one.scene.snr_decibels).items():
            conditions = _grouped(of_snr, lambda one: one.scene.condition)
            if len(conditions) > 1:
                conditions[ALL] = of_snr
            for condition, group in conditions.items():
                labels = sorted({piece.label for one in group for piece in one.pieces} - {""})
                rows += [_row(kind, condition, snr, group, label) for label in ("", *labels)]
    return rows


def _grouped(scores: Sequence[SceneScore], key: Any) -> dict[Any, list[SceneScore]]:
    groups: dict[Any, list[SceneScore]] = {}
    for one in scores:
        groups.setdefault(key(one), []).append(one)
    return groups


def _row(kind: str, condition: str, snr: float | None, group: Sequence[SceneScore], label: str) -> SceneRow:
    pieces = [piece for one in group for piece in one.pieces if label in ("", piece.label)]
    named = [piece for piece in pieces if piece.named]
    detected = sum(one.detected_seconds for one in group)
    true = sum(piece.seconds for piece in pieces)
    hours = sum(one.scene.seconds for one in group) / 3_600
    borders = [abs(error) for piece in named for error in (piece.start_error, piece.end_error) if error is not None]
    speeds = [abs(piece.speed_error) for piece in named if piece.speed_error is not None]
    return SceneRow(
        kind=kind,
        condition=condition,
        snr_decibels=snr,
        label=label,
        scenes=len(group),
        hours=hours,
        named=Share.of(piece.named for piece in pieces) if pieces else None,
        all_named=Share.of(_all_named(one, label) for one in group),
        borders={within: Share.of(piece.border_error <= within for piece in pieces) for within in BORDER_SECONDS}
        if pieces
        else {},
        invented=sum(len(one.invented) for one in group),
        misplaced=sum(len(one.misplaced) for one in group),
        precision=sum(one.right_seconds for one in group) / detected if detected else None,
        recall=sum(piece.found_seconds for piece in pieces) / true if true else None,
        fragmentation=_mean([piece.fragments for piece in named]),
        over_seconds=_mean([piece.over_seconds for piece in named]),
        border_median=_quantile(borders, 0.5),
        border_p95=_quantile(borders, 0.95),
        speed_median=_quantile(speeds, 0.5),
        speed_p95=_quantile(speeds, 0.95),
        processor_seconds_an_hour=sum(one.processor_seconds for one in group) / hours if hours else 0.0,
    )


def _all_named(one: SceneScore, label: str) -> bool:
    mine: list[PieceScore] = [piece for piece in one.pieces if label in ("", piece.label)]
    return all(piece.named for piece in mine) if label else one.all_named


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None


COLUMNS = (
    "kind",
    "condition",
    "dB",
    "of",
    "scenes",
    "pieces",
    "named",
    "all",
    *(f"{seconds:g} s" for seconds in BORDER_SECONDS),
    "invented",
    "place",
    "prec",
    "recall",
    "F1",
    "frag",
    "over",
    "border",
    "p95",
    "speed",
    "CPU/h",
)


def table_rows(rows: Sequence[SceneRow]) -> list[tuple[str, ...]]:
    """Return the cells of the table: shares in per cent, borders and `over` in seconds, speed in per cent."""
    return [_cells(row) for row in rows]


def _cells(row: SceneRow) -> tuple[str, ...]:
    of_scenes = not row.label  # figures that belong to whole scenes stand in their rows alone
    return (
        row.kind,
        row.condition,
        "" if row.snr_decibels is None else f"{row.snr_decibels:g}",
        row.label,
        str(row.scenes) if of_scenes else "",
        str(row.named.total) if row.named else "",
        _percent(row.named.value if row.named else None),
        _percent(row.all_named.value) if of_scenes else "",
        *(_percent(row.borders[seconds].value) if row.borders else "" for seconds in BORDER_SECONDS),
        str(row.invented) if of_scenes else "",
        str(row.misplaced) if of_scenes else "",
        _percent(row.precision) if of_scenes else "",
        _percent(row.recall),
        _percent(row.f1) if of_scenes else "",
        _number(row.fragmentation),
        _number(row.over_seconds),
        _number(row.border_median),
        _number(row.border_p95),
        "" if row.speed_p95 is None else f"{100 * row.speed_p95:.2f}",
        f"{row.processor_seconds_an_hour:.1f}" if of_scenes else "",
    )


def record(rows: Sequence[SceneRow]) -> list[dict[str, Any]]:
    """Return the rows as what JSON can hold, with an interval beside every share."""
    return [_plain(row) for row in rows]


def markdown(rows: Sequence[SceneRow], left_out: Mapping[str, str]) -> str:
    """Return the figures as a page."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (COLUMNS, ["---"] * len(COLUMNS), *table_rows(rows))]
    for line in sentences(left_out):
        lines += ["", line]
    return "\n".join(lines) + "\n"


def sentences(left_out: Mapping[str, str]) -> list[str]:
    """Return what was left out, and why."""
    return [f"Left out: {condition}: {reason}" for condition, reason in left_out.items()]


def write(
    rows: Sequence[SceneRow], left_out: Mapping[str, str], parameters: Mapping[str, Any], folder: Path
) -> list[Path]:
    """Write report.json and report.md, and return their paths."""
    table, page = folder / "report.json", folder / "report.md"
    values = {"parameters": dict(parameters), "left_out": dict(left_out), "scenes": record(rows)}
    table.write_text(json.dumps(values, indent=1, default=str) + "\n")
    page.write_text(markdown(rows, left_out))
    return [table, page]


def _plain(row: SceneRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return {
        **values,
        "named": _share(row.named),
        "all_named": _share(row.all_named),
        "borders": {f"{seconds:g}": _share(share) for seconds, share in row.borders.items()},
        "f1": row.f1,
    }


def _share(share: Share | None) -> dict[str, Any] | None:
    return None if share is None else {**asdict(share), "share": share.value, "interval": share.interval}


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
