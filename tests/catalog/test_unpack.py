"""A row whose checksum is right and whose body is none: damage of that row alone, which spreads nowhere."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

import earmark
from earmark.catalog.local.durable import DATABASE
from earmark.catalog.sqlite.store import SQLiteStore
from earmark.errors import SpecMismatch
from earmark.fingerprints.packed_neural import PackedNeural

Cut = Callable[[Path], tuple[np.ndarray, int]]


def bodies(packed: bytes) -> dict[str, bytes]:
    """Return bodies that no fingerprinter packed."""
    parts = msgspec.msgpack.decode(packed, type=PackedNeural)
    peaks = parts.peaks[:40] + b"\0" * 80
    return {
        "noise": b"\xc1 nothing at all",
        "cut": packed[: len(packed) // 2],
        "another kind": msgspec.msgpack.encode(msgspec.structs.replace(parts, spec="other/1/0")),
        "bad peaks": msgspec.msgpack.encode(msgspec.structs.replace(parts, peaks=peaks)),
    }


@pytest.fixture(params=["noise", "cut", "another kind", "bad peaks"])
def with_a_bad_row(catalog_folder: Path, request: pytest.FixtureRequest) -> Path:
    """A catalog whose second fingerprint, checksummed anew, is something else."""
    store = SQLiteStore(catalog_folder / DATABASE)
    packed = store.fingerprints([2])[2]
    assert isinstance(packed, bytes)
    body = bodies(packed)[request.param]
    (content,) = [one.content for one in store.recordings() if getattr(one, "number", 0) == 2]  # type: ignore[union-attr]
    with store.transaction():
        store._run(
            "UPDATE fingerprints SET packed = ?, checksum = ? WHERE track = 2",
            body,
            zlib.crc32(body, zlib.crc32(content)),
        )
    store.close()
    return catalog_folder


def test_the_rest_is_found_and_the_row_is_named(with_a_bad_row: Path, pieces: Sequence[Path], clip: Cut) -> None:
    with earmark.open(with_a_bad_row, read_only=True) as catalog:
        best = catalog.identify(clip(pieces[0])).best
        assert best is not None
        assert best.track.title == pieces[0].stem
        assert catalog.identify(clip(pieces[1])).best is None
        problems = catalog.verify().problems
    assert any("track number 2 is damaged" in problem for problem in problems)


def test_a_rebuild_leaves_it_out_and_the_catalog_opens_again(
    with_a_bad_row: Path, pieces: Sequence[Path], clip: Cut
) -> None:
    with earmark.open(with_a_bad_row) as catalog:
        catalog.rebuild()
        assert any("track number 2" in problem for problem in catalog.info()["problems"])
    with earmark.open(with_a_bad_row) as catalog:
        assert catalog.identify(clip(pieces[2])).best is not None


def test_a_merge_takes_the_rest(with_a_bad_row: Path, pieces: Sequence[Path], clip: Cut, tmp_path: Path) -> None:
    with earmark.open(tmp_path / "mine.earmark") as own:
        report = own.merge(with_a_bad_row)
        assert len(report.added) == 3
        assert len(report.failed) == 1
        assert own.verify().ok
        assert own.identify(clip(pieces[0])).best is not None


def test_a_fingerprint_that_lacks_a_layer_is_refused(catalog_folder: Path, pieces: Sequence[Path]) -> None:
    whole = earmark.fingerprint(pieces[0], query=True)
    with earmark.open(catalog_folder, read_only=True) as catalog:
        assert catalog.identify(whole).best is not None
        bare = earmark.Fingerprint(whole.spec, whole.seconds, {})
        with pytest.raises(earmark.OptionError, match="without layer 'vectors'"):
            catalog.identify(bare)
        with pytest.raises(SpecMismatch):
            catalog.identify(earmark.fingerprint(pieces[0], fingerprinter="shazam", query=True))
