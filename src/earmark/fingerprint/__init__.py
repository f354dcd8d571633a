"""Fingerprinters by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from earmark.errors import OptionError

if TYPE_CHECKING:
    from earmark.fingerprint.protocol import Fingerprinter

NAMES = ("shazam",)


def make(name: str, *, density: str = "default") -> Fingerprinter:
    """Return the fingerprinter called `name`; raises OptionError when there is none."""
    if name == "shazam":
        from earmark.fingerprint.shazam import Shazam

        return Shazam(density=density)
    raise OptionError(f"fingerprinter {name!r} is not known: choose one of {', '.join(NAMES)}")
