"""Clips as a phone might hear them: cut from known recordings, with noise, in a room; the same ones for a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earmark.audio.decode import load
from earmark.types import Samples

RATE = 16_000  # Hz; a phone's microphone hears more, and fingerprints use less
HISTORY = RATE  # a second of music before the clip that the room still remembers
LOWEST_HERTZ = 50.0  # below it noise is level, or most of its power would be where no microphone hears


@dataclass(frozen=True, slots=True)
class Condition:
    """What happens to a clip on its way to the microphone."""

    name: str
    seconds: float
    noise_decibels: float | None = None  # signal to noise ratio
    reverberation_seconds: float = 0.0  # T60

    @property
    def hardness(self) -> float:
        """The lower the harder: the ratio of signal to noise."""
        return 99.0 if self.noise_decibels is None else self.noise_decibels


CONDITIONS = (
    Condition("clean", 3),
    Condition("noise, 10 dB", 5, 10),
    Condition("noise, 5 dB", 5, 5),
    Condition("noise, 0 dB", 8, 0),
    Condition("room, T60 0.5 s", 5, None, 0.5),
    Condition("room, and noise, 5 dB", 10, 5, 0.4),
)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip and where it was cut from."""

    path: Path
    start: float  # seconds in the file at `path`
    condition: Condition
    samples: Samples  # (n,) at RATE


def cut_clips(paths: Sequence[Path], *, each: int, seed: int) -> Iterator[Clip]:
    """Yield `each` clips for every condition, from the files in turn, at places that `seed` draws."""
    draw = np.random.default_rng(seed)
    recordings = {path: load(path, rate=RATE)[0] for path in paths}
    order = [paths[index] for index in draw.permutation(len(paths))]
    for number in range(each * len(CONDITIONS)):
        condition, path = CONDITIONS[number // each], order[number % len(order)]
        length, recording = round(condition.seconds * RATE), recordings[path]
        start = int(draw.integers(HISTORY, len(recording) - length))
        heard = distort(recording[start - HISTORY : start + length], condition, draw)[HISTORY:]
        yield Clip(path, start / RATE, condition, heard)


def distort(samples: Samples, condition: Condition, draw: np.random.Generator) -> Samples:
    """Return samples as they sound in a room and under noise."""
    if condition.reverberation_seconds:
        samples = reverberate(samples, condition.reverberation_seconds, draw)
    if condition.noise_decibels is not None:
        noise = pink_noise(len(samples), draw)
        ratio = np.mean(samples**2) / np.mean(noise**2) / 10 ** (condition.noise_decibels / 10)
        samples = samples + np.float32(np.sqrt(ratio)) * noise
    return samples


def reverberate(samples: Samples, seconds: float, draw: np.random.Generator) -> Samples:
    """Return samples in a room whose sound decays by 60 dB in `seconds`, its tail as strong as the direct sound.

    The tail is exponentially decaying noise (Moorer, "About This Reverberation Business", 1979).
    """
    from scipy.signal import fftconvolve

    time = np.arange(round(seconds * RATE)) / RATE
    tail = draw.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    response = tail / np.sqrt(np.sum(tail**2))
    response[0] += 1.0
    wet: Samples = fftconvolve(samples, response)[: len(samples)].astype(np.float32)
    return wet


def pink_noise(length: int, draw: np.random.Generator) -> Samples:
    """Return noise whose power falls with frequency, as that of traffic, rooms and crowds does."""
    spectrum = np.fft.rfft(draw.standard_normal(length))
    hertz = np.fft.rfftfreq(length, 1 / RATE)
    noise: Samples = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, LOWEST_HERTZ)), length).astype(np.float32)
    return noise
