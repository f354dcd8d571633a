"""Clips of which a catalog holds nothing: music, speech and noise from recordings, tones and near silence made here.

A clip depends on the recordings, the seed, its kind, its length and its number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from earmark import distort
from earmark.distort.timing import slice_padded
from earmark.errors import MediaError, OptionError
from earmark.evaluation.recordings import FULL_SCALE
from earmark.types import Samples

Kind = Literal["music", "music in noise", "speech", "noise", "tones", "near silence"]
Draw = np.random.Generator
Wave = NDArray[np.float64]

KINDS: tuple[Kind, ...] = get_args(Kind)
HISTORY_SECONDS = 1.0  # seconds of sound before a clip, which a room still remembers
SILENT_DECIBELS = -45.0  # dB re full scale; music and speech with a softer second are not asked for
TRIES = 200  # places drawn to find one without silence
VOICES = 5  # voices that talk at once, as a crowd does
ROOM_SECONDS = (0.2, 0.8)  # range of t60
NOISE_DECIBELS = (0.0, 10.0)  # range of the ratio of music to noise
PEAK_DECIBELS = (-12.0, -1.0)  # range of a clip's peak, dB re full scale
SOFT_DECIBELS = (-85.0, -50.0)  # range of the level of what is nearly silent, dB re full scale


@dataclass(frozen=True, slots=True)
class UnknownClip:
    """A clip as it would be recorded, of 16 bits, and where it is from."""

    samples: Samples
    path: Path | None = None  # the recording that it is cut from, unless it was made, mixed or put together
    start: float = 0.0  # second of the recording at which it begins


class UnknownClips:
    """Makes clips of every kind for which there are recordings."""

    def __init__(
        self,
        sound_of: Callable[[Path], NDArray[Any]],
        *,
        rate: int,
        music: Sequence[Path] = (),
        speech: Sequence[Path] = (),
        noise: Sequence[Path] = (),
        seed: int = 1,
    ) -> None:
        """`sound_of` decodes a file at a rate, int16; no catalog holds `music`; noise is made if there is none."""
        self._sound_of, self._music, self._speech, self._noise = sound_of, music, speech, noise
        self._rate, self._seed = rate, seed
        made: dict[Kind, Callable[[int, Draw], UnknownClip]] = {
            "music": self._music_clip, "music in noise": self._music_in_noise, "speech": self._speech_clip,
            "noise": self._noise_clip, "tones": self._tones, "near silence": self._near_silence,
        }  # fmt: skip
        missing = tuple(kind for kind, paths in (("music", music), ("speech", speech)) if not paths)
        self._makers = {kind: make for kind, make in made.items() if not kind.startswith(missing)}

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that can be made."""
        return tuple(self._makers)

    def make(self, kind: Kind, seconds: float, number: int) -> UnknownClip:
        """Return a clip of a kind; raises OptionError where there is no recording for it."""
        if kind not in self._makers:
            raise OptionError(f"no recordings for clips of {kind}; give some, or ask for {', '.join(self._makers)}")
        draw = np.random.default_rng([self._seed, KINDS.index(kind), round(1_000 * seconds), number])
        clip = self._makers[kind](round(seconds * self._rate), draw)
        heard = np.clip(np.round(clip.samples * (FULL_SCALE - 1)), -FULL_SCALE, FULL_SCALE - 1)
        return UnknownClip(np.asarray(heard / FULL_SCALE, np.float32), clip.path, clip.start)

    def _music_clip(self, length: int, draw: Draw) -> UnknownClip:
        path, first = self._loud_place(self._music, length, draw)
        return UnknownClip(at_peak(self._cut(path, first, length), draw), path, first / self._rate)

    def _music_in_noise(self, length: int, draw: Draw) -> UnknownClip:
        history = round(HISTORY_SECONDS * self._rate)
        path, first = self._loud_place(self._music, length, draw)
        music = self._cut(path, first - history, length + history)
        if draw.random() < 0.5:
            music = self._in_room(music, draw)
        ratio = draw.uniform(*NOISE_DECIBELS)
        mixed = distort.add_noise(music[history:], self._background(length, draw), ratio, rate=self._rate)
        return UnknownClip(at_peak(mixed, draw), path, first / self._rate)

    def _speech_clip(self, length: int, draw: Draw) -> UnknownClip:
        history = round(HISTORY_SECONDS * self._rate)
        voice = self._voice(length + history, draw)
        if draw.random() < 1 / 3:
            voice = self._in_room(voice, draw)
        return UnknownClip(at_peak(voice[history:], draw))

    def _noise_clip(self, length: int, draw: Draw) -> UnknownClip:
        if draw.random() < 1 / 3:
            return UnknownClip(at_peak(self._coloured(length, draw), draw))
        return UnknownClip(at_peak(self._background(length, draw), draw))

    def _background(self, length: int, draw: Draw) -> Samples:
        """Return noise as it is around a microphone: a place's, or a crowd's."""
        if self._speech and draw.random() < 0.5:
            voices = [self._voice(length, draw) for _ in range(VOICES)]
            return np.asarray(sum(one / max(root_mean_square(one), 1e-4) for one in voices), np.float32)
        if not self._noise:
            return self._coloured(length, draw)
        _, sound = self._readable(self._noise, draw)
        start = int(draw.integers(len(sound)))
        heard = np.take(sound, np.arange(start, start + length), mode="wrap")
        return np.asarray(heard / FULL_SCALE, np.float32)

    def _coloured(self, length: int, draw: Draw) -> Samples:
        slope = draw.uniform(-6.0, 0.0)
        return distort.coloured_noise(length, rate=self._rate, slope_decibels=slope, generator=draw)

    def _voice(self, length: int, draw: Draw) -> Samples:
        """Return speech: from any place of a recording on, one short recording after another."""
        parts, missing = list[Samples](), length
        while missing > 0:
            path, sound = self._readable(self._speech, draw)
            first = int(draw.integers(max(len(sound) - length, 0) + 1)) if not parts else 0
            parts.append(self._cut(path, first, min(missing, len(sound) - first)))
            missing -= max(len(parts[-1]), 1)
        return slice_padded(np.concatenate(parts), 0, length)

    def _in_room(self, sound: Samples, draw: Draw) -> Samples:
        response = distort.room_response(draw.uniform(*ROOM_SECONDS), rate=self._rate, generator=draw)
        return distort.reverberate(sound, response)[: len(sound)]

    def _tones(self, length: int, draw: Draw) -> UnknownClip:
        made = TONES[int(draw.integers(len(TONES)))](np.arange(length) / self._rate, draw)
        if draw.random() < 0.5:
            made = made + np.abs(made).max() * 10 ** draw.uniform(-3.0, -1.5) * draw.standard_normal(length)
        return UnknownClip(at_peak(np.asarray(made, np.float32), draw))

    def _near_silence(self, length: int, draw: Draw) -> UnknownClip:
        """Return what is hardly there: soft noise, soft sound, the last bit, or a moment of sound in silence."""
        form, level = int(draw.integers(4)), 10 ** (draw.uniform(*SOFT_DECIBELS) / 20)
        if form == 0:
            return UnknownClip(np.asarray(level * self._coloured(length, draw), np.float32))
        if form == 1:
            return UnknownClip(np.asarray(draw.integers(-1, 2, length) / FULL_SCALE, np.float32))
        sound = self._some_sound(length, draw)
        if form == 2:
            return UnknownClip(np.asarray(level * sound / max(root_mean_square(sound), 1e-6), np.float32))
        lasting = min(round(draw.uniform(0.05, 0.8) * self._rate), length)
        first = int(draw.integers(length - lasting + 1))
        silence = np.zeros(length, np.float32)
        silence[first : first + lasting] = at_peak(sound[first : first + lasting], draw)
        return UnknownClip(silence)

    def _some_sound(self, length: int, draw: Draw) -> Samples:
        """Return music or speech, or noise without either."""
        if self._music and (not self._speech or draw.random() < 0.5):
            return self._cut(*self._loud_place(self._music, length, draw), length)
        return self._voice(length, draw) if self._speech else self._coloured(length, draw)

    def _readable(self, paths: Sequence[Path], draw: Draw) -> tuple[Path, NDArray[Any]]:
        """Return a recording, each as likely as another, and its sound; of one that cannot be read, the next one."""
        first = int(draw.integers(len(paths)))
        for path in (*paths[first:], *paths[:first]):
            try:
                return path, self._sound_of(path)
            except MediaError:
                continue
        raise OptionError(f"none of {len(paths)} recordings can be read, as {paths[first]}; give sound")

    def _loud_place(self, paths: Sequence[Path], length: int, draw: Draw) -> tuple[Path, int]:
        """Return a recording, each as likely as another, and the sample from which on no second of it is silent."""
        for _ in range(TRIES):
            path = paths[int(draw.integers(len(paths)))]
            try:
                sound = self._sound_of(path)
            except MediaError:
                continue
            if len(sound) <= length:
                continue
            first = int(draw.integers(len(sound) - length))
            parts = np.array_split(self._cut(path, first, length), max(length // self._rate, 1))
            if all(root_mean_square(part) > 10 ** (SILENT_DECIBELS / 20) for part in parts):
                return path, first
        raise OptionError(
            f"no recording of {len(paths)} has {length / self._rate:g} s without silence; give longer music"
        )

    def _cut(self, path: Path, first: int, length: int) -> Samples:
        return slice_padded(self._sound_of(path), first, length) / np.float32(FULL_SCALE)


def at_peak(samples: Samples, draw: Draw) -> Samples:
    """Return samples with a peak of -12 to -1 dB of full scale; silence as it is."""
    peak = float(np.abs(samples).max(initial=0.0))
    level = np.float32(10 ** (draw.uniform(*PEAK_DECIBELS) / 20))
    return samples * (level / np.float32(peak)) if peak > 0 else samples


def root_mean_square(samples: Samples) -> float:
    """Return the level of samples; 0 of none."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def _partials(times: Wave, draw: Draw) -> Wave:
    """Return one to five steady tones, as a chord or a beat has them."""
    hertz = 10 ** draw.uniform(1.8, 3.6, int(draw.integers(1, 6)))
    return sum(
        (draw.uniform(0.2, 1) * np.sin(2 * np.pi * one * times + draw.uniform(0, 6)) for one in hertz),
        np.zeros_like(times),
    )


def _hum(times: Wave, draw: Draw) -> Wave:
    """Return the mains, or a motor: a low tone with its harmonics, which may waver."""
    hertz = draw.choice([50.0, 60.0, draw.uniform(30.0, 300.0)])
    phase = 2 * np.pi * hertz * times + draw.uniform(0, 2) * np.sin(2 * np.pi * draw.uniform(0.2, 3) * times)
    falling = draw.uniform(0.5, 2)
    return sum((np.sin(n * phase + draw.uniform(0, 6)) / n**falling for n in range(1, 20)), np.zeros_like(times))


def _sweep(times: Wave, draw: Draw) -> Wave:
    """Return a tone that glides, once or again and again."""
    low, high = np.sort(10 ** draw.uniform(1.8, 3.8, 2))
    period = draw.choice([times[-1] + 1e-3, draw.uniform(0.1, 2)])
    place = times % period / period
    place = 1 - place if draw.random() < 0.5 else place
    hertz = low * (high / low) ** place if draw.random() < 0.5 else low + (high - low) * place
    return np.asarray(np.sin(2 * np.pi * np.cumsum(hertz) * (times[1] - times[0])))


def _siren(times: Wave, draw: Draw) -> Wave:
    """Return a tone that wavers, or goes to and fro between two."""
    middle, width, rate = draw.uniform(300, 2_000), draw.uniform(0.02, 0.4), draw.uniform(0.3, 8)
    wave = np.sin(2 * np.pi * rate * times)
    wave = np.sign(wave) if draw.random() < 0.5 else wave
    return np.asarray(np.sin(2 * np.pi * np.cumsum(middle * (1 + width * wave)) * (times[1] - times[0])))


def _beeps(times: Wave, draw: Draw) -> Wave:
    """Return beeps, as machines and telephones give them."""
    period, share = draw.uniform(0.1, 2), draw.uniform(0.1, 0.7)
    return np.asarray(_partials(times, draw) * ((times + draw.uniform(0, 2)) % period < share * period))


def _clicks(times: Wave, draw: Draw) -> Wave:
    """Return clicks in a steady or a chance order, each a sample or a few."""
    rate, clicks = 10 ** draw.uniform(-0.3, 1.7), np.zeros_like(times)
    if draw.random() < 0.5:
        at = np.arange(draw.uniform(0, min(1 / rate, times[-1])), times[-1], 1 / rate)
    else:
        at = draw.uniform(0, times[-1], 1 + int(draw.poisson(rate * times[-1])))
    clicks[(at / (times[1] - times[0])).astype(int)] = draw.choice([-1.0, 1.0], len(at))
    return np.convolve(clicks, np.ones(int(draw.integers(1, 20))))[: len(times)]


def _metronome(times: Wave, draw: Draw) -> Wave:
    """Return a metronome's ticks, the first of a bar higher."""
    period, beats, decay = 60 / draw.uniform(40, 240), int(draw.integers(1, 7)), draw.uniform(20, 200)
    moved = times + draw.uniform(0, 8)
    since, beat = moved % period, (moved // period).astype(int)
    hertz = draw.uniform(600, 3_000) * np.where(beat % beats == 0, draw.uniform(1, 2), 1.0)
    return np.asarray(np.exp(-decay * since) * np.sin(2 * np.pi * hertz * since))


TONES: tuple[Callable[[Wave, Draw], Wave], ...] = (_partials, _hum, _sweep, _siren, _beeps, _clicks, _metronome)
