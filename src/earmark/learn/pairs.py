"""Pairs to learn from: a segment as a catalog has it, and the same one as it arrives.

Batch k of a seed is always the same, whoever makes it, so that training can be resumed at any batch and several
processes can make batches ahead. Each pair of a batch is of another track (NMFP: overlapping segments of one track
must not meet as negatives).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earmark.distort import (
    Channel,
    Draws,
    clip_generators,
    clip_peaks,
    coloured_noise,
    compress,
    distort,
    draw,
    saturate,
)
from earmark.distort.masking import draw_holes
from earmark.errors import OptionError
from earmark.fingerprints.mel import Spectrogram, log_mel_segments, normalised
from earmark.learn.mixes import Piece, draw_piece
from earmark.learn.pcm import Sounds
from earmark.learn.recipe import Recipe
from earmark.types import Samples

DISTORTION, MASKING = 1, 2  # added to the seed: independent draws
ATTEMPTS = 8  # to find a place that is not silent
QUIETEST = 10 ** (-50 / 20)  # root mean square under which a place counts as silent
SATURATION_DECIBELS = (3.0, 20.0)
CLIPPING_DECIBELS = (3.0, 18.0)  # below the peak
COMPRESSION_RATIO = (2.0, 10.0)
SLOPE_DECIBELS = (-6.0, 1.0)  # of coloured noise: from brown to slightly brighter than white


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """The sounds that batches are made of, all at the recipe's rate; noise that is not there is made by code."""

    music: Sounds
    ambience: Sounds | None
    voices: Sounds | None
    rooms: tuple[Samples, ...]  # aligned responses
    microphones: tuple[Samples, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """A batch before the room."""

    tracks: NDArray[np.int64]  # (b,)
    places: NDArray[np.int64]  # (b,) samples, where the segments (with margins) begin in their tracks
    anchors: Samples  # (b, n) segments with margins
    music: Samples  # (b, m) for `distort`
    noise: Samples  # (b, n)
    draws: Draws
    heard: NDArray[np.bool_]  # (b, n): which samples the clip has
    holes: NDArray[np.bool_]  # (b, bands, frames): what of its spectrogram is hidden


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A batch as the encoder gets it."""

    tracks: NDArray[np.int64]  # (b,)
    places: NDArray[np.int64]  # (b,) samples
    anchors: Spectrogram  # (b, bands, frames), normalised
    positives: Spectrogram


class Batches:
    """Makes batches by their numbers."""

    def __init__(self, material: Material, recipe: Recipe, *, size: int | None = None, seed: int | None = None) -> None:
        self._material, self._recipe = material, recipe
        self.size = size or recipe.batch
        self._seed = recipe.seed if seed is None else seed
        if self.size > len(material.music):
            raise OptionError(
                f"a batch of {self.size} pairs, each of another track, and {len(material.music)} tracks of music; "
                "give more music or a smaller batch"
            )
        self._shape, self._ranges = recipe.log_mel, recipe.distortions
        self._reach = round(self._ranges.offset_seconds * self._shape.rate)
        self.channel = Channel(
            rate=self._shape.rate,
            samples=self._shape.segment_samples,
            rooms=material.rooms,
            microphones=material.microphones,
            history_seconds=recipe.history_seconds,
        )

    def pairs(self, number: int) -> Pairs:
        """Return batch `number`, distorted and analysed by the CPU."""
        raw = self.raw(number)
        arrived = distort(raw.music, raw.noise, raw.draws, self.channel) * raw.heard
        positives = self._seen(arrived)
        positives = np.where(raw.holes, positives.min(axis=(1, 2), keepdims=True), positives)
        return Pairs(raw.tracks, raw.places, self._seen(raw.anchors), positives)

    def raw(self, number: int) -> Raw:
        """Return batch `number` before the room."""
        chooser = np.random.default_rng([self._seed, number])
        tracks = self._tracks(chooser)
        generators = self._generators(number, DISTORTION)
        samples, history = self._shape.segment_samples, self.channel.history
        places = np.empty(self.size, np.int64)
        anchors, noise = np.empty((2, self.size, samples), np.float32)
        music = np.empty((self.size, history + samples + 2 * self._reach), np.float32)
        heard = np.ones((self.size, samples), bool)
        for row, (track, generator) in enumerate(zip(tracks, generators, strict=True)):
            piece, anchors[row] = self._piece(int(track), generator)
            places[row] = piece.parts[0].place
            music[row] = self._played(piece, generator, music.shape[1])
            noise[row] = self._noise(samples, generator)
            self._cut(heard[row], generator)
        draws = draw(self._ranges, self.channel, generators)
        return Raw(tracks, places, anchors, music, noise, draws, heard, self._holes(number))

    def _tracks(self, chooser: np.random.Generator) -> NDArray[np.int64]:
        """Draw different tracks, long ones somewhat more often: by the root of their length."""
        weights = 0.5 * np.log(self._material.music.lengths)
        return np.argsort(-(weights + chooser.gumbel(size=len(weights))))[: self.size]

    def _piece(self, track: int, generator: np.random.Generator) -> tuple[Piece, Samples]:
        """Return a piece of a track that is not silent, as far as that can be found, and its segment."""
        music, samples = self._material.music, self._shape.segment_samples
        for _ in range(ATTEMPTS):
            piece = draw_piece(self._recipe.content, music, track, samples, generator)
            segment = piece.sound(music, 0, samples)
            if np.sqrt(np.mean(segment**2)) > QUIETEST:
                break
        return piece, segment

    def _played(self, piece: Piece, generator: np.random.Generator, length: int) -> Samples:
        """Return the music around a segment as a loudspeaker gives it: perhaps faster, perhaps distorted."""
        playing = self._recipe.playing
        chance = generator.random(4)
        speed = 1 + playing.speed * (2 * chance[1] - 1) if chance[0] < playing.speed_share else 1.0
        before, middle = self.channel.history + self._reach, self._shape.segment_samples / 2
        sound = piece.sound(self._material.music, middle - (before + middle) * speed, length, speed=speed)
        if chance[2] < playing.overdriven_share:
            return self._overdriven(sound, chance[2] / playing.overdriven_share, chance[3])
        return sound

    def _overdriven(self, sound: Samples, kind: float, amount: float) -> Samples:
        """Return sound as bad equipment gives it; `kind` and `amount` are drawn evenly from 0 to 1."""

        def between(limits: tuple[float, float]) -> float:
            return limits[0] + (limits[1] - limits[0]) * amount

        if kind < 1 / 3:
            return saturate(sound, between(SATURATION_DECIBELS))
        if kind < 2 / 3:
            return clip_peaks(sound, between(CLIPPING_DECIBELS))
        return compress(sound, between(COMPRESSION_RATIO), rate=self._shape.rate)

    def _noise(self, length: int, generator: np.random.Generator) -> Samples:
        noises, ambience, voices = self._recipe.noises, self._material.ambience, self._material.voices
        shares = np.cumsum([noises.ambience * bool(ambience), noises.voices * bool(voices), noises.coloured])
        chance = generator.random() * shares[-1]
        if ambience and chance < shares[0]:
            return _stretch(ambience, length, generator)
        if voices and chance < shares[1]:
            count = int(generator.integers(1, noises.most_voices + 1))
            return np.asarray(sum(_stretch(voices, length, generator) for _ in range(count)), np.float32)
        slope = generator.uniform(*SLOPE_DECIBELS)
        return coloured_noise(length, rate=self._shape.rate, slope_decibels=slope, generator=generator)

    def _cut(self, heard: NDArray[np.bool_], generator: np.random.Generator) -> None:
        """Take away what lies outside the clip."""
        playing, margin = self._recipe.playing, self._shape.margin
        chance = generator.random(4)
        if chance[0] < playing.cut_share:
            missing = margin + int(chance[1] * playing.cut * (len(heard) - 2 * margin))
            if chance[2] < 0.5:
                heard[:missing] = False
            else:
                heard[len(heard) - missing :] = False
        if chance[3] < playing.alone_share:
            heard[:margin] = heard[len(heard) - margin :] = False

    def _seen(self, samples: Samples) -> Spectrogram:
        return normalised(log_mel_segments(samples, self._shape), self._shape)

    def _holes(self, number: int) -> NDArray[np.bool_]:
        share, (bands, frames) = self._recipe.playing.masked_share, (self._shape.bands, self._shape.segment_frames)
        holes = np.zeros((self.size, bands, frames), bool)
        for row, generator in enumerate(self._generators(number, MASKING) if share else ()):
            if generator.random() < share:
                holes[row] = draw_holes(bands, frames, generator)
        return holes

    def _generators(self, number: int, use: int) -> list[np.random.Generator]:
        """Return a generator for each pair of a batch."""
        return clip_generators(self._seed + use, range(number * self.size, (number + 1) * self.size))


def _stretch(sounds: Sounds, length: int, generator: np.random.Generator) -> Samples:
    """Return a piece of a recording of mean power 1, looped where it is short."""
    number = int(generator.integers(len(sounds)))
    piece = sounds.looped(number, int(generator.integers(int(sounds.lengths[number]))), length)
    return np.asarray(piece / max(float(np.sqrt(np.mean(piece**2))), 1e-4), np.float32)
