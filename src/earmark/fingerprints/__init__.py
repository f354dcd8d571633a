"""Fingerprinters by name."""

from __future__ import annotations

from earmark.errors import OptionError

TYPE_CHECKING = False  # as in typing, which is not imported for its sake

if TYPE_CHECKING:
    from typing import Any

    from earmark.fingerprints.protocol import Fingerprinter

SETTINGS = {"neural": ("model", "peaks"), "shazam": ("density",)}
NAMES = tuple(SETTINGS)
DEFAULT = "neural"


def make(name: str = DEFAULT, **preset: Any) -> Fingerprinter:
    """Return the fingerprinter called `name`, with settings of its own; raises OptionError for what there is not."""
    if name == "neural":
        from earmark.fingerprints.neural import Neural as Kind
    elif name == "shazam":
        from earmark.fingerprints.shazam import Shazam as Kind  # type: ignore[assignment]
    else:
        raise OptionError(f"fingerprinter {name!r} is not known: choose one of {', '.join(NAMES)}")
    for setting in preset:
        if setting not in SETTINGS[name]:
            raise OptionError(
                f"{setting} is no setting of {name}, which has {' and '.join(SETTINGS[name])}: leave it out, "
                "or choose another fingerprinter"
            )
    return Kind(**preset)
