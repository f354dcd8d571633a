"""Measure catalogs on scenes: plan, ask, score, and keep the run in a folder of its own, as `evaluation.music` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import earmark
from earmark.errors import OptionError
from earmark.evaluation import run
from earmark.evaluation.music import Pathname, hold_out, indexed, not_indexed, recordings_in, specs_of
from earmark.evaluation.queries import RATE
from earmark.evaluation.recordings import Recordings
from earmark.evaluation.run import Stage
from earmark.evaluation.scenes import ask, report
from earmark.evaluation.scenes.kinds import KINDS, SceneKind, scenes_of_condition
from earmark.evaluation.scenes.material import Material
from earmark.evaluation.scenes.report import SceneRow
from earmark.evaluation.scenes.scene import Scene
from earmark.evaluation.scenes.scores import SceneScore, score
from earmark.evaluation.truth import Sameness, SamePlace
from earmark.fingerprints import DEFAULT
from earmark.types import Align


@dataclass(frozen=True, slots=True)
class Sources:
    """Recordings that scenes are made of."""

    name: str  # first part of the name of a run's folder
    known: Mapping[str, Path]  # all that the catalog holds, by track: what sounds the same may be in any of it
    cut: Sequence[str]  # tracks that pieces are cut from
    unknown: tuple[Path, ...] = ()
    speech: tuple[Path, ...] = ()
    noises: tuple[Path, ...] = ()  # without any, noise is made


@dataclass(frozen=True, slots=True)
class Selection:
    """Which scenes are made."""

    kinds: Mapping[str, SceneKind]
    seed: int = 1
    count: int | None = None  # scenes of each condition; None: each kind's own number
    align: Align = ""  # fine search that is asked, as of `identify`


@dataclass(frozen=True, slots=True)
class SceneMeasurement:
    """What a catalog reached on scenes."""

    rows: tuple[SceneRow, ...]
    left_out: Mapping[str, str]  # reasons by kind and condition, for which the recordings do not suffice
    failed: tuple[tuple[str, str], ...]  # (path, reason) of files that could not be indexed
    folder: Path  # scenes.jsonl, parameters.json, report.json, report.md
    written: tuple[Path, ...]  # the report's files


def sources_of_folder(
    music: Pathname | Mapping[str, Path],
    *,
    name: str = "",
    held_out: float = 0.2,
    unknown: Pathname | None = None,
    speech: Pathname | None = None,
    noise: Pathname | None = None,
) -> Sources:
    """Return music as `cut_corpus` takes it, part of which stays unknown, and what lies in other folders.

    The share `held_out` is not indexed; `unknown` is a folder with more music that is not.
    """
    recordings = dict(music) if isinstance(music, Mapping) else recordings_in(music)
    kept_out = hold_out(recordings, held_out)
    known = {track: path for track, path in recordings.items() if track not in kept_out}
    strange = (*(recordings[track] for track in kept_out), *_strangers(unknown, known))
    name = name if isinstance(music, Mapping) else Path(music).resolve().name
    return Sources(name, known, list(known), strange, _strangers(speech, known), _strangers(noise, known))


def sources_of_catalog(
    catalog: Pathname,
    *,
    music: Pathname | None = None,
    unknown: Pathname | None = None,
    speech: Pathname | None = None,
    noise: Pathname | None = None,
) -> Sources:
    """Return a catalog's own files, as far as they are there; pieces are cut from those below `music`, or from all."""
    with earmark.open(catalog, create=False, read_only=True) as opened:
        known = {track.id: Path(track.path) for track in opened.tracks() if track.path and Path(track.path).is_file()}
    root = None if music is None else Path(music).resolve()
    cut = [track for track, path in known.items() if root is None or path.resolve().is_relative_to(root)]
    if not cut:
        where = f" below {music}" if music else ""
        raise OptionError(f"{catalog} has no track whose file is there{where}; give another catalog or folder")
    strange, voices, noises = (_strangers(folder, known) for folder in (unknown, speech, noise))
    return Sources(Path(catalog).resolve().stem, known, cut, strange, voices, noises)


def kinds_named(names: Sequence[str]) -> dict[str, SceneKind]:
    """Return kinds of scenes by name; raises OptionError for one that is not known."""
    for name in names:
        if name not in KINDS:
            raise OptionError(f"scenes of kind {name!r}; give some of {', '.join(KINDS)}")
    return {name: KINDS[name] for name in names}


