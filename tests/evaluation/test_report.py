from __future__ import annotations

import json

import pytest

from earmark.evaluation.report import markdown, outcomes_of, record, sentences, summarise, table_rows, write


@pytest.fixture
def outcomes(query, reply):
    """Four clips of track a, one each right, near, wrong and missed; and two of nothing known, one answered."""
    known = [query("a", 10.0, id=str(number)) for number in range(4)]
    unknown = [query(None, 0.0, id=str(number), condition="unknown") for number in (4, 5)]
    replies = [
        reply(("a", 10.01, 0.99), ("b", 3.0, 0.1), id="0"),
        reply(("a", 10.3, 0.8), id="1"),
        reply(("b", 3.0, 0.7), ("a", 40.0, 0.6), ("a", 10.0, 0.5), id="2"),
        reply(("a", 10.0, 0.4), id="3"),
        reply(("b", 3.0, 0.6), id="4"),
        reply(id="5"),
    ]
    return outcomes_of([*known, *unknown], replies, lambda *_: None)


def test_figures_are_those_worked_by_hand(outcomes):
    row = summarise(outcomes, parameters={}, cost={}).rows[0]
    assert (row.rank1.hits, row.top1.hits, row.near.hits, row.exact.hits, row.wrong.hits) == (3, 2, 2, 1, 1)
    assert {k: share.hits for k, share in row.recall.items()} == {1: 3, 3: 4, 5: 4}
    assert {k: share.hits for k, share in row.place_recall.items()} == {1: 3, 3: 4, 5: 4}
    assert row.mrr == pytest.approx((1 + 1 + 1 / 2 + 1) / 4)  # recordings: b, then a
    assert row.place_mrr == pytest.approx((1 + 1 + 1 / 3 + 1) / 4)  # places: the third
    assert row.median_error == pytest.approx((0.01 + 0.3) / 2)


def test_the_rate_of_false_answers_sets_a_threshold_for_all(outcomes):
    report = summarise(outcomes, parameters={}, cost={})
    assert report.negatives[0].false.value == 0.5
    assert report.rows[0].at_fpr.hits == 2  # above 0.6, the surest false answer: 0.99 and 0.8 are right


def test_calibration_is_over_every_first_candidate(outcomes):
    calibration = summarise(outcomes, parameters={}, cost={}).calibration
    assert calibration.counts.sum() == 5
    squares = (0.01**2, 0.2**2, 0.7**2, 0.6**2, 0.6**2)
    assert calibration.brier == pytest.approx(sum(squares) / 5)


def test_it_is_written_as_json_and_as_a_page(outcomes, tmp_path):
    report = summarise(outcomes, parameters={"seed": 1}, cost={"seconds_to_ask": 1.5})
    table, page = write(report, tmp_path)
    assert json.loads(table.read_text()) == json.loads(json.dumps(record(report)))
    assert json.loads(table.read_text())["conditions"][0]["top1"]["share"] == 0.5
    assert "| clean | 5 | 4 | 75.0 | 50.0 | 15.0-85.0 |" in page.read_text()
    assert page.read_text() == markdown(report)
    assert len(table_rows(report)) == 2


def test_costs_are_told_in_sentences_with_units(outcomes):
    cost = {"median_seconds_to_answer": 0.525, "megabytes_an_hour": 21.98, "seconds_to_ask": 1.5}
    assert sentences(summarise(outcomes, parameters={}, cost=cost))[-3:] == [
        "Half of the answers took less than 0.525 s.",
        "The catalog takes 21.98 MB an hour of sound.",
        "seconds to ask: 1.5",
    ]


def test_without_negatives_there_is_no_threshold_for_a_rate(query, reply):
    outcomes = outcomes_of([query("a", 10.0)], [reply(("a", 10.0, 0.9))], lambda *_: None)
    assert summarise(outcomes, parameters={}, cost={}).rows[0].at_fpr is None


def test_nothing_found_at_all_is_a_report_too(query, reply):
    report = summarise(outcomes_of([query("a", 10.0)], [reply()], lambda *_: None), parameters={}, cost={})
    assert report.calibration is None
    assert report.rows[0].top1.hits == 0
    assert report.rows[0].median_error is None
