"""The command line as a function, and a catalog to use it on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from earmark.apps.cli import main

KNOWN = 4  # of the bundled excerpts are in the catalog, the others are not


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def earmark(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs the command line in this process."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Done(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def indexed(music: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of the first four excerpts, for tests that only read it."""
    path = tmp_path_factory.mktemp("catalog") / "music.earmark"
    assert main(["index", *map(str, music[:KNOWN]), "--catalog", str(path), "--quiet"]) == 0
    return path


@pytest.fixture
def catalog(indexed: Path, tmp_path: Path) -> Path:
    """A copy of that catalog, for tests that change it."""
    return Path(shutil.copytree(indexed, tmp_path / "own.earmark"))
