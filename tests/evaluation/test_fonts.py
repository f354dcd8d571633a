"""Text in any script is drawn with a font of the machine that has it; where there is none, that is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager

from earmark.evaluation.canvas import new_figure, save
from earmark.evaluation.fonts import advice, fit

FAMILY = "A Font for Tests"
LETTERS = "ꔀꔁ"  # of Vai, which no font for everyday use has
UNKNOWN = "\U0001e922"  # of Adlam


@pytest.fixture
def font(tmp_path: Path) -> Iterator[str]:
    """A font of the machine that has LETTERS; its family."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 700), (600, 700), (600, 0)):
        pen.lineTo(corner)
    pen.closePath()
    names = [".notdef", *(f"letter{place}" for place in range(len(LETTERS)))]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(dict(zip(map(ord, LETTERS), names[1:], strict=True)))
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (650, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": FAMILY, "styleName": "Regular", "psName": "AFontForTests"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "letters.ttf")
    before = list(fontManager.ttflist)
    fontManager.addfont(tmp_path / "letters.ttf")
    yield FAMILY
    fontManager.ttflist = before


def test_letters_that_the_own_font_lacks_come_from_one_that_has_them(font: str, tmp_path: Path) -> None:
    figure = new_figure(3, 2)
    axes = figure.add_subplot(title=f"Ольга {LETTERS}", xlabel="plain")
    plain = axes.xaxis.label.get_fontfamily()
    assert fit(figure) == ""
    assert axes.title.get_fontfamily() == [*plain, font]
    assert axes.xaxis.label.get_fontfamily() == plain
    drawn = save(figure, tmp_path / "letters.svg").read_text()
    assert drawn.count("#AFontForTests-") == len(LETTERS)
    assert fit(figure) == ""
    assert axes.title.get_fontfamily() == [*plain, font], "a second look adds nothing"


def test_letters_that_no_font_has_are_told_once_each(font: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    figure = new_figure(3, 2)
    figure.suptitle(f"{UNKNOWN}{LETTERS[0]}{UNKNOWN}\u200d", weight="bold")
    figure.add_subplot(title=UNKNOWN)
    assert fit(figure) == UNKNOWN
    save(figure, tmp_path / "boxes.png")
    assert capfd.readouterr().err == ""


def test_advice_names_packages_that_have_the_letters() -> None:
    assert advice("音한").endswith("boxes are drawn instead; install fonts-noto-cjk (Debian, Ubuntu) or "
                                   "google-noto-sans-cjk-fonts (Fedora)")  # fmt: skip
    assert "fonts-noto-core" in advice("हि")
    assert "fonts-symbola" in advice("🎵")
    assert advice("音" * 99).startswith(f"no font of this machine has {'音' * 12}…, so ")
