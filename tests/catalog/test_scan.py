"""Which files are meant by the paths that were given."""

import os
from pathlib import Path

import pytest

from earmark.catalog.scan import scan


def names(found, root):
    return [os.path.relpath(path, root) for path in found.files]


@pytest.fixture
def tree(tmp_path):
    for name in ("b/two.flac", "b/one.flac", "a.mp3", "notes.txt", "list.m3u", "cover.jpg", "b/.hidden", "noext"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_a_folder_stands_for_all_files_below_it_in_order(tree):
    found = scan(tree)
    assert names(found, tree) == ["a.mp3", "b/one.flac", "b/two.flac", "noext"]
    assert found.failed == ()
    assert [os.path.relpath(path, tree) for path, _ in found.skipped] == ["cover.jpg", "list.m3u", "notes.txt"]


def test_patterns_leave_out_names_and_paths(tree):
    assert names(scan(tree, exclude=["*.flac", "no*"]), tree) == ["a.mp3"]
    assert names(scan(tree, exclude=["b"]), tree) == ["a.mp3", "noext"]
    found = scan(tree, exclude=["*/b/two*"])
    assert names(found, tree) == ["a.mp3", "b/one.flac", "noext"]
    assert (str(tree / "b" / "two.flac"), "excluded") in found.skipped


def test_links_to_folders_are_followed_on_demand_and_in_no_circle(tree, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "far.ogg").write_bytes(b"x")
    (outside / "back").symlink_to(tree)
    (tree / "folder").symlink_to(outside)
    assert names(scan(tree, follow_links=True), tree)[-2:] == ["folder/far.ogg", "noext"]
    (skipped,) = [reason for path, reason in scan(tree).skipped if path.endswith("folder")]
    assert "--follow-links" in skipped


def test_a_path_alone_a_string_alone_and_a_list_mean_the_same(tree):
    assert scan(tree) == scan(str(tree)) == scan([tree]) == scan(iter([str(tree)]))


def test_what_is_named_is_tried_whatever_it_is_called(tree):
    assert names(scan([tree / "cover.jpg", tree / "b" / ".hidden"]), tree) == ["cover.jpg", "b/.hidden"]


def test_the_order_given_is_kept_and_nothing_comes_twice(tree):
    found = scan([tree / "noext", tree, tree / "a.mp3", tree])
    assert names(found, tree)[0] == "noext"
    assert sorted(names(found, tree)) == sorted(set(names(found, tree)))


def test_links_to_files_count_and_links_to_folders_do_not(tree, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "far.ogg").write_bytes(b"x")
    (tree / "link.ogg").symlink_to(outside / "far.ogg")
    (tree / "folder").symlink_to(outside)
    (tree / "again.mp3").symlink_to(tree / "a.mp3")
    found = names(scan(tree), tree)
    assert "link.ogg" in found
    assert not [name for name in found if name.startswith("folder")]
    assert ("a.mp3" in found) + ("again.mp3" in found) == 1


def test_what_is_hidden_or_comes_by_twice_is_told(tree):
    (tree / ".attic").mkdir()
    (tree / ".attic" / "old.mp3").write_bytes(b"x")
    (tree / ".DS_Store").write_bytes(b"x")
    (tree / "._a.mp3").write_bytes(b"x")
    (tree / "hard.mp3").hardlink_to(tree / "a.mp3")
    told = dict(scan([tree, tree / "a.mp3"]).skipped)
    assert told[str(tree / ".attic")] == "hidden, by its name"
    assert told[str(tree / "hard.mp3")] == f"the same as {tree / 'a.mp3'}, by another link"
    assert not {str(tree / ".DS_Store"), str(tree / "._a.mp3"), str(tree / "a.mp3")} & set(told)


def test_traps_are_named_and_do_not_hold_it_up(tree):
    (tree / "loop").symlink_to(tree / "loop")
    (tree / "up").symlink_to(tree)
    (tree / "dangling").symlink_to(tree / "nothing")
    os.mkfifo(tree / "pipe.mp3")
    found = scan([tree, "/dev/zero", tree / "absent.mp3"])
    reasons = {Path(path).name: reason for path, reason in found.failed}
    assert reasons == {
        "loop": "unreadable: Too many levels of symbolic links",
        "dangling": "unreadable: it is a link to a file that is not there",
        "pipe.mp3": "unsupported: it is no regular file, but a pipe, socket or device",
        "zero": "unsupported: it is no regular file, but a pipe, socket or device",
        "absent.mp3": "unreadable: No such file or directory",
    }
    assert len(found.files) == 4


def test_another_catalog_in_the_folder_is_no_music(tree):
    (tree / "music.earmark" / "generations").mkdir(parents=True)
    (tree / "music.earmark" / "catalog.db").write_bytes(b"x")
    assert not [name for name in names(scan(tree), tree) if "earmark" in name]


def test_an_address_is_no_path(tree):
    ((path, reason),) = scan("https://example.org/a.mp3").failed
    assert path == "https://example.org/a.mp3"
    assert reason.endswith("that is an address, and earmark reads files: download it first")


def test_names_that_are_no_text_come_through(tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    (tmp_path / name).write_bytes(b"x")
    assert names(scan(tmp_path), tmp_path) == [name]


def test_a_name_with_a_nul_is_refused_not_raised():
    assert scan("a\0b").failed == (("a\0b", "unreadable: embedded null byte"),)


def test_a_deep_tree_is_followed_to_its_end(tmp_path):
    path = tmp_path
    for _ in range(600):
        path = path / "d"
    path.mkdir(parents=True)
    (path / "deep.mp3").write_bytes(b"x")
    assert len(scan(tmp_path).files) == 1
