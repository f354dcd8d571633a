"""Evaluate fingerprinters on music: index one part, ask for distorted clips of all of it, judge and count the answers.

Every run has a folder named by a digest of its parameters, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import earmark
from earmark.errors import OptionError
from earmark.evaluation import comparison, costs, report, run
from earmark.evaluation.queries import ClipMaker, Grid, Query, from_clips, from_music
from earmark.evaluation.report import Report
from earmark.evaluation.run import Reply, Stage
from earmark.evaluation.tables import read_table
from earmark.evaluation.truth import Sameness, SamePlace
from earmark.fingerprints import DEFAULT, SHOWN, make, setting_names, shown
from earmark.types import Align

Pathname = str | os.PathLike[str]

ALL = "all"  # every kind of fingerprint that earmark has


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is indexed and what is asked."""

    name: str  # first part of the name of a run's folder
    parameters: Mapping[str, Any]  # everything that shapes the queries and the references, as JSON can hold it
    known: Mapping[str, Path]  # recordings to be indexed, by track
    queries: Sequence[Query]
    noises: tuple[Path, ...] = ()  # recordings of noise; without any, noise is made
    speech: tuple[Path, ...] = ()  # recordings of voices, for speech over music
    align: Align = ""  # fine search that is asked


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one fingerprinter reached on a corpus."""

    report: Report
    folder: Path  # answers.jsonl, parameters.json, report.json, report.md
    failed: tuple[tuple[str, str], ...]  # (path, reason) of files that could not be indexed
    written: tuple[Path, ...]  # the report's files


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What all fingerprinters reached; of several, `folder` has a comparison."""

    measurements: Mapping[str, Measurement]  # measurements by fingerprinter
    folder: Path | None = None  # None with one fingerprinter
    written: tuple[Path, ...] = ()  # the comparison's files

    @property
    def reports(self) -> dict[str, Report]:
        """The reports by fingerprinter."""
        return {name: one.report for name, one in self.measurements.items()}

    @property
    def failed(self) -> dict[str, str]:
        """Reasons by path of the files that could not be indexed."""
        return {path: reason for one in self.measurements.values() for path, reason in one.failed}


def evaluate(
    music: Pathname | Corpus,
    *,
    fingerprinters: Sequence[str] = (DEFAULT,),
    out: Pathname = "evaluation",
    align: Align = "",
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    begin: Callable[[str, Path], object] | None = None,
    progress: Callable[[Stage], object] | None = None,
) -> Evaluation:
    """Measure how many distorted clips of music are identified, with each fingerprinter on the same clips.

    `music` is a folder, of which four fifths are indexed and clips of all are asked, or a Corpus: see `cut_corpus` and
    `read_corpus`. Runs and catalogs are kept below `out`; what an earlier run with the same parameters did is not done
    again. `align` chooses the fine search, as `identify` does. `settings` are those of new catalogs, as a `model` of
    your own, for the fingerprinters that have them. `begin` is called with each fingerprinter and the folder
    of its run, `progress` after each clip. The fingerprinter "all" stands for every kind that earmark has.
    Raises OptionError for an unknown fingerprinter, an empty folder, and parameters that leave nothing to measure.
    """
    kinds = kinds_of(fingerprinters, settings or {})
    corpus = music if isinstance(music, Corpus) else cut_corpus(music)
    if align:
        corpus = replace(corpus, parameters={**corpus.parameters, "align": align}, align=align)
    measurements = {}
    with Sameness(corpus.known) as same_place:
        for name, kind in kinds.items():
            folder = run.run_folder(Path(out), corpus.name, {**corpus.parameters, **kind})
            if begin is not None:
                begin(name, folder)
            measurements[name] = _measure(corpus, kind, folder, same_place, workers=workers, progress=progress)
    if len(kinds) == 1:
        return Evaluation(measurements)
    compared = {name: kind["spec"] for name, kind in kinds.items()}
    folder = run.run_folder(Path(out), corpus.name, {**corpus.parameters, "compared": compared})
    written = comparison.write({name: one.report for name, one in measurements.items()}, folder)
    return Evaluation(measurements, folder, tuple(written))


