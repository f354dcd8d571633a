"""What a training run is put together from, and what is left of it: recordings, rooms and microphones; models."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earmark.datasets.folder import audio_files
from earmark.datasets.recordings import Recording, read_manifest, split
from earmark.datasets.rooms import load_rooms, save_rooms, synthesise_rooms
from earmark.distort import microphone_response
from earmark.errors import OptionError
from earmark.fingerprints.mel import Spectrogram
from earmark.learn.pairs import Batches, Material
from earmark.learn.pcm import Sounds, prepare
from earmark.learn.recipe import Recipe
from earmark.types import Samples

MICROPHONES = 40
MICROPHONE_SEED = 3
CALIBRATION_SEED = 10_000  # of the segments that the range of 8 bits is taken from: not those learned from
CALIBRATION_SEGMENTS = 512

Tell = Callable[[str, int, int], object]  # what is done, how much of it, of how much


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """All sounds of a run."""

    training: Material
    validation: Material  # music that is never learned from
    failed: tuple[tuple[str, str], ...]  # (path, reason)


def gather(
    data: Path, recipe: Recipe, *, folder: Path, rooms: Path | None = None, tell: Tell | None = None
) -> Gathered:
    """Return what a recipe learns from: a folder that `earmark.datasets debian` made, or any folder of music.

    In any folder, what lies in `noise` and `speech` is that, and the rest is music. Recordings are decoded into
    `folder`/sounds, rooms made into `folder`/rooms.npz unless a file of some is given; a second time both are there.
    Raises OptionError when there is no music.
    """
    say: Tell = tell or (lambda stage, done, total: None)
    rate = recipe.log_mel.rate

    def decoded(kind: str, recordings: Iterable[Recording]) -> Sounds | None:
        paths = [one.path for one in recordings]
        told = lambda done, total: say(f"decoding {kind}", done, total)  # noqa: E731
        return prepare(paths, rate=rate, folder=folder / "sounds", progress=told) if paths else None

    found = _recordings(data)
    kinds = {kind: decoded(kind, recordings) for kind, recordings in found.items()}
    music = kinds["music"]
    if music is None:
        raise OptionError(f"{data} has no music in it; give a folder with music.csv, or with recordings")
    responses = tuple(_rooms(recipe, rooms, folder / "rooms.npz", say))
    microphones = tuple(_microphones(recipe))
    rest, part = _divided(music, found["music"], recipe)
    training, validation = (
        Material(chosen, kinds["noise"], kinds["speech"], responses, microphones) for chosen in (rest, part)
    )
    failed = [one for sounds in kinds.values() if sounds is not None for one in sounds.failed]
    return Gathered(training, validation, tuple(failed))


def export_models(checkpoint: Path, material: Material, folder: Path, *, licence: str = "") -> tuple[Path, Path]:
    """Write a run's model for use without torch: in float32, and in 8-bit integers, which is 3 times as fast."""
    from earmark.learn.export import export_onnx, quantise, read_trained

    trained = read_trained(checkpoint)
    whole, small = folder / "model.onnx", folder / "model-int8.onnx"
    export_onnx(trained, whole, licence=licence)
    quantise(whole, small, calibration_segments(material, trained.recipe))
    return whole, small


def export_relief_model(checkpoint: Path, folder: Path, *, licence: str = "") -> tuple[Path]:
    """Write a run's relief for use without torch."""
    from earmark.learn.salience.export import export_relief, read_trained_relief

    path = folder / "relief.onnx"
    export_relief(read_trained_relief(checkpoint), path, licence=licence)
    return (path,)


def calibration_segments(material: Material, recipe: Recipe) -> Spectrogram:
    """Return some hundred segments, clean and distorted, (n, bands, frames)."""
    batches = Batches(material, recipe, seed=CALIBRATION_SEED)
    made = [batches.pairs(number) for number in range(-(-CALIBRATION_SEGMENTS // (2 * batches.size)))]
    return np.concatenate([segments for pairs in made for segments in (pairs.anchors, pairs.positives)])


def _recordings(data: Path) -> dict[str, tuple[Recording, ...]]:
    """Return the recordings of each kind; of a folder without manifests nothing is known but paths."""
    if (data / "music.csv").is_file():
        manifests = {kind: data / f"{kind}.csv" for kind in ("music", "noise", "speech")}
        return {kind: read_manifest(path) if path.is_file() else () for kind, path in manifests.items()}
    found: dict[str, list[Recording]] = {"music": [], "noise": [], "speech": []}
    for path in audio_files(data):
        inside = path.relative_to(data)
        kind = inside.parts[0] if len(inside.parts) > 1 and inside.parts[0] in ("noise", "speech") else "music"
        found[kind].append(Recording(str(inside), path, 0.0, str(inside.parent), path.stem, "", ""))
    return {kind: tuple(recordings) for kind, recordings in found.items()}


def _divided(music: Sounds, recordings: Iterable[Recording], recipe: Recipe) -> tuple[Sounds, Sounds]:
    """Return (music to learn from, music to validate with): whole groups, or files where there are too few groups."""
    groups = {str(one.path): one.group for one in recordings}
    if len(set(groups.values())) * recipe.validation_share < 1:
        groups = {name: name for name in groups}
    seconds = music.lengths / music.rate
    known = [
        Recording(name, Path(name), float(length), groups[name], "", "", "")
        for name, length in zip(music.names, seconds, strict=True)
    ]
    rest, part = split(known, share=recipe.validation_share, seed=recipe.seed)
    if not rest or not part:
        raise OptionError(
            f"{len(known)} recordings, of which a share of {recipe.validation_share:g} is to validate with; "
            "give two recordings or more, and a validation_share between 0 and 1"
        )
    return music.only([one.track_id for one in rest]), music.only([one.track_id for one in part])


def _rooms(recipe: Recipe, given: Path | None, made: Path, say: Tell) -> list[Samples]:
    if not recipe.distortions.room_share:
        return []
    if given is None and not made.exists():
        wanted = recipe.rooms
        rooms = []
        for room in synthesise_rooms(
            wanted.count, rate=recipe.log_mel.rate, seed=recipe.seed, t60_seconds=wanted.t60_seconds
        ):
            rooms.append(room)
            say("making rooms", len(rooms), wanted.count)
        part = made.with_suffix(".part")
        save_rooms(part, rooms)
        part.replace(made)
    path = given or made
    try:
        loaded = load_rooms(path)
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise OptionError(
            f"{path} holds no rooms ({error}); make some: python -m earmark.datasets rooms FILE"
        ) from error
    if loaded[0].rate != recipe.log_mel.rate:
        raise OptionError(f"{path} has rooms at {loaded[0].rate} Hz; give some at {recipe.log_mel.rate} Hz")
    return [room.response for room in loaded]


def _microphones(recipe: Recipe) -> list[Samples]:
    if not recipe.distortions.microphone_share:
        return []
    rate = recipe.log_mel.rate
    generators = [np.random.default_rng([MICROPHONE_SEED, number]) for number in range(MICROPHONES)]
    return [microphone_response(rate=rate, generator=one) for one in generators]
