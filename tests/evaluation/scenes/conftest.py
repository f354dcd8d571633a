"""Scenes of the bundled music, with two of its pieces in the place of speech and three in that of unknown music."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from earmark.evaluation.recordings import Recordings
from earmark.evaluation.scenes.material import Material


@pytest.fixture(scope="session")
def material(music: Sequence[Path]) -> Iterator[Material]:
    """Eleven known tracks; their ids are the names of their files."""
    with Recordings(16_000) as sounds:
        known = [(path.stem, path) for path in music[:11]]
        yield Material(sounds, known, unknown=tuple(music[11:14]), speech=tuple(music[14:]))
