"""Servers, and real music as a radio sends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from tests.streams.servers import Server, encoded, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


@pytest.fixture(scope="session")
def song(music: Sequence[Path]) -> np.ndarray:
    """12 s of music at 44,100 Hz."""
    return load(music[0], rate=44_100)[0][: 12 * 44_100]


@pytest.fixture(scope="session")
def mp3(song: np.ndarray) -> bytes:
    return encoded(song)
