"""Pictures of a report, drawn with matplotlib (the extra `plot`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from earmark.evaluation.canvas import new_figure, save
from earmark.evaluation.comparison import summaries
from earmark.evaluation.metrics import Reliability
from earmark.evaluation.report import Report, Row
from earmark.fingerprints import shown

CLEAN = "none"  # label of the tick for clips without noise
LINE_SHIFT = 0.08  # ticks from one line to the next, so that their intervals can be seen
DASHES = ("-", "--", ":", "-.")  # line styles, one a fingerprinter
Lines = dict[tuple[float, str], list[Row]]  # rows by length in seconds and fingerprinter


def draw(measured: Mapping[str, Report], folder: Path) -> list[Path]:
    """Write hit-rate.png, calibration.png and, of several fingerprinters, choice.png, as far as there is something.

    Return their paths.
    """
    paths = []
    panels = _panels(measured)
    if panels:
        paths.append(save(_hit_rates(panels), folder / "hit-rate.png"))
    calibrations = {name: report.calibration for name, report in measured.items() if report.calibration is not None}
    if calibrations:
        paths.append(save(_calibration(calibrations), folder / "calibration.png"))
    if len(measured) > 1:
        paths.append(save(_choice(measured), folder / "choice.png"))
    return paths


def _choice(measured: Mapping[str, Report]) -> Any:
    """Return a figure: what fingerprinters are chosen by, one bar each, of the length of most clips."""
    clips = Counter[float]()
    for row in next(iter(measured.values())).rows:
        clips[row.seconds] += row.top1.total
    seconds = max(clips, key=lambda one: (clips[one], one))
    chosen = [one for one in summaries(measured) if one.seconds == seconds][::-1]
    panels: dict[str, list[float | None]] = {
        f"right of {clips[seconds]:,} clips of {seconds:g} s, %": [one.top1 for one in chosen],
        "worst kind of false answers, %": [one.false for one in chosen],
        "indexed, hours in an hour of one core": [one.real_time for one in chosen],
        "catalog, MB an hour": [one.megabytes_an_hour for one in chosen],
        "one core, ms a clip": [one.milliseconds_a_clip for one in chosen],
    }
    drawn = {
        title: [value for value in values if value is not None]
        for title, values in panels.items()
        if None not in values
    }
    figure = new_figure(3.2 * len(drawn) + 1, 0.45 * len(chosen) + 1.2)
    places = figure.subplots(1, len(drawn), squeeze=False, sharey=True)[0]
    for axes, (title, values) in zip(places, drawn.items(), strict=True):
        colours = [f"C{len(chosen) - 1 - number}" for number in range(len(chosen))]
        bars = axes.barh([shown(one.name) for one in chosen], values, color=colours)
        axes.bar_label(bars, fmt="%.3g", padding=3)
        axes.set_title(title, fontsize=9)
        axes.set_xlim(0, 1.2 * max([*values, 1e-9]))
        axes.set_xticks([])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(left=False)
    return figure


def _panels(measured: Mapping[str, Report]) -> dict[str, Lines]:
    """Return the rows by what else was done to the clips, where there are several ratios to draw a line through."""
    panels: dict[str, Lines] = {}
    for name, report in measured.items():
        for row in report.rows:
            rest = re.sub(r"(^| )snr=-?[\d.]+|(?<=noise)-?\d+$|(?<=nrev)-?\d+$", "", row.condition).strip() or "clean"
            lines = panels.setdefault(panel_title(rest), {})
            lines.setdefault((row.seconds, name), []).append(row)
    return {
        title: lines
        for title, lines in panels.items()
        if len({row.snr_decibels for rows in lines.values() for row in rows}) > 1
    }


def panel_title(rest: str) -> str:
    """Return what was done to clips besides noise, in words: "t60=0.5" as "noise in a room, T60 0.5 s"."""
    known = {"clean": "noise", "noise": "noise", "nrev": "noise in a room"}
    room = re.search(r"(?:^| )t60=([\d.]+)$", rest)
    if room is None:
        return known.get(rest, rest)
    effect = rest[: room.start()]
    return f"{effect + ', ' if effect else ''}noise in a room, T60 {room[1]} s"


def _hit_rates(panels: Mapping[str, Lines]) -> Any:
    """Return a figure: top-1 over the ratio of signal to noise, one line a length of clips and fingerprinter."""
    figure = new_figure(4.5 * len(panels) + 1.5, 3.6)
    ratios = {row.snr_decibels for lines in panels.values() for rows in lines.values() for row in rows}
    ticks = [*sorted(ratio for ratio in ratios if ratio is not None), *([None] if None in ratios else [])]
    for axes, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        lengths, names = sorted({seconds for seconds, _ in lines}), list(dict.fromkeys(name for _, name in lines))
        for number, ((seconds, name), rows) in enumerate(sorted(lines.items())):
            aside = LINE_SHIFT * (number - (len(lines) - 1) / 2)
            label = f"{seconds:g} s" if len(names) == 1 else f"{seconds:g} s, {shown(name)}"
            style = {
                "color": f"C{lengths.index(seconds)}",
                "linestyle": DASHES[names.index(name) % len(DASHES)],
            }
            _line(axes, rows, ticks, aside, label=label, **style)
        axes.set_xticks(range(len(ticks)), [CLEAN if tick is None else f"{tick:g}" for tick in ticks])
        axes.set(title=title, xlabel="signal to noise, dB", ylabel="right answers, %", ylim=(-3, 103))
        axes.grid(alpha=0.3)
    counts = {row.top1.total for lines in panels.values() for rows in lines.values() for row in rows}
    most = f"{min(counts):,}" if len(counts) == 1 else f"{min(counts):,} to {max(counts):,}"
    figure.legend(*_keys(figure.axes), title=f"clips ({most} a point) of", loc="outside right upper")
    return figure


def _keys(panels: list[Any]) -> tuple[list[Any], list[str]]:
    """Return (lines, labels), each label once, whichever panels have it."""
    by_label: dict[str, Any] = {}
    for axes in panels:
        lines, labels = axes.get_legend_handles_labels()
        by_label |= dict(zip(labels, lines, strict=True))
    return list(by_label.values()), list(by_label)


def _line(axes: Any, rows: list[Row], ticks: list[float | None], aside: float, **style: str) -> None:
    """Draw the right answers of one length and fingerprinter, with 95 % intervals."""
    rows = sorted(rows, key=lambda row: ticks.index(row.snr_decibels))
    values = [100 * row.top1.value for row in rows]
    low = [max(value - 100 * row.top1.interval[0], 0.0) for value, row in zip(values, rows, strict=True)]
    high = [max(100 * row.top1.interval[1] - value, 0.0) for value, row in zip(values, rows, strict=True)]
    places = [ticks.index(row.snr_decibels) + aside for row in rows]
    axes.errorbar(places, values, (low, high), marker="o", capsize=3, **style)


def _calibration(calibrations: Mapping[str, Reliability]) -> Any:
    """Return a figure: how often answers are right, over the confidence they came with."""
    figure = new_figure(4.5, 4.2 + 0.25 * len(calibrations))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    for number, (name, one) in enumerate(calibrations.items()):
        label = f"{shown(name)}: ECE {one.expected_error:.3f}, Brier {one.brier:.3f}"
        axes.plot(one.confidence, one.accuracy, marker="o", color=f"C{number}", label=label)
        for confidence, accuracy, count in zip(one.confidence, one.accuracy, one.counts, strict=True):
            place: dict[str, Any] = {
                "textcoords": "offset points",
                "xytext": (4, -10 - 8 * number),  # below those of the kinds before: many points coincide
                "fontsize": 7,
                "color": f"C{number}",
            }
            axes.annotate(str(count), (confidence, accuracy), **place)
    axes.set(xlabel="confidence", ylabel="share that is right", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center")
    return figure
