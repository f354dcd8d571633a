"""What makes no sense is refused with an error of earmark's own, and so is every use of a catalog that is closed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earmark
from earmark.errors import CatalogError, EarmarkError, OptionError

QUESTIONS: dict[str, Callable[[Any], object]] = {
    "get": lambda catalog: catalog.get(3),
    "find": lambda catalog: catalog.find(None),
    "select": lambda catalog: catalog.select(3),
    "missing": lambda catalog: catalog.missing(3),
    "identify": lambda catalog: catalog.identify(3),
    "identify_many": lambda catalog: list(catalog.identify_many(None)),
    "listen": lambda catalog: catalog.listen(rate="fast"),
    "duplicates": lambda catalog: list(catalog.duplicates(shortest="a")),
    "repeats": lambda catalog: catalog.repeats(shortest=None),
    "export": lambda catalog: catalog.export(None),
    "add": lambda catalog: catalog.add(3),
    "ids": lambda catalog: catalog.add([], ids=3),
    "ids of numbers": lambda catalog: catalog.add([], ids={3: "x"}),
    "exclude": lambda catalog: catalog.add([], exclude=3),
    "progress": lambda catalog: catalog.add([], progress=3),
    "remove": lambda catalog: catalog.remove(3),
    "merge": lambda catalog: catalog.merge(3),
    "update": lambda catalog: catalog.update("x", new_id=3),
}
WITHOUT_A_CATALOG: dict[str, Callable[[], object]] = {
    "open": lambda: earmark.open(3),  # type: ignore[arg-type]
    "open nothing": lambda: earmark.open(""),
    "open with less than no room": lambda: earmark.open("/nowhere", cache_bytes=-1),
    "open with room of words": lambda: earmark.open("/nowhere", cache_bytes="1 GB"),  # type: ignore[arg-type]
    "open a setting": lambda: earmark.open("/nowhere", nonsense=3),
    "fingerprint": lambda: earmark.fingerprint(None),  # type: ignore[arg-type]
    "compare": lambda: earmark.compare(3, None),  # type: ignore[arg-type]
    "repeats": lambda: earmark.repeats(3),  # type: ignore[arg-type]
    "groups": lambda: earmark.duplicate_groups(3),  # type: ignore[arg-type]
}
SOUND = ([0.0] * 8_000, 8_000)
USES: dict[str, Callable[[Any], object]] = {
    "len": len,
    "tracks": lambda catalog: catalog.tracks(),
    "find": lambda catalog: catalog.find("x"),
    "identify": lambda catalog: catalog.identify(SOUND),
    "identify_many": lambda catalog: list(catalog.identify_many([SOUND])),
    "listen": lambda catalog: catalog.listen(rate=8_000),
    "info": lambda catalog: catalog.info(),
    "verify": lambda catalog: catalog.verify(),
    "refresh": lambda catalog: catalog.refresh(),
    "missing": lambda catalog: catalog.missing(),
    "duplicates": lambda catalog: list(catalog.duplicates()),
    "fingerprints": lambda catalog: list(catalog.fingerprints()),
    "add": lambda catalog: catalog.add([]),
    "remove": lambda catalog: catalog.remove([]),
    "rebuild": lambda catalog: catalog.rebuild(),
    "with": lambda catalog: catalog.__enter__(),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_wrong_argument_is_refused(tmp_path: Path, name: str) -> None:
    with earmark.open(tmp_path / "music.earmark", fingerprinter="shazam") as catalog, pytest.raises(EarmarkError):
        QUESTIONS[name](catalog)


@pytest.mark.parametrize("name", WITHOUT_A_CATALOG)
def test_so_is_one_without_a_catalog(name: str) -> None:
    with pytest.raises(OptionError):
        WITHOUT_A_CATALOG[name]()


@pytest.mark.parametrize("name", USES)
def test_a_closed_catalog_says_so(tmp_path: Path, name: str) -> None:
    catalog = earmark.open(tmp_path / "music.earmark", fingerprinter="shazam")
    catalog.close()
    assert repr(catalog).endswith("of landmarks, closed>")
    with pytest.raises(CatalogError, match=r"is closed; open it again"):
        USES[name](catalog)


@pytest.mark.parametrize("kind", ["shazam", "philips", "waveprint"])
def test_no_samples_at_all_are_silent_by_every_kind(tmp_path: Path, kind: str) -> None:
    with earmark.open(tmp_path / "music.earmark", fingerprinter=kind) as catalog:
        assert catalog.identify((np.zeros(0, np.float32), 44_100)).reason == "silent"
