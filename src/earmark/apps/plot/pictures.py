"""The picture of a sound or a match, as a kind of fingerprint sees it: by the comparison that its features go through.

Of kinds whose features cannot be seen, as learned vectors, landmarks are drawn.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from earmark.fingerprints.protocol import Fingerprinter
from earmark.types import Match

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LANDMARKS = "earmark.apps.plot.sounds"
DRAWN_BY = {
    "bits": "earmark.apps.plot.bits",
    "sets": "earmark.apps.plot.wavelets",
}  # module with `draw_sound` and `draw_match`, by kind of comparison


def draw_sound(path: str | Path, maker: Fingerprinter) -> Figure:
    """Return the picture of a file; raises MediaError."""
    figure: Figure = _module(maker).draw_sound(path, maker)
    return figure


def draw_match(path: str | Path, match: Match, maker: Fingerprinter) -> Figure:
    """Return the picture of a clip and the recording it was found in; raises MediaError."""
    figure: Figure = _module(maker).draw_match(path, match, maker)
    return figure


def _module(maker: Fingerprinter) -> ModuleType:
    return import_module(DRAWN_BY.get(maker.plan.compare[0].kind, LANDMARKS))
