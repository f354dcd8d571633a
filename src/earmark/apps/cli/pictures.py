"""A drawn picture into its file, with a word on the letters that no font has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from earmark.apps.cli.output import Output

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_picture(output: Output, figure: Figure, target: str | Path) -> None:
    """Write a picture, and say on stderr what it cannot show."""
    from earmark.evaluation import canvas, fonts

    missing = fonts.fit(figure)
    canvas.save(figure, target)
    if missing:
        output.remark(f"earmark: {target}: {fonts.advice(missing)}")
