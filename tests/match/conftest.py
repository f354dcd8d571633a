"""Shelves of bundled excerpts, by each kind of fingerprint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.fingerprints import make
from tests.match.shelf import Shelf, shelf_of

KINDS: Mapping[str, Mapping[str, object]] = {"with peaks": {}, "without": {"peaks": False}}  # of vectors


@pytest.fixture(scope="session")
def sounds(music: Sequence[Path]) -> list[np.ndarray]:
    """Ten excerpts of 26 s at 8,000 Hz; the last two are on no shelf."""
    return [load(path, rate=8_000)[0][: 26 * 8_000] for path in music[:10]]


@pytest.fixture(scope="session")
def shelves(sounds: list[np.ndarray]) -> dict[str, Shelf]:
    return {kind: shelf_of(make("neural", **preset), sounds[:8]) for kind, preset in KINDS.items()}


@pytest.fixture(params=KINDS)
def shelf(request: pytest.FixtureRequest, shelves: dict[str, Shelf]) -> Shelf:
    return shelves[request.param]


@pytest.fixture
def with_peaks(shelves: dict[str, Shelf]) -> Shelf:
    return shelves["with peaks"]


@pytest.fixture(scope="session")
def whole_sounds(music: Sequence[Path]) -> list[np.ndarray]:
    """Eight excerpts, whole, at 11,025 Hz; the last two are on no shelf."""
    return [load(path, rate=11_025)[0] for path in music[:8]]


@pytest.fixture(scope="session")
def landmarks(whole_sounds: list[np.ndarray]) -> Shelf:
    return shelf_of(make("shazam"), whole_sounds[:6])
