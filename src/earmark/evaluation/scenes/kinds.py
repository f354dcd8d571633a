"""The kinds of scenes: each is its numbers, and how its excerpts are laid on the line of time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np

from earmark.evaluation.scenes.material import LoudPlace, Material
from earmark.evaluation.scenes.scene import Excerpt, Scene

CLEAN_AND_NOISY = (None, 5.0)  # ratios of signal to noise, dB; None: no noise


@dataclass(frozen=True, slots=True)
class Layout:
    """Parts, and how long the scene is."""

    seconds: float
    excerpts: tuple[Excerpt, ...]

    @classmethod
    def of(cls, excerpts: list[Excerpt]) -> Layout:
        """Return a layout that ends with its last excerpt."""
        return cls(max(excerpt.end for excerpt in excerpts), tuple(excerpts))


class SceneKind(Protocol):
    """What `scenes_of` asks of a kind."""

    @property
    def count(self) -> int:
        """Scenes of each condition, unless somebody wants more or fewer."""

    @property
    def snr_decibels(self) -> tuple[float | None, ...]:
        """Noise, in which the same scenes are asked again."""

    def conditions(self) -> Mapping[str, Any]:
        """Return what `layout` takes, by the condition's name."""

    def layout(self, condition: Any, material: Material, draw: np.random.Generator) -> Layout:
        """Return a scene's excerpts, drawn."""


@dataclass(frozen=True, slots=True)
class Playlist:
    """Pieces of different tracks without gaps, equally loud."""

    seconds: tuple[float, ...] = (8.0, 12.0, 15.0, 20.0, 30.0)
    pieces: int = 30
    count: int = 4
    snr_decibels: tuple[float | None, ...] = CLEAN_AND_NOISY

    def conditions(self) -> Mapping[str, float]:
        """Return lengths of a piece, in seconds."""
        return {f"{seconds:g} s": seconds for seconds in self.seconds}

    def layout(self, condition: float, material: Material, draw: np.random.Generator) -> Layout:
        """Return pieces one after another."""
        places = islice(material.places(condition, draw), self.pieces)
        return Layout.of([_excerpt(place, number * condition, condition) for number, place in enumerate(places)])


@dataclass(frozen=True, slots=True)
class Jingles:
    """Short pieces in place of the speech of a talk show; some come again."""

    minutes: tuple[float, ...] = (10.0, 40.0, 120.0)
    seconds: tuple[float, ...] = (2.0, 3.0, 4.0, 6.0, 8.0)
    every: float = 17.0  # seconds from the slot of one to that of the next
    jitter: float = 5.0  # seconds by which a jingle may come later in its slot
    again: float = 0.25  # share that was heard before in the same show
    count: int = 2
    snr_decibels: tuple[float | None, ...] = (None,)

    def conditions(self) -> Mapping[str, float]:
        """Return lengths of a show, in minutes."""
        return {f"{minutes:g} min": minutes for minutes in self.minutes}

    def layout(self, condition: float, material: Material, draw: np.random.Generator) -> Layout:
        """Return a talk, and the jingles that replace it; they are counted by their length."""
        whole = 60 * condition
        places = {seconds: material.places(seconds, draw) for seconds in self.seconds}
        heard: dict[float, list[LoudPlace]] = {seconds: [] for seconds in self.seconds}
        jingles = []
        for slot in np.arange(self.every / 2, whole - self.every, self.every).tolist():
            seconds = self.seconds[int(draw.integers(len(self.seconds)))]
            earlier = heard[seconds]
            if earlier and draw.random() < self.again:
                place = earlier[int(draw.integers(len(earlier)))]
            else:
                place = next(places[seconds])
                earlier.append(place)
            jingle = _excerpt(place, slot + draw.uniform(0, self.jitter), seconds)
            jingles.append(replace(jingle, replaces=True, label=f"{seconds:g} s"))
        return Layout(whole, (*material.talk(whole, draw), *jingles))


@dataclass(frozen=True, slots=True)
class Halves:
    """The end of one track's clip and the begin of another's, in one clip."""

    splits: tuple[tuple[float, float], ...] = ((5.0, 5.0), (3.0, 7.0), (7.0, 3.0))  # seconds
    count: int = 70
    snr_decibels: tuple[float | None, ...] = (None,)

    def conditions(self) -> Mapping[str, tuple[float, float]]:
        """Return the seconds of both."""
        return {f"{first:g} + {second:g} s": (first, second) for first, second in self.splits}

    def layout(self, condition: tuple[float, float], material: Material, draw: np.random.Generator) -> Layout:
        """Return the two halves."""
        first, second = islice(material.places(max(condition), draw), 2)
        return Layout.of([_excerpt(first, 0.0, condition[0]), _excerpt(second, condition[0], condition[1])])


