"""What scenes are made of: pieces of known and unknown music, talk and noise, drawn from folders of recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earmark.distort.levels import active_power
from earmark.distort.noises import coloured_noise
from earmark.errors import MediaError, OptionError
from earmark.evaluation.recordings import Recordings
from earmark.evaluation.scenes.scene import Excerpt
from earmark.types import Samples

LEVEL = 0.1  # amplitude of what plays at 0 dB, without its pauses: 20 dB below full scale, so that two and noise fit
SILENT_DECIBELS = -45.0  # dB re full scale; a place with a softer second is drawn again
TRIES = 20  # places drawn in a recording to find one without silence
TURN_SECONDS = (20.0, 60.0)  # seconds that one voice speaks in a talk
NOISE_SECONDS = 20.0  # seconds of one noise, then another
VOICES = 5  # voices at once in babble, as in the benchmark's clips
SHORTEST_SECONDS = 1.0  # seconds of the shortest recording of speech or noise that is used

Named = tuple[str | None, Path]  # track, None for what the catalog does not know


@dataclass(frozen=True, slots=True)
class LoudPlace:
    """A stretch of a recording that is loud throughout."""

    path: Path
    start: float  # seconds
    gain: float  # factor of amplitude that brings it to LEVEL
    track: str | None = None


@dataclass(frozen=True)
class Material:
    """Recordings by what they are."""

    sounds: Recordings
    tracks: Sequence[tuple[str, Path]]  # music that the catalog knows, with its ids
    unknown: Sequence[Path] = ()  # music that it does not know
    speech: Sequence[Path] = ()
    noises: Sequence[Path] = ()  # without any, noise is made

    def places(self, seconds: float, draw: np.random.Generator) -> Iterator[LoudPlace]:
        """Yield places of so many seconds in known music; tracks take turns, in another order each time."""
        return self._places(self.tracks, seconds, draw)

    def other_places(self, seconds: float, draw: np.random.Generator) -> Iterator[LoudPlace]:
        """Yield places in unknown music and in speech, half and half; raises OptionError when there is neither."""
        kinds = [[(None, path) for path in paths] for paths in (self.unknown, self.speech) if paths]
        if not kinds:
            raise OptionError("no sound that the catalog does not know; give a folder of unknown music or of speech")
        places = [self._places(recordings, seconds, draw) for recordings in kinds]
        while True:
            yield next(places[int(draw.integers(len(places)))])

    def talk(self, seconds: float, draw: np.random.Generator) -> tuple[Excerpt, ...]:
        """Return voices that speak in turn, from 0 to `seconds`; raises OptionError without speech."""
        if not self.speech:
            raise OptionError("no speech; give a folder of recordings of speech")
        return tuple(self._turns(seconds, draw))

    def unknown_music(self, seconds: float, draw: np.random.Generator) -> tuple[Excerpt, ...]:
        """Return unknown recordings one after another, each once, `seconds` at most; raises OptionError without any."""
        if not self.unknown:
            raise OptionError("no unknown music; give a folder of music that is not indexed")
        excerpts, at = list[Excerpt](), 0.0
        for number in draw.permutation(len(self.unknown)).tolist():
            path = self.unknown[number]
            length = min(self._seconds(path), seconds - at)
            if length > 0:
                excerpts.append(Excerpt(path, 0.0, at, length, self._gain(path, 0.0, length)))
                at += length
        return tuple(excerpts)

    def noise(self, seconds: float, draw: np.random.Generator) -> Samples:
        """Return noise, shape (n,), that changes every 20 s: recorded, and babble if there is speech, or made."""
        count = round(seconds * self.sounds.rate)
        turn = round(NOISE_SECONDS * self.sounds.rate)
        turns = [self._one_noise(min(turn, count - first), draw) for first in range(0, count, turn)]
        return np.concatenate(turns) if turns else np.zeros(0, np.float32)

    def _places(self, recordings: Sequence[Named], seconds: float, draw: np.random.Generator) -> Iterator[LoudPlace]:
        while True:
            found = 0
            for number in draw.permutation(len(recordings)).tolist():
                track, path = recordings[number]
                place = self._place(track, path, seconds, draw)
                if place is not None:
                    found += 1
                    yield place
            if not found:
                raise OptionError(
                    f"none of {len(recordings)} recordings has {seconds:.1f} s without silence; give longer ones"
                )

    def _place(self, track: str | None, path: Path, seconds: float, draw: np.random.Generator) -> LoudPlace | None:
        """Return a place in which every second is loud enough, or None."""
        spare = self._seconds(path) - seconds
        for _ in range(TRIES if spare > 0 else 0):
            start = round(draw.uniform(0, spare) * self.sounds.rate) / self.sounds.rate  # at a sample
            piece = self.sounds.piece(path, start, seconds)
            powers = [np.mean(second**2) for second in np.array_split(piece, max(int(seconds), 1))]
            if min(powers) > 10 ** (SILENT_DECIBELS / 10):
                return LoudPlace(path, start, LEVEL / float(np.sqrt(active_power(piece, rate=self.sounds.rate))), track)
        return None

    def _turns(self, seconds: float, draw: np.random.Generator) -> Iterator[Excerpt]:
        at, misses = 0.0, 0
        while round((seconds - at) * self.sounds.rate) > 0:  # what is left may be less than a sample
            path = self.speech[int(draw.integers(len(self.speech)))]
            whole = self._seconds(path)
            if whole < SHORTEST_SECONDS:
                misses += 1
                if misses > len(self.speech) * TRIES:
                    raise OptionError(f"no speech of {SHORTEST_SECONDS:g} s; give longer recordings")
                continue
            length = min(draw.uniform(*TURN_SECONDS), whole, seconds - at)
            start = draw.uniform(0, whole - length)
            yield Excerpt(path, start, at, length, self._gain(path, start, length))
            at += length

    def _one_noise(self, count: int, draw: np.random.Generator) -> Samples:
        """Return one noise of mean power 1: a recording, babble, or made where there are none."""
        is_babble = bool(self.speech) and draw.random() < 0.5  # half and half, as in the benchmark's clips
        if is_babble:
            return _unit(np.sum([_unit(self._wrapped(self.speech, count, draw)) for _ in range(VOICES)], axis=0))
        if self.noises:
            return _unit(self._wrapped(self.noises, count, draw))
        return coloured_noise(count, rate=self.sounds.rate, slope_decibels=-3, generator=draw)

    def _wrapped(self, paths: Sequence[Path], count: int, draw: np.random.Generator) -> Samples:
        """Return so many samples of one of the recordings, which begins anew where it ends."""
        for _ in range(TRIES * len(paths)):
            path = paths[int(draw.integers(len(paths)))]
            if self._seconds(path) >= SHORTEST_SECONDS:
                whole = self.sounds.mapped(path)
                first = int(draw.integers(len(whole)))
                return np.take(whole, np.arange(first, first + count), mode="wrap").astype(np.float32)
        raise OptionError(f"no noise of {SHORTEST_SECONDS:g} s; give longer recordings")

    def _gain(self, path: Path, start: float, seconds: float) -> float:
        power = float(active_power(self.sounds.piece(path, start, seconds), rate=self.sounds.rate))
        return LEVEL / power**0.5 if power > 10 ** (SILENT_DECIBELS / 10) else 1.0

    def _seconds(self, path: Path) -> float:
        """Return how long a recording is, 0 for one that cannot be read."""
        try:
            return self.sounds.seconds(path)
        except MediaError:
            return 0.0


def _unit(noise: Samples) -> Samples:
    power = float(np.mean(np.square(noise, dtype=np.float64)))
    return np.asarray(noise / np.float32(power**0.5), np.float32) if power > 0 else noise
