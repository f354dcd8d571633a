"""What is special about an index in a folder: generations of earlier releases, and those that are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.catalog.local.generations import Generations
from earmark.index.two_bit import TwoBit
from earmark.types import Keys


@pytest.fixture
def as_formerly_named(catalog_folder: Path) -> Path:
    """A catalog whose generation names the arrays of landmarks as release 0.1 did."""
    generations = Generations(catalog_folder)
    generation = generations.load()
    assert generation is not None
    arrays = {name.replace("landmarks-", "codes-"): array for name, array in generation.arrays.items()}
    assert arrays.keys() != generation.arrays.keys()
    manifest = generation.manifest
    generations.publish(
        {name: np.array(array) for name, array in arrays.items()},
        spec=manifest.spec,
        index=manifest.index,
        last_track=manifest.last_track,
        last_removal=manifest.last_removal,
    )
    return catalog_folder


def test_a_generation_of_an_earlier_release_is_read_and_not_made_again(as_formerly_named, pieces, clip):
    with earmark.open(as_formerly_named, read_only=True) as reader:
        assert reader.info()["problems"] == ()
        assert reader.info()["unpublished_tracks"] == 0
        assert reader.info()["index_stats"]["codes_tracks"] == 4
        [first, *_] = reader._store.fingerprints([1]).values()
        keys = reader._fingerprinter.keys(reader._fingerprinter.unpack(first))["landmarks"]
        hits = reader._index.snapshot().search("landmarks", Keys(keys.frames, keys.values))
        assert np.bincount(hits.tracks).argmax() == 1
        assert reader.identify(clip(pieces[2])).best.track.title == pieces[2].stem


def test_what_a_writer_adds_to_one_of_an_earlier_release_is_published_under_the_new_names(
    as_formerly_named, pieces, clip
):
    with earmark.open(as_formerly_named) as catalog:
        catalog.add(pieces[4], workers=1)
    generation = Generations(as_formerly_named).load()
    assert {name.partition("-")[0] for name in generation.arrays} == {"vectors", "landmarks"}
    with earmark.open(as_formerly_named, read_only=True) as reader:
        for path in pieces[:5]:
            assert reader.identify(clip(path)).best.track.title == path.stem


def test_a_generation_that_is_damaged_while_a_reader_follows_leaves_it_what_it_has(catalog_folder, pieces, clip):
    with earmark.open(catalog_folder, read_only=True) as reader:
        assert reader.identify(clip(pieces[0])).best is not None
        with earmark.open(catalog_folder) as writer:
            writer.add(pieces[4], workers=1)
        (catalog_folder / "CURRENT").write_text("not a pointer")
        assert reader.identify(clip(pieces[0])).best is not None
        assert reader.identify(clip(pieces[4])).best is not None
        assert "CURRENT is damaged" in reader.info()["problems"][0]


def test_a_catalog_that_keeps_no_fingerprints_answers_the_same(catalog_folder: Path, pieces, clip) -> None:
    found = []
    for options in ({}, {"cache_bytes": 0}):
        with earmark.open(catalog_folder, read_only=True, **options) as catalog:
            found.append([catalog.identify(clip(pieces[1])).matches for _ in range(2)])
    assert found[0] == found[1]
    assert found[0][0][0].track.path == str(pieces[1])


def test_a_catalog_that_has_grown_gets_lists_by_itself_when_something_is_added(
    catalog_folder: Path, pieces, clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in ("scanned", "smallest"):
        monkeypatch.setitem(TwoBit.__init__.__kwdefaults__, option, 20)
    with earmark.open(catalog_folder) as catalog:
        before = catalog.identify(clip(pieces[1])).matches
        assert "lists" not in catalog.info()["index_stats"]
        catalog.add(str(pieces[4]))
        assert catalog.info()["index_stats"]["lists"] >= 16
        assert catalog.identify(clip(pieces[4])).best.track.path == str(pieces[4])
        assert catalog.verify().problems == ()
    with earmark.open(catalog_folder, read_only=True) as catalog:
        assert catalog.info()["index"] == "both"
        assert catalog.info()["index_stats"]["lists"] >= 16
        assert catalog.identify(clip(pieces[1])).best.track == before[0].track
