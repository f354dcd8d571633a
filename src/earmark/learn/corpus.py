"""Gather the sounds of a training run: music, noise and speech, rooms and microphones."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from earmark.atomic import written_beside
from earmark.datasets.folder import audio_files
from earmark.datasets.manifest import Item, read_manifest, split
from earmark.datasets.rooms import load_rooms, save_rooms, synthesise_rooms
from earmark.distort import microphone_response
from earmark.errors import OptionError
from earmark.learn.pairs import TrainingSet
from earmark.learn.pcm import Sounds, prepare
from earmark.learn.recipe import Recipe
from earmark.types import Samples

MICROPHONES = 40  # synthetic microphone responses of a run
MICROPHONE_SEED = 3
KINDS = ("music", "noise", "speech")

Tell = Callable[[str, int, int], object]  # (stage, done, total)


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """All sounds of a run."""

    training: TrainingSet
    validation: TrainingSet  # its music is never learned from
    failed: tuple[tuple[str, str], ...]  # (path, reason)


def gather(
    data: Path, recipe: Recipe, *, folder: Path, rooms: Path | None = None, tell: Tell | None = None
) -> Gathered:
    """Return what a recipe learns from: a folder that `earmark.datasets debian` made, or any folder of music.

    In any folder, files below `noise` and `speech` are noise and speech, all others music. Recordings are decoded into
    `folder`/sounds, and rooms made into `folder`/rooms.npz unless a file is given; a second call reads them there.
    Raises OptionError when there is no music.
    """
    say: Tell = tell or (lambda stage, done, total: None)

    def decoded(kind: str, items: Iterable[Item]) -> Sounds | None:
        paths = [one.path for one in items]
        if not paths:
            return None
        return prepare(paths, rate=recipe.rate, folder=folder / "sounds", progress=partial(say, f"decoding {kind}"))

    found = _items(data)
    kinds = {kind: decoded(kind, items) for kind, items in found.items()}
    music = kinds["music"]
    if music is None:
        raise OptionError(f"{data} has no music in it; give a folder with music.csv, or with recordings")
    responses = tuple(_rooms(recipe, rooms, folder / "rooms.npz", say))
    microphones = tuple(_microphones(recipe))
    rest, part = _divided(music, found["music"], recipe)
    training, validation = (
        TrainingSet(chosen, kinds["noise"], kinds["speech"], responses, microphones) for chosen in (rest, part)
    )
    failed = [one for sounds in kinds.values() if sounds is not None for one in sounds.failed]
    return Gathered(training, validation, tuple(failed))


def _items(data: Path) -> dict[str, tuple[Item, ...]]:
    """Return the items of each kind; without manifests only their paths and groups are known."""
    if (data / "music.csv").is_file():
        manifests = {kind: data / f"{kind}.csv" for kind in KINDS}
        return {kind: read_manifest(path) if path.is_file() else () for kind, path in manifests.items()}
    found: dict[str, list[Item]] = {kind: [] for kind in KINDS}
    for path in audio_files(data):
        inside = path.relative_to(data)
        kind = inside.parts[0] if len(inside.parts) > 1 and inside.parts[0] in KINDS[1:] else "music"
        found[kind].append(Item(str(inside), path, 0.0, str(inside.parent), path.stem, "", ""))
    return {kind: tuple(items) for kind, items in found.items()}


def _divided(music: Sounds, items: Iterable[Item], recipe: Recipe) -> tuple[Sounds, Sounds]:
    """Return (music to learn from, music to validate with): whole groups, or files where there are too few groups."""
    groups = {str(one.path): one.group for one in items}
    if len(set(groups.values())) * recipe.validation_share < 1:
        groups = {name: name for name in groups}
    seconds = music.lengths / music.rate
    known = [
        Item(name, Path(name), float(length), groups[name], "", "", "")
        for name, length in zip(music.names, seconds, strict=True)
    ]
    rest, part = split(known, share=recipe.validation_share, seed=recipe.seed)
    if not rest or not part:
        raise OptionError(
            f"{len(known)} recordings cannot be parted into music to learn from and a share of "
            f"{recipe.validation_share:g} to validate with; give two or more, and a validation_share between 0 and 1"
        )
    return music.only([one.track_id for one in rest]), music.only([one.track_id for one in part])


def _rooms(recipe: Recipe, given: Path | None, made: Path, say: Tell) -> list[Samples]:
    if not recipe.distortions.room_share:
        return []
    if given is None and not made.exists():
        wanted = recipe.rooms
        rooms = []
        for room in synthesise_rooms(wanted.count, rate=recipe.rate, seed=recipe.seed, t60_seconds=wanted.t60_seconds):
            rooms.append(room)
            say("making rooms", len(rooms), wanted.count)
        with written_beside(made) as part:
            save_rooms(part, rooms)
    path = given or made
    try:
        loaded = load_rooms(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise OptionError(
            f"{path} holds no rooms ({error}); make some: python -m earmark.datasets rooms FILE"
        ) from error
    if loaded[0].rate != recipe.rate:
        raise OptionError(f"{path} has rooms at {loaded[0].rate} Hz; give some at {recipe.rate} Hz")
    return [room.response for room in loaded]


def _microphones(recipe: Recipe) -> list[Samples]:
    if not recipe.distortions.microphone_share:
        return []
    generators = [np.random.default_rng([MICROPHONE_SEED, number]) for number in range(MICROPHONES)]
    return [microphone_response(rate=recipe.rate, generator=one) for one in generators]
