"""Recipes: every number of a training run, read from TOML.

`Recipe` has what all runs share, `FingerprintRecipe` is that of an encoder of segments, `salience.recipe` that of a
salience network. Files and checkpoints of earlier releases are read too (`_upgraded`), and their digests are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from earmark.distort import Ranges
from earmark.errors import OptionError
from earmark.fingerprints.mel import LogMel
from earmark.schema import prepared

T = TypeVar("T")

FORMER_NAMES = {"relief": "salience"}  # recipes and tasks that had another name in earlier releases
CONTRASTIVE = {"temperature": 0.05, "memory": 0, "memory_alike": 0.7}  # defaults; in earlier files without a table
SAME_LEARNING = (
    "encoder", "encoder_options", "front_end", "ranges", "content", "playing", "noises", "history_seconds", "batch",
    *CONTRASTIVE, "learning_rate", "weight_decay", "warm_up_steps", "validation_share", "seed",
)  # fmt: skip  # numbers that a digest covers, in the order in which the digests of all checkpoints have them


class Playing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happens to music before the room, and to a clip's edges."""

    speed_share: float = 0.0  # share of clips that play faster or slower
    speed: float = 0.0  # largest change of speed, up or down
    overdriven_share: float = 0.0  # share of clips with a soft limiter, hard clipping or compression, a third each
    cut_share: float = 0.0  # share of clips that begin or end inside the segment
    cut: float = 0.0  # largest share of the segment that is missing
    alone_share: float = 0.0  # share of clips as long as the segment, with silence in its margins
    masked_share: float = 0.0  # share of segments with a hole and a stripe (SpecAugment, cutout)


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How music becomes other music, alike on both sides of a pair: a few hundred tracks are soon learned by heart."""

    transposed_share: float = 0.0  # share of pairs that are faster and higher, or slower and lower
    transposition: float = 1.0  # largest factor; its inverse is the smallest
    reversed_share: float = 0.0  # share of pairs that run backwards
    mixed_share: float = 0.0  # share of pairs that are two tracks at once
    mix_decibels: float = 6.0  # largest difference in level of the second track, up or down


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


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A training run: same recipe, same seed, same sounds, same network (up to the order of sums in threads)."""

    name: str
    task: str  # a name in `learn.task.TASKS`
    front_end: dict[str, Any] = {}  # numbers of the front end; others keep their defaults
    ranges: dict[str, Any] = {}  # numbers of earmark.distort.Ranges; others keep their defaults
    playing: Playing = Playing()
    noises: Noises = Noises()
    rooms: Rooms = Rooms()
    history_seconds: float = 1.0  # music before a clip, whose reverberation is heard in it
    batch: int  # pairs or clips a step, each of another track
    steps: int
    learning_rate: float
    weight_decay: float = 1e-2
    warm_up_steps: int  # steps over which the learning rate rises
    decay_share: float  # share of the steps, at the end, over which the learning rate falls to zero
    validation_share: float = 0.04  # share of the music, in whole groups, that is never learned from
    seed: int = 1

    @property
    def rate(self) -> int:
        """Sample rate in Hz."""
        raise NotImplementedError

    @property
    def distortions(self) -> Ranges:
        """What the channel does to a clip."""
        return converted(Ranges, self.ranges, "ranges")

    @property
    def digest(self) -> str:
        """Hash of what a run learns: equal for runs that differ in name, length (steps, decay_share) or rooms only."""
        return hashlib.blake2b(msgspec.json.encode(self.same_learning()), digest_size=6).hexdigest()

    def same_learning(self) -> dict[str, Any]:
        """Return the numbers that a digest covers."""
        raise NotImplementedError


