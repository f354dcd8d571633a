"""Two processes, or one that ends in the middle: the state that is found is one that was meant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earmark
from earmark.catalog.catalog import Catalog
from earmark.catalog.local.directory import Directory
from earmark.catalog.local.durable import DurableFiles
from earmark.catalog.tracks import Listing
from earmark.errors import CatalogError, SpecMismatch

Cut = Callable[[Path], tuple[np.ndarray, int]]


def test_a_copy_that_is_made_while_another_index_is_published_is_whole(
    folder: Path, pieces: Sequence[Path], clip: Cut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = DurableFiles.write
    with earmark.open(folder) as writer, earmark.open(folder, read_only=True) as reader:
        for place in range(0, 9, 4):
            written = 0

            def between(files: DurableFiles, there: Directory, name: str, parts: Any, place: int = place) -> None:
                nonlocal written
                written += 1
                if written == place + 1 and "copy" in os.fspath(there.path):
                    monkeypatch.setattr(DurableFiles, "write", write)
                    writer.rebuild()
                write(files, there, name, parts)

            monkeypatch.setattr(DurableFiles, "write", between)
            reader.export(tmp_path / f"copy{place}")
            monkeypatch.setattr(DurableFiles, "write", write)
            with earmark.open(tmp_path / f"copy{place}", read_only=True) as copy:
                assert copy.verify().ok
                assert copy.info()["problems"] == ()
                assert copy.info()["unpublished_tracks"] == 0
                assert copy.identify(clip(pieces[1])).best is not None


def test_a_rebuild_that_is_interrupted_leaves_the_index_that_there_was(
    catalog_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from earmark.catalog.local.generations import Generations
    from earmark.catalog.sqlite.store import SQLiteStore

    for broken, call, name in ((Generations, "publish", "both"), (SQLiteStore, "write_settings", "linear")):
        catalog = earmark.open(catalog_folder)
        with monkeypatch.context() as patch:

            def interrupted(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(broken, call, interrupted)
            with pytest.raises(KeyboardInterrupt):
                catalog.rebuild("linear")
            catalog._index.publish = lambda: None  # type: ignore[method-assign]  # as a killed process
            catalog.close()
        with earmark.open(catalog_folder, read_only=True) as reader:
            assert reader.info()["index"] == name
            assert reader.info()["unpublished_tracks"] == 0
        with earmark.open(catalog_folder) as writer:
            assert writer._settings.index == name


def test_a_child_that_was_forked_is_refused(folder: Path) -> None:
    code = """
import os, sys, earmark
with earmark.open(sys.argv[1]) as catalog:
    id = catalog.tracks()[0].id
    if os.fork() == 0:
        for action in (lambda: catalog.remove(id), lambda: catalog.update(id, title="x"), catalog.tracks):
            try:
                action()
                print("done")
            except earmark.CatalogError as error:
                print("forked from" in str(error))
        try:
            catalog.close()
        except earmark.CatalogError:
            pass
        sys.stdout.flush()
        os._exit(0)
    os.wait()
    try:
        earmark.open(sys.argv[1])
        print("two writers")
    except earmark.CatalogLocked:
        print("locked")
    catalog.remove(id)
earmark.open(sys.argv[1]).close()
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, folder], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:-1] == ["True", "True", "True", "locked"]
    with earmark.open(folder, read_only=True) as reader:
        assert len(reader) == 1
        assert reader.verify().ok


AS_NOBODY = """
import os, sys, earmark
with earmark.open(sys.argv[2], read_only=True) as other:  # load all modules while they can be read
    other.tracks(), other.info(), other.refresh()
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with earmark.open(sys.argv[1], read_only=True) as reader:
    print(len(reader.tracks()), flush=True)
    for line in sys.stdin:
        try:
            reader.refresh()
            print(len(reader.tracks()), reader.info()["index_stats"]["tracks"], flush=True)
        except earmark.CatalogError as error:
            print(error, flush=True)
"""


def test_a_reader_that_may_not_write_follows_the_writer_too(landmarks: Path, tmp_path: Path) -> None:
    import tempfile

    other = Path(shutil.copytree(landmarks, tmp_path / "other.earmark"))
    with tempfile.TemporaryDirectory() as public:
        folder = Path(shutil.copytree(landmarks, Path(public) / "own.earmark"))
        for path in (Path(public), folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        if os.getuid() != 0:
            folder.chmod(0o555)
        with subprocess.Popen(
            [sys.executable, "-c", AS_NOBODY, folder, other], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as reader:
            assert reader.stdin is not None
            assert reader.stdout is not None
            assert reader.stdout.readline() == "2\n"
            time.sleep(0.05)  # a file system tells times of change apart by 4 ms
            folder.chmod(0o755)
            with earmark.open(folder) as writer:
                writer.remove(writer.tracks()[0].id)
                reader.stdin.write("\n")
                reader.stdin.flush()
                assert reader.stdout.readline() == "1 1\n"
            reader.stdin.write("\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == "1 1\n"
            reader.stdin.close()


@pytest.mark.parametrize("name", [b"caf\xe9.earmark", b"new\nline?#%41.earmark"])
def test_a_folder_may_have_any_name(landmarks: Path, tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / os.fsdecode(name)
    shutil.copytree(landmarks, folder)
    for path in (folder, Path("/" + os.fspath(folder))):
        with earmark.open(path) as catalog:
            assert len(catalog.tracks()) == 2
            catalog.export(tmp_path / (os.fsdecode(name) + ".copy"))
        with earmark.open(tmp_path / (os.fsdecode(name) + ".copy"), read_only=True) as copy:
            assert copy.verify().ok
        shutil.rmtree(tmp_path / (os.fsdecode(name) + ".copy"))


def test_a_name_that_no_folder_can_have_is_an_error_of_ours(tmp_path: Path) -> None:
    for path in ("a\0b", "x" * 300, "/dev/null/music"):
        for read_only in (True, False):
            with pytest.raises(CatalogError):
                earmark.open(path, read_only=read_only)


def test_a_catalog_of_another_spec_is_listed_and_copied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.fingerprints.shazam.Shazam.accepts", lambda *_: False)
    with pytest.raises(SpecMismatch):
        Catalog.__exit__(earmark.open(folder, read_only=True), None)
    with Listing(folder) as listing:
        first, second = listing.tracks()
        assert listing.get(first.id) == first
        assert listing.find(second.title) == (second,)
        listing.export(tmp_path / "copy.earmark")
    monkeypatch.undo()
    with earmark.open(tmp_path / "copy.earmark", read_only=True) as copy:
        assert copy.verify().ok
