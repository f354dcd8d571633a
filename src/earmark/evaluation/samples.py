"""Clips whose truth is known, and the evidence for what catalogs say of each: what a confidence is fitted on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Literal

import earmark
from earmark.errors import MediaError, OptionError
from earmark.evaluation.queries import KEPT_RECORDINGS, RATE, ClipMaker, Grid, Query, from_clips, from_music
from earmark.evaluation.recordings import Recordings, whole
from earmark.evaluation.truth import SAMENESS_RATE, SHARED_CORRELATION, Sameness, SamePlace
from earmark.evaluation.unknown import Kind, UnknownClips
from earmark.fingerprints import make
from earmark.plan import Plan
from earmark.types import Samples

Pathname = str | os.PathLike[str]

AT_ANY_SPEED = Grid(  # changes that turntables, radio stations, karaoke and edits make
    snr_decibels=(None, 10.0),
    t60_seconds=(0.0,),
    seconds=(5.0, 10.0),
    effects=("speed+8", "speed-15", "speed+25", "speed-25", "pitch+6", "pitch-12", "tempo+15", "tempo-25"),
)


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips of one origin, and the recordings that their tracks are."""

    name: str
    queries: Sequence[Query]
    tracks: Mapping[str, str]  # track by resolved path, where a catalog has another id for the recording
    unknown: bool = False  # no clip is in any catalog, whatever its table says
    any_speed: bool = False  # they are asked at any speed alone, for the model that weighs what is found so
    maker: Callable[[Query], tuple[Samples, int] | str] | None = None  # None: the clips lie in files


@dataclass(frozen=True, slots=True)
class Sample:
    """A clip that a catalog was asked for, with the evidence for its best candidate."""

    kind: str  # number of tracks in the catalog, condition and length: kinds have equal weight
    seconds: float
    known: bool  # the catalog holds the recording
    right: bool  # the best candidate is that recording, or sounds the same there
    evidence: Mapping[str, float]  # empty without a candidate
    shared: bool = False  # the catalog does not hold the recording, but its sound, in another one


def read_clips(
    folder: Pathname,
    tracks: Mapping[str, Path],
    *,
    unknown: bool = False,
    any_speed: bool = False,
    only: Sequence[str] | None = None,
) -> ClipSet:
    """Return the clips of a folder with queries.csv; `tracks` are the recordings by track_id.

    `only` names the conditions to be asked, as "noise0@5".
    """
    names = {str(path.resolve()): track for track, path in tracks.items()}
    return ClipSet(os.fspath(folder), from_clips(Path(folder), only), names, unknown, any_speed)


def cut_clips(
    catalog: Pathname,
    unknown: Mapping[str, Path],
    grid: Grid | None = None,
    *,
    noises: Sequence[Path] = (),
    count: int = 50,
    seed: int = 1,
    any_speed: bool = False,
) -> ClipSet:
    """Return clips to be cut from a catalog's own files, and as many from music that it does not hold.

    The default grid is one of noise and rooms, or for `any_speed`, of changes of speed and pitch. Raises OptionError
    when none of the catalog's files is where it was when it was indexed.
    """
    with earmark.open(catalog, create=False, read_only=True) as opened:
        known = [(track.id, Path(track.path)) for track in opened if Path(track.path).is_file()]
    if not known:
        raise OptionError(f"none of the recordings of {os.fspath(catalog)} is where it was; give a folder of clips")
    grid = grid or (AT_ANY_SPEED if any_speed else Grid())
    queries = from_music(known, list(unknown.items()), grid, count=count, seed=seed)
    names = {str(path.resolve()): track for track, path in known}
    words = f"clips {'at other speeds ' if any_speed else ''}cut from {os.fspath(catalog)}, seed {seed}"
    return ClipSet(words, queries, names, any_speed=any_speed, maker=ClipMaker(noises))