class FingerprintRecipe(Recipe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run that learns an encoder from log-mel segments to vectors."""

    task: Literal["vectors"] = "vectors"
    encoder: str = "convolutional"
    encoder_options: dict[str, Any] = {}
    objective: str = "contrastive"
    objective_options: dict[str, Any] = {}
    content: Content = Content()
    batch: int = 256  # pairs
    steps: int = 8_000
    learning_rate: float = 2e-3
    warm_up_steps: int = 200
    decay_share: float = 0.3

    @property
    def log_mel(self) -> LogMel:
        """The front end."""
        return converted(LogMel, self.front_end, "front_end")

    @property
    def rate(self) -> int:
        """Sample rate in Hz."""
        return self.log_mel.rate

    def check_tables(self) -> None:
        """Raise OptionError for a table with unknown or wrong numbers."""
        converted(LogMel, self.front_end, "front_end")
        converted(Ranges, self.ranges, "ranges")

    def same_learning(self) -> dict[str, Any]:
        """Return the numbers that a digest covers, laid out as before objectives had names."""
        numbers = msgspec.to_builtins(self)
        if self.objective == "contrastive":
            given = CONTRASTIVE | self.objective_options
            numbers |= {name: type(default)(given[name]) for name, default in CONTRASTIVE.items()}
        kept = {name: numbers[name] for name in SAME_LEARNING if name in numbers}
        if self.content == Content():
            del kept["content"]  # the oldest recipes have no such table
        if self.objective != "contrastive":
            kept |= {"objective": self.objective, "objective_options": self.objective_options}
        return kept


def read_fingerprint_recipe(source: str | Path) -> FingerprintRecipe:
    """Return a recipe by the name of one that comes with earmark, or from a TOML file; raises OptionError."""
    from earmark.learn.objectives import make_objective  # torch is not needed to make pairs

    recipe = decoded(source, FingerprintRecipe)
    recipe.check_tables()
    make_objective(recipe.objective, **recipe.objective_options)
    check_schedule(recipe, source)
    return recipe


def check_schedule(recipe: Recipe, source: str | Path) -> None:
    """Raise OptionError for a batch in which a clip has no negative, or for fewer than two steps."""
    if min(recipe.batch, recipe.steps) < 2:
        raise OptionError(f"batch={recipe.batch}, steps={recipe.steps} in {source}; give 2 or more of each")


def task_name(source: str | Path) -> str:
    """Return the task of a recipe, by name or from a TOML file: `vectors` or `salience`; raises OptionError."""
    return str(_numbers(source).get("task", "vectors"))


def decoded(source: str | Path, kind: type[T]) -> T:
    """Return a recipe of this kind, by name or from a TOML file, whose name is the default; raises OptionError."""
    try:
        return msgspec.convert({"name": Path(source).stem, **_numbers(source)}, prepared(kind))
    except msgspec.ValidationError as error:
        raise OptionError(f"{source} is no recipe: {error}; correct it") from error


def recipe_in(state: Mapping[str, Any], kind: type[T], path: Path) -> T:
    """Return the recipe in a checkpoint's state; raises OptionError when the run learned something else."""
    try:
        return msgspec.convert(_upgraded(msgspec.json.decode(state["recipe"])), prepared(kind))
    except msgspec.ValidationError as error:
        raise OptionError(f"{path} is of a run that learned something else ({error}); give another one") from error


def names() -> tuple[str, ...]:
    """Return the names of the recipes that come with earmark."""
    folder = resources.files(__package__).joinpath("recipes")
    return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml")))


def converted(kind: type[T], values: dict[str, Any], table: str) -> T:
    """Return a recipe's table as a dataclass; raises OptionError for unknown names and wrong types."""
    unknown = set(values) - {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        raise OptionError(f"[{table}] of the recipe has no {', '.join(sorted(unknown))}; correct it")
    try:
        return msgspec.convert(values, prepared(kind))
    except msgspec.ValidationError as error:
        raise OptionError(f"[{table}] of the recipe: {error}; correct it") from error


def _numbers(source: str | Path) -> dict[str, Any]:
    try:
        return _upgraded(msgspec.toml.decode(_text(source)))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OptionError(f"{source} is no recipe: {error}; correct it") from error


def _upgraded(numbers: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe's numbers, those of an earlier release (`learns`, `temperature` and so on) in today's form."""
    former = {name: numbers[name] for name in CONTRASTIVE if name in numbers}
    kept = {name: value for name, value in numbers.items() if name != "learns" and name not in former}
    if "learns" in numbers:
        kept["task"] = FORMER_NAMES.get(numbers["learns"], numbers["learns"])
    if former:
        kept["objective_options"] = former | numbers.get("objective_options", {})
    return kept


def _text(source: str | Path) -> str:
    path, known = Path(source), ", ".join(names())
    name = FORMER_NAMES.get(str(source), str(source))
    if name in names():
        return resources.files(__package__).joinpath("recipes", f"{name}.toml").read_text(encoding="utf-8")
    if path.suffix != ".toml":
        raise OptionError(f"recipe {str(source)!r} is not known: choose one of {known}, or a .toml file")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}; give a recipe's file, or one of {known}") from error
