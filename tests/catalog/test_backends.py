"""A catalog is put together from any store and any live index."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.catalog.in_memory import InMemoryLiveIndex, InMemoryStore

from earmark.catalog.backend import Backend
from earmark.catalog.catalog import Catalog
from earmark.catalog.settings import Settings
from earmark.catalog.sqlite.plays import SQLitePlays
from earmark.errors import CatalogError, CatalogReadOnly
from earmark.extract.pool import ExtractorPool
from earmark.fingerprints import make

MAKER = make("shazam")
SETTINGS = Settings("shazam", {}, str(MAKER.spec), "postings")

Cut = Callable[[Path], tuple[np.ndarray, int]]


def open_other(path: str | os.PathLike[str]) -> Catalog:
    raise CatalogError(f"{path}: nothing else is in memory")


def extractor(workers: int | None) -> ExtractorPool:
    return ExtractorPool("shazam", {}, workers=workers)


def in_memory(store: InMemoryStore, *, read_only: bool = False) -> Catalog:
    index = InMemoryLiveIndex(store, MAKER, SETTINGS.index)
    plays = SQLitePlays(Path("memory", "plays.db"))  # which is made only when something is kept
    backend = Backend(Path("memory"), store, plays, index, read_only, lambda: None, ("it is in memory",))
    return Catalog(backend, SETTINGS, fingerprinter=MAKER, make_extractor=extractor, open_other=open_other)


@pytest.fixture
def store() -> InMemoryStore:
    store = InMemoryStore()
    with store.transaction():
        store.write_settings(SETTINGS)
    return store


def test_a_catalog_in_memory_adds_identifies_changes_and_forgets(
    store: InMemoryStore, pieces: Sequence[Path], clip: Cut
) -> None:
    with in_memory(store) as catalog:
        assert len(catalog.add(pieces[:3], workers=1).added) == 3
        best = catalog.identify(clip(pieces[1])).best
        assert best is not None
        assert best.track.title == pieces[1].stem
        assert catalog.identify(clip(pieces[4])).reason == "unknown"
        catalog.update(best.track.id, new_id="mine")
        catalog.remove("mine")
        assert catalog.identify(clip(pieces[1])).best is None
        assert len(catalog.add(pieces[:3], workers=1).unchanged) == 2
        assert catalog.verify().ok
        assert catalog.info()["problems"] == ("it is in memory",)
        catalog.rebuild()
        assert catalog.identify(clip(pieces[1])).best is not None


def test_a_reader_in_memory_follows_its_writer(store: InMemoryStore, pieces: Sequence[Path], clip: Cut) -> None:
    with in_memory(store) as writer, in_memory(InMemoryStore(store.database, read_only=True), read_only=True) as reader:
        writer.add(pieces[:2], workers=1)
        best = reader.identify(clip(pieces[1])).best
        assert best is not None
        assert best.track.title == pieces[1].stem
        with pytest.raises(CatalogReadOnly):
            reader.remove(best.track.id)
