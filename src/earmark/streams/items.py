"""What a source yields: sound, gaps in it, and what the stream says of itself. Times are UTC, seconds since 1970."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from earmark.types import Samples


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Consecutive mono samples."""

    samples: Samples
    arrived: float  # when the last of them was here


@dataclass(frozen=True, slots=True)
class Gap:
    """What follows does not go on from what was before."""

    reason: str
    at: float
    dropped_seconds: float = 0.0  # of sound that arrived and was not heard


@dataclass(frozen=True, slots=True)
class Title:
    """What the stream says is playing; never believed."""

    text: str
    at: float


Item = Sound | Gap | Title


class Source(Protocol):
    """Sound from somewhere, once from front to back."""

    name: str  # what it reads, as it may be shown
    rate: int  # Hz of the samples
    is_live: bool  # whether it goes on when nobody reads it; else it waits

    def items(self) -> Iterator[Item]:
        """Yield what arrives, until the source ends or is closed; raises MediaError where it cannot go on."""

    def close(self) -> None:
        """Stop reading, also from another thread."""
