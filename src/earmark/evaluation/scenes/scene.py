"""A scene: pieces of recordings on one line of time, and what is true of it.

Times are seconds: those of the scene are called `at` or `query_...`, those of a recording `start` or `reference_...`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of a recording, placed in a scene."""

    path: Path
    start: float  # second of the recording
    at: float  # second of the scene
    seconds: float  # length of the scene
    gain: float  # factor of amplitude
    track: str | None = None  # None: nothing that the catalog knows
    speed: float = 1.0  # seconds of the recording in a second of the scene, its pitch with it
    fade_in: float = 0.0  # seconds
    fade_out: float = 0.0
    replaces: bool = False  # whether what was there before is taken away
    label: str = ""  # name under which its figures are counted beside those of the scene

    @property
    def end(self) -> float:
        """Second of the scene at which it ends."""
        return self.at + self.seconds


@dataclass(frozen=True, slots=True)
class Piece:
    """What plays from when to when; the border of a fade is its middle, and `heard_...` are its ends."""

    track: str
    query_start: float
    query_end: float
    heard_start: float
    heard_end: float
    reference_start: float  # second of the recording at `query_start`
    speed: float
    label: str = ""

    @property
    def seconds(self) -> float:
        """Its length between its borders."""
        return self.query_end - self.query_start

    def reference_at(self, query_second: float) -> float:
        """Return the second of the recording that is heard at a second of the scene."""
        return self.reference_start + (query_second - self.query_start) * self.speed


@dataclass(frozen=True, slots=True)
class Scene:
    """What to ask, and its truth."""

    kind: str
    condition: str
    number: int
    seconds: float
    excerpts: tuple[Excerpt, ...]
    snr_decibels: float | None = None  # None: no noise
    seed: tuple[int, ...] = ()  # seed of the noise

    @property
    def id(self) -> str:
        """Its name among the scenes of a run."""
        noise = "" if self.snr_decibels is None else f"@{self.snr_decibels:g}dB"
        return f"{self.kind}/{self.condition}{noise}/{self.number:04d}"

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What a catalog should find in it, in the order of time."""
        known = [_piece_of(excerpt, excerpt.track) for excerpt in self.excerpts if excerpt.track is not None]
        return tuple(sorted(known, key=lambda piece: piece.query_start))


def _piece_of(excerpt: Excerpt, track: str) -> Piece:
    border = excerpt.at + excerpt.fade_in / 2
    return Piece(
        track=track,
        query_start=border,
        query_end=excerpt.end - excerpt.fade_out / 2,
        heard_start=excerpt.at,
        heard_end=excerpt.end,
        reference_start=excerpt.start + excerpt.fade_in / 2 * excerpt.speed,
        speed=excerpt.speed,
        label=excerpt.label,
    )
