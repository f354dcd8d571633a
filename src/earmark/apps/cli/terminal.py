"""Lines of text on a terminal: how wide it is, and where a line that is longer is parted."""

from __future__ import annotations

import os
import shutil

from earmark.apps.text import wrap

TYPE_CHECKING = False  # typing's own, without its import, which is a fifth of a bare Python's start
if TYPE_CHECKING:
    from typing import TextIO

HANGING = 2  # characters by which what goes on below is set in


def width_of(descriptor: int) -> int:
    """Return how many characters a line of the terminal holds: as COLUMNS says, or the terminal itself."""
    if os.environ.get("COLUMNS", "").isdigit():
        return max(int(os.environ["COLUMNS"]), 20)
    try:
        return os.get_terminal_size(descriptor).columns or 80
    except OSError:
        return shutil.get_terminal_size().columns


def fitted(text: str, stream: TextIO) -> list[str]:
    """Return a line as it is shown on a stream: on a terminal parted where words and folders end, else as it is."""
    if not stream.isatty():
        return [text]
    width = width_of(stream.fileno())
    if text.isascii() and len(text) <= width:
        return [text]
    indent = " " * (len(text) - len(text.lstrip(" ")) + HANGING)
    return wrap(text, width, indent=indent if width > 2 * len(indent) else "") or [text]
