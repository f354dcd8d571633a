"""What a file holds, as a list that other programs read: CSV, a cue sheet, labels of Audacity."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import PurePath

from earmark.apps.cue import CUE_FRAMES, CUE_TRACKS, cue_track, quoted
from earmark.types import Answer, Match, Track

COLUMNS = (
    "file",
    "start",
    "end",
    "artist",
    "title",
    "album",
    "track_start",
    "track_end",
    "speed",
    "pitch",
    "confidence",
    "copies",
    "id",
    "path",
)


def as_csv(name: str, answer: Answer, *, heading: bool) -> str:
    """Return one row a match, seconds with milliseconds; the names of the columns first, where they are asked for."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if heading:
        writer.writerow(COLUMNS)
    for match in answer.matches:
        track = match.track
        times = (match.query_start, match.query_end, match.reference_start, match.reference_end)
        start, end, first, last = (f"{seconds:.3f}" for seconds in times)
        factors = ("" if factor is None else f"{factor:.5f}" for factor in (match.speed, match.pitch))
        copies = " ".join(copy.id for copy in match.copies)
        words = (track.artist, track.title or PurePath(track.path).stem, track.album)
        writer.writerow(
            [name, start, end, *words, first, last, *factors, f"{match.confidence:.6f}", copies, track.id, track.path]
        )
    return text.getvalue()


def as_cue(name: str, answer: Answer, *, heading: bool) -> str:
    """Return a cue sheet; of recordings that begin at the same moment the surest, since an index moves on."""
    lines = [f"FILE {quoted(PurePath(name).name)} {_cue_type(name)}"]
    chosen: dict[int, Match] = {}
    for match in sorted(answer.matches, key=lambda one: -one.confidence):
        chosen.setdefault(round(match.query_start * CUE_FRAMES), match)
    for number, (frames, match) in enumerate(sorted(chosen.items())[:CUE_TRACKS], start=1):
        lines += cue_track(number, _title(match.track), match.track.artist, frames)
    return "".join(f"{line}\n" for line in lines)


def as_labels(name: str, answer: Answer, *, heading: bool) -> str:
    """Return labels that Audacity imports: start, end and name of each match, with tabs between."""
    return "".join(
        f"{match.query_start:.6f}\t{match.query_end:.6f}\t{_on_one_line(_named(match.track))}\n"
        for match in answer.matches
    )


FORMATS: Mapping[str, Callable[..., str]] = {"csv": as_csv, "cue": as_cue, "audacity": as_labels}


def _named(track: Track) -> str:
    return " - ".join(part for part in (track.artist, _title(track)) if part)


def _title(track: Track) -> str:
    return track.title or PurePath(track.path).stem


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _cue_type(name: str) -> str:
    return {".mp3": "MP3", ".aif": "AIFF", ".aiff": "AIFF"}.get(PurePath(name).suffix.lower(), "WAVE")