def cut_corpus(
    music: Pathname | Mapping[str, Path],
    grid: Grid | None = None,
    *,
    name: str = "",
    noise: Pathname | None = None,
    speech: Pathname | None = None,
    count: int = 50,
    seed: int = 1,
    held_out: float = 0.2,
) -> Corpus:
    """Return clips to be cut from music, part of which stays unknown: `count` for each condition of the grid.

    `music` is a folder, or recordings by track that are called `name`; `noise` and `speech` are folders.
    The share `held_out` of the recordings is not indexed, whatever the seed, so that runs of several seeds are paired.
    """
    grid = grid or Grid()
    recordings = dict(music) if isinstance(music, Mapping) else recordings_in(music)
    unknown = hold_out(recordings, held_out)
    known = {track: path for track, path in recordings.items() if track not in unknown}
    queries = from_music(
        list(known.items()), [(track, recordings[track]) for track in unknown], grid, count=count, seed=seed
    )
    noises = tuple(recordings_in(noise).values()) if noise is not None else ()
    voices = tuple(recordings_in(speech).values()) if speech is not None else ()
    parameters = {
        "earmark": earmark.__version__,
        "files": run.stamps([*recordings.values(), *noises, *voices]),
        "music": name if isinstance(music, Mapping) else str(Path(music).resolve()),
        "noise": str(Path(noise).resolve()) if noise is not None else "made",
        **({} if speech is None else {"speech": str(Path(speech).resolve())}),
        "snr": grid.snr_decibels,
        "t60": grid.t60_seconds,
        "seconds": grid.seconds,
        "effects": grid.effects,
        "count": count,
        "seed": seed,
        "held_out": held_out,
    }
    return Corpus(
        name if isinstance(music, Mapping) else Path(music).resolve().name, parameters, known, queries, noises, voices
    )


def read_corpus(clips: Pathname, references: Pathname, *, only: Sequence[str] | None = None) -> Corpus:
    """Return the clips of a folder with queries.csv, and their references in a folder with music.csv.

    `only` names the conditions to be asked, as "noise0@5". Raises OptionError for tables that are absent or others.
    """
    queries, known = from_clips(Path(clips), only), references_in(references)
    strangers = [query for query in queries if query.track is not None and query.track not in known]
    if strangers:
        raise OptionError(
            f"{len(strangers):,} clips are of tracks that {Path(references) / 'music.csv'} does not name, as "
            f"{strangers[0].id!r} of {strangers[0].track!r}; add these, or leave their track_id empty: they are unknown"
        )
    parameters = {
        "earmark": earmark.__version__,
        "files": run.stamps([Path(clips) / "queries.csv", Path(references) / "music.csv", *known.values()]),
        "clips": str(Path(clips).resolve()),
        "corpus": str(Path(references).resolve()),
        "only": only,
    }
    return Corpus(Path(clips).resolve().name, parameters, known, queries)


def specs_of(fingerprinters: Sequence[str]) -> dict[str, str]:
    """Return specs by fingerprinter, "all" being every kind; raises OptionError for one that is not known."""
    return {name: kind["spec"] for name, kind in kinds_of(fingerprinters, {}).items()}