def made_clips(
    seconds: Sequence[float],
    *,
    speech: Sequence[Path] = (),
    noises: Sequence[Path] = (),
    count: int = 50,
    seed: int = 1,
) -> ClipSet:
    """Return `count` clips of each length and of every kind of sound that is no music.

    There are clips of speech where recordings of it are given; without `noises` some is made.
    """
    sound_of = lru_cache(maxsize=KEPT_RECORDINGS)(partial(whole, rate=RATE))
    maker = UnknownClips(sound_of, rate=RATE, speech=speech, noise=noises, seed=seed)
    asked: dict[str, tuple[Kind, float, int]] = {
        f"unknown {kind}@{length:g}/{number:04d}": (kind, length, number)
        for kind, length, number in product(maker.kinds, seconds, range(count))
    }
    queries = [
        Query(name, f"unknown {kind}", length, None, 0.0, 1.0, None, Path())
        for name, (kind, length, _) in asked.items()
    ]

    def make(query: Query) -> tuple[Samples, int]:
        return maker.make(*asked[query.id]).samples, RATE

    return ClipSet(f"sound that is no music, seed {seed}", queries, {}, unknown=True, maker=make)


def finds_any_speed(catalog: Pathname) -> bool:
    """Return whether a catalog finds clips at any speed, for which its calibration has a model."""
    with earmark.open(catalog, create=False, read_only=True) as opened:
        return plan_of(opened).warp is not None


def plan_of(catalog: earmark.Catalog) -> Plan:
    """Return how a catalog's questions are looked at, compared and weighed."""
    information = catalog.info()
    return make(information["fingerprinter"], **information["preset"]).plan


def samples_of(catalog: earmark.Catalog, clips: ClipSet, *, workers: int | None = None) -> Iterator[Sample]:
    """Yield a sample for each clip, as the catalog answers it.

    Recordings share sound: a loop, a part of one in another. So where the best candidate is another recording than the
    clip's, both files are compared at that place, if they are there.
    """
    held = {_track(clips, track) for track in catalog}
    maker = clips.maker or ClipMaker()
    speed: bool | Literal["only"] = "only" if clips.any_speed else False
    made = map(maker, clips.queries)
    answers = catalog.identify_many(made, workers=workers, threshold=0, limit=1, speed=speed, closely=True)
    files = _files(catalog, clips)
    with Recordings(SAMENESS_RATE) as sounds:
        same_place, shared_place = Sameness(files, sounds), Sameness(files, sounds, least=SHARED_CORRELATION)
        for query, answer in zip(clips.queries, answers, strict=True):
            known = query.track in held and not clips.unknown
            best = answer.best
            is_own = best is not None and known and _track(clips, best.track) == query.track
            alike = same_place if known else shared_place  # a copy that another coder made is held all the same
            is_same = best is not None and (is_own or _sounds_the_same(query, clips, best, alike))
            yield Sample(
                kind=f"{len(catalog)} tracks: {_origin(query, clips, known)}{query.condition}@{query.seconds:g}",
                seconds=query.seconds,
                known=known,
                right=known and is_same,
                evidence={} if best is None else best.evidence,
                shared=is_same and not known,
            )


def _files(catalog: earmark.Catalog, clips: ClipSet) -> dict[str, Path]:
    """Return the files of catalog and clips by their resolved paths."""
    cut = (query.path for query in clips.queries) if clips.maker is not None else ()
    paths = [*(Path(track.path) for track in catalog), *map(Path, clips.tracks), *cut]
    return {str(path.resolve()): path for path in paths if path.is_file()}


def _sounds_the_same(query: Query, clips: ClipSet, best: earmark.Match, same_place: SamePlace) -> bool:
    """Return whether the file that a clip is from sounds like a candidate's, where the candidate has it."""
    if clips.maker is not None:
        source = str(query.path.resolve())
    else:
        source = next((path for path, track in clips.tracks.items() if track == query.track), "")
    there, seconds = str(Path(best.track.path).resolve()), query.seconds * query.speed
    try:
        return bool(source) and same_place(source, query.start, there, best.reference_at(0.0), seconds) is not None
    except (MediaError, OSError):  # a file that is gone or cannot be read any more says nothing
        return False


def _track(clips: ClipSet, track: earmark.Track) -> str:
    return clips.tracks.get(str(Path(track.path).resolve()), track.id)


def _origin(query: Query, clips: ClipSet, known: bool) -> str:
    if known or query.condition.startswith("unknown"):
        return ""
    return "not held, " if query.track and not clips.unknown else "unknown, "
