"""The picture of an answer: what is written and drawn, whatever was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.apps.plot.evidence import draw_explanation, minutes, show_clock, written
from earmark.apps.plot.figures import plain
from earmark.audio.decode import load
from earmark.evaluation import canvas

PRESETS: Mapping[str, Mapping[str, object]] = {
    "neural": {}, "vectors": {"peaks": False}, "shazam": {}, "philips": {}, "waveprint": {},
}  # fmt: skip
RATE = 16_000


@pytest.fixture(scope="module")
def edited(music: Sequence[Path]) -> np.ndarray:
    """A recording of which five seconds are cut out."""
    sound = load(music[2], rate=RATE)[0]
    return np.concatenate([sound[RATE : 8 * RATE], sound[13 * RATE : 20 * RATE]])


@pytest.mark.parametrize("kind", PRESETS)
def test_every_kind_of_fingerprint_shows_evidence_matrices_and_lines(
    kind: str, music: Sequence[Path], edited: np.ndarray, tmp_path: Path
) -> None:
    name = kind.replace("vectors", "neural")
    with earmark.open(tmp_path / "c.earmark", fingerprinter=name, **PRESETS[kind]) as catalog:
        catalog.add(music[:4], workers=1)
        told = catalog.explain((edited, RATE), several=True)
    assert [one.matches[0].track.path for one in told.traces][:1] == [str(music[2])]
    figure = draw_explanation("clip.wav", told, ["found", "  by its peaks"])
    axes = figure.axes
    assert axes[0].get_ylabel().startswith("agreement of a second")
    assert [one.get_title(loc="left").partition(":")[0] for one in axes[1 : 1 + len(told.traces)]] == [
        "best", "runner-up",
    ][: len(told.traces)]  # fmt: skip
    assert axes[0].get_xlim() == pytest.approx((0.0, 14.0), abs=0.2)
    saved = canvas.save(figure, tmp_path / "picture.png")
    assert saved.read_bytes().startswith(b"\x89PNG")


def test_silence_is_drawn_too(music: Sequence[Path], tmp_path: Path) -> None:
    with earmark.open(tmp_path / "c.earmark") as catalog:
        catalog.add(music[:1], workers=1)
        told = catalog.explain((np.zeros(5 * RATE, np.float32), RATE))
    assert (told.answer.reason, told.traces) == ("silent", ())
    figure = draw_explanation("$silence$.wav", told)
    assert "not found" in figure.get_suptitle()
    canvas.save(figure, tmp_path / "picture.svg")


def test_names_that_run_from_right_to_left_do_not_turn_the_words_around_them() -> None:
    assert plain("نسم.ogg: 2 peaks") == "\u200eنسم.ogg: 2 peaks"
    assert plain("音楽.ogg: 2 peaks") == "音楽.ogg: 2 peaks"


def test_words_of_a_match_stand_in_its_lines_and_there_are_not_too_many() -> None:
    assert written(["one", "  two", "three $x$"]) == ["one; two", "three $x$"]
    assert len(written([f"reason {number}" for number in range(40)])) == 9


@pytest.mark.parametrize(
    ("seconds", "exact", "text"),
    [(65.4, False, "1:05"), (65.4, True, "1:05.4"), (59.7, False, "1:00"), (-3, False, "−0:03")],
)
def test_times_are_minutes_and_seconds(seconds: float, exact: bool, text: str) -> None:
    assert minutes(seconds, exact=exact) == text


def test_ticks_are_as_far_apart_as_the_time_is_long() -> None:
    axes = canvas.new_figure(5, 3).subplots()
    for length, step in ((5.0, 0.5), (14.0, 2.0), (120.0, 10.0)):
        axes.set_xlim(0, length)
        show_clock(axes.xaxis, length)
        assert np.diff(axes.xaxis.get_majorticklocs())[0] == pytest.approx(step)
