"""Sandboxes for the tasks of tests/audio/sandboxed.py, and a file to give them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pytest

from earmark.sandbox.process import Limits, Sandbox
from tests.sandbox.processes import ROOT


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sandbox]]:
    """sandbox(task, limits) makes one that is started already."""
    monkeypatch.syspath_prepend(str(ROOT))
    made: list[Sandbox] = []

    def make(task: str, limits: Limits | None = None) -> Sandbox:
        settings = {"decodes": task == "decoded"}
        made.append(Sandbox(f"tests.audio.sandboxed:{task}", settings=settings, limits=limits))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def file() -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as spool:
        spool.write(b"some sound")
        spool.flush()
        spool.seek(0)
        yield spool
