"""The recipe on real packages, made here with dpkg-deb; apt-get is asked for a package that no archive has."""

from __future__ import annotations

import shutil
import subprocess
import zipfile

import pytest

from earmark.datasets import debian
from earmark.datasets.debian import Wanted, audio_members, fetch, recipe
from earmark.datasets.manifest import read_manifest
from earmark.errors import EarmarkError


@pytest.fixture
def package(tmp_path):
    """package(name, {path: file}) makes a package in a folder of packages and returns that folder."""
    kept = tmp_path / "kept"
    kept.mkdir()

    def make(name, files):
        tree = tmp_path / f"tree-{name}"
        for inside, source in {**files, f"usr/share/doc/{name}/copyright": b"Made by somebody, CC-BY-SA"}.items():
            target = tree / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(source, bytes):
                target.write_bytes(source)
            else:
                shutil.copy(source, target)
        (tree / "DEBIAN").mkdir()
        control = (
            f"Package: {name}\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: x\n"
        )
        (tree / "DEBIAN" / "control").write_text(control)
        deb = kept / f"{name}_1%3a2.0-1_all.deb"
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, deb], check=True, capture_output=True)
        return kept

    return make


def wanted(*packages, **settings):
    return Wanted(packages, **{"shortest_seconds": 5.0, "longest_seconds": 600.0, **settings})


def test_the_recipe_names_every_kind():
    found = recipe()
    assert tuple(found) == debian.KINDS
    assert [len(what.packages) for what in found.values()] == [34, 12, 3]
    assert (found["music"].shortest_seconds, found["music"].longest_seconds) == (25, 1200)


def test_a_package_gives_its_music_with_licence_and_manifest(package, music, tmp_path):
    kept = package(
        "game-data",
        {
            "usr/share/games/game/music/a b.opus": music[0],
            "usr/share/games/game/music/copy.opus": music[0],
            "usr/share/games/game/music/broken.ogg": b"OggS" * 3_000,
            "usr/share/games/game/tiny.ogg": b"OggS",
            "usr/share/games/game/readme.txt": b"x" * 9_000,
        },
    )
    folder = tmp_path / "corpus"
    (one,) = fetch(folder, wanted={"music": wanted("game-data")}, packages=kept)["music"]
    assert one.path == folder / "music" / "game-data__game__music__a_b.opus"
    assert one.path.read_bytes() == music[0].read_bytes()
    assert (one.track_id, one.group) == ("game-data/game__music__a_b", "game-data")
    assert (folder / "licences" / "game-data.txt").read_text() == "Made by somebody, CC-BY-SA"
    assert read_manifest(folder / "music.csv") == (one,)
    assert "music,game-data,1:2.0-1,1," in (folder / "packages.csv").read_text()
    assert [path.name for path in (folder / "music").iterdir()] == [one.path.name]


def test_archives_in_a_package_are_opened(package, music, tmp_path):
    for name, path in (("one.pk3", music[1]), ("two.zip", music[2])):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(path, "sounds/theme.opus")
            archive.writestr("filler.bin", bytes(1_200_000))
    kept = package("q-data", {"usr/share/q/one.pk3": tmp_path / "one.pk3", "usr/share/q/two.zip": tmp_path / "two.zip"})
    found = fetch(tmp_path / "corpus", wanted={"music": wanted("q-data")}, packages=kept)["music"]
    assert {one.path.read_bytes() for one in found} == {music[1].read_bytes(), music[2].read_bytes()}


def test_names_and_lengths_decide(package, music, tmp_path):
    kept = package("mix-data", {"usr/share/mix/music/a.opus": music[0], "usr/share/mix/wind/b.opus": music[1]})
    kinds = {
        "music": wanted("mix-data", named_music=frozenset({"mix-data"})),
        "noise": wanted("mix-data", without_music=True),
        "speech": wanted("mix-data", longest_seconds=6.0),
    }
    found = fetch(tmp_path / "corpus", wanted=kinds, packages=kept)
    assert [one.path.name for one in found["music"]] == ["mix-data__mix__music__a.opus"]
    assert [one.path.name for one in found["noise"]] == ["mix-data__mix__wind__b.opus"]
    assert found["speech"] == ()


def test_a_second_run_fetches_nothing(package, music, tmp_path):
    kept, folder = package("a-data", {"usr/share/a/a.opus": music[0]}), tmp_path / "corpus"
    kinds = {"music": wanted("a-data"), "speech": wanted("a-data", longest_seconds=6.0)}
    first = fetch(folder, wanted=kinds, packages=kept)
    shutil.rmtree(kept)
    told = []
    assert fetch(folder, wanted=kinds, packages=kept, progress=lambda *what: told.append(what)) == first
    assert told == []  # neither what gave music, nor what gave no speech


def test_a_run_that_was_broken_off_goes_on(package, music, tmp_path):
    package("a-data", {"usr/share/a/a.opus": music[0]})
    kept, folder = package("b-data", {"usr/share/b/b.opus": music[1]}), tmp_path / "corpus"
    kinds = {"music": wanted("a-data", "b-data")}

    def interrupt(kind, package, files):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(folder, wanted=kinds, packages=kept, progress=interrupt)
    (folder / "music" / "b-data__half.opus").write_bytes(b"half a file")
    told = []
    found = fetch(folder, wanted=kinds, packages=kept, progress=lambda *what: told.append(what))["music"]
    assert [one.group for one in found] == ["a-data", "b-data"]
    assert told == [("music", "b-data", 1)]


def test_a_damaged_package_is_named(package, music, tmp_path):
    kept = package("a-data", {"usr/share/a/a.opus": music[0]})
    (deb,) = kept.iterdir()
    deb.write_bytes(deb.read_bytes()[:-20_000])
    with pytest.raises(EarmarkError, match=r"a-data_1%3a2\.0-1_all\.deb is damaged .*; delete it and run again"):
        list(audio_members(deb))


def test_a_package_that_cannot_be_had_is_named_and_leaves_nothing(tmp_path):
    kinds = {"music": wanted("earmark-no-such-package")}
    with pytest.raises(EarmarkError, match=r"apt-get download -qq earmark-no-such-package` failed"):
        fetch(tmp_path, wanted=kinds)
    assert list((tmp_path / "packages").iterdir()) == []
