"""Whether music plays alone or under something louder, as speech: by how far what is heard agrees with the recording.

Measured on 6 pieces of training music of 20 s under speech (docs/monitoring.md); of kinds whose evidence has no such
figure, nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from earmark.catalog.plays import Prominence

if TYPE_CHECKING:
    from earmark.apps.monitor.ledger import Part

FOREGROUND_SIMILARITY = (
    0.9  # mean similarity of segments; 0.90 to 0.96 with speech 5 dB softer than the music, 0.84 to 0.93 as loud
)
FOREGROUND_SURPLUS = 30.0  # peaks a second beyond chance; 26 to 51 with speech 5 dB softer, 21 to 33 as loud


def prominence_of(parts: Sequence[Part]) -> Prominence:
    """Return whether a play is in the foreground or the background, by its surest part."""
    evidence = max(parts, key=lambda one: one.confidence).evidence
    if "similarity" in evidence:
        return "foreground" if evidence["similarity"] >= FOREGROUND_SIMILARITY else "background"
    if "surplus" in evidence and evidence.get("seconds", 0.0) > 0:
        per_second = evidence["surplus"] / evidence["seconds"]
        return "foreground" if per_second >= FOREGROUND_SURPLUS else "background"
    return "unknown"
