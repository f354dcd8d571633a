"""Tags as they may be stored and shown: valid text, no control characters, of bounded length."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

LONGEST = 1_024  # characters
MOST = 64  # tags of a file
_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}  # control, formatting (bidi overrides), surrogates, private, unassigned


def cleaned(text: str) -> str:
    """Return text in NFC without control and formatting characters, at most `LONGEST` characters."""
    spaced = "".join(" " if character in "\t\r\n" else character for character in text[: 4 * LONGEST])
    kept = "".join(character for character in spaced if unicodedata.category(character) not in _FORBIDDEN)
    return unicodedata.normalize("NFC", kept).strip()[:LONGEST].strip()


def cleaned_tags(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return tags with names in lower case, those of earlier sources first; empty ones are dropped."""
    tags: dict[str, str] = {}
    for source in sources:
        for name, value in source.items():
            key, text = cleaned(name).lower(), cleaned(value)
            if key and text and len(tags) < MOST:
                tags.setdefault(key, text)
    return tags
