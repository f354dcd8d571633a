"""300 clips of the bundled music, the same ones at every run, made without earmark so that no change of it moves them.

Twelve recordings are in the catalog, four are not. Clips last 1 to 60 s; what happens to them: noise, rooms, other
speeds, codecs, two recordings one after another.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import fftconvolve, resample_poly

Samples = NDArray[np.float32]

RATE = 16_000  # Hz
SEED = 24
UNKNOWN = ("angus", "forest", "lugaru-snow", "spike")  # recordings that the catalog does not hold
SPEEDS = {"speed+2": (50, 51), "speed-2": (50, 49), "speed+4": (25, 26), "speed-4": (25, 24)}  # resampled up / down
CODECS = {"mp3": ("MP3", "MPEG_LAYER_III", 0.9), "opus": ("OGG", "OPUS", 1.0)}  # format, subtype, compression level

# (kind, seconds, how many), of recordings that the catalog holds
KNOWN_KINDS = (
    ("clean", 1.0, 6), ("clean", 2.0, 6), ("clean", 5.0, 8), ("clean", 12.0, 4),
    ("noise10", 1.0, 8), ("noise10", 2.0, 8), ("noise10", 5.0, 10),
    ("noise5", 1.0, 8), ("noise5", 2.0, 8), ("noise5", 5.0, 10), ("noise5", 10.0, 4),
    ("noise0", 1.0, 10), ("noise0", 2.0, 10), ("noise0", 5.0, 18), ("noise0", 14.0, 4), ("noise0", 25.0, 4),
    ("room", 2.0, 6), ("room", 5.0, 8), ("room-noise5", 1.0, 8), ("room-noise5", 5.0, 10), ("room-noise0", 5.0, 10),
    ("speed+2", 5.0, 6), ("speed-2", 5.0, 6), ("speed+4", 5.0, 6), ("speed-4", 8.0, 6),
    ("mp3", 3.0, 6), ("mp3", 5.0, 4), ("opus", 3.0, 6), ("opus", 5.0, 4),
    ("medley", 24.0, 4), ("medley", 40.0, 4), ("medley", 60.0, 4),
)  # fmt: skip
UNKNOWN_KINDS = (
    ("clean", 1.0, 6), ("clean", 5.0, 10), ("clean", 20.0, 4), ("noise5", 2.0, 8), ("noise5", 5.0, 8),
    ("noise0", 1.0, 6), ("noise0", 5.0, 8), ("pure-noise", 1.0, 6), ("pure-noise", 5.0, 8), ("medley", 30.0, 2),
    ("silence", 5.0, 2), ("tone", 5.0, 4), ("short", 0.2, 4),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip and what it is asked with."""

    name: str
    samples: Samples  # (n,) at RATE
    as_file: bool  # asked as the bytes of a WAV file, which a child decodes
    options: dict[str, bool]

    @property
    def source(self) -> bytes | tuple[Samples, int]:
        """What `Catalog.identify` takes."""
        if not self.as_file:
            return self.samples, RATE
        written = io.BytesIO()
        soundfile.write(written, self.samples, RATE, format="WAV", subtype="FLOAT")
        return written.getvalue()


def known_paths(music: Sequence[Path]) -> list[Path]:
    """Return the recordings that belong in the catalog."""
    return [path for path in music if path.stem not in UNKNOWN]


def clips(music: Sequence[Path]) -> Iterator[Clip]:
    """Yield all clips."""
    draw = np.random.default_rng(SEED)
    number = 0
    for kinds, paths in (
        (KNOWN_KINDS, known_paths(music)),
        (UNKNOWN_KINDS, [path for path in music if path.stem in UNKNOWN]),
    ):
        for kind, seconds, count in kinds:
            for _ in range(count):
                samples = _clip(kind, seconds, paths, draw)
                options = {"several": seconds > 15 and number % 2 == 0, "speed": "speed" in kind and number % 2 == 0}
                side = "known" if kinds is KNOWN_KINDS else "unknown"
                yield Clip(f"{number:03d} {side} {kind} {seconds:g} s", samples, number % 5 == 0, options)
                number += 1


def _clip(kind: str, seconds: float, paths: Sequence[Path], draw: np.random.Generator) -> Samples:
    length = round(seconds * RATE)
    if kind == "silence":
        return np.zeros(length, np.float32)
    if kind == "tone":
        hertz = draw.uniform(200, 2_000)
        return (0.3 * np.sin(2 * np.pi * hertz * np.arange(length) / RATE)).astype(np.float32)
    if kind == "pure-noise":
        return _pink(length, draw) * np.float32(0.1)
    if kind == "medley":
        parts = [
            _cut(paths[draw.integers(len(paths))], min(length, 12 * RATE), draw)
            for _ in range(-(-length // (12 * RATE)))
        ]
        return np.concatenate(parts)[:length]
    path = paths[draw.integers(len(paths))]
    if kind in SPEEDS:
        up, down = SPEEDS[kind]
        return resample_poly(_cut(path, length * down // up, draw), up, down).astype(np.float32)[:length]
    samples = _cut(path, min(length, 24 * RATE), draw)
    if kind in CODECS:
        return _coded(samples, kind)
    if kind.startswith("room"):
        samples = _in_a_room(samples, draw)
    level = kind.rpartition("noise")[2]
    return _under_noise(samples, float(level), draw) if "noise" in kind else samples


@lru_cache(maxsize=32)
def _recording(path: Path) -> Samples:
    samples, rate = soundfile.read(path, dtype="float32")
    return resample_poly(samples, RATE, rate).astype(np.float32)


def _cut(path: Path, length: int, draw: np.random.Generator) -> Samples:
    recording = _recording(path)
    start = int(draw.integers(0, len(recording) - length))
    return recording[start : start + length]


def _pink(length: int, draw: np.random.Generator) -> Samples:
    spectrum = np.fft.rfft(draw.standard_normal(length))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), length)
    return (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)


def _under_noise(samples: Samples, decibels: float, draw: np.random.Generator) -> Samples:
    level = np.sqrt(np.mean(samples**2)) / 10 ** (decibels / 20)
    return samples + np.float32(level) * _pink(len(samples), draw)


def _in_a_room(samples: Samples, draw: np.random.Generator) -> Samples:
    t60 = draw.uniform(0.3, 0.8)
    seconds = np.arange(round(t60 * RATE)) / RATE
    response = draw.standard_normal(len(seconds)) * 10 ** (-3 * seconds / t60)
    response[0] = 4.0
    heard = fftconvolve(samples, response)[: len(samples)]
    return (heard * np.sqrt(np.mean(samples**2) / np.mean(heard**2))).astype(np.float32)


def _coded(samples: Samples, codec: str) -> Samples:
    container, subtype, level = CODECS[codec]
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=container, subtype=subtype, compression_level=level)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0][: len(samples)]
