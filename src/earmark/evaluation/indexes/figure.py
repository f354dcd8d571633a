"""Recall over speed, one line a kind of index, along which it is asked with more and more effort."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from earmark.evaluation.canvas import new_figure, save
from earmark.evaluation.indexes.grid import Kind
from earmark.evaluation.indexes.measure import Figures


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
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside right upper")
    return save(figure, path)
