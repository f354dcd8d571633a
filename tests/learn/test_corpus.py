from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from earmark.datasets.manifest import Item, write_manifest
from earmark.datasets.rooms import Room, load_rooms, save_rooms
from earmark.distort import room_response
from earmark.errors import OptionError
from earmark.learn.corpus import gather
from earmark.learn.pairs import PairBatches
from earmark.learn.recipe import FingerprintRecipe, Rooms

RECIPE = FingerprintRecipe(
    name="small", batch=2, encoder_options={"widths": [4], "blocks": [1], "hidden": 8, "dimensions": 8},
    validation_share=0.3, rooms=Rooms(count=2, t60_seconds=(0.1, 0.2)),
)  # fmt: skip


@pytest.fixture
def data(music, tmp_path):
    """Six excerpts as music, one as noise and one as speech."""
    folder = tmp_path / "data"
    for name, paths in ((".", music[:6]), ("noise", music[6:7]), ("speech", music[7:8])):
        (folder / name).mkdir(exist_ok=True)
        for path in paths:
            shutil.copy(path, folder / name)
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def room(rate: int) -> Room:
    response = room_response(0.2, rate=rate, generator=np.random.default_rng(0))
    return Room(response, rate, 0.2, (3.0, 3.0, 3.0), 1.0)


def names(sounds) -> set[str]:
    return {Path(name).name for name in sounds.names}


def test_a_folder_is_music_but_for_its_noise_and_speech(data, out, music):
    gathered = gather(data, RECIPE, folder=out)
    training, validation = gathered.training, gathered.validation
    assert names(training.music) | names(validation.music) == {path.name for path in music[:6]}
    assert not names(training.music) & names(validation.music)
    assert names(training.ambience) == {music[6].name}
    assert names(training.voices) == names(validation.voices) == {music[7].name}
    assert len(training.rooms) == 2
    assert len(training.microphones) == 40
    assert gathered.failed == ()
    assert np.isfinite(PairBatches(training, RECIPE).pairs(0).positives).all()


def test_a_second_time_all_is_there(data, out):
    told = []
    first = gather(data, RECIPE, folder=out, tell=lambda *stage: told.append(stage))
    assert told.count(("decoding music", 6, 6)) == told.count(("making rooms", 2, 2)) == 1
    told.clear()
    second = gather(data, RECIPE, folder=out, tell=lambda *stage: told.append(stage))
    assert told == []
    assert second.training.music.names == first.training.music.names
    assert all(map(np.array_equal, first.training.rooms, second.training.rooms))
    assert len(load_rooms(out / "rooms.npz")) == 2


def test_a_folder_with_manifests_is_taken_by_them(data, out, music):
    items = [Item(path.stem, data / path.name, 30.0, "group", path.stem, "", "") for path in music[:3]]
    write_manifest(data / "music.csv", items)
    gathered = gather(data, RECIPE, folder=out)
    found = names(gathered.training.music) | names(gathered.validation.music)
    assert found == {path.name for path in music[:3]}
    assert gathered.training.ambience is None


def test_where_there_are_many_folders_none_is_on_both_sides(data, out, music):
    for number, path in enumerate(music[:6]):
        folder = data / f"album {number // 2}"
        folder.mkdir(exist_ok=True)
        (data / path.name).rename(folder / path.name)
    gathered = gather(
        data, FingerprintRecipe(name="x", batch=2, validation_share=0.34, ranges={"room_share": 0.0}), folder=out
    )
    albums = [{Path(name).parent for name in one.music.names} for one in (gathered.training, gathered.validation)]
    assert not albums[0] & albums[1]
    assert gathered.training.rooms == ()


def test_what_cannot_be_decoded_is_told(data, out):
    (data / "broken.mp3").write_text("no music")
    gathered = gather(data, RECIPE, folder=out)
    assert [Path(path).name for path, _ in gathered.failed] == ["broken.mp3"]


def test_rooms_may_be_given_at_the_recipes_rate(data, out, tmp_path):
    save_rooms(tmp_path / "rooms.npz", [room(8_000)])
    assert len(gather(data, RECIPE, folder=out, rooms=tmp_path / "rooms.npz").training.rooms) == 1
    assert not (out / "rooms.npz").exists()
    save_rooms(tmp_path / "rooms.npz", [room(16_000)])
    with pytest.raises(OptionError, match="has rooms at 16000 Hz; give some at 8000 Hz"):
        gather(data, RECIPE, folder=out, rooms=tmp_path / "rooms.npz")
    (tmp_path / "rooms.npz").write_bytes(b"no rooms")
    with pytest.raises(OptionError, match="holds no rooms"):
        gather(data, RECIPE, folder=out, rooms=tmp_path / "rooms.npz")


def test_without_music_it_says_what_to_give(out, tmp_path, music):
    (tmp_path / "data" / "noise").mkdir(parents=True)
    with pytest.raises(OptionError, match="has no music in it"):
        gather(tmp_path / "data", RECIPE, folder=out)
    shutil.copy(music[0], tmp_path / "data")
    with pytest.raises(OptionError, match=r"1 recordings cannot be parted .* give two or more"):
        gather(tmp_path / "data", RECIPE, folder=out)
    with pytest.raises(OptionError, match="is no folder"):
        gather(tmp_path / "absent", RECIPE, folder=out)