@dataclass(frozen=True, slots=True)
class Together:
    """Two tracks at once; the second is softer."""

    decibels: tuple[float, ...] = (0.0, -6.0)  # level of the second to that of the first
    seconds: float = 10.0
    count: int = 100
    snr_decibels: tuple[float | None, ...] = (None,)

    def conditions(self) -> Mapping[str, float]:
        """Return the second one's level."""
        return {f"{decibels:g} dB": decibels for decibels in self.decibels}

    def layout(self, condition: float, material: Material, draw: np.random.Generator) -> Layout:
        """Return both, counted apart."""
        first, second = islice(material.places(self.seconds, draw), 2)
        louder = replace(_excerpt(first, 0.0, self.seconds), label="first")
        softer = replace(_excerpt(second, 0.0, self.seconds, decibels=condition), label="second")
        return Layout.of([louder, softer])


@dataclass(frozen=True, slots=True)
class Edits:
    """Clips of one track in which something was cut out, inserted or repeated."""

    edits: tuple[str, ...] = ("cut", "inserted", "repeated")
    seconds: tuple[float, float] = (20.0, 60.0)  # length of the clip
    changed_seconds: tuple[float, float] = (2.0, 8.0)
    margin: float = 5.0  # seconds of music at least before and after the edit
    count: int = 67
    snr_decibels: tuple[float | None, ...] = CLEAN_AND_NOISY

    def conditions(self) -> Mapping[str, str]:
        """Return the edits by themselves."""
        return {edit: edit for edit in self.edits}

    def layout(self, condition: str, material: Material, draw: np.random.Generator) -> Layout:
        """Return the pieces of the recording that are left, in their order, and what is between."""
        changed = draw.uniform(*self.changed_seconds)
        clip = draw.uniform(*self.seconds)
        music = clip - changed if condition == "inserted" else clip
        earliest = max(self.margin, changed) if condition == "repeated" else self.margin
        first = draw.uniform(earliest, music - self.margin)
        place = next(material.places(music + changed, draw))
        before = _excerpt(place, 0.0, first)
        skipped = {"cut": changed, "inserted": 0.0, "repeated": -changed}[condition]
        gap = changed if condition == "inserted" else 0.0
        after = replace(_excerpt(place, first + gap, music - first), start=place.start + first + skipped)
        excerpts = [before, after]
        if condition == "inserted":
            excerpts.append(_excerpt(next(material.other_places(changed, draw)), first, changed))
        return Layout.of(excerpts)


@dataclass(frozen=True, slots=True)
class DjMix:
    """A DJ's mix: cross-fades, every track at a speed of its own with its pitch."""

    pieces: int = 12
    seconds: tuple[float, float] = (30.0, 60.0)  # length of a piece with its fades
    fade_seconds: float = 8.0
    speed: float = 0.04  # largest change of speed, either way
    count: int = 5
    snr_decibels: tuple[float | None, ...] = (None,)

    def conditions(self) -> Mapping[str, float]:
        """Return the length of a fade, in seconds."""
        return {f"{self.fade_seconds:g} s fades": self.fade_seconds}

    def layout(self, condition: float, material: Material, draw: np.random.Generator) -> Layout:
        """Return the pieces, each of which begins where the one before fades out."""
        places = material.places(self.seconds[1] * (1 + self.speed), draw)
        excerpts, at = list[Excerpt](), 0.0
        for number, place in enumerate(islice(places, self.pieces)):
            seconds, speed = draw.uniform(*self.seconds), 1 + draw.uniform(-self.speed, self.speed)
            fade_in, fade_out = condition * (number > 0), condition * (number < self.pieces - 1)
            excerpts.append(replace(_excerpt(place, at, seconds), speed=speed, fade_in=fade_in, fade_out=fade_out))
            at += seconds - condition
        return Layout.of(excerpts)


