"""Time ranges of tracks: the second screen."""

from __future__ import annotations

import sqlite3

import pytest

import earmark
from earmark import CatalogDamaged, CatalogReadOnly, OptionError, TimeRange, TrackNotFound

RANGES = (
    TimeRange(0.5, 2.0, "a line"),
    TimeRange(2.0, 2.0, {"slide": 3, "text": "Grüße"}),
    TimeRange(9.0, 10.0, [1, None]),
)


@pytest.fixture
def catalog(album, tmp_path):
    with earmark.open(tmp_path / "own.earmark", fingerprinter="shazam") as one:
        one.add(album)
        yield one


def test_ranges_come_back_in_order_and_replace_those_there_were(catalog):
    first, second, _ = catalog.tracks()
    assert catalog.ranges(first.id) == ()
    assert catalog.write_ranges(first.id, reversed(RANGES)) == RANGES
    assert catalog.ranges(first.id) == RANGES
    assert catalog.ranges(second.id) == ()
    assert catalog.write_ranges(first.id, ()) == ()
    assert catalog.ranges(first.id) == ()


@pytest.mark.parametrize(
    "wrong",
    [TimeRange(2, 1, ""), TimeRange(-1, 1, ""), TimeRange(0, float("inf"), ""), TimeRange(float("nan"), 1, ""),
     TimeRange(0, 1, {1, 2}.__iter__()), TimeRange(0, 1, "x" * 70_000)],
)  # fmt: skip
def test_ranges_that_make_no_sense_are_refused(catalog, wrong):
    (id, *_) = (track.id for track in catalog)
    with pytest.raises(OptionError, match=r"range|payload"):
        catalog.write_ranges(id, [wrong])
    with pytest.raises(OptionError, match="20,000"):
        catalog.write_ranges(id, [TimeRange(0, 1, "")] * 20_001)
    assert catalog.ranges(id) == ()


def test_they_go_with_their_track(catalog):
    (id, *_) = (track.id for track in catalog)
    catalog.write_ranges(id, RANGES)
    catalog.update(id, new_id="other", title="Other")
    assert catalog.ranges("other") == RANGES
    catalog.remove("other")
    with pytest.raises(TrackNotFound):
        catalog.ranges("other")


def test_they_are_exported_merged_and_outlive_a_file_that_changes(catalog, album, tmp_path, music):
    (first, *_) = catalog.tracks()
    catalog.write_ranges(first.id, RANGES)
    catalog.export(tmp_path / "copy.earmark")
    with earmark.open(tmp_path / "copy.earmark", read_only=True) as copy:
        assert copy.ranges(first.id) == RANGES
        with pytest.raises(CatalogReadOnly):
            copy.write_ranges(first.id, ())
    with earmark.open(tmp_path / "other.earmark", fingerprinter="shazam") as other:
        other.merge(tmp_path / "copy.earmark")
        assert other.ranges(first.id) == RANGES
    changed = next(path for path in album.iterdir() if str(path) == first.path)
    changed.write_bytes(music[5].read_bytes())
    (updated,) = catalog.add(album).updated
    assert updated.id == first.id
    assert catalog.ranges(first.id) == RANGES


def test_damage_is_told(catalog):
    (id, *_) = (track.id for track in catalog)
    catalog.write_ranges(id, RANGES)
    with sqlite3.connect(catalog.path / "catalog.db") as connection:
        connection.execute("UPDATE ranges SET ranges = X'5B5D'")
    connection.close()
    with pytest.raises(CatalogDamaged, match="time ranges"):
        catalog.ranges(id)


def test_a_catalog_of_the_first_schema_is_read_and_brought_up_to_date(catalog, tmp_path):
    catalog.export(tmp_path / "old.earmark")
    with sqlite3.connect(tmp_path / "old.earmark" / "catalog.db") as connection:
        connection.execute("DROP TABLE ranges")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    (id, *_) = (track.id for track in catalog)
    with earmark.open(tmp_path / "old.earmark", read_only=True) as reader:
        assert reader.ranges(id) == ()
    with earmark.open(tmp_path / "old.earmark") as writer:
        assert writer.write_ranges(id, RANGES) == writer.ranges(id) == RANGES


def test_pages_of_a_catalog_are_what_find_finds(catalog):
    first = catalog.page(limit=2)
    assert first.tracks + catalog.page(first.cursor, limit=2).tracks == catalog.tracks()
    assert catalog.page(limit=3).cursor == ""
    text = catalog.tracks()[1].title.split()[0]
    assert catalog.page(text=text).tracks == catalog.find(text)
    for wrong in ("x", "-1", "9" * 30):
        with pytest.raises(OptionError, match="cursor"):
            catalog.page(wrong)
