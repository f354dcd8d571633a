"""Reports of several fingerprinters on the same clips, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from earmark.evaluation import report as reports
from earmark.evaluation.metrics import Share
from earmark.evaluation.report import NegativeRow, Report, Row

# Figures of a row by which fingerprinters are chosen; each one's own report has the others.
FIGURES = {"rank1": "rank-1", "top1": "top-1", "at_fpr": "@1% FPR", "exact": "exact", "wrong": "wrong"}


def columns(measured: Mapping[str, Report]) -> tuple[str, ...]:
    """Return the heads of the table: of each figure one column a fingerprinter, so that neighbours are compared."""
    return ("condition", "s", "clips", *(f"{figure} {name}" for figure in FIGURES.values() for name in measured))


def table_rows(measured: Mapping[str, Report]) -> list[tuple[str, ...]]:
    """Return the cells of the table, in per cent; negatives follow, with the share that was answered under `wrong`."""
    cells = []
    for rows in zip(*(report.rows for report in measured.values()), strict=True):
        shares = [getattr(row, figure) for figure in FIGURES for row in rows]
        cells.append((*_about(rows[0], rows[0].top1), *map(_percent, shares)))
    for negatives in zip(*(report.negatives for report in measured.values()), strict=True):
        blanks = [""] * (len(FIGURES) - 1) * len(measured)
        cells.append((*_about(negatives[0], negatives[0].false), *blanks, *(_percent(row.false) for row in negatives)))
    return cells


def sentences(measured: Mapping[str, Report]) -> list[str]:
    """Return what the table does not hold, by fingerprinter."""
    return [f"{name}: {line}" for name, report in measured.items() for line in reports.sentences(report)]


def markdown(measured: Mapping[str, Report]) -> str:
    """Return the comparison as a page."""
    heads = columns(measured)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(row) + " |" for row in table_rows(measured)]
    for line in sentences(measured):
        lines += ["", line]
    return "\n".join(lines) + "\n"


def record(measured: Mapping[str, Report]) -> dict[str, Any]:
    """Return all reports by fingerprinter, as what JSON can hold."""
    return {"fingerprinters": {name: reports.record(report) for name, report in measured.items()}}


def write(measured: Mapping[str, Report], folder: Path) -> list[Path]:
    """Write report.json and report.md, and return their paths."""
    table, page = folder / "report.json", folder / "report.md"
    table.write_text(json.dumps(record(measured), indent=1, default=str) + "\n")
    page.write_text(markdown(measured))
    return [table, page]


def _about(row: Row | NegativeRow, share: Share) -> tuple[str, str, str]:
    return row.condition, f"{row.seconds:g}", str(share.total)


def _percent(share: Share | None) -> str:
    return "" if share is None else f"{100 * share.value:.1f}"
