"""Figures as people read them: times, amounts, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path


def clock(seconds: float) -> str:
    """Return 3725.5 as '1:02:05.50'; hours only when there are any, and a minus before times below 0."""
    minutes, rest = divmod(round(abs(seconds), 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    sign = "-" if round(seconds, 2) < 0 else ""
    return f"{sign}{hours}:{minutes:02d}:{rest:05.2f}" if hours else f"{sign}{minutes}:{rest:05.2f}"


def lasting(seconds: float) -> str:
    """Return a stretch of time in words: '45 s', '12 min', '2 h 10 min', '3 days 4 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"


def shown_path(path: str) -> str:
    """Return a path as seen from where one stands, when it lies below; else as it is."""
    here = str(Path.cwd()).rstrip("/") + "/"
    return path.removeprefix(here).removeprefix("./") or path


def amount(count: int, noun: str) -> str:
    """Return '1 track', '2 tracks', '1,234 tracks'."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(share: float) -> str:
    """Return a small share with two digits: 0.0091 as '0.91 %', 0.012 as '1.2 %', 0 as '0 %'."""
    return f"{100 * share:#.2g}".rstrip(".") + " %" if share else "0 %"


def size(count: float) -> str:
    """Return a number of bytes with a decimal unit: 1234567 as '1.2 MB'."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def cut(text: str, cells: int, *, in_middle: bool = False) -> str:
    """Return text in at most so many cells, with … for what is left out at its end or in its middle."""
    from rich.cells import cell_len, chop_cells

    if cell_len(text) <= cells:
        return text
    if cells < 2:
        return "…"[:cells]
    head = (cells - 1) // 3 if in_middle else cells - 1
    tail = cells - 1 - head
    start = chop_cells(text, head)[0] if head else ""
    return f"{start}…{chop_cells(text[::-1], tail)[0][::-1] if tail else ''}"


def wrap(text: str, cells: int, *, indent: str = "") -> list[str]:
    """Return text in lines of at most so many cells, parted behind spaces; words longer than a line behind slashes.

    `indent` stands before every line but the first. A letter of Chinese, Japanese or Korean takes two cells.
    """
    from rich.cells import cell_len, chop_cells

    lines, line = list[str](), ""
    for word in _pieces(text, cells - len(indent)):
        if line not in ("", indent) and cell_len(line + word.rstrip()) > cells:
            lines += [line.rstrip()] if line.strip() else []
            line = indent
        while word.strip() and cell_len(line + word.rstrip()) > cells:
            head = chop_cells(word, max(cells - cell_len(line), 2))[0]  # one letter at least, which may be wide
            lines.append(line + head)
            line, word = indent, word.removeprefix(head)
        line += word
    return [*lines, line.rstrip()] if line.strip() else lines


def _pieces(text: str, cells: int) -> Iterator[str]:
    """Yield words with the space behind them; one longer than `cells`, as a path may be, in its folders."""
    from rich.cells import cell_len

    for word in re.findall(r"[^ ]* |[^ ]+", text):
        yield from [word] if cell_len(word.rstrip()) <= cells else re.findall(r"[^/]*/|[^/]+", word)