@dataclass(frozen=True, slots=True)
class Bed:
    """Music under speech."""

    decibels: tuple[float, ...] = (-6.0, -12.0)  # level of the music to that of the speech
    seconds: tuple[float, float] = (8.0, 30.0)  # length of a bed
    gap_seconds: float = 10.0  # speech alone before each
    minutes: float = 5.0
    count: int = 2
    snr_decibels: tuple[float | None, ...] = (None,)

    def conditions(self) -> Mapping[str, float]:
        """Return the music's level."""
        return {f"{decibels:g} dB": decibels for decibels in self.decibels}

    def layout(self, condition: float, material: Material, draw: np.random.Generator) -> Layout:
        """Return a talk with beds."""
        whole, places = 60 * self.minutes, material.places(self.seconds[1], draw)
        beds, at = list[Excerpt](), self.gap_seconds
        while at + self.seconds[1] + self.gap_seconds < whole:
            seconds = draw.uniform(*self.seconds)
            beds.append(_excerpt(next(places), at, seconds, decibels=condition))
            at += seconds + self.gap_seconds
        return Layout(whole, (*material.talk(whole, draw), *beds))


@dataclass(frozen=True, slots=True)
class Talk:
    """Speech, and nothing that the catalog knows."""

    minutes: float = 120.0
    count: int = 1
    snr_decibels: tuple[float | None, ...] = (None,)

    def conditions(self) -> Mapping[str, float]:
        """Return the length, in minutes."""
        return {f"{self.minutes:g} min": self.minutes}

    def layout(self, condition: float, material: Material, draw: np.random.Generator) -> Layout:
        """Return the voices."""
        return Layout(60 * condition, material.talk(60 * condition, draw))


@dataclass(frozen=True, slots=True)
class UnknownMusic:
    """Music that the catalog does not know, as much as there is."""

    minutes: float = 120.0
    count: int = 1
    snr_decibels: tuple[float | None, ...] = (None,)

    def conditions(self) -> Mapping[str, float]:
        """Return the greatest length, in minutes."""
        return {f"{self.minutes:g} min": self.minutes}

    def layout(self, condition: float, material: Material, draw: np.random.Generator) -> Layout:
        """Return recordings one after another."""
        return Layout.of(list(material.unknown_music(60 * condition, draw)))


@dataclass(frozen=True, slots=True)
class Bursts:
    """A short sound that the catalog does not know, in digital silence."""

    burst_seconds: tuple[float, float] = (0.15, 0.8)
    seconds: tuple[float, ...] = (5.0, 7.0, 10.0)  # lengths of the clip
    count: int = 240
    snr_decibels: tuple[float | None, ...] = (None,)

    def conditions(self) -> Mapping[str, tuple[float, float]]:
        """Return the shortest and the longest burst, in seconds."""
        shortest, longest = self.burst_seconds
        return {f"{shortest:g} to {longest:g} s": self.burst_seconds}

    def layout(self, condition: tuple[float, float], material: Material, draw: np.random.Generator) -> Layout:
        """Return one burst."""
        seconds = self.seconds[int(draw.integers(len(self.seconds)))]
        length = draw.uniform(*condition)
        burst = _excerpt(next(material.other_places(length, draw)), draw.uniform(0, seconds - length), length)
        return Layout(seconds, (burst,))


KINDS: Mapping[str, SceneKind] = {
    "playlist": Playlist(),
    "jingles": Jingles(),
    "halves": Halves(),
    "together": Together(),
    "edits": Edits(),
    "mix": DjMix(),
    "bed": Bed(),
    "talk": Talk(),
    "unknown": UnknownMusic(),
    "bursts": Bursts(),
}


def scenes_of(
    name: str, kind: SceneKind, material: Material, *, seed: int, count: int | None = None
) -> Iterator[Scene]:
    """Yield the scenes of a kind, `count` for each condition; every scene depends on the seed and its number alone.

    Raises OptionError where the material does not suffice for a condition.
    """
    for condition in kind.conditions():
        yield from scenes_of_condition(name, kind, condition, material, seed=seed, count=count)


def scenes_of_condition(
    name: str, kind: SceneKind, condition: str, material: Material, *, seed: int, count: int | None = None
) -> Iterator[Scene]:
    """Yield the scenes of one condition of a kind, as `scenes_of` does."""
    conditions = kind.conditions()
    rank = list(conditions).index(condition)
    for number in range(count or kind.count):
        drawn_by = (seed, zlib.crc32(name.encode()), rank, number)
        layout = kind.layout(conditions[condition], material, np.random.default_rng(drawn_by))
        for snr in kind.snr_decibels:
            yield Scene(name, condition, number, layout.seconds, layout.excerpts, snr, seed=(*drawn_by, 1))


def _excerpt(place: LoudPlace, at: float, seconds: float, *, decibels: float = 0.0) -> Excerpt:
    gain = place.gain * 10 ** (decibels / 20)
    return Excerpt(place.path, place.start, at, seconds, gain, track=place.track)
