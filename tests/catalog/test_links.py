"""A catalog from a stranger: links and irregular files in it are refused, and nothing outside is read or changed."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import earmark
from earmark.errors import CatalogError, CatalogLocked, EarmarkError

CANARY = b"the user's own file\n" * 50


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the user's, in no catalog: two files and one that a generation might have."""
    folder = tmp_path / "music"
    folder.mkdir()
    for name in ("one.flac", "manifest.json", "000001"):
        (folder / name).write_bytes(CANARY)
    return folder


@pytest.fixture
def untouched(outside: Path) -> Iterator[None]:
    """Assert that nothing outside was changed, whatever the test does."""
    before = state(outside)
    yield
    assert state(outside) == before


def state(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    } | {str(path): (b"", 0, path.stat().st_mode) for path in folder.rglob("*") if path.is_dir()}


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def put(place: Path, target: Path) -> None:
    """Put a link in the place of what is there."""
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(target)


def use(folder: Path, target: Path) -> None:
    """Do with a catalog what anybody does; every refusal is one of ours."""

    def read() -> None:
        with earmark.open(folder, read_only=True) as catalog:
            catalog.tracks()
            catalog.verify()
            catalog.export(target / "copy")

    def write() -> None:
        with earmark.open(folder) as catalog:
            catalog.rebuild()
            for track in catalog.tracks()[:1]:
                catalog.remove(track.id)

    for action in (read, write):
        with contextlib.suppress(EarmarkError):
            action()
    shutil.rmtree(target / "copy", ignore_errors=True)


COMPANIONS = ("catalog.db-wal", "catalog.db-shm", "catalog.db-journal", "CURRENT.tmp", "calibration.json", "quarantine")


@pytest.mark.usefixtures("untouched")
def test_every_name_in_a_catalog_as_a_link_changes_nothing_outside(folder: Path, outside: Path, tmp_path: Path) -> None:
    targets = itertools.cycle((outside, outside / "one.flac", outside / "absent"))
    for name, target in zip((*names_in(folder), *COMPANIONS), targets, strict=False):
        trial = Path(shutil.copytree(folder, tmp_path / "trial"))
        put(trial / name, target)
        use(trial, tmp_path)
        assert not (outside / "absent").exists(), name
        shutil.rmtree(trial)


@pytest.mark.parametrize(
    "name", ["writer.lock", "generations", "quarantine", "CURRENT", "catalog.db", "catalog.db-wal"]
)
def test_a_link_is_refused_by_name(folder: Path, outside: Path, name: str) -> None:
    put(folder / name, outside / "one.flac")
    with pytest.raises(CatalogError, match=f"{name} is a link; remove it"):
        earmark.open(folder)


@pytest.mark.parametrize("name", ["writer.lock", "CURRENT", "catalog.db", "calibration.json"])
def test_a_pipe_is_refused_at_once(folder: Path, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    for read_only in (True, False):
        with pytest.raises(CatalogError, match=f"{name} is no regular file"):
            earmark.open(folder, read_only=read_only)


@pytest.mark.usefixtures("untouched")
def test_a_lock_that_is_another_file_of_the_user_is_left_alone(folder: Path, outside: Path) -> None:
    (folder / "writer.lock").unlink()
    os.link(outside / "one.flac", folder / "writer.lock")
    with earmark.open(folder), pytest.raises(CatalogLocked):
        earmark.open(folder)


def test_a_folder_that_the_user_names_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "named.earmark").symlink_to(folder)
    with earmark.open(tmp_path / "named.earmark") as catalog:
        assert len(catalog.tracks()) == 2
        catalog.export(tmp_path / "copy.earmark")


def test_only_folders_with_the_name_of_a_generation_are_swept(folder: Path) -> None:
    root = folder / "generations"
    for name in ("Rips", "000099.bak", "12"):
        (root / name).mkdir()
        (root / name / "song.flac").write_bytes(CANARY)
    (root / "000099").write_bytes(CANARY)
    (root / "000098.tmp").mkdir()
    (root / "000098.tmp" / "segment-a.keys.npy").write_bytes(b"left behind by a crash")
    (root / "000097").mkdir()
    (root / "000097" / "song.flac").write_bytes(CANARY)
    with earmark.open(folder) as catalog:
        catalog.rebuild()
        assert catalog.info()["problems"] == ()
    kept = {"Rips/song.flac", "000099.bak/song.flac", "12/song.flac", "000099", "000097/song.flac"}
    assert kept <= set(names_in(root))
    assert "000098.tmp" not in names_in(root)


def test_what_a_desktop_leaves_behind_hinders_nothing(folder: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.earmark"
    new.mkdir()
    (new / ".DS_Store").write_bytes(CANARY)
    earmark.open(new, fingerprinter="shazam").close()
    (folder / "quarantine").mkdir()
    for place in [path for path in folder.rglob("*") if path.is_dir()] + [folder]:
        for name in (".DS_Store", "Thumbs.db", "._CURRENT"):
            (place / name).write_bytes(CANARY)
    for _ in range(2):
        with earmark.open(folder) as catalog:
            catalog.rebuild()
            assert catalog.verify().ok
            catalog.export(tmp_path / "copy.earmark")
        shutil.rmtree(tmp_path / "copy.earmark")
    (folder / "CURRENT").write_text("damaged")
    with earmark.open(folder) as catalog:
        assert "it was moved to" in catalog.info()["problems"][0]
    with earmark.open(folder, read_only=True) as catalog:
        assert catalog.info()["problems"] == ()


def with_manifest(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the manifest of the current generation, with its checksum."""
    (manifest,) = folder.glob("generations/*/manifest.json")
    content = json.loads(manifest.read_bytes())
    change(content)
    manifest.write_text(json.dumps(content))
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    (folder / "CURRENT").write_text(f"{manifest.parent.name} {digest}\n")


@pytest.mark.parametrize("name", ["../../../music/one", "/etc/hostname", "a/b", "", "..", ".x", "a\0b", "a" * 200])
@pytest.mark.usefixtures("untouched")
def test_a_name_in_a_manifest_that_is_a_path_is_damage(folder: Path, tmp_path: Path, name: str) -> None:
    def rename(content: dict[str, list[dict[str, object]]]) -> None:
        content["files"][0]["name"] = name

    with_manifest(folder, rename)  # type: ignore[arg-type]
    with earmark.open(folder, read_only=True) as catalog:
        assert "manifest.json is damaged" in catalog.info()["problems"][0]
        assert catalog.verify().problems
        before = names_in(tmp_path)
        with pytest.raises(CatalogError, match=r"manifest\.json is damaged"):
            catalog.export(tmp_path / "copy.earmark")
        assert names_in(tmp_path) == before
    with earmark.open(folder) as catalog:
        assert "it was moved to" in catalog.info()["problems"][0]
        catalog.export(tmp_path / "copy.earmark")
