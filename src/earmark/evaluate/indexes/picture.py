"""Recall over speed, one line a kind of index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from earmark.evaluate.indexes.measuring import Figures
from earmark.evaluate.pictures import new_figure, saved


def draw(measured: Sequence[Figures], path: Path, *, title: str) -> Path:
    """Write the picture, and return its path; raises OptionError without matplotlib."""
    figure = new_figure(7, 4.5)
    axes = figure.subplots()
    names = list(dict.fromkeys(figures.index.partition(":")[0] for figures in measured))
    for number, name in enumerate(names):
        own = [figures for figures in measured if figures.index.partition(":")[0] == name]
        points = sorted((figures.vectors_a_second, figures.recall_at_1) for figures in own)
        axes.plot(*zip(*points, strict=True), marker="o", color=f"C{number}", label=name)
    axes.set(xscale="log", title=title, xlabel="vectors looked up a second, one thread", ylim=(None, 1.02))
    axes.set_ylabel("recall@1 of exact search")
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside right upper")
    return saved(figure, path)
