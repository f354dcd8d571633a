"""Arrays that wait on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from earmark.index import faiss_io, segmented, spill
from earmark.index.pq import PQ
from earmark.index.segmented import Segmented


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """From 10 kB on, arrays go to this folder."""
    for module in (spill, segmented, faiss_io):
        monkeypatch.setattr(module, "SPILLED_BYTES", 10_000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_large_arrays_are_joined_on_disk_and_leave_nothing_there(on_disk: Path) -> None:
    parts = [np.arange(6_000, dtype=np.int16).reshape(-1, 3), np.zeros((0, 3), np.int16), np.ones((5, 3), np.int16)]
    whole = spill.joined(parts)
    assert np.array_equal(whole, np.concatenate(parts))
    assert whole.dtype == np.int16
    assert not whole.flags.writeable
    assert not list(on_disk.iterdir())


def test_small_arrays_stay_in_memory(on_disk: Path) -> None:
    assert spill.joined([np.zeros(10), np.ones(10)]).flags.writeable


def test_without_a_wish_they_go_where_there_is_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", None)
    assert Path(spill.folder()).is_dir()


def filled(index: Segmented) -> Segmented:
    rng = np.random.default_rng(0)
    for track in range(40):
        length = int(rng.integers(0, 60))
        index.add(track, np.arange(length, dtype=np.int32), rng.integers(-30, 30, (length, 32)).astype(np.int8))
    return index


def test_an_index_whose_vectors_wait_on_disk_is_the_same(on_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> Segmented:
        index = PQ(smallest=100, probes=10_000, rerank=1_000)
        index.add(99, np.arange(200, dtype=np.int32), np.ones((200, 32), np.int8))
        index.remove([99])  # before it went to disk
        filled(index)
        index.remove([7])
        index.arrays()
        return index

    spilled = made()
    for module in (spill, segmented, faiss_io):
        monkeypatch.setattr(module, "SPILLED_BYTES", 1 << 30)
    in_memory = made()
    asked = np.arange(5, dtype=np.int32), np.random.default_rng(1).integers(-30, 30, (5, 32)).astype(np.int8)
    for one, other in zip(spilled.arrays().items(), in_memory.arrays().items(), strict=True):
        assert one[0].partition(".")[2] == other[0].partition(".")[2]
        assert np.array_equal(one[1], other[1]) or one[0].endswith("digest")
    found, expected = spilled.snapshot().search(*asked), in_memory.snapshot().search(*asked)
    assert found.tracks.tolist() == expected.tracks.tolist()
    assert found.reference_frames.tolist() == expected.reference_frames.tolist()
    assert not list(on_disk.iterdir())
