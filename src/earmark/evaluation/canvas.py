"""An empty figure to draw on, and its file; needs matplotlib (the extra `plot`)."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.errors import OptionError
from earmark.evaluation.fonts import fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_AN_INCH = 120  # resolution of a picture


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, without matplotlib's global state; raises OptionError without matplotlib."""
    keep_to_temporary_files()
    try:
        with _without_remarks():
            from matplotlib.figure import Figure
    except ImportError as error:
        raise OptionError(f"drawing needs matplotlib ({error}); pip install 'earmark[plot]' brings it") from error
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure, and return its path; the ending of the name says in which format.

    Its texts get fonts that have their letters (`fonts.fit`), as far as there are any.
    """
    fit(figure)
    with _without_remarks(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # no font has them: `fonts.advice`
        figure.savefig(path, dpi=DOTS_AN_INCH)
    return Path(path)


@contextlib.contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep matplotlib from saying that it looks for fonts, or draws a family without a bold font in its regular one."""
    speaker = logging.getLogger("matplotlib.font_manager")
    level = speaker.level
    speaker.setLevel(logging.ERROR)
    try:
        yield
    finally:
        speaker.setLevel(level)


def keep_to_temporary_files() -> None:
    """Have matplotlib, if it is not loaded yet, write its list of fonts into a temporary folder and not the home."""
    if "MPLCONFIGDIR" not in os.environ and "matplotlib" not in sys.modules:
        os.environ["MPLCONFIGDIR"] = folder = tempfile.mkdtemp(prefix="earmark-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