def evaluate_scenes(
    sources: Sources,
    selection: Selection | None = None,
    *,
    catalog: Pathname | None = None,
    fingerprinters: Sequence[str] = (DEFAULT,),
    out: Pathname = "evaluation",
    workers: int | None = None,
    begin: Callable[[str, Path], object] | None = None,
    progress: Callable[[Stage], object] | None = None,
) -> dict[str, SceneMeasurement]:
    """Measure what `identify(several=True)` finds in scenes, by fingerprinter.

    `catalog` is asked as it is; without one, the known recordings are indexed with each fingerprinter. Runs are kept
    below `out`, and go on where they were. `begin` is called with each fingerprinter, or the catalog's name, and the
    folder of its run; `progress` after each scene. Raises OptionError when the sources suffice for no scene.
    """
    selection = selection or Selection(KINDS)
    found = {}
    with Recordings(RATE) as sounds, Sameness(sources.known, sounds) as same_place:
        tracks = [(track, sources.known[track]) for track in sources.cut]
        material = Material(sounds, tracks, sources.unknown, sources.speech, sources.noises)
        scenes, left_out = planned(selection, material)
        parameters = _parameters(sources, selection)
        for name, kind in _asked(catalog, fingerprinters).items():
            folder = run.run_folder(Path(out), f"{sources.name}-scenes", {**parameters, **kind})
            if begin is not None:
                begin(name, folder)
            path, failed = (Path(catalog), ()) if catalog else indexed(sources.known, kind, folder, workers=workers)
            scores = scored(path, scenes, material, same_place, align=selection.align, folder=folder, progress=progress)
            rows = tuple(report.rows_of(scores))
            written = report.write(rows, left_out, {**parameters, **kind}, folder)
            found[name] = SceneMeasurement(rows, left_out, failed, folder, tuple(written))
    return found


def planned(selection: Selection, material: Material) -> tuple[list[Scene], dict[str, str]]:
    """Return the scenes, and why conditions are left out; raises OptionError when none is left."""
    scenes, left_out = list[Scene](), dict[str, str]()
    for name, kind in selection.kinds.items():
        for condition in kind.conditions():
            try:
                scenes += list(
                    scenes_of_condition(name, kind, condition, material, seed=selection.seed, count=selection.count)
                )
            except OptionError as error:
                left_out[f"{name}, {condition}"] = str(error)
    if not scenes:
        raise OptionError(f"no scene can be made: {'; '.join(sorted(set(left_out.values())))}")
    return scenes, left_out


def scored(
    catalog: Pathname,
    scenes: Sequence[Scene],
    material: Material,
    same_place: SamePlace,
    *,
    align: Align = "",
    folder: Path | None = None,
    progress: Callable[[Stage], object] | None = None,
) -> list[SceneScore]:
    """Return how well a catalog finds scenes; `folder` keeps its answers, and those that it has are not asked again."""
    scores, whole, began = list[SceneScore](), sum(scene.seconds for scene in scenes), time.monotonic()
    with earmark.open(catalog, create=False, read_only=True) as opened:
        for scene, reply in ask.answer(opened, scenes, material, align=align, folder=folder):
            scores.append(score(scene, reply.detections, same_place, processor_seconds=reply.processor_seconds))
            if progress is not None:
                done = sum(one.scene.seconds for one in scores)
                seconds_left = (time.monotonic() - began) * (whole - done) / done
                progress(Stage(len(scores), len(scenes), seconds_left))
    return scores


def _asked(catalog: Pathname | None, fingerprinters: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what is asked, by the name that it is shown under: one catalog, or a fingerprinter each."""
    if catalog is None:
        return {name: {"fingerprinter": name, "spec": spec} for name, spec in specs_of(fingerprinters).items()}
    with earmark.open(catalog, create=False, read_only=True) as opened:
        info = opened.info()
    names = ("fingerprinter", "spec", "index", "tracks", "seconds")
    return {Path(catalog).name: {"catalog": str(Path(catalog).resolve()), **{name: str(info[name]) for name in names}}}


def _parameters(sources: Sources, selection: Selection) -> dict[str, Any]:
    """Return all that shapes a run but the catalog, as JSON can hold it."""
    paths = [*sources.known.values(), *sources.unknown, *sources.speech, *sources.noises]
    return {
        "earmark": earmark.__version__,
        "files": run.stamps(paths),
        "known": len(sources.known),
        "cut": len(sources.cut),
        "unknown": len(sources.unknown),
        "speech": len(sources.speech),
        "noises": len(sources.noises),
        "kinds": {name: str(kind) for name, kind in selection.kinds.items()},
        "seed": selection.seed,
        "count": selection.count,
        **({"align": selection.align} if selection.align else {}),
    }


def _strangers(folder: Pathname | None, known: Mapping[str, Path]) -> tuple[Path, ...]:
    """Return a folder's recordings but for those that are known."""
    return () if folder is None else not_indexed(recordings_in(folder).values(), known.values())
