"""The figures of indexes as a table: text, Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from earmark.evaluation.indexes.measure import Figures

COLUMNS = (
    "index",
    "recall@1",
    "@10",
    "rank-1",
    "ms a clip",
    "queries/s",
    "build s",
    "disk B",
    "memory B",
    "memory MB",
    "compared %",
    "imbalance",
    "entropy",
    "largest",
)


def row(figures: Figures) -> tuple[str, ...]:
    """Return the cells of one index; bytes are of a vector, queries are vectors of clips."""
    return (
        figures.index,
        f"{figures.recall_at_1:.3f}",
        f"{figures.recall_at_10:.3f}",
        f"{figures.rank_1:.3f}",
        f"{1e3 * figures.clip_seconds:.1f}",
        f"{figures.vectors_a_second:,.0f}",
        f"{figures.build_seconds:.1f}",
        f"{figures.bytes_per_vector:.0f}",
        f"{figures.memory_bytes_per_vector:.0f}",
        f"{figures.memory_bytes / 1e6:.0f}",
        f"{100 * figures.compared_share:.2f}",
        f"{figures.imbalance:.1f}",
        f"{figures.entropy:.3f}",
        f"{figures.largest_bucket:.1f}",
    )


def markdown(measured: Sequence[Figures]) -> str:
    """Return the table as a page has it."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(row(figures)) + " |" for figures in measured]
    return "\n".join(lines) + "\n"


def record(measured: Sequence[Figures], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return all of it as what JSON can hold."""
    return {"parameters": dict(parameters), "indexes": [asdict(figures) for figures in measured]}


def write(measured: Sequence[Figures], parameters: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write indexes.json, indexes.csv and indexes.md, and return their paths."""
    paths = [folder / f"indexes.{kind}" for kind in ("json", "csv", "md")]
    paths[0].write_text(json.dumps(record(measured, parameters), indent=1) + "\n")
    with paths[1].open("w", newline="") as handle:
        writer = csv.DictWriter(handle, [field.name for field in fields(Figures)])
        writer.writeheader()
        writer.writerows(asdict(figures) for figures in measured)
    paths[2].write_text(markdown(measured))
    return paths
