from __future__ import annotations

from dataclasses import replace

import pytest

from earmark.evaluation.figures import draw, panel_title
from earmark.evaluation.report import outcomes_of, summarise

PNG = b"\x89PNG"


def test_hit_rates_and_calibration_of_several_fingerprinters_are_drawn(query, reply, tmp_path):
    queries = [
        replace(query("a", 10.0, id=f"{ratio}/{number}", condition=name), snr_decibels=ratio)
        for name, ratio in (("clean", None), ("noise0", 0.0), ("noise10", 10.0))
        for number in range(3)
    ]
    replies = [reply(("a", 10.0, 0.9), id=one.id) for one in queries]
    report = summarise(outcomes_of(queries, replies, lambda *_: None), parameters={}, cost={})
    paths = draw({"neural": report, "shazam": report}, tmp_path)
    assert [path.name for path in paths] == ["hit-rate.png", "calibration.png", "choice.png"]
    assert all(path.read_bytes().startswith(PNG) for path in paths)


@pytest.mark.parametrize(
    ("rest", "title"),
    [
        ("clean", "noise"),
        ("noise", "noise"),
        ("nrev", "noise in a room"),
        ("t60=0.5", "noise in a room, T60 0.5 s"),
        ("mp3 t60=0.5", "mp3, noise in a room, T60 0.5 s"),
        ("mp3", "mp3"),
    ],
)
def test_panels_have_titles_in_words(rest, title):
    assert panel_title(rest) == title


def test_what_has_no_line_is_not_drawn(query, reply, tmp_path):
    report = summarise(outcomes_of([query("a", 1.0)], [reply()], lambda *_: None), parameters={}, cost={})
    assert draw({"neural": report}, tmp_path) == []
