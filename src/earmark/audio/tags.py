"""Tags as they may be kept and shown: valid text in NFC, in one line, of bounded length and number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from earmark.codepages import decoded
from earmark.text import LONGEST, printable
from earmark.types import Chapter

if TYPE_CHECKING:
    from av.container import InputContainer

MOST = 64  # tags of a file that are kept
MOST_CHAPTERS = 1_000  # chapters of a file that are kept
WITH_SEVERAL = {
    "mp3": ".mp3",
    "mov,mp4,m4a,3gp,3g2,mj2": ".m4a",
}  # formats of which FFmpeg tells the first artist alone
# Names under which FFmpeg tells how a file was written, which are no words about the music.
_TECHNICAL = {
    "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id", "encoder", "creation_time",
    "duration",
}  # fmt: skip
_ARTISTS = ("artist", "album_artist")
_PARTED = re.compile(r";(?=\S)")  # sign by which FFmpeg parts several values of a tag
_SURROGATES = re.compile("[\ud800-\udfff]")
_READ = 4 * LONGEST  # characters of a tag that are looked at


def cleaned_tags(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return tags with names in lower case, those of earlier sources first; empty ones are dropped."""
    tags: dict[str, str] = {}
    for source in sources:
        for name, value in in_their_code_page(source).items():
            key, text = _in_one_line(name).lower(), _in_one_line(value)
            if key in _ARTISTS:
                text = _PARTED.sub("; ", text)
            if key and text and key not in _TECHNICAL and len(tags) < MOST:
                tags.setdefault(key, text)
    return tags


def in_their_code_page(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags of one file read in the code page that they were written in, where they say none.

    FFmpeg gives such bytes as Latin-1, or as they are (here as surrogates). Bytes that make sense in no code page are
    left out, so that the file's name stands for a title.
    """
    unsure = {name: raw for name, value in tags.items() if (raw := _raw_bytes(value)) is not None}
    if not unsure:
        return dict(tags)
    texts = decoded(list(unsure.values()))
    if texts is not None:
        return {**tags, **dict(zip(unsure, texts, strict=True))}
    return {name: value for name, value in tags.items() if not _SURROGATES.search(value)}


def _raw_bytes(value: str) -> bytes | None:
    """Return the bytes of a value whose code page is not known; None for one that is Unicode, or ASCII alone."""
    if value.isascii():
        return None
    if _SURROGATES.search(value):
        return value.encode("utf-8", "surrogateescape")
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return None


def all_artists(file: BinaryIO, form: str) -> dict[str, str]:
    """Return the tag of a file with several artists of which FFmpeg tells the first alone; nothing for others."""
    if form not in WITH_SEVERAL:
        return {}
    from tinytag import TinyTag, TinyTagException

    here = file.tell()
    try:
        file.seek(0)
        found = TinyTag.get(filename=f"x{WITH_SEVERAL[form]}", file_obj=file, duration=False)
    except (TinyTagException, OSError, ValueError, LookupError, ArithmeticError, AttributeError, TypeError):
        return {}
    finally:
        file.seek(here)
    others = found.other.get("artist") or []
    return {"artist": "; ".join([found.artist or "", *others])} if others else {}


def cleaned_chapters(chapters: Iterable[tuple[float, str]]) -> tuple[Chapter, ...]:
    """Return chapters, given as (start in seconds, title), in order of time; a single one names no part."""
    named = sorted((start, _in_one_line(title)) for start, title in islice(chapters, MOST_CHAPTERS) if start >= 0)
    if len(named) < 2:
        return ()
    return tuple(Chapter(start, title or f"chapter {number}") for number, (start, title) in enumerate(named, start=1))


def chapters_of(container: InputContainer) -> tuple[Chapter, ...]:
    """Return the chapters that a file names."""
    found = container.chapters()
    return cleaned_chapters(
        (float(one["start"] * one["time_base"]), one["metadata"].get("title", "")) for one in found if one["time_base"]
    )


def _in_one_line(text: str) -> str:
    spaced = "".join(" " if character in "\t\r\n" else character for character in text[:_READ])
    return printable(unicodedata.normalize("NFC", spaced).strip()).strip()
