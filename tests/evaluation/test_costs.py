"""What indexing and asking cost is measured, and kept beside what it was spent on."""

from __future__ import annotations

import earmark
from earmark.evaluation import costs


def test_a_catalog_costs_processor_time_and_room(music, tmp_path):
    spent = costs.Processor()
    with earmark.open(tmp_path / "music.earmark", fingerprinter="shazam") as catalog:
        added = catalog.add(music[:2]).added
    cost = costs.of_index(tmp_path / "music.earmark", added, spent.seconds)
    assert spent.seconds > 0
    assert cost["index_real_time_a_core"] > 1
    assert 1 < cost["megabytes_an_hour"] < 1_000
    assert costs.of_index(tmp_path / "music.earmark", [], 1.0) == {}


def test_it_is_kept_and_read_back(tmp_path):
    assert costs.read(tmp_path / costs.NAME) == {}
    costs.write(tmp_path / costs.NAME, {"megabytes_an_hour": 3.25})
    assert costs.read(tmp_path / costs.NAME) == {"megabytes_an_hour": 3.25}
    assert costs.beside(tmp_path / "catalog-1").name == "catalog-1-cost.json"
