"""evaluate indexes."""

from __future__ import annotations

import csv

import pytest

QUICK = ("--count", "3", "--snr", "5", "--seconds", "3")


def test_it_measures_indexes_on_the_vectors_of_a_catalog(earmark, indexed, tmp_path):
    out = tmp_path / "runs"
    kinds = ("--index", "pq:smallest=1,probes=8", "--index", "lsh:smallest=1,bits=5,probes=4")
    done = earmark("evaluate", "indexes", indexed, *QUICK, *kinds, "--vectors", "2k", "--out", out)
    assert done.status == 0, done.err
    assert [line.partition("\t")[0] for line in done.lines[:3]] == ["linear", kinds[1], kinds[3]]
    assert done.lines[0].startswith("linear\t1.000\t1.000\t")
    (run,) = out.glob("indexes-*")
    assert {path.name for path in run.iterdir()} == {
        "parameters.json", "indexes.json", "indexes.csv", "indexes.md", "recall.png",
    }  # fmt: skip
    with (run / "indexes.csv").open() as handle:
        assert float(next(csv.DictReader(handle))["compared_share"]) == 1


def test_it_speaks_json_and_can_do_without_the_recordings(earmark, indexed, tmp_path):
    kinds = ("--index", "hnsw:smallest=1", "--invented")
    done = earmark("evaluate", "indexes", indexed, *QUICK, *kinds, "--out", tmp_path, "--json")
    assert done.status == 0, done.err
    (record,) = done.records
    assert record["parameters"]["conditions"] == ["invented"]
    assert [figures["index"] for figures in record["indexes"]] == ["linear", "hnsw:smallest=1"]


def test_the_bundled_music_is_measured_when_nothing_is_named(earmark, tmp_path):
    done = earmark(
        "evaluate", "indexes", "--count", "1", "--seconds", "2", "--index", "auto", "--out", tmp_path, "--json"
    )
    assert done.status == 0, done.err
    assert done.records[0]["parameters"]["catalog"] == "bundled"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--index", "pq:probe=1"), 2, "probe is no option of pq"),
        (("--vectors", "many"), 2, "as 500k or 10M"),
        (("nowhere",), 4, "no catalog is at nowhere"),
    ],
)
def test_what_cannot_be_measured_is_refused(earmark, arguments, status, message, tmp_path):
    done = earmark("evaluate", "indexes", *arguments, "--out", tmp_path)
    assert done.status == status
    assert message in done.err
