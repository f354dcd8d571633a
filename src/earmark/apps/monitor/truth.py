"""What was on air, as a table, and how well plays tell it: seconds, fragments and borders, as broadcasters count.

The table has columns `start`, `end` and `track`, and `station` where there are several: seconds of the source or times
as 2026-11-29T12:00:00Z, and a track's id, path, file name or title.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from earmark.catalog.plays import Play
from earmark.errors import OptionError
from earmark.evaluation.scenes.report import SceneRow, rows_of
from earmark.evaluation.scenes.scene import Excerpt, Scene
from earmark.evaluation.scenes.scores import Detection, SceneScore, score
from earmark.types import Track

LEAST_UTC = 1e8  # seconds since 1970, in 1973: a source's own seconds do not reach it
NOTHING = ("", "-", "none")  # in the place of a track: something that the catalog does not know


def read_truth(path: Path, tracks: Iterable[Track]) -> dict[str, list[Excerpt]]:
    """Return what was on air by station, '' where the table names none; raises OptionError."""
    identified = _ids(tracks)
    found: dict[str, list[Excerpt]] = {}
    try:
        with path.open(newline="") as handle:
            for row in csv.DictReader(handle):
                start, end, name = _moment(row["start"]), _moment(row["end"]), row["track"].strip()
                if name not in NOTHING and name not in identified:
                    raise ValueError(f"no track is called {name!r}")
                excerpt = Excerpt(
                    path, 0.0, start, end - start, 1.0, identified.get(name), label=row.get("label") or ""
                )
                found.setdefault(row.get("station") or "", []).append(excerpt)
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}; give a table of what was on air") from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise OptionError(f"{path} cannot be understood ({error}); it needs columns start, end and track") from error
    return found


def evaluated(truth: dict[str, list[Excerpt]], plays: Sequence[Play]) -> list[SceneRow]:
    """Return the scores of plays, a row a station and one for all; plays that are no longer accepted do not count."""
    scores = list[SceneScore]()
    for station, excerpts in truth.items():
        mine = [play for play in plays if play.state == "accepted" and (not station or play.station == station)]
        begun = min((excerpt.at for excerpt in excerpts), default=0.0)
        end = max((excerpt.end for excerpt in excerpts), default=0.0)
        scene = Scene("monitor", station or "station", len(scores), end - begun, tuple(excerpts))
        scores.append(score(scene, [detection_of(play, is_utc=begun > LEAST_UTC) for play in mine], is_same_track))
    return rows_of(scores)


def detection_of(play: Play, *, is_utc: bool = False) -> Detection:
    """Return a play as what a score of a scene counts, in seconds of the source or UTC."""
    start = play.start if is_utc else play.source_start
    return Detection(play.track.id, start, start + play.seconds, play.reference_start, 1.0, play.confidence)


def is_same_track(track: str, start: float, found: str, found_start: float, seconds: float) -> float | None:
    """Return 0 where a play names the right track, wherever in it: tables of broadcasters do not tell the place."""
    return 0.0 if track == found else None


def _ids(tracks: Iterable[Track]) -> dict[str, str]:
    """Return tracks' ids by what a table may call them; what two tracks share names neither."""
    ways: Sequence[Callable[[Track], str]] = (
        lambda track: track.title,
        lambda track: Path(track.path).stem,
        lambda track: Path(track.path).name,
        lambda track: track.path,
        lambda track: track.id,
    )
    known, found = list(tracks), dict[str, str]()
    for way in ways:  # later ones, which tell more surely, win
        names = [way(track) for track in known]
        found |= {name: track.id for name, track in zip(names, known, strict=True) if name and names.count(name) == 1}
    return found


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
