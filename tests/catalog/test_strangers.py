"""A catalog from a stranger, its checksums right: refused or read, with errors of ours, in bounded memory and time."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import earmark
from earmark.catalog.local.durable import DATABASE
from earmark.catalog.local.generations import Generations
from earmark.catalog.sqlite.store import SQLiteStore
from earmark.errors import CatalogDamaged, CatalogError, EarmarkError
from earmark.index.segment import checksum

Cut = Callable[[Path], tuple[np.ndarray, int]]


def changed(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    for statement in statements:
        connection.execute(statement)
    connection.close()


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"


@pytest.mark.parametrize(
    "statements",
    [
        (
            "ALTER TABLE removals RENAME TO r",
            f"CREATE VIEW removals AS {ENDLESS} SELECT x AS sequence, x AS track FROM n",
        ),
        ("CREATE TRIGGER t AFTER INSERT ON removals BEGIN DELETE FROM tracks; END",),
        ("CREATE TABLE more (x)",),
        ("CREATE INDEX i ON tracks (abs(number))",),
        ("UPDATE sqlite_master SET sql = replace(sql, 'title TEXT', 'title BLOB') WHERE name = 'tracks'",),
    ],
)
def test_another_schema_is_refused_before_the_first_query(folder: Path, statements: Sequence[str]) -> None:
    changed(folder, *statements)
    for read_only in (True, False):
        with pytest.raises(CatalogDamaged, match="was changed by another program"):
            earmark.open(folder, read_only=read_only)


@pytest.mark.parametrize(
    "change",
    [
        {"title": 7},
        {"seconds": float("inf")},
        {"seconds": "long"},
        {"path": "text"},
        {"tags": "[" * 50_000},
        {"added": "yesterday"},
    ],
)
def test_a_row_of_other_types_is_damage_of_that_row(folder: Path, change: dict[str, Any]) -> None:
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None)
    connection.row_factory = sqlite3.Row
    row = dict(connection.execute("SELECT * FROM tracks WHERE number = 2").fetchone()) | change
    checksum = zlib.crc32(msgspec.msgpack.encode([row[name] for name in row if name not in ("number", "checksum")]))
    ((name, value),) = change.items()
    connection.execute(f"UPDATE tracks SET {name} = ?, checksum = ? WHERE number = 2", (value, checksum))
    connection.close()
    with earmark.open(folder, read_only=True) as catalog:
        assert len(catalog.tracks()) == 1
        assert any("track number 2" in problem for problem in catalog.verify().problems)
        assert catalog.info()["tracks"] == 2


def packed_anew(folder: Path, body: bytes) -> None:
    """Put a body, with its checksum, in the place of the second fingerprint."""
    store = SQLiteStore(folder / DATABASE)
    content = store.recording(2).content
    with store.transaction():
        sql = "UPDATE fingerprints SET packed = ?, checksum = ? WHERE track = 2"
        store._run(sql, body, zlib.crc32(body, zlib.crc32(content)))
    store.close()


def test_a_small_row_that_unpacks_to_much_is_damage(folder: Path) -> None:
    with earmark.open(folder, read_only=True) as catalog:
        spec = str(catalog._fingerprinter.spec)
    frames = (1 << 26) - 64
    body = msgspec.msgpack.encode((spec, 1e9, frames, 0, zlib.compress(bytes(frames), 9), b""))
    packed_anew(folder, body)
    with earmark.open(folder, read_only=True) as catalog:
        assert any("track number 2 is damaged" in problem for problem in catalog.verify().problems)


def test_a_row_that_does_not_unpack_is_read_again_by_the_next_add(
    folder: Path, pieces: Sequence[Path], clip: Cut, tmp_path: Path
) -> None:
    packed_anew(folder, b"\xc1 nothing at all")
    with earmark.open(folder) as catalog:
        assert not catalog.verify().ok
        assert [track.title for track in catalog.add(pieces[:2], workers=1).updated] == [pieces[1].stem]
        assert catalog.verify().ok
        best = catalog.identify(clip(pieces[1])).best
        assert best is not None
        assert best.track.title == pieces[1].stem


@pytest.mark.parametrize("settings", [{"density": 5}, {"density": ["x"]}, {"model": "/dev/zero"}, {"a b": {}}])
def test_settings_that_earmark_never_wrote_are_refused(folder: Path, settings: dict[str, Any]) -> None:
    store = SQLiteStore(folder / DATABASE)
    before = store.settings()
    assert before is not None
    name = "neural" if "model" in settings else before.fingerprinter
    with store.transaction():
        store.write_settings(msgspec.structs.replace(before, fingerprinter=name, preset=settings))
    store.close()
    with pytest.raises(EarmarkError):
        earmark.open(folder, read_only=True)


def test_a_model_that_came_with_a_catalog_is_used_only_when_it_is_named(tmp_path: Path) -> None:
    from earmark.fingerprints.neural import WEIGHTS

    folder = tmp_path / "music.earmark"
    folder.mkdir()
    model = folder / ".model.onnx"
    shutil.copy(WEIGHTS / "default.onnx", model)
    earmark.open(folder, model=str(model), peaks=False).close()
    with pytest.raises(CatalogError, match="came with it; if you trust it, name it"):
        earmark.open(folder, read_only=True)
    earmark.open(folder, read_only=True, model=str(model), peaks=False).close()


def republished(folder: Path, change: Callable[[dict[str, np.ndarray]], object], **manifest: Any) -> None:
    """Publish the arrays of the current generation changed, with all checksums right."""
    generations = Generations(folder)
    generation = generations.load()
    assert generation is not None
    arrays = {name: np.array(array) for name, array in generation.arrays.items()}
    change(arrays)
    known = {name: getattr(generation.manifest, name) for name in ("spec", "index", "last_track", "last_removal")}
    shutil.rmtree(folder / "generations")
    (folder / "CURRENT").unlink()
    generations.publish(arrays, **(known | manifest))


def named(arrays: dict[str, np.ndarray], end: str) -> str:
    return next(name for name in arrays if name.endswith(end))


FORGERIES: dict[str, Callable[[dict[str, np.ndarray]], object]] = {
    "counts": lambda arrays: arrays[named(arrays, ".counts")].fill(255),
    "tracks": lambda arrays: arrays[named(arrays, ".tracks")].fill(-1),
    "starts": lambda arrays: arrays[named(arrays, ".starts")].fill(2**30),
    "figures": lambda arrays: arrays[named(arrays, ".figures")].fill(2**40),
    "removed": lambda arrays: arrays.update({"removed-0": np.zeros(1 << 24, np.int32)}),
    "type": lambda arrays: arrays.update({named(arrays, ".places"): np.zeros((10, 3))}),
    "axes": lambda arrays: arrays.update({named(arrays, ".places"): np.zeros(30, np.uint8)}),
    "missing": lambda arrays: arrays.pop(named(arrays, ".firsts")),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_arrays_are_refused_and_the_index_is_made_again(
    folder: Path, pieces: Sequence[Path], clip: Cut, forgery: str
) -> None:
    republished(folder, FORGERIES[forgery])
    with earmark.open(folder, read_only=True) as catalog:
        assert "does not make an index" in catalog.info()["problems"][0]
        assert catalog.identify(clip(pieces[0])).best is not None


def test_places_that_no_piece_has_lead_nowhere(folder: Path, pieces: Sequence[Path], clip: Cut) -> None:
    republished(folder, lambda arrays: arrays[named(arrays, ".places")].fill(255))
    with earmark.open(folder, read_only=True) as catalog:
        catalog.identify(clip(pieces[0]))
        assert "other keys than are stored" in catalog.verify().problems[0]


def test_an_index_of_another_catalog_is_not_believed(folder: Path, pieces: Sequence[Path], clip: Cut) -> None:
    republished(folder, lambda arrays: None, last_track=1_000)
    with earmark.open(folder, read_only=True) as catalog:
        assert "is another catalog's" in catalog.info()["problems"][0]
        assert catalog.identify(clip(pieces[1])).best is not None


def test_tracks_that_are_not_there_are_left_out_together(folder: Path, pieces: Sequence[Path], clip: Cut) -> None:
    def rename(arrays: dict[str, np.ndarray]) -> None:
        arrays[named(arrays, ".tracks")] += 10

    republished(folder, rename)
    with earmark.open(folder, read_only=True) as catalog:
        assert catalog.identify(clip(pieces[0])).best is None
        assert catalog._index.stats()["tracks"] == 0
        assert len(catalog.verify().problems) == 1


def test_a_track_that_is_none_and_is_named_again_and_again_ends_the_question(
    pieces: Sequence[Path], clip: Cut, tmp_path: Path
) -> None:
    """Frames that no recording has lead to tracks that no catalog has, which no exclusion reaches."""
    folder = tmp_path / "vectors.earmark"
    with earmark.open(folder, index="linear", peaks=False) as catalog:
        catalog.add(pieces[:2], workers=1)

    def fill(arrays: dict[str, np.ndarray]) -> None:
        name = named(arrays, ".frames")
        arrays[name].fill(-(2**31))
        segment = name.removesuffix(".frames")
        own = {end: arrays[f"{segment}.{end}"] for end in ("vectors", "frames", "tracks", "starts")}
        arrays[f"{segment}.digest"] = np.frombuffer(checksum(own), np.uint8)

    republished(folder, fill)
    with (
        earmark.open(folder, read_only=True) as catalog,
        pytest.raises(CatalogDamaged, match="does not have; make it again with `earmark rebuild`"),
    ):
        catalog.identify(clip(pieces[0]))


@pytest.mark.parametrize("entry", [{"dtype": "|O"}, {"shape": [2**62, 2**62]}, {"shape": [-1]}, {"bytes": -5}])
def test_a_manifest_of_no_arrays_is_damage(folder: Path, entry: dict[str, object]) -> None:
    (manifest,) = folder.glob("generations/*/manifest.json")
    content = json.loads(manifest.read_bytes())
    content["files"][0] |= entry
    manifest.write_text(json.dumps(content))
    (folder / "CURRENT").write_text(f"000001 {hashlib.sha256(manifest.read_bytes()).hexdigest()}\n")
    with earmark.open(folder, read_only=True) as catalog:
        assert "manifest.json is damaged" in catalog.info()["problems"][0]


@pytest.mark.parametrize("content", ["{}", "[" * 100_000, '{"spec": "shazam/2/x", "models": 5}', "\0" * 2_000_000])
def test_a_calibration_that_is_none_is_named(folder: Path, pieces: Sequence[Path], clip: Cut, content: str) -> None:
    (folder / "calibration.json").write_text(content)
    with earmark.open(folder, read_only=True) as catalog, pytest.raises(CatalogDamaged, match="is no calibration"):
        catalog.identify(clip(pieces[0]))
