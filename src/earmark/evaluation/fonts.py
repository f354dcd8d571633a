"""Fonts for text in any script: matplotlib's own lacks Chinese, Japanese, Korean, Devanagari and more."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontEntry
    from matplotlib.text import Text

# Families that are made to be read at any size, by the beginnings of their names: Linux, macOS, Windows.
PREFERRED = (
    "Noto Sans", "Source Han Sans", "Droid Sans", "WenQuanYi", "Hiragino", "PingFang", "Arial Unicode",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Nirmala UI", "Segoe UI",
)  # fmt: skip
DUMMIES = ("Last Resort",)  # families that have a box for every letter there is
REGULAR_WEIGHTS = (400, "normal", "regular", "book")
UNDRAWN = ("Cc", "Cf", "Mn", "Zl", "Zp", "Zs")  # categories of characters that need no glyph of their own
EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")  # first words of the names of letters
EAST_ASIAN_PACKAGES = "fonts-noto-cjk (Debian, Ubuntu) or google-noto-sans-cjk-fonts (Fedora)"
SYMBOL_PACKAGES = "fonts-symbola (Debian, Ubuntu) or gdouros-symbola-fonts (Fedora)"
OTHER_PACKAGES = "fonts-noto-core (Debian, Ubuntu) or google-noto-fonts-all (Fedora)"
MOST_LETTERS = 12  # letters that a message shows


@dataclass(frozen=True, slots=True)
class Lettering:
    """Families that together draw a text as far as the machine can, and the letters that none of them has."""

    families: tuple[str, ...]
    missing: str


def fit(figure: Figure) -> str:
    """Give every text of a figure families that have its letters; return the letters that no font here has."""
    from matplotlib.text import Text

    missing = dict[str, None]()
    for text in figure.findobj(Text):
        missing |= dict.fromkeys(_fit_text(text))
    return "".join(missing)


def advice(missing: str) -> str:
    """Return one sentence about letters that no font here has: what becomes of them, and what to install."""
    shown = missing if len(missing) <= MOST_LETTERS else f"{missing[:MOST_LETTERS]}…"
    packages = " and ".join(dict.fromkeys(map(_packages, missing)))
    return f"no font of this machine has {shown}, so boxes are drawn instead; install {packages}"


def _fit_text(text: Text) -> str:
    own = text.get_fontfamily()
    lettering = lettering_of(text.get_text(), tuple([own] if isinstance(own, str) else own))
    if lettering.families:
        text.set_fontfamily([*own, *lettering.families])
    return lettering.missing


def lettering_of(text: str, own: tuple[str, ...]) -> Lettering:
    """Return what draws the letters of a text that the families `own` lack."""
    from matplotlib.font_manager import FontProperties, findfont

    if text.isascii():
        return Lettering((), "")
    lacking = {letter for letter in text if unicodedata.category(letter) not in UNDRAWN}
    for family in own:
        lacking -= _letters(findfont(FontProperties(family=[family])))
    chosen = []
    for family, path in _candidates() if lacking else ():
        found = lacking & _letters(path)
        if found:
            chosen.append(family)
            lacking -= found
        if not lacking:
            break
    return Lettering(tuple(chosen), "".join(letter for letter in dict.fromkeys(text) if letter in lacking))


def _candidates() -> Iterator[tuple[str, str]]:
    """Yield (family, file) of fonts that may be drawn with, the preferred ones first."""
    from matplotlib.font_manager import fontManager

    upright = [one for one in fontManager.ttflist if one.style == "normal" and not one.name.startswith(DUMMIES)]
    for entry in sorted(upright, key=_rank):
        yield entry.name, entry.fname


def _rank(entry: FontEntry) -> tuple[bool, int, str]:
    preferred = (place for place, name in enumerate(PREFERRED) if entry.name.startswith(name))
    return entry.weight not in REGULAR_WEIGHTS, next(preferred, len(PREFERRED)), entry.name


@cache
def _letters(path: str) -> frozenset[str]:
    """Return the letters that a font has outlines for; none of one that cannot be read, or holds bitmaps alone."""
    from matplotlib.font_manager import get_font

    try:
        font = get_font(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()


def _packages(letter: str) -> str:
    if unicodedata.name(letter, "").startswith(EAST_ASIAN):
        return EAST_ASIAN_PACKAGES
    return SYMBOL_PACKAGES if unicodedata.category(letter).startswith("S") else OTHER_PACKAGES
