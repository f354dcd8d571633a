"""Text from outside, made safe to show."""

from __future__ import annotations

import os
import unicodedata

MAX_NAME = 1024  # characters; the limit of tags
# Marks that turn the direction of what follows them, by which a name can pretend to be another (Unicode TR 36).
DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown(name: str | os.PathLike[str]) -> str:
    """Return a name as it may be printed: bytes that are no text as \\xNN, no control and no direction marks."""
    text = os.fspath(name).encode("utf-8", "backslashreplace").decode("utf-8")
    kept = (mark for mark in text if unicodedata.category(mark) not in ("Cc", "Cs") and mark not in DIRECTIONS)
    return "".join(kept)[:MAX_NAME]
