"""The file calls of a writer: durable, named in errors, and over after a failed fsync."""

import errno
import os

import pytest

from earmark.catalog.local.directory import Directory
from earmark.catalog.local.durable import DurableFiles, is_catalog
from earmark.errors import CatalogError


class FailingSystem:
    """`os`, of which one kind of call fails."""

    def __init__(self, call, code):
        self.call, self.code, self.calls = call, code, 0

    def __getattr__(self, name):
        def called(*arguments, **options):
            if name == self.call:
                self.calls += 1
                raise OSError(self.code, os.strerror(self.code))
            return getattr(os, name)(*arguments, **options)

        return called


@pytest.fixture
def folder(tmp_path):
    with Directory.opened(tmp_path) as folder:
        yield folder


def test_it_writes_all_parts_of_a_new_file(folder, tmp_path):
    DurableFiles().write(folder, "new", [b"one ", memoryview(b"two")])
    assert (tmp_path / "new").read_bytes() == b"one two"


def test_it_never_writes_into_a_file_that_is_there(folder, tmp_path):
    (tmp_path / "old").write_bytes(b"published")
    with pytest.raises(CatalogError, match="old: File exists"):
        DurableFiles().write(folder, "old", [b"other"])
    assert (tmp_path / "old").read_bytes() == b"published"


def test_it_goes_on_writing_where_the_system_took_only_a_part(folder, tmp_path):
    class Reluctant(FailingSystem):
        def write(self, descriptor, part):
            return os.write(descriptor, part[:3])

    DurableFiles(Reluctant("", 0)).write(folder, "new", [b"0123456789"])
    assert (tmp_path / "new").read_bytes() == b"0123456789"


def test_a_full_disk_is_said_with_the_path_and_may_be_tried_again(folder, tmp_path):
    system = FailingSystem("write", errno.ENOSPC)
    files = DurableFiles(system)
    with pytest.raises(
        CatalogError, match=r"one: No space left on device; what was published before is still in place"
    ):
        files.write(folder, "one", [b"content"])
    system.call = ""
    files.write(folder, "two", [b"content"])


def test_nothing_is_written_after_a_failed_fsync(folder, tmp_path):
    system = FailingSystem("fsync", errno.EIO)
    files = DurableFiles(system)
    with pytest.raises(CatalogError, match="failed to keep what was written"):
        files.write(folder, "one", [b"content"])
    system.call = ""
    for attempt in (
        lambda: files.write(folder, "two", [b"content"]),
        lambda: files.move(folder, "one", folder, "three"),
        lambda: files.sync_folder(folder),
    ):
        with pytest.raises(CatalogError, match="check the disk, then open the catalog again"):
            attempt()
    assert system.calls == 1
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_it_says_where_links_cannot_be_made(folder, tmp_path):
    (tmp_path / "one").write_bytes(b"content")
    (tmp_path / "other").mkdir()
    with folder.folder("other") as other:
        assert DurableFiles().link(folder, other, "one")
        assert not DurableFiles(FailingSystem("link", errno.EPERM)).link(folder, other, "one")
        with pytest.raises(CatalogError, match="Input/output error"):
            DurableFiles(FailingSystem("link", errno.EIO)).link(folder, other, "one")


def test_a_folder_is_removed_unless_it_holds_something(folder, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "one").write_bytes(b"content")
    DurableFiles().remove_folder(folder, "inner")
    with folder.folder("inner") as inner:
        DurableFiles().remove(inner, "one")
    DurableFiles().remove_folder(folder, "inner")
    assert not (tmp_path / "inner").exists()


def test_a_catalog_is_known_by_its_database(tmp_path):
    assert not is_catalog(tmp_path)
    (tmp_path / "catalog.db").touch()
    assert is_catalog(tmp_path)
