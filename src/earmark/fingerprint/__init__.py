"""Fingerprinters by name."""

from __future__ import annotations

from earmark.errors import OptionError

TYPE_CHECKING = False  # as in typing, which is not imported for its sake

if TYPE_CHECKING:
    from earmark.fingerprint.protocol import Fingerprinter

NAMES = ("shazam",)


def make(name: str, *, density: str = "default") -> Fingerprinter:
    """Return the fingerprinter called `name`; raises OptionError when there is none."""
    if name == "shazam":
        from earmark.fingerprint.shazam import Shazam

        return Shazam(density=density)
    raise OptionError(f"fingerprinter {name!r} is not known: choose one of {', '.join(NAMES)}")
