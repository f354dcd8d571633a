"""Tags as they may be kept and shown: valid text in NFC, in one line, of bounded length and number."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from earmark.text import LONGEST, printable
from earmark.types import Chapter

if TYPE_CHECKING:
    from av.container import InputContainer

MOST = 64  # tags of a file
MOST_CHAPTERS = 1_000  # of a file
_READ = 4 * LONGEST  # characters of a tag that are looked at


def cleaned_tags(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return tags with names in lower case, those of earlier sources first; empty ones are dropped."""
    tags: dict[str, str] = {}
    for source in sources:
        for name, value in source.items():
            key, text = _in_one_line(name).lower(), _in_one_line(value)
            if key and text and len(tags) < MOST:
                tags.setdefault(key, text)
    return tags


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
