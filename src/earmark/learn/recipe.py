"""Every number of a training run, read from TOML."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from earmark.distort import Ranges
from earmark.errors import OptionError
from earmark.fingerprints.mel import LogMel

T = TypeVar("T")


class Playing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What befalls music before the room, and a clip's edges."""

    speed_share: float = 0.0  # of clips that play faster or slower
    speed: float = 0.0  # by at most this much, to either side
    overdriven_share: float = 0.0  # soft limiter, hard clipping or compression, a third each
    cut_share: float = 0.0  # clips that begin or end inside the segment
    cut: float = 0.0  # at most this share of the segment is missing
    alone_share: float = 0.0  # clips as long as the segment, with silence in its margins
    masked_share: float = 0.0  # segments with a hole and a stripe (SpecAugment, cutout)


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How music becomes other music, the same on both sides of a pair: some hundred tracks are soon known by heart."""

    transposed_share: float = 0.0  # of pairs that are faster and higher, or slower and lower
    transposition: float = 1.0  # the largest factor, and its inverse the smallest
    reversed_share: float = 0.0  # of pairs that run backwards
    mixed_share: float = 0.0  # of pairs that are two pieces at once
    mix_decibels: float = 6.0  # by which the second one is at most louder or quieter


class Noises(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which noise a clip meets; the shares are divided by their sum."""

    ambience: float = 1.0
    voices: float = 0.0
    coloured: float = 0.0
    most_voices: int = 6


class Rooms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rooms are made, where none are given."""

    count: int = 300
    t60_seconds: tuple[float, float] = (0.1, 0.8)  # reverberation times, drawn evenly


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A training run: same recipe, same seed, same sounds, same network (up to the order of sums in threads)."""

    name: str
    encoder: str = "convolutional"
    encoder_options: dict[str, Any] = {}
    front_end: dict[str, Any] = {}  # of LogMel; what is left out keeps its default
    ranges: dict[str, Any] = {}  # of earmark.distort.Ranges
    content: Content = Content()
    playing: Playing = Playing()
    noises: Noises = Noises()
    rooms: Rooms = Rooms()
    history_seconds: float = 1.0  # of music before a clip that a room still sounds of
    batch: int = 256  # pairs, each of another track
    steps: int = 8_000
    temperature: float = 0.05  # NAFP's best
    memory: int = 0  # anchors of earlier batches that serve as negatives
    memory_alike: float = 0.7  # cosine above which a segment of the same track is a repetition
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up_steps: int = 200
    decay_share: float = 0.3  # of the steps, at the end, over which the rate falls to nothing
    validation_share: float = 0.04  # of the music, in whole groups, that is never learned from
    seed: int = 1

    @property
    def log_mel(self) -> LogMel:
        """The front end."""
        return converted(LogMel, self.front_end, "front_end")

    @property
    def distortions(self) -> Ranges:
        """What the channel does."""
        return converted(Ranges, self.ranges, "ranges")

    @property
    def digest(self) -> str:
        """Says whether two runs learn alike, apart from how long they go on, and from which sounds and rooms."""
        numbers = msgspec.to_builtins(self)
        for name in ("name", "steps", "decay_share", "rooms"):
            del numbers[name]
        if self.content == Content():
            del numbers["content"]  # checkpoints were made before there was such a table
        return hashlib.blake2b(msgspec.json.encode(numbers), digest_size=6).hexdigest()


class Schedule(Protocol):
    """What the training loop and a checkpoint need to know of a recipe, whatever it learns."""

    @property
    def name(self) -> str:
        """As it is told."""

    @property
    def digest(self) -> str:
        """Says whether two runs learn alike."""

    @property
    def batch(self) -> int:
        """Pairs, or clips, a step."""

    @property
    def steps(self) -> int:
        """How long it goes on."""

    @property
    def learning_rate(self) -> float:
        """At its highest."""

    @property
    def weight_decay(self) -> float:
        """Of AdamW."""

    @property
    def warm_up_steps(self) -> int:
        """Over which the rate rises."""

    @property
    def decay_share(self) -> float:
        """Of the steps, over which it falls."""

    @property
    def seed(self) -> int:
        """Of the first weights."""


def read_recipe(source: str | Path) -> Recipe:
    """Return a recipe by the name of one that comes with earmark, or from a TOML file; raises OptionError."""
    recipe = decoded(source, Recipe)
    recipe.log_mel, recipe.distortions  # noqa: B018 - to find now what is wrong with them
    check_schedule(recipe, source)
    return recipe


def check_schedule(recipe: Schedule, source: str | Path) -> None:
    """Raise OptionError for a batch in which a clip has no other to be told from, or for fewer than two steps."""
    if min(recipe.batch, recipe.steps) < 2:
        raise OptionError(f"batch={recipe.batch}, steps={recipe.steps} in {source}; give 2 or more of each")


def learns(source: str | Path) -> str:
    """Return what a recipe is for: `vectors` (`read_recipe`) or `relief` (`relief.recipe`); raises OptionError."""
    return str(decoded(source, dict[str, Any]).get("learns", "vectors"))


def decoded(source: str | Path, kind: type[T]) -> T:
    """Return the numbers of a recipe, by name or from a TOML file; raises OptionError."""
    try:
        return msgspec.toml.decode(_text(source), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OptionError(f"{source} is no recipe: {error}; correct it") from error


def _text(source: str | Path) -> str:
    path, known = Path(source), ", ".join(names())
    if str(source) in names():
        return resources.files(__package__).joinpath("recipes", f"{source}.toml").read_text(encoding="utf-8")
    if path.suffix != ".toml":
        raise OptionError(f"recipe {str(source)!r} is not known: choose one of {known}, or a .toml file")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}; give a recipe's file, or one of {known}") from error


def names() -> tuple[str, ...]:
    """Return the names of the recipes that come with earmark."""
    folder = resources.files(__package__).joinpath("recipes")
    return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml")))


def converted(kind: type[T], values: dict[str, Any], table: str) -> T:
    """Return a recipe's table as the dataclass that it has the numbers of; raises OptionError."""
    unknown = set(values) - {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise OptionError(f"[{table}] of the recipe has no {', '.join(sorted(unknown))}; correct it")
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise OptionError(f"[{table}] of the recipe: {error}; correct it") from error
