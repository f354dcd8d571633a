"""Pictures of a report, drawn with matplotlib (the extra `plot`)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from earmark.errors import OptionError
from earmark.evaluate.metrics import Calibration
from earmark.evaluate.report import Report, Row

CLEAN = "none"  # where clips without noise stand on the axis
BESIDE = 0.08  # of a tick: how far lengths stand apart, so that their intervals can be seen


def draw(report: Report, folder: Path) -> list[Path]:
    """Write hit-rate.png and calibration.png, as far as the report has something for them; return their paths."""
    paths = []
    panels = _panels(report.rows)
    if panels:
        paths.append(_save(_hit_rates(panels), folder / "hit-rate.png"))
    if report.calibration is not None:
        paths.append(_save(_calibration(report.calibration), folder / "calibration.png"))
    return paths


def _panels(rows: tuple[Row, ...]) -> dict[str, list[Row]]:
    """Return the rows by what else was done to the clips, where there are several ratios to draw a line through."""
    panels: dict[str, list[Row]] = {}
    for row in rows:
        rest = re.sub(r"(^| )snr=-?[\d.]+|(?<=noise)-?\d+$|(?<=nrev)-?\d+$", "", row.condition).strip() or "clean"
        panels.setdefault("noise" if rest == "clean" else rest, []).append(row)
    return {name: group for name, group in panels.items() if len({row.snr_decibels for row in group}) > 1}


def _hit_rates(panels: dict[str, list[Row]]) -> Any:
    """Return a figure: top-1 over the ratio of signal to noise, one line a length of clips, with 95 % intervals."""
    figure = _figure(4.5 * len(panels), 3.6)
    ratios = {row.snr_decibels for rows in panels.values() for row in rows}
    ticks = [*sorted(ratio for ratio in ratios if ratio is not None), *([None] if None in ratios else [])]
    for axes, (name, rows) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        lengths = sorted({row.seconds for row in rows})
        for number, seconds in enumerate(lengths):
            line = sorted(
                (row for row in rows if row.seconds == seconds), key=lambda row: ticks.index(row.snr_decibels)
            )
            values = [100 * row.top1.value for row in line]
            low = [max(value - 100 * row.top1.interval[0], 0.0) for value, row in zip(values, line, strict=True)]
            high = [max(100 * row.top1.interval[1] - value, 0.0) for value, row in zip(values, line, strict=True)]
            aside = BESIDE * (number - (len(lengths) - 1) / 2)
            places = [ticks.index(row.snr_decibels) + aside for row in line]
            axes.errorbar(places, values, (low, high), marker="o", capsize=3, label=f"{seconds:g} s")
        axes.set_xticks(range(len(ticks)), [CLEAN if tick is None else f"{tick:g}" for tick in ticks])
        axes.set(title=name, xlabel="signal to noise, dB", ylabel="right answers, %", ylim=(-3, 103))
        axes.grid(alpha=0.3)
        axes.legend(title="clips of")
    return figure


def _calibration(calibration: Calibration) -> Any:
    """Return a figure: how often answers are right, over the confidence they came with."""
    figure = _figure(4.5, 4.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(calibration.confidence, calibration.accuracy, marker="o")
    for confidence, accuracy, count in zip(
        calibration.confidence, calibration.accuracy, calibration.counts, strict=True
    ):
        axes.annotate(str(count), (confidence, accuracy), textcoords="offset points", xytext=(4, -10), fontsize=7)
    axes.set(xlabel="confidence", ylabel="share that is right", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.set_title(f"ECE {calibration.expected_error:.3f}, Brier {calibration.brier:.3f}")
    axes.grid(alpha=0.3)
    return figure


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OptionError("pictures need matplotlib; pip install 'earmark[plot]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=120)
    return path
