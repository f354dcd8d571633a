from __future__ import annotations

import shutil

import pytest

from earmark.datasets.folder import audio_files
from earmark.errors import OptionError


@pytest.fixture
def collection(music, tmp_path):
    for folder, path in (("Artist/One", music[0]), ("Artist/One", music[1]), ("Other", music[2])):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / folder)
    (tmp_path / "Other" / "cover.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "Other" / "broken.mp3").write_bytes(b"this is no sound")
    (tmp_path / ".hidden").mkdir()
    shutil.copy(music[3], tmp_path / ".hidden")
    shutil.copy(music[3], tmp_path / ".partly.opus")
    return tmp_path


def test_audio_files_come_by_extension_and_in_order(collection, music):
    found = [path.relative_to(collection).as_posix() for path in audio_files(collection)]
    names = [path.name for path in music[:3]]
    assert found == sorted(
        [f"Artist/One/{names[0]}", f"Artist/One/{names[1]}", "Other/broken.mp3", f"Other/{names[2]}"]
    )


def test_a_file_is_no_folder(music):
    with pytest.raises(OptionError, match="is no folder"):
        list(audio_files(music[0]))
