"""What happened to files is told by folder, and a disk that is not mounted is no reason to forget its tracks."""

from __future__ import annotations

from pathlib import Path

import pytest

from earmark.apps.cli import changes
from earmark.types import Track


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tracks(*paths: Path) -> list[Track]:
    return [Track(path.stem, path.stem, "", "", str(path), 60.0) for path in paths]


def test_files_of_a_folder_that_was_moved_are_told_in_one_line(here):
    pairs = [(f"{here}/Music/{name}", f"{here}/Disk/All/{name}") for name in ("a/1.mp3", "a/2.mp3", "b/1.mp3")]
    renamed = (f"{here}/Music/old.mp3", f"{here}/Music/new.mp3")
    assert changes.moves([*pairs, renamed]) == [
        "moved: 3 files from Music to Disk/All",
        "moved: Music/old.mp3 is now Music/new.mp3",
    ]
    assert changes.moves(pairs[:1]) == ["moved: Music/a/1.mp3 is now Disk/All/a/1.mp3"]


def test_tracks_of_a_folder_that_is_gone_are_told_in_one_line(here):
    (here / "Music").mkdir()
    missing = tracks(*(here / "Music" / "Album" / "Disc 1" / f"{number}.mp3" for number in range(3)), here / "x.mp3")
    assert changes.departures(missing) == ["gone: Music/Album, with 3 tracks", "gone: x.mp3 (x)"]
    assert len(changes.departures(missing, each=True)) == 4


def test_a_disk_is_taken_as_not_mounted_where_its_folder_is_empty_or_not_there(here, monkeypatch):
    monkeypatch.setattr(changes, "DISKS", {f"{here}/media": 2, f"{here}/mnt": 1})
    missing = tracks(here / "media" / "me" / "USB" / "Music" / "1.mp3")
    (here / "media" / "me").mkdir(parents=True)
    (here / "media" / "me" / "other").mkdir()
    assert changes.absent_disk(missing) == f"{here}/media/me/USB"
    (here / "media" / "me" / "USB").mkdir()
    assert changes.absent_disk(missing) == f"{here}/media/me/USB"
    (here / "media" / "me" / "USB" / "Films").mkdir()
    assert changes.absent_disk(missing) == ""
    assert changes.absent_disk(tracks(here / "home" / "1.mp3")) == ""
    (here / "mnt" / "USB" / "Films").mkdir(parents=True)
    assert changes.absent_disk(tracks(here / "mnt" / "USB" / "Music" / "1.mp3")) == ""  # the folder, not the disk
