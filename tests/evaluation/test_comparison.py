from __future__ import annotations

import json
from dataclasses import replace

import pytest

from earmark.evaluation.comparison import (
    columns,
    markdown,
    record,
    sentences,
    summaries,
    summary_rows,
    table_rows,
    write,
)
from earmark.evaluation.report import outcomes_of, summarise


@pytest.fixture
def measured(query, reply):
    """Two clips of track a and one of nothing known: one fingerprinter misses one and answers the last."""
    queries = [query("a", 10.0, id="0"), query("a", 10.0, id="1"), query(None, 0.0, id="2", condition="unknown")]
    right, doubtful = ("a", 10.01, 0.99), ("a", 10.01, 0.3)
    replies = {
        "neural": [reply(right, id="0"), reply(right, id="1"), reply(id="2")],
        "shazam": [reply(right, id="0"), reply(doubtful, id="1"), reply(("b", 3.0, 0.6), id="2")],
    }
    return {
        name: summarise(outcomes_of(queries, one, lambda *_: None), parameters={"fingerprinter": name}, cost={"s": 1.5})
        for name, one in replies.items()
    }


def test_each_figure_has_a_column_a_fingerprinter(measured):
    assert columns(measured)[:7] == (
        "condition", "s", "clips", "rank-1 neural", "rank-1 landmarks", "top-1 neural", "top-1 landmarks",
    )  # fmt: skip
    known, unknown = (dict(zip(columns(measured), row, strict=True)) for row in table_rows(measured))
    assert (known["rank-1 neural"], known["rank-1 landmarks"]) == ("100.0", "100.0")
    assert (known["top-1 neural"], known["top-1 landmarks"]) == ("100.0", "50.0")
    assert (known["wrong neural"], known["wrong landmarks"]) == ("0.0", "0.0")
    assert (unknown["condition"], unknown["top-1 neural"]) == ("unknown", "")
    assert (unknown["wrong neural"], unknown["wrong landmarks"]) == ("0.0", "100.0")


def test_what_the_table_does_not_hold_is_said_of_each(measured):
    assert sum(line.startswith("neural: ") for line in sentences(measured)) == len(sentences(measured)) / 2
    assert "landmarks: s: 1.5" in sentences(measured)


def test_it_is_written_as_json_and_as_a_page(measured, tmp_path):
    table, page = write(measured, tmp_path)
    assert json.loads(table.read_text()) == json.loads(json.dumps(record(measured)))
    assert set(json.loads(table.read_text())["fingerprinters"]) == {"neural", "shazam"}
    assert page.read_text() == markdown(measured)
    assert "| clean | 5 | 2 | 100.0 | 100.0 | 100.0 | 50.0 |" in page.read_text()


def test_fingerprinters_are_chosen_by_means_and_costs(measured):
    neural, shazam = summaries(measured)
    assert (neural.name, neural.seconds, neural.top1, neural.false) == ("neural", 5.0, 100.0, 0.0)
    assert (shazam.rank1, shazam.top1, shazam.false) == (100.0, 50.0, 100.0)
    assert (neural.real_time, neural.megabytes_an_hour, neural.milliseconds_a_clip) == (None, None, None)
    cost = {"index_real_time_a_core": 212.4, "megabytes_an_hour": 3.284, "processor_seconds_a_clip": 0.0814}
    dear = {name: replace(report, cost=cost) for name, report in measured.items()}
    assert summary_rows(dear)[1] == (
        "landmarks", "5", "50.0", "50.0", "50.0", "100.0", "212", "3.28", "81",
    )  # fmt: skip
    assert summary_rows(measured)[0][-3:] == ("", "", "")
