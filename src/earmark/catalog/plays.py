"""Plays: which recording was on air, where, from when to when; and what a catalog asks of a store that keeps them.

Times are UTC, in seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

State = Literal["accepted", "review", "rejected"]
Prominence = Literal["foreground", "background", "unknown"]

STATES: tuple[State, ...] = ("accepted", "review", "rejected")


@dataclass(frozen=True, slots=True)
class PlayedTrack:
    """What tells a track apart, as it was when it was heard: a play outlives its track."""

    id: str
    title: str
    artist: str
    album: str
    path: str
    seconds: float  # length of the recording


@dataclass(frozen=True, slots=True)
class Play:
    """One airing of one recording on one station."""

    station: str
    track: PlayedTrack
    start: float
    end: float  # so far, as long as it is open
    source_start: float  # second of the file or stream at which it begins, since the monitor began to read it
    reference_start: float  # second of the recording at `start`
    reference_end: float
    share: float  # of the recording that was heard, 0 to 1
    confidence: float  # of its surest part
    state: State
    prominence: Prominence  # foreground, or background: under speech
    is_open: bool  # whether it goes on
    utc_offset: float = 0.0  # seconds by which the station's local time is ahead of UTC
    copies: tuple[str, ...] = ()  # ids of other tracks that hold the same sound
    evidence: Mapping[str, float] = field(default_factory=dict)  # figures of its surest part
    note: str = ""  # what the stream itself said was playing; never believed
    number: int = 0  # given by the store, rising, never used again; 0: not kept yet

    @property
    def place(self) -> tuple[float, int]:
        """What plays are ordered by."""
        return self.start, self.number

    def is_of(self, track: str) -> bool:
        """Return whether a track was heard, by its id, or another one that sounds the same."""
        return track == self.track.id or track in self.copies

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class HeardSound:
    """The packed fingerprint of a piece of a station's sound."""

    station: str
    start: float
    seconds: float
    packed: bytes
    number: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that a webhook has not taken yet."""

    number: int
    target: str
    body: bytes
    attempts: int  # made so far
    due: float  # when to try again


class PlayStore(Protocol):
    """Keeps plays, heard sound and messages; safe to use from several threads, and several processes may write.

    A change is durable when the call returns, or the transaction around it. Raises CatalogError.
    """

    def close(self) -> None:
        """Close it; a second call does nothing."""

    def transaction(self) -> AbstractContextManager[None]:
        """Keep all changes made inside, or none."""

    def save(self, play: Play) -> Play:
        """Write a play, a new one where it has no number, and return it with its number."""

    def remove(self, number: int) -> None:
        """Forget a play."""

    def get(self, number: int) -> Play:
        """Return a play; raises PlayNotFound."""

    def find(
        self,
        *,
        station: str | None = None,
        since: float | None = None,
        until: float | None = None,
        state: State | None = None,
        is_open: bool | None = None,
        track: str | None = None,
        after: tuple[float, int] | None = None,
    ) -> Iterator[Play]:
        """Yield the plays that reach into the time between two moments, in order of their start and number.

        `track` is the id of the recording, or of one that sounds the same; `after` is the `place` of a play, after
        which they begin.
        """

    def stations(self) -> list[str]:
        """Return the names of the stations that have plays, in alphabetical order."""

    def keep(self, heard: HeardSound) -> None:
        """Keep the fingerprint of a piece of sound."""

    def heard(self, *, station: str | None = None, since: float | None = None) -> Iterator[HeardSound]:
        """Yield the pieces that reach beyond a moment, station by station, in order of time."""

    def forget_heard(self, station: str, before: float) -> None:
        """Forget the pieces of a station that end before a moment."""

    def queue(self, target: str, body: bytes) -> None:
        """Have a message delivered; it is kept until `delivered`."""

    def deliveries(self, now: float, *, limit: int = 100) -> list[Delivery]:
        """Return the messages that are due, the oldest first."""

    def postpone(self, number: int, due: float) -> None:
        """Count an attempt at a message, and try it again at `due`."""

    def delivered(self, number: int) -> None:
        """Forget a message."""

    def problems(self) -> list[str]:
        """Return what is wrong with the store as a whole, as sentences."""

    def copy(self, folder: Path) -> bool:
        """Write a consistent copy into a catalog's folder, and return whether there was anything to copy."""
