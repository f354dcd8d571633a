"""Faults and kills in the middle of indexing: afterwards all that was reported is there, and a second run finishes.

With landmarks, whose children start fastest: what is kept, and when, does not depend on the fingerprints.
"""

import errno
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

import earmark
from earmark.catalog.local.durable import DurableFiles
from earmark.errors import CatalogError


class FailingSystem:
    """`os`, of which the k-th call and all after it fail, as on a disk that is full or gone."""

    def __init__(self, k, code):
        self.left, self.code = k, code

    def __getattr__(self, name):
        def called(*arguments, **options):
            self.left -= 1
            if self.left < 0 and name != "close":
                raise OSError(self.code, os.strerror(self.code))
            return getattr(os, name)(*arguments, **options)

        return called


def add_with_fault(folder, paths, k, monkeypatch):
    """Add with the k-th file call failing; return (titles reported, whether it failed)."""
    reported = []
    code = (errno.ENOSPC, errno.EIO)[k % 2]
    with monkeypatch.context() as patch:
        patch.setattr("earmark.catalog.local.generations.DurableFiles", lambda: DurableFiles(FailingSystem(k, code)))
        try:
            with earmark.open(folder, fingerprinter="shazam") as catalog:
                catalog.add(paths, workers=1, progress=lambda step: step.track and reported.append(step.track.title))
            return reported, False
        except CatalogError:
            return reported, True


def assert_found(folder, paths, clip):
    """Assert that the catalog lists the pieces and knows them by sound."""
    with earmark.open(folder, read_only=True) as reader:
        assert [track.title for track in reader.tracks()] == [path.stem for path in paths]
        assert [reader.identify(clip(path)).best.track.title for path in paths] == [path.stem for path in paths]


@pytest.fixture(scope="module")
def unpublished(pieces, tmp_path_factory):
    """A catalog of two pieces whose writer died before it published an index."""
    folder = tmp_path_factory.mktemp("unpublished") / "music.earmark"
    with earmark.open(folder, fingerprinter="shazam") as catalog:
        catalog.add(pieces[:2])
    shutil.rmtree(folder / "generations")
    (folder / "CURRENT").unlink()
    return folder


def test_a_fault_at_any_file_call_loses_nothing_that_was_reported(unpublished, pieces, clip, tmp_path, monkeypatch):
    for k in itertools.count():
        folder = shutil.copytree(unpublished, tmp_path / f"{k}.earmark")
        reported, failed = add_with_fault(folder, pieces[:2], k, monkeypatch)
        assert set(reported) <= {path.stem for path in pieces[:2]}
        assert_found(folder, pieces[:2], clip)
        with earmark.open(folder) as catalog:
            assert len(catalog.add(pieces[:2]).unchanged) == 2
        with earmark.open(folder, read_only=True) as reader:
            assert reader.info()["unpublished_tracks"] == 0
        if not failed:
            break
    assert k > 20


@pytest.mark.parametrize("k", [0, 9])
def test_a_fault_after_decoding_leaves_nothing_to_decode_again(pieces, clip, tmp_path, monkeypatch, k):
    folder = tmp_path / "music.earmark"
    assert add_with_fault(folder, pieces[:2], k, monkeypatch) == ([path.stem for path in pieces[:2]], True)
    assert_found(folder, pieces[:2], clip)
    with earmark.open(folder) as catalog:
        assert len(catalog.add(pieces[:2]).unchanged) == 2


INDEX = """
import sys, earmark
with earmark.open(sys.argv[1], fingerprinter="shazam") as catalog:
    catalog.add(sys.argv[2:], workers=1, progress=lambda step: print(step.track.title, flush=True))
"""


def acknowledged(folder, paths, seconds):
    """Index in another process, kill it after some time, and return what it had reported by then."""
    command = [sys.executable, "-c", INDEX, folder, *paths]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        return process.stdout.read().split("\n")[:-1]


@pytest.mark.parametrize("seed", range(2))
def test_a_kill_at_any_moment_loses_nothing_that_was_reported(pieces, clip, tmp_path, seed):
    folder, chance, seen = tmp_path / "music.earmark", random.Random(seed), set()
    for _ in range(5):
        seen |= set(acknowledged(folder, pieces, chance.uniform(0.2, 1.8)))
        try:
            with earmark.open(folder, read_only=True) as reader:
                assert seen <= {track.title for track in reader.tracks()}
                for path in pieces:
                    if path.stem in seen:
                        assert reader.identify(clip(path)).best.track.title == path.stem
        except earmark.CatalogNotFound:
            assert not seen
    with earmark.open(folder, fingerprinter="shazam") as catalog:
        catalog.add(pieces)
        assert sorted(track.title for track in catalog.tracks()) == sorted(path.stem for path in pieces)
        assert catalog.verify().ok
