"""The music of a pair: a place in a track as it is, or played faster, backwards or together with another.

A few hundred tracks are soon learned by heart; changed, they are other music without end. Both sides of a pair are
changed alike, so the change is content and not a distortion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earmark.distort.timing import change_speed
from earmark.learn.pcm import Sounds
from earmark.learn.recipe import Content
from earmark.types import Samples

UNCHANGED = 1e-6  # largest |speed factor - 1| that needs no resampling


@dataclass(frozen=True, slots=True)
class Part:
    """A place in a track and its gain."""

    track: int
    place: int  # samples
    gain: float = 1.0


@dataclass(frozen=True, slots=True)
class Mix:
    """Music whose samples 0 to `samples` are the segment; it continues before and after them."""

    parts: tuple[Part, ...]
    samples: int
    factor: float = 1.0  # speed and pitch, relative to the tracks
    backwards: bool = False

    def sound(self, music: Sounds, begin: float, length: int, *, speed: float = 1.0) -> Samples:
        """Return `length` samples; the k-th is the mix's sample begin + k * speed."""
        factor = self.factor * speed
        changed = abs(factor - 1) > UNCHANGED
        needed = int(length * factor) + 2 if changed else length
        out = np.zeros(length, np.float32)
        for part in self.parts:
            if self.backwards:
                first = part.place + round((self.samples - begin) * self.factor) - needed
                sound = music.excerpt(part.track, first, needed)[::-1]
            else:
                sound = music.excerpt(part.track, part.place + round(begin * self.factor), needed)
            if changed:
                sound = change_speed(np.ascontiguousarray(sound), factor)[:length]
            out[: len(sound)] += np.float32(part.gain) * sound
        return out


def draw_mix(content: Content, music: Sounds, track: int, samples: int, generator: np.random.Generator) -> Mix:
    """Return a mix for a segment of `samples` samples at a random place of a track, changed as `content` says."""
    chance = generator.random(6)
    factor = 1.0
    if chance[0] < content.transposed_share:
        factor = float(content.transposition ** (2 * chance[1] - 1))
    parts = [Part(track, _place(music, track, samples * factor, generator))]
    if chance[2] < content.mixed_share:
        other = int(generator.integers(len(music)))
        gain = 10 ** (content.mix_decibels * (2 * chance[3] - 1) / 20)
        parts.append(Part(other, _place(music, other, samples * factor, generator), float(gain)))
    return Mix(tuple(parts), samples, factor, bool(chance[4] < content.reversed_share))


def _place(music: Sounds, track: int, samples: float, generator: np.random.Generator) -> int:
    return int(generator.integers(max(int(music.lengths[track]) - int(samples), 1)))
