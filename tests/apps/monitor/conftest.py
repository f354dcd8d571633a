"""A broadcast of the bundled music, and a catalog that knows some of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.streams.servers import Server, serving

import earmark
from earmark.audio.decode import load

RATE = 16_000


@pytest.fixture(scope="session")
def indexed(music: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of the first four excerpts."""
    path = tmp_path_factory.mktemp("monitor") / "music.earmark"
    with earmark.open(path) as catalog:
        catalog.add(list(music[:4]), workers=1)
    return path


@pytest.fixture
def folder(indexed: Path, tmp_path: Path) -> Path:
    """A copy of that catalog, without plays."""
    return Path(shutil.copytree(indexed, tmp_path / "music.earmark"))


@pytest.fixture
def catalog(folder: Path) -> Iterator[earmark.Catalog]:
    with earmark.open(folder, read_only=True) as opened:
        yield opened


@pytest.fixture(scope="session")
def show(music: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s of the first excerpt, 10 s of an unknown one, 20 s of the third from its second 5 on."""
    pieces = [(0, 0, 20), (10, 5, 15), (2, 5, 25)]
    parts = [load(music[number], rate=RATE)[0][start * RATE : end * RATE] for number, start, end in pieces]
    path = tmp_path_factory.mktemp("show") / "show.wav"
    soundfile.write(path, np.concatenate(parts), RATE)
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one
