"""Plays as lists that other programs read: CSV, JSON lines, a cue sheet, labels of Audacity."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import PurePath

from earmark.apps.cue import CUE_FRAMES, CUE_TRACKS, cue_track, quoted
from earmark.apps.monitor.records import local, play_record, utc
from earmark.catalog.plays import Play
from earmark.text import escaped

COLUMNS = (
    "play",
    "station",
    "start",
    "end",
    "local_start",
    "local_end",
    "seconds",
    "artist",
    "title",
    "album",
    "track_start",
    "track_end",
    "share",
    "prominence",
    "confidence",
    "state",
    "copies",
    "id",
    "path",
)


def as_csv(plays: Iterable[Play]) -> str:
    """Return one row a play, with the names of the columns first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row_of(play) for play in plays)
    return text.getvalue()


def row_of(play: Play) -> list[object]:
    """Return the cells of a play's row."""
    track = play.track
    times = utc(play.start), utc(play.end), local(play.start, play.utc_offset), local(play.end, play.utc_offset)
    figures = (f"{value:.3f}" for value in (play.seconds, play.reference_start, play.reference_end, play.share))
    seconds, first, last, share = figures
    return [
        *(play.number, cell(play.station), *times, seconds),
        *map(cell, (track.artist, title_of(play), track.album)),
        *(first, last, share, play.prominence, f"{play.confidence:.6f}", play.state),
        *map(cell, (" ".join(play.copies), track.id, track.path)),
    ]


def cell(text: str) -> str:
    """Return a text as a table may hold it: a spreadsheet would run what begins like a formula."""
    shown = escaped(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def as_json_lines(plays: Iterable[Play]) -> str:
    """Return one JSON object a play and line."""
    return "".join(f"{json.dumps(play_record(play))}\n" for play in plays)


def as_cue(plays: Iterable[Play]) -> str:
    """Return a cue sheet a station, as if its sound were one file; an index counts from the station's beginning."""
    lines = list[str]()
    for station, group in _by_station(plays):
        lines.append(f"FILE {quoted(station)} WAVE")
        for number, play in enumerate(group[:CUE_TRACKS], start=1):
            frames = round(max(play.source_start, 0.0) * CUE_FRAMES)
            lines += cue_track(number, title_of(play), play.track.artist, frames)
    return "".join(f"{line}\n" for line in lines)


def as_labels(plays: Iterable[Play]) -> str:
    """Return labels that Audacity imports: start and end in seconds of the station's sound, and a name."""
    return "".join(
        f"{play.source_start:.6f}\t{play.source_start + play.seconds:.6f}\t{' '.join(named(play).split())}\n"
        for play in plays
    )


FORMATS: Mapping[str, Callable[[Iterable[Play]], str]] = {
    "csv": as_csv,
    "json": as_json_lines,
    "cue": as_cue,
    "audacity": as_labels,
}


def title_of(play: Play) -> str:
    """Return the title of a play's track, or its file's name."""
    return play.track.title or PurePath(play.track.path).stem


def named(play: Play) -> str:
    """Return 'Artist - Title'."""
    return " - ".join(part for part in (play.track.artist, title_of(play)) if part)


def _by_station(plays: Iterable[Play]) -> list[tuple[str, Sequence[Play]]]:
    ordered = sorted(plays, key=lambda one: (one.station, one.source_start))
    return [(station, list(group)) for station, group in groupby(ordered, key=lambda one: one.station)]
