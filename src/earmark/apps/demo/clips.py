"""Clips as a phone might hear them: cut from known recordings, with noise, in a room; the same ones for a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earmark.audio.decode import load
from earmark.distort import add_noise, coloured_noise, reverberate, room_response
from earmark.types import Samples

RATE = 16_000  # Hz; a phone's microphone hears more, and fingerprints use less
HISTORY = RATE  # samples, a second, of music before the clip, which the room still remembers
NOISE_SLOPE_DECIBELS = -3.0  # dB an octave: pink, much as the noise of traffic, rooms and crowds


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
        heard = as_heard(recording[start - HISTORY : start + length], condition, draw)
        yield Clip(path, start / RATE, condition, heard)


def as_heard(samples: Samples, condition: Condition, draw: np.random.Generator) -> Samples:
    """Return samples, which begin with `HISTORY`, as they sound in a room and under noise, without that history."""
    clip = samples[HISTORY:]
    if condition.reverberation_seconds:
        response = room_response(condition.reverberation_seconds, rate=RATE, generator=draw)
        clip = reverberate(samples, response, history=HISTORY)
    if condition.noise_decibels is not None:
        noise = coloured_noise(len(clip), rate=RATE, slope_decibels=NOISE_SLOPE_DECIBELS, generator=draw)
        clip = add_noise(clip, noise, condition.noise_decibels, rate=RATE)
    return clip
