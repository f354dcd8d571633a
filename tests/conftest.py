"""What several rooms' tests share: small pieces of real music, as bundled for the demo."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import hypothesis
import pytest

# Before numpy comes: with a thread a core, OpenBLAS's threads wait for each other where cores are shared.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import soundfile

import earmark  # noqa: F401 - before any test imports ONNX Runtime, which sends unless earmark has told it not to

# On a busy machine an example may take long to draw, which is no fault of the code.
hypothesis.settings.register_profile("any machine", suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("any machine")

MUSIC = Path(__file__).parent.parent / "src" / "earmark" / "apps" / "demo" / "music"


@pytest.fixture(scope="session")
def music() -> Sequence[Path]:
    """The bundled excerpts: 16 opus files of about 30 s, 48 kHz mono, all different music."""
    return sorted(MUSIC.glob("*.opus"))


@pytest.fixture
def album(music: Sequence[Path], tmp_path: Path) -> Path:
    """A folder of one's own with three of the excerpts."""
    folder = tmp_path / "album"
    folder.mkdir()
    for path in music[:3]:
        shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture
def cut(tmp_path: Path) -> Callable[..., Path]:
    """cut(path, start, seconds) writes that piece of a recording as a WAV file and returns its path."""

    def write(path: Path, start: float, seconds: float) -> Path:
        rate = soundfile.info(path).samplerate
        samples, _ = soundfile.read(path, frames=round(seconds * rate), start=round(start * rate), dtype="float32")
        target = tmp_path / f"{path.stem}-{start:g}-{seconds:g}.wav"
        soundfile.write(target, samples, rate)
        return target

    return write
