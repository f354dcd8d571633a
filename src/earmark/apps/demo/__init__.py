"""A trial of the whole chain on music that comes with earmark."""

from __future__ import annotations

from pathlib import Path


def excerpts() -> list[Path]:
    """Return the bundled music, in order of names; LICENCES.md beside it says whose it is."""
    return sorted((Path(__file__).parent / "music").glob("*.opus"))
