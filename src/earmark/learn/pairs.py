"""Pairs to learn from: a clean segment and a distorted one.

Batch k of a seed is the same whichever process makes it, so training resumes at any batch and several processes can
make batches. Each pair of a batch is of another track: overlapping segments of one track must not be negatives (NMFP).
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
from earmark.distort.masking import draw_spec_mask
from earmark.errors import OptionError
from earmark.fingerprints.mel import Spectrogram, log_mel_segments, normalised
from earmark.learn.mixes import Mix, draw_mix
from earmark.learn.pcm import Sounds
from earmark.learn.recipe import FingerprintRecipe
from earmark.types import Samples

DISTORTION, MASKING = 1, 2  # offsets of the seed, for independent draws
ATTEMPTS = 8  # places that are tried to find one that is not silent
QUIETEST = 10 ** (-50 / 20)  # root mean square below which a place is silent
SATURATION_DECIBELS = (3.0, 20.0)  # drive of the soft limiter
CLIPPING_DECIBELS = (3.0, 18.0)  # distance of the clipping level from the peak
COMPRESSION_RATIO = (2.0, 10.0)
SLOPE_DECIBELS = (-6.0, 1.0)  # decibels per octave of coloured noise: brown to slightly brighter than white
QUIETEST_NOISE = 1e-4  # root mean square; quieter recordings of noise are not raised to power 1


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSet:
    """The sounds that batches are made of, at the recipe's rate; noise that is None is made by code."""

    music: Sounds
    ambience: Sounds | None
    voices: Sounds | None
    rooms: tuple[Samples, ...]  # aligned responses
    microphones: tuple[Samples, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RawPairs:
    """A batch before distortion; segments include their margins."""

    tracks: NDArray[np.int64]  # (b,)
    places: NDArray[np.int64]  # (b,) samples, beginnings of the segments in their tracks
    anchors: Samples  # (b, n)
    music: Samples  # (b, m), as `distort` takes it
    noise: Samples  # (b, n)
    draws: Draws
    clip_mask: NDArray[np.bool_]  # (b, n), true where the clip has sound
    spec_mask: NDArray[np.bool_]  # (b, bands, frames), true where the spectrogram is hidden


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A batch as the encoder takes it."""

    tracks: NDArray[np.int64]  # (b,)
    places: NDArray[np.int64]  # (b,) samples
    anchors: Spectrogram  # (b, bands, frames), normalised
    positives: Spectrogram


class PairBatches:
    """A maker of batches by their numbers."""

    def __init__(
        self, training_set: TrainingSet, recipe: FingerprintRecipe, *, size: int | None = None, seed: int | None = None
    ) -> None:
        self._training_set, self._recipe = training_set, recipe
        self.size = size or recipe.batch
        self._seed = recipe.seed if seed is None else seed
        if self.size > len(training_set.music):
            raise OptionError(
                f"a batch of {self.size} pairs, each of another track, and {len(training_set.music)} tracks of music; "
                "give more music or a smaller batch"
            )
        self._shape, self._ranges = recipe.log_mel, recipe.distortions
        self._reach = round(self._ranges.offset_seconds * self._shape.rate)
        self.channel = Channel(
            rate=self._shape.rate,
            samples=self._shape.segment_samples,
            rooms=training_set.rooms,
            microphones=training_set.microphones,
            history_seconds=recipe.history_seconds,
        )

    def pairs(self, number: int) -> Pairs:
        """Return batch `number`, distorted and transformed on the CPU."""
        raw = self.raw(number)
        arrived = distort(raw.music, raw.noise, raw.draws, self.channel) * raw.clip_mask
        positives = self._spectrogram(arrived)
        positives = np.where(raw.spec_mask, positives.min(axis=(1, 2), keepdims=True), positives)
        return Pairs(raw.tracks, raw.places, self._spectrogram(raw.anchors), positives)

    def raw(self, number: int) -> RawPairs:
        """Return batch `number` before distortion."""
        chooser = np.random.default_rng([self._seed, number])
        tracks = self._tracks(chooser)
        generators = self._generators(number, DISTORTION)
        samples, history = self._shape.segment_samples, self.channel.history
        places = np.empty(self.size, np.int64)
        anchors, noise = np.empty((2, self.size, samples), np.float32)
        music = np.empty((self.size, history + samples + 2 * self._reach), np.float32)
        clip_mask = np.ones((self.size, samples), bool)
        for row, (track, generator) in enumerate(zip(tracks, generators, strict=True)):
            mix, anchors[row] = self._mix(int(track), generator)
            places[row] = mix.parts[0].place
            music[row] = self._played(mix, generator, music.shape[1])
            noise[row] = self._noise(samples, generator)
            self._cut(clip_mask[row], generator)
        draws = draw(self._ranges, self.channel, generators)
        return RawPairs(tracks, places, anchors, music, noise, draws, clip_mask, self._spec_masks(number))

    def _tracks(self, chooser: np.random.Generator) -> NDArray[np.int64]:
        """Return `size` different tracks, drawn with weights proportional to the root of their lengths."""
        weights = 0.5 * np.log(self._training_set.music.lengths)
        return np.argsort(-(weights + chooser.gumbel(size=len(weights))))[: self.size]

    def _mix(self, track: int, generator: np.random.Generator) -> tuple[Mix, Samples]:
        """Return a mix of a track, if possible one that is not silent, and its segment."""
        music, samples = self._training_set.music, self._shape.segment_samples
        for _ in range(ATTEMPTS):
            mix = draw_mix(self._recipe.content, music, track, samples, generator)
            segment = mix.sound(music, 0, samples)
            if np.sqrt(np.mean(segment**2)) > QUIETEST:
                break
        return mix, segment

    def _played(self, mix: Mix, generator: np.random.Generator, length: int) -> Samples:
        """Return the music around a segment as a loudspeaker plays it: at another speed or overdriven, if drawn."""
        playing = self._recipe.playing
        chance = generator.random(4)
        speed = 1 + playing.speed * (2 * chance[1] - 1) if chance[0] < playing.speed_share else 1.0
        before, middle = self.channel.history + self._reach, self._shape.segment_samples / 2
        sound = mix.sound(self._training_set.music, middle - (before + middle) * speed, length, speed=speed)
        if chance[2] < playing.overdriven_share:
            return self._overdriven(sound, chance[2] / playing.overdriven_share, chance[3])
        return sound

    def _overdriven(self, sound: Samples, kind: float, amount: float) -> Samples:
        """Return overdriven sound; `kind` and `amount` are drawn evenly from 0 to 1."""

        def between(limits: tuple[float, float]) -> float:
            return limits[0] + (limits[1] - limits[0]) * amount

        if kind < 1 / 3:
            return saturate(sound, between(SATURATION_DECIBELS))
        if kind < 2 / 3:
            return clip_peaks(sound, between(CLIPPING_DECIBELS))
        return compress(sound, between(COMPRESSION_RATIO), rate=self._shape.rate)

    def _noise(self, length: int, generator: np.random.Generator) -> Samples:
        noises, ambience, voices = self._recipe.noises, self._training_set.ambience, self._training_set.voices
        shares = np.cumsum([noises.ambience * bool(ambience), noises.voices * bool(voices), noises.coloured])
        chance = generator.random() * shares[-1]
        if ambience and chance < shares[0]:
            return _stretch(ambience, length, generator)
        if voices and chance < shares[1]:
            count = int(generator.integers(1, noises.most_voices + 1))
            return np.asarray(sum(_stretch(voices, length, generator) for _ in range(count)), np.float32)
        slope = generator.uniform(*SLOPE_DECIBELS)
        return coloured_noise(length, rate=self._shape.rate, slope_decibels=slope, generator=generator)

    def _cut(self, clip_mask: NDArray[np.bool_], generator: np.random.Generator) -> None:
        """Set a clip's mask to false outside of the clip."""
        playing, margin = self._recipe.playing, self._shape.margin
        chance = generator.random(4)
        if chance[0] < playing.cut_share:
            missing = margin + int(chance[1] * playing.cut * (len(clip_mask) - 2 * margin))
            if chance[2] < 0.5:
                clip_mask[:missing] = False
            else:
                clip_mask[len(clip_mask) - missing :] = False
        if chance[3] < playing.alone_share:
            clip_mask[:margin] = clip_mask[len(clip_mask) - margin :] = False

    def _spectrogram(self, samples: Samples) -> Spectrogram:
        return normalised(log_mel_segments(samples, self._shape), self._shape)

    def _spec_masks(self, number: int) -> NDArray[np.bool_]:
        share, (bands, frames) = self._recipe.playing.masked_share, (self._shape.bands, self._shape.segment_frames)
        spec_mask = np.zeros((self.size, bands, frames), bool)
        for row, generator in enumerate(self._generators(number, MASKING) if share else ()):
            if generator.random() < share:
                spec_mask[row] = draw_spec_mask(bands, frames, generator)
        return spec_mask

    def _generators(self, number: int, use: int) -> list[np.random.Generator]:
        """Return a generator for each pair of a batch."""
        return clip_generators(self._seed + use, range(number * self.size, (number + 1) * self.size))


def _stretch(sounds: Sounds, length: int, generator: np.random.Generator) -> Samples:
    """Return a random place of a random recording with mean power 1; a short recording is looped."""
    number = int(generator.integers(len(sounds)))
    sound = sounds.looped(number, int(generator.integers(int(sounds.lengths[number]))), length)
    return np.asarray(sound / max(float(np.sqrt(np.mean(sound**2))), QUIETEST_NOISE), np.float32)
