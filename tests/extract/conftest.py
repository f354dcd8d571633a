"""Pools of children that extract Shazam's fingerprints, whose features come from the same code in either process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.extract import pool as pools
from earmark.extract.fingerprinter import make_fingerprinter
from earmark.extract.pool import ExtractorPool
from earmark.types import Fingerprint

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pool() -> Iterator[Callable[..., ExtractorPool]]:
    """pool(workers) makes one that is closed at the end."""
    made: list[ExtractorPool] = []

    def make(workers: int, **options: Any) -> ExtractorPool:
        made.append(ExtractorPool("shazam", {}, workers=workers, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def obedient(pool: Callable[..., ExtractorPool], monkeypatch: pytest.MonkeyPatch) -> Callable[..., ExtractorPool]:
    """obedient(workers) makes a pool whose children do what a file says; see tasks.py."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(pools, "TASK", "tests.extract.tasks:obey")
    return pool


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started since the test began."""
    processes: list[subprocess.Popen[bytes]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return processes


@pytest.fixture
def here() -> Callable[..., Fingerprint]:
    """here(path, query=False) extracts in this process, from the samples of a decoded file."""

    def extract(path: Path, *, query: bool = False) -> Fingerprint:
        fingerprinter = make_fingerprinter("shazam", {})
        return fingerprinter.extract(load(path, rate=fingerprinter.rate)[0], query=query)

    return extract


@pytest.fixture
def alike() -> Callable[[Fingerprint, Fingerprint], bool]:
    """alike(one, other) is true of fingerprints whose features are equal."""

    def compare(one: Fingerprint, other: Fingerprint) -> bool:
        return (one.spec, list(one.layers)) == (other.spec, list(other.layers)) and all(
            np.array_equal(mine.frames, other.layers[name].frames)
            and np.array_equal(mine.values, other.layers[name].values)
            for name, mine in one.layers.items()
        )

    return compare
