"""Tables for people, as wide as the terminal: wide columns are cut; where that will not do, each row is a block."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from earmark.apps.text import cut, wrap

LEAST_CELLS = 12  # width to which a column of words is cut at most; less says nothing
GAP = "  "
PATHS = ("path", "file")  # columns that are cut in their middle


def draw(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the lines of a table that is at most `width` characters wide; columns that are empty are left out."""
    kept = [place for place in range(len(columns)) if not rows or any(row[place] for row in rows)]
    columns, rows = [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]
    natural = [max(map(cell_len, (name, *cells))) for name, *cells in zip(columns, *rows, strict=True)]
    widths = _fitted(natural, [_can_shrink(place, columns, rows) for place in range(len(columns))], width)
    if widths is None:
        return _blocks(columns, rows, width)
    lines = [[name, *cells] for name, *cells in zip(columns, *rows, strict=True)]
    is_number = [all(map(_is_figure, cells[1:])) for cells in lines]
    drawn = [
        [_padded(cut(cell, size, in_middle=name in PATHS), size, right=right) for cell in (name, *cells)]
        for (name, *cells), size, right in zip(lines, widths, is_number, strict=True)
    ]
    texts = [GAP.join(cells).rstrip() for cells in zip(*drawn, strict=True)]
    return [texts[0], "─" * min(width, sum(widths) + len(GAP) * (len(widths) - 1)), *texts[1:]]


def _can_shrink(place: int, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    return place > 0 and not all(_is_figure(row[place]) for row in rows)  # the first is what gets copied: an id


def _fitted(natural: Sequence[int], shrinks: Sequence[bool], width: int) -> list[int] | None:
    """Return widths of columns that together fit, the widest cut first; None where they cannot."""
    widths, room = list(natural), width - len(GAP) * (len(natural) - 1)
    while sum(widths) > room:
        able = [place for place, can in enumerate(shrinks) if can and widths[place] > LEAST_CELLS]
        if not able:
            return None
        widest = max(able, key=lambda place: widths[place])
        widths[widest] -= 1
    return widths


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return a block of lines for each row: name and value, long values wrapped."""
    name_cells = max(map(cell_len, columns), default=0)
    lines = []
    for row in rows:
        for name, cell in zip(columns, row, strict=True):
            if cell:
                lines += wrapped(f"{name:{name_cells}}{GAP}", cell, width)
        lines.append("")
    return lines[:-1]


def wrapped(name: str, text: str, width: int) -> list[str]:
    """Return lines of a name and a text behind it; a path is parted behind its slashes."""
    parts = wrap(text, max(width - len(name), LEAST_CELLS))
    return [f"{name if place == 0 else ' ' * len(name)}{part}" for place, part in enumerate(parts or [""])]


def _is_figure(text: str) -> bool:
    return not text or text.strip("0123456789.,:%±+-−–/ sh×x") == ""


def _padded(text: str, cells: int, *, right: bool) -> str:
    space = " " * (cells - cell_len(text))
    return space + text if right else text + space
