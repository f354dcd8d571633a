"""Tags as they may be kept and shown: valid text in NFC, in one line, of bounded length and number."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from earmark.text import LONGEST, printable

MOST = 64  # tags of a file
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


def _in_one_line(text: str) -> str:
    spaced = "".join(" " if character in "\t\r\n" else character for character in text[:_READ])
    return printable(unicodedata.normalize("NFC", spaced).strip()).strip()
