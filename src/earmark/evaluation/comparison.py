"""Reports of several fingerprinters on the same clips, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from earmark.evaluation import report as reports
from earmark.evaluation.metrics import Share
from earmark.evaluation.report import NegativeRow, Report, Row
from earmark.fingerprints import shown

# Figures of a row by which fingerprinters are chosen; each one's own report has the others.
FIGURES = {"rank1": "rank-1", "top1": "top-1", "at_fpr": "@1% FPR", "exact": "exact", "wrong": "wrong"}

# Short, so that a table of all kinds fits 80 columns.
SUMMARY_COLUMNS = ("kind", "s", "top-1", "near", "exact", "false", "index x", "MB/h", "ms/clip")
MOST_IN_A_ROW = 2  # fingerprinters whose figures of every condition fit a terminal side by side


@dataclass(frozen=True, slots=True)
class Summary:
    """One fingerprinter on clips of one length, in per cent: means over conditions, of false answers the worst kind."""

    name: str
    seconds: float
    rank1: float
    top1: float
    near: float
    exact: float
    false: float | None  # None without unknown clips
    real_time: float | None  # hours indexed in an hour of one core
    megabytes_an_hour: float | None
    milliseconds_a_clip: float | None  # time of one core, over clips of all lengths


def summaries(measured: Mapping[str, Report]) -> list[Summary]:
    """Return what fingerprinters are chosen by, length by length."""
    lengths = sorted({row.seconds for report in measured.values() for row in report.rows})
    return [_summary(name, report, seconds) for seconds in lengths for name, report in measured.items()]


def summary_rows(measured: Mapping[str, Report]) -> list[tuple[str, ...]]:
    """Return the cells of the table of summaries."""
    return [summary_cells(one) for one in summaries(measured)]


def summary_cells(one: Summary) -> tuple[str, ...]:
    """Return a row of the table of summaries; what is not known stays empty."""
    shares = (one.top1, one.near, one.exact, one.false)
    speed = "" if one.real_time is None else f"{one.real_time:.0f}"
    size = "" if one.megabytes_an_hour is None else f"{one.megabytes_an_hour:.2f}"
    cost = "" if one.milliseconds_a_clip is None else f"{one.milliseconds_a_clip:.0f}"
    figures = ["" if share is None else f"{share:.1f}" for share in shares]
    return (shown(one.name), f"{one.seconds:g}", *figures, speed, size, cost)


def _summary(name: str, report: Report, seconds: float) -> Summary:
    rows = [row for row in report.rows if row.seconds == seconds]
    false = [row.false.value for row in report.negatives if row.seconds == seconds]
    cost = report.cost.get("processor_seconds_a_clip")

    def mean(figure: str) -> float:
        return 100 * float(np.mean([getattr(row, figure).value for row in rows]))

    return Summary(
        name=name,
        seconds=seconds,
        rank1=mean("rank1"),
        top1=mean("top1"),
        near=mean("near"),
        exact=mean("exact"),
        false=100 * max(false) if false else None,
        real_time=report.cost.get("index_real_time_a_core"),
        megabytes_an_hour=report.cost.get("megabytes_an_hour"),
        milliseconds_a_clip=None if cost is None else 1_000 * cost,
    )


def columns(measured: Mapping[str, Report]) -> tuple[str, ...]:
    """Return the heads of the table: of each figure one column a fingerprinter, so that neighbours are compared."""
    names = [shown(name) for name in measured]
    return ("condition", "s", "clips", *(f"{figure} {name}" for figure in FIGURES.values() for name in names))


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
    return [f"{shown(name)}: {line}" for name, report in measured.items() for line in reports.sentences(report)]


def markdown(measured: Mapping[str, Report]) -> str:
    """Return the comparison as a page."""
    lines = _page_table(SUMMARY_COLUMNS, summary_rows(measured))
    lines += ["", *_page_table(columns(measured), table_rows(measured))]
    for line in sentences(measured):
        lines += ["", line]
    return "\n".join(lines) + "\n"


def record(measured: Mapping[str, Report]) -> dict[str, Any]:
    """Return all reports by fingerprinter, as what JSON can hold."""
    return {
        "summary": [asdict(one) for one in summaries(measured)],
        "fingerprinters": {name: reports.record(report) for name, report in measured.items()},
    }


def write(measured: Mapping[str, Report], folder: Path) -> list[Path]:
    """Write report.json and report.md, and return their paths."""
    table, page = folder / "report.json", folder / "report.md"
    table.write_text(json.dumps(record(measured), indent=1, default=str) + "\n")
    page.write_text(markdown(measured))
    return [table, page]


def _page_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows)]


def _about(row: Row | NegativeRow, share: Share) -> tuple[str, str, str]:
    return row.condition, f"{row.seconds:g}", str(share.total)


def _percent(share: Share | None) -> str:
    return "" if share is None else f"{100 * share.value:.1f}"
