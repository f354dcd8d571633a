"""Recordings that are read again and again, at any place: decoded once, to 16-bit files that are mapped."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from earmark.audio.decode import load
from earmark.distort.timing import slice_padded
from earmark.types import Samples

FULL_SCALE = 32_768  # value of full scale in 16 bits


class Recordings:
    """Sound of files by path, mono, at one rate. To be used in `with`: what is decoded lies in a temporary folder."""

    def __init__(self, rate: int, *, folder: Path | None = None) -> None:
        """`folder` keeps what is decoded for other runs; a file that has changed is decoded again."""
        self.rate = rate
        self._temporary = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="earmark-")
            folder = Path(self._temporary.name)
        self._folder = folder
        self._mapped: dict[Path, NDArray[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was decoded, unless it lies in a folder that was given."""
        self._mapped.clear()
        if self._temporary is not None:
            self._temporary.cleanup()

    def seconds(self, path: Path) -> float:
        """Return how long a recording is; raises MediaError for one that cannot be read."""
        return len(self.mapped(path)) / self.rate

    def piece(self, path: Path, start: float, seconds: float) -> Samples:
        """Return `seconds` of a recording from a start in seconds, with zeros outside of it, shape (n,)."""
        found = slice_padded(self.mapped(path), round(start * self.rate), round(seconds * self.rate))
        return found / np.float32(FULL_SCALE)

    def mapped(self, path: Path) -> NDArray[Any]:
        """Return a whole recording, int16, shape (n,)."""
        if path not in self._mapped:
            kept = self._folder / self._name(path)
            if not kept.exists():
                self._decode(path, kept)
            self._mapped[path] = np.load(kept, mmap_mode="r", allow_pickle=False)
        return self._mapped[path]

    def _name(self, path: Path) -> str:
        status = path.stat()
        stamp = f"{path.resolve()} {status.st_size} {status.st_mtime_ns} {self.rate}"
        return f"{path.stem[:80]}-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.npy"

    def _decode(self, path: Path, kept: Path) -> None:
        samples = whole(path, rate=self.rate)
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as handle:  # other runs may decode it too
            np.save(handle, samples)
        Path(handle.name).replace(kept)


def whole(path: Path, *, rate: int) -> NDArray[np.int16]:
    """Return the sound of a file, mono, shape (n,); raises MediaError for one that cannot be read."""
    audio = load(path, rate=rate)[0]
    return np.clip(np.round(audio * (FULL_SCALE - 1)), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