def kinds_of(fingerprinters: Sequence[str], settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters of each fingerprinter, "all" being every kind, with those of the settings that it has.

    Raises OptionError for a fingerprinter that is not known, and for a setting that none of them has.
    """
    asked = [one for name in fingerprinters for one in (SHOWN if name == ALL else (name,))]
    first = {shown(name): name for name in reversed(asked)}  # of two names of a kind the one that came first
    kinds, taken = dict[str, dict[str, Any]](), set[str]()
    for name in dict.fromkeys(asked):
        if first[shown(name)] == name:
            own = {setting: value for setting, value in settings.items() if setting in setting_names(name)}
            kinds[name] = {
                "fingerprinter": name,
                "spec": str(make(name, **own).spec),
                **({"settings": own} if own else {}),
            }
            taken |= set(own)
    for setting in settings:
        if setting not in taken:
            raise OptionError(f"{setting} is no setting of {', '.join(kinds)}: leave it out, or measure what has it")
    return kinds


def hold_out(recordings: Mapping[str, Path], share: float) -> list[str]:
    """Return the tracks that are not indexed, a share of all at equal distances; raises OptionError if that is all."""
    if not 0 <= share <= 1:
        raise OptionError(f"a share of {share:g} to hold out; give 0 to 1")
    count, names = round(share * len(recordings)), list(recordings)
    if len(names) - count < 1:
        raise OptionError(f"{len(names)} recordings with {count} held out leave none to index; give more")
    return [names[index * len(names) // count] for index in range(count)]


def references_in(folder: Pathname) -> dict[str, Path]:
    """Return the recordings of a folder's music.csv (track_id, path) by track; raises OptionError without one."""
    rows = read_table(Path(folder) / "music.csv", ("track_id", "path"))
    return {row["track_id"]: Path(folder) / row["path"] for row in rows}


def recordings_in(folder: Pathname) -> dict[str, Path]:
    """Return the audio files below a folder by their path in it, sorted; raises OptionError when there are none."""
    from earmark.datasets.folder import audio_files

    root = Path(folder)
    found = {str(path.relative_to(root)): path for path in audio_files(root)}
    if not found:
        raise OptionError(f"{root} has no audio in it; give a folder of recordings")
    return found


def _measure(
    corpus: Corpus,
    kind: Mapping[str, Any],
    folder: Path,
    same_place: SamePlace,
    *,
    workers: int | None,
    progress: Callable[[Stage], object] | None,
) -> Measurement:
    began = time.perf_counter()
    path, failed = indexed(corpus.known, kind, folder, workers=workers)
    replies = _replies(corpus, path, folder, workers=workers, progress=progress)
    cost = {"seconds_of_this_run": time.perf_counter() - began}
    cost["median_seconds_to_answer"] = sorted(reply.elapsed for reply in replies)[len(replies) // 2]
    cost |= costs.read(costs.beside(path)) | costs.read(folder / costs.NAME)
    outcomes = report.outcomes_of(corpus.queries, replies, same_place)
    summary = report.summarise(outcomes, parameters={**corpus.parameters, **kind}, cost=cost)
    return Measurement(summary, folder, failed, tuple(report.write(summary, folder)))


def indexed(
    known: Mapping[str, Path], kind: Mapping[str, Any], folder: Path, *, workers: int | None
) -> tuple[Path, tuple[tuple[str, str], ...]]:
    """Return a catalog of recordings, and the files that could not be indexed with reasons.

    It is kept beside `folder`, that of a run, for all that index the same music with a fingerprinter of this kind.
    """
    recordings = {"recordings": run.stamps(known.values())}
    path = run.named(folder.parent, "catalog", {**recordings, **kind})
    ids = {str(path): track for track, path in known.items()}
    spent = costs.Processor()
    with earmark.open(path, fingerprinter=kind["fingerprinter"], **kind.get("settings", {})) as catalog:
        report = catalog.add(list(ids), ids=ids, workers=workers)
    if len(report.added) == len(ids) - len(report.failed):  # in one go, so that the time is that of all of them
        costs.write(costs.beside(path), costs.of_index(path, report.added, spent.seconds))
    return path, report.failed


def _replies(
    corpus: Corpus,
    catalog_path: Path,
    folder: Path,
    *,
    workers: int | None,
    progress: Callable[[Stage], object] | None,
) -> list[Reply]:
    """Return the replies to all queries."""
    maker, making = ClipMaker(corpus.noises, speech=corpus.speech), list[float]()

    def timed(query: Query) -> Any:
        began = time.thread_time()
        clip = maker(query)
        making.append(time.thread_time() - began)
        return clip

    spent = costs.Processor()
    with earmark.open(catalog_path, read_only=True) as catalog:
        replies = run.answer(
            catalog, corpus.queries, folder, maker=timed, align=corpus.align, workers=workers, progress=progress
        )
    if making:  # the clips of this run; making them is no part of finding them
        cost = {"processor_seconds_a_clip": (spent.seconds - sum(making)) / len(making)}
        costs.write(folder / costs.NAME, cost)
    return replies


def not_indexed(found: Iterable[Path], known: Iterable[Path]) -> tuple[Path, ...]:
    """Return recordings but for those that are known, byte for byte: to find these is no mistake."""
    recordings, files = list(found), [path for path in known if path.is_file()]
    sizes = {path.stat().st_size for path in files}
    alike = {path for path in recordings if path.stat().st_size in sizes}
    wanted = {path.stat().st_size for path in alike}
    digests = {_digest(path) for path in files if path.stat().st_size in wanted}
    return tuple(path for path in recordings if path not in alike or _digest(path) not in digests)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
