"""Cue sheets: the names and beginnings of the tracks in one long file, as rippers write them beside it."""

from __future__ import annotations

import codecs
import re
from pathlib import Path, PurePath

from earmark.codepages import decoded
from earmark.regular import read_regular
from earmark.text import printable
from earmark.types import Chapter

MOST_BYTES = 1 << 18  # bytes of a sheet; one of 99 tracks has 20 kB
MOST_CHAPTERS = 1_000  # named parts of a file
_FRAMES = 75  # frames of a second, in which a sheet counts
_LINE = re.compile(r'\s*(FILE|TRACK|TITLE|PERFORMER|INDEX 01)\s+(?:"([^"]*)"|(.*?))(?:\s+\w+)?\s*$', re.IGNORECASE)
_TIME = re.compile(r"(\d+):(\d\d):(\d\d)")


def cue_sheet_of(path: str) -> tuple[Chapter, ...] | None:
    """Return the tracks that a cue sheet beside a file gives it; None where there is none, or it is of another file."""
    file = Path(path)
    for sheet in (file.with_suffix(".cue"), file.with_name(file.name + ".cue")):
        try:
            content = read_regular(sheet, most_bytes=MOST_BYTES)
        except (OSError, ValueError):
            continue
        return chapters_in(_decoded(content), file.name) or None
    return None


def chapters_in(text: str, name: str) -> tuple[Chapter, ...]:
    """Return the tracks that a cue sheet names in the file `name`: of several files that one, of a single one all."""
    files: dict[str, list[dict[str, str]]] = {"": []}
    here, album = files[""], dict[str, str]()
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        command, value = found[1].upper(), found[2] if found[2] is not None else found[3]
        if command == "FILE":
            here = files.setdefault(value, [])
        elif command == "TRACK":
            here.append({})
        else:
            (here[-1] if here else album).setdefault(command, line.split()[2] if command == "INDEX 01" else value)
    named = {PurePath(one).stem: tracks for one, tracks in files.items() if tracks}
    tracks = named.get(PurePath(name).stem) or (next(iter(named.values())) if len(named) == 1 else [])
    chapters = [_chapter(number, track, album) for number, track in enumerate(tracks, start=1) if _is_placed(track)]
    return tuple(sorted(chapters[:MOST_CHAPTERS], key=lambda one: one.start)) if len(chapters) > 1 else ()


def _is_placed(track: dict[str, str]) -> bool:
    return _TIME.fullmatch(track.get("INDEX 01", "")) is not None


def _chapter(number: int, track: dict[str, str], album: dict[str, str]) -> Chapter:
    minutes, seconds, frames = map(int, track["INDEX 01"].split(":"))
    title = track.get("TITLE") or f"track {number}"
    artist = track.get("PERFORMER") or album.get("PERFORMER", "")
    return Chapter(60 * minutes + seconds + frames / _FRAMES, printable(title), printable(artist))


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "ignore")
    texts = decoded([content.removeprefix(codecs.BOM_UTF8)])
    return texts[0] if texts is not None else content.decode("latin-1")
