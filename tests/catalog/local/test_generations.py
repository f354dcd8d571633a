"""Published indexes: whole or not at all, checked before they are believed."""

import errno
import hashlib
import itertools
import os
import random

import numpy as np
import pytest

from earmark.catalog.local import generations as generations_module
from earmark.catalog.local.array_file import ArrayFile, load_array
from earmark.catalog.local.directory import Directory
from earmark.catalog.local.durable import DurableFiles
from earmark.catalog.local.generations import Generations, is_on_network
from earmark.errors import CatalogDamaged, CatalogError, CatalogTooNew

ARRAYS = {
    "segment-a.keys": np.arange(3000, dtype=np.uint32),
    "segment-a.places": np.arange(600, dtype=np.uint8).reshape(200, 3),
    "removed": np.zeros(0, dtype=np.int32),
}


class FailingSystem:
    """`os`, of which the k-th call fails, and every one after it: as when the machine loses its disk."""

    def __init__(self, k, code):
        self.left, self.code = k, code

    def __getattr__(self, name):
        function = getattr(os, name)
        if not callable(function):
            return function

        def called(*arguments, **options):
            self.left -= 1
            if self.left < 0 and name != "close":
                raise OSError(self.code, os.strerror(self.code))
            return function(*arguments, **options)

        return called


def publish(generations, arrays=ARRAYS, last_track=7):
    return generations.publish(arrays, spec="shazam/1/00", index="postings", last_track=last_track, last_removal=0)


