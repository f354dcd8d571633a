"""Rows, tables and JSON of scenes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from earmark.evaluation.scenes import report
from earmark.evaluation.scenes.scene import Scene
from earmark.evaluation.scenes.scores import Detection, PieceScore, SceneScore

GOOD = PieceScore("2 s", 2.0, 2.0, True, 0.1, -0.3, 1, 0.001)
LATE = PieceScore("4 s", 4.0, 3.0, True, 0.8, 0.2, 2, -0.002)
LOST = PieceScore("4 s", 4.0, 0.0, False)
INVENTED = Detection("x", 5.0, 7.0, 0.0, 1.0, 0.9)


@pytest.fixture
def rows():
    ten = Scene("jingles", "10 min", 0, 600.0, ())
    scores = [
        SceneScore(ten, (GOOD, LATE), (), 6.0, 5.0, 2.0),
        SceneScore(replace(ten, condition="40 min", seconds=2_400.0), (LOST,), (INVENTED,), 2.0, 0.0, 8.0),
        SceneScore(Scene("talk", "120 min", 0, 7_200.0, ()), (), (), 0.0, 0.0, 40.0),
    ]
    return {(row.kind, row.condition, row.label): row for row in report.rows_of(scores)}


def test_conditions_and_labels_have_rows_and_all_conditions_together_have_one(rows):
    assert list(rows) == [
        ("jingles", "10 min", ""), ("jingles", "10 min", "2 s"), ("jingles", "10 min", "4 s"),
        ("jingles", "40 min", ""), ("jingles", "40 min", "4 s"),
        ("jingles", "all", ""), ("jingles", "all", "2 s"), ("jingles", "all", "4 s"),
        ("talk", "120 min", ""),
    ]  # fmt: skip


def test_the_figures_of_a_kind(rows):
    row = rows["jingles", "all", ""]
    assert (row.named.hits, row.named.total) == (2, 3)
    assert {within: share.hits for within, share in row.borders.items()} == {0.5: 1, 1.0: 2, 3.0: 2}
    assert (row.all_named.hits, row.all_named.total) == (1, 2)
    assert row.invented == 1
    assert row.precision == pytest.approx(5 / 8)
    assert row.recall == pytest.approx(5 / 10)
    assert row.f1 == pytest.approx(5 / 9)
    assert row.fragmentation == 1.5
    assert row.over_seconds == pytest.approx(0.1)
    assert row.border_median == pytest.approx(0.25)
    assert row.speed_median == pytest.approx(0.0015)
    assert row.processor_seconds_an_hour == pytest.approx(10 / (3_000 / 3_600))


def test_the_rows_of_a_label_hold_the_pieces_alone(rows):
    row = rows["jingles", "all", "4 s"]
    assert row.named.value == 0.5
    cells = dict(zip(report.COLUMNS, report.table_rows([row])[0], strict=True))
    assert cells["named"] == "50.0"
    assert cells["invented"] == cells["CPU/h"] == cells["F1"] == ""


def test_where_nothing_is_known_only_inventions_are_counted(rows):
    row = rows["talk", "120 min", ""]
    assert row.named is row.precision is row.f1 is row.border_p95 is None
    cells = dict(zip(report.COLUMNS, report.table_rows([row])[0], strict=True))
    assert cells["invented"] == "0"
    assert cells["all"] == "100.0"
    assert cells["pieces"] == cells["1 s"] == ""


def test_the_report_is_written_as_json_and_as_a_page(rows, tmp_path: Path):
    written = report.write(list(rows.values()), {"mix, 8 s fades": "none is long enough"}, {"seed": 1}, tmp_path)
    values = json.loads(written[0].read_text())
    assert values["parameters"] == {"seed": 1}
    assert values["scenes"][5]["named"]["share"] == pytest.approx(2 / 3)
    assert values["scenes"][5]["borders"]["1"]["hits"] == 2
    assert values["left_out"] == {"mix, 8 s fades": "none is long enough"}
    page = written[1].read_text()
    assert page.startswith("| kind | condition |")
    assert "Left out: mix, 8 s fades: none is long enough" in page
