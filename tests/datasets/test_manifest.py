from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.datasets.manifest import Item, digest_of, duplicates, read_manifest, split, write_manifest
from earmark.errors import OptionError


def recording(number, *, group="a", seconds=10.0, sha256=None):
    return Item(f"t{number}", Path(f"/m/{number}.ogg"), seconds, group, f"T {number}", "", sha256 or f"{number:064}")


def test_a_manifest_comes_back_as_it_was(tmp_path):
    given_ones = [
        replace(recording(number), path=tmp_path / "music" / f"{number}, with “quotes”.ogg", title='a,"b"\nc')
        for number in range(3)
    ]
    write_manifest(tmp_path / "music.csv", given_ones)
    assert list(read_manifest(tmp_path / "music.csv")) == given_ones
    assert [path.name for path in tmp_path.iterdir()] == ["music.csv"]


def test_something_else_is_no_manifest(tmp_path):
    (tmp_path / "prices.csv").write_text("track_id,path,price\n1,a,2\n")
    with pytest.raises(OptionError, match="has no column artist, package, seconds"):
        read_manifest(tmp_path / "prices.csv")


@given(st.lists(st.tuples(st.integers(0, 12), st.floats(1, 500)), min_size=1, max_size=60), st.floats(0, 1))
def test_a_split_keeps_groups_whole_and_loses_nothing(rows, share):
    recordings = [recording(k, group=f"g{group}", seconds=seconds) for k, (group, seconds) in enumerate(rows)]
    rest, part = split(recordings, share=share, seed=3)
    assert sorted(one.track_id for one in (*rest, *part)) == sorted(one.track_id for one in recordings)
    assert {one.group for one in rest}.isdisjoint({one.group for one in part})
    whole = sum(one.seconds for one in recordings)
    assert sum(one.seconds for one in part) >= share * whole - 1e-6


def test_a_new_group_moves_no_other():
    recordings = [recording(k, group=f"g{k}") for k in range(20)]
    _, before = split(recordings, share=0.3, seed=1)
    _, after = split([*recordings, recording(99, group="new")], share=0.3, seed=1)
    kept = {one.group for one in after} - {"new"}
    assert kept <= {one.group for one in before} or kept >= {one.group for one in before}
    assert split(recordings, share=0.3, seed=2)[1] != before


def test_a_share_is_a_share():
    with pytest.raises(OptionError, match=r"share=1\.5"):
        split([recording(1)], share=1.5)


def test_twins_are_the_same_to_the_last_bit():
    ones = [recording(1), recording(2, sha256="x"), recording(3), recording(4, sha256="x")]
    assert [[one.track_id for one in group] for group in duplicates(ones)] == [["t2", "t4"]]


def test_a_digest_is_that_of_the_content(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert digest_of(tmp_path / "f", "sha1") == "a9993e364706816aba3e25717850c26c9cd0d89d"