def files_in(folder):
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def test_what_is_published_is_loaded_the_same(tmp_path):
    generations = Generations(tmp_path)
    assert generations.load() is None
    publish(generations)
    generation = generations.load()
    assert generation.manifest.last_track == 7
    assert list(generation.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        loaded = generation.arrays[name]
        assert type(loaded) is np.ndarray
        assert loaded.dtype == array.dtype
        assert np.array_equal(loaded, array)


def test_only_the_last_one_is_kept(tmp_path):
    generations = Generations(tmp_path)
    for last_track in (1, 2, 3):
        publish(generations, last_track=last_track)
    assert [path.name for path in (tmp_path / "generations").iterdir()] == ["000003"]
    assert generations.load().manifest.last_track == 3


def test_an_array_of_the_same_name_is_linked_not_written(tmp_path):
    generations = Generations(tmp_path)
    publish(generations)
    (before,) = tmp_path.rglob("segment-a.keys.npy")
    inode = before.stat().st_ino
    publish(generations, {"segment-a.keys": ARRAYS["segment-a.keys"], "segment-b.keys": np.ones(3)})
    (after,) = tmp_path.rglob("segment-a.keys.npy")
    assert after.stat().st_ino == inode
    assert generations.problems() == []


def test_a_reader_keeps_what_it_mapped_when_the_next_is_published(tmp_path):
    generations = Generations(tmp_path)
    publish(generations)
    keys = generations.load().arrays["segment-a.keys"]
    publish(generations, {"other": np.ones(3)})
    assert list(tmp_path.rglob("segment-a.keys.npy")) == []
    assert np.array_equal(keys, ARRAYS["segment-a.keys"])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_fault_at_any_call_leaves_the_old_or_the_new_one(tmp_path, code):
    for k in itertools.count():
        folder = tmp_path / str(k)
        folder.mkdir()
        publish(Generations(folder), last_track=1)
        try:
            publish(Generations(folder, DurableFiles(FailingSystem(k, code))), {"other": np.ones(3)}, last_track=2)
            failed = False
        except CatalogError:
            failed = True
        found = Generations(folder).load()
        assert found.manifest.last_track in ((1, 2) if failed else (2,))
        assert list(found.arrays) == (["other"] if found.manifest.last_track == 2 else list(ARRAYS))
        Generations(folder).sweep()
        assert len(list((folder / "generations").iterdir())) == 1
        publish(Generations(folder), last_track=3)
        assert Generations(folder).load().manifest.last_track == 3
        if not failed:
            break
    assert k > 15


def test_every_flipped_byte_is_noticed(tmp_path):
    generations = Generations(tmp_path)
    publish(generations)
    places = [(path, place) for path in files_in(tmp_path) for place in range(path.stat().st_size)]
    for path, place in random.Random(1).sample(places, 500):
        content = bytearray(path.read_bytes())
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(CatalogDamaged):
            generations.load()
        assert generations.problems()
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
    assert generations.problems() == []


def test_opening_reads_so_much_and_the_smallest_files_first(tmp_path, monkeypatch):
    generations = Generations(tmp_path)
    publish(generations)
    small, large = (next(tmp_path.rglob(name)) for name in ("segment-a.places.npy", "segment-a.keys.npy"))
    monkeypatch.setattr(generations_module, "CHECKED_ON_OPEN_BYTES", large.stat().st_size)
    for path, is_noticed in ((small, True), (large, False)):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert generations.problems()
        if is_noticed:
            with pytest.raises(CatalogDamaged):
                generations.load()
        else:
            assert generations.load() is not None
        path.write_bytes(content)


def test_every_cut_file_is_noticed_before_it_is_mapped(tmp_path):
    generations = Generations(tmp_path)
    publish(generations)
    for path in files_in(tmp_path):
        content = path.read_bytes()
        for length in np.linspace(0, len(content) - 2, 17, dtype=int):
            path.write_bytes(content[:length])
            with pytest.raises(CatalogDamaged):
                generations.load()
        path.write_bytes(content)
    assert generations.load() is not None


def test_a_missing_file_is_damage(tmp_path):
    generations = Generations(tmp_path)
    publish(generations)
    next(tmp_path.rglob("segment-a.places.npy")).unlink()
    with pytest.raises(CatalogDamaged, match=r"segment-a\.places\.npy is missing"):
        generations.load()


def test_what_is_damaged_goes_to_quarantine_whole(tmp_path):
    generations = Generations(tmp_path)
    publish(generations)
    before = {path.name: path.read_bytes() for path in files_in(tmp_path)}
    target = generations.quarantine()
    assert generations.load() is None
    assert {path.name: path.read_bytes() for path in files_in(target)} == before
    publish(generations)
    assert generations.quarantine() != target


def test_a_newer_format_is_refused(tmp_path):
    import hashlib

    generations = Generations(tmp_path)
    publish(generations)
    (manifest,) = tmp_path.rglob("manifest.json")
    manifest.write_bytes(manifest.read_bytes().replace(b'"format": 1', b'"format": 9'))
    (tmp_path / "CURRENT").write_text(f"000001 {hashlib.sha256(manifest.read_bytes()).hexdigest()}\n")
    with pytest.raises(CatalogTooNew, match="format 9"):
        generations.load()


def test_a_copy_is_a_generation_of_its_own(tmp_path):
    generations = Generations(tmp_path)
    publish(generations)
    (tmp_path / "copy").mkdir()
    generations.copy(tmp_path / "copy")
    assert Generations(tmp_path / "copy").problems() == []
    assert Generations(tmp_path / "copy").load().manifest == generations.load().manifest


def test_a_name_that_is_a_path_is_refused(tmp_path):
    with pytest.raises(CatalogError, match="cannot name an array"):
        publish(Generations(tmp_path), {"../outside": np.ones(3)})


def test_a_local_disk_is_no_network(tmp_path):
    assert is_on_network(tmp_path) == ""


@pytest.mark.parametrize(
    "header", ["{[]: 1}", "{'descr': ('", "-" * 9_900 + "1", "{'descr': ',,', 'fortran_order': 0, 'shape': (1,)}", "\\"]
)
def test_a_header_that_is_no_arrays_is_damage(tmp_path, header):
    line = header.encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line + b"\0"
    (tmp_path / "a.npy").write_bytes(content)
    entry = ArrayFile("a", len(content), hashlib.sha256(content).hexdigest(), "|u1", (1,))
    with Directory.opened(tmp_path) as folder, pytest.raises(ValueError, match="has no header of an array"):
        load_array(folder, entry, read_up_to=1e9)


def test_a_number_that_leaves_none_behind_it_stops_no_publication_and_no_quarantine(tmp_path):
    for name in ("generations", "quarantine"):
        (tmp_path / name / ("9" * 18)).mkdir(parents=True)
    generations = Generations(tmp_path)
    for last_track in (1, 2):
        publish(generations, last_track=last_track)
        assert generations.load().manifest.last_track == last_track
    for _ in range(2):
        assert generations.quarantine().exists()
        publish(generations)
    assert sorted(path.name for path in (tmp_path / "quarantine").iterdir()) == ["000001", "000002", "9" * 18]
