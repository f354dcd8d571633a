"""Recall over speed, one line a kind of index, along which it is asked with more and more effort."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from earmark.evaluation.canvas import new_figure, save
from earmark.evaluation.indexes.grid import Kind
from earmark.evaluation.indexes.measure import Figures

WIDE = 10.0  # ratio of the largest speed to the least from which on two ticks a decade are enough


def draw(measured: Sequence[Figures], path: Path, *, title: str) -> Path:
    """Write the picture, and return its path; raises OptionError without matplotlib."""
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    lines: dict[str, list[Figures]] = {}  # one line for each way of building
    for figures in measured:
        lines.setdefault(str(Kind.parse(figures.index).as_built), []).append(figures)
    names = list(dict.fromkeys(label.partition(":")[0] for label in lines))
    for label, own in lines.items():
        points = sorted((figures.vectors_a_second, figures.recall_at_1) for figures in own)
        color, dash = f"C{names.index(label.partition(':')[0])}", "--" if ":" in label else "-"
        axes.plot(*zip(*points, strict=True), marker="o", color=color, linestyle=dash, label=label)
    axes.set(xscale="log", title=title, xlabel="vectors looked up a second, one thread", ylim=(None, 1.02))
    axes.set_ylabel("recall@1 of exact search")
    axes.set_yticks([tick for tick in axes.get_yticks() if axes.get_ylim()[0] <= tick <= 1])
    _write_out(axes, [figures.vectors_a_second for figures in measured])
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside right upper")
    return save(figure, path)


def _write_out(axes: Any, speeds: Sequence[float]) -> None:
    """Have the ticks of the speed read 2,000 rather than 2 × 10³, and as many of them as there is room for."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    is_wide = max(speeds) > WIDE * min(speeds)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if is_wide else (1, 2, 3, 4, 5, 7)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
