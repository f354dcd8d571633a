"""What a monitor tells while it listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from earmark.catalog.plays import Play

Kind = Literal[
    "first_heard",  # a play began
    "confirmed",  # a play that was for review is sure now
    "closed",  # a play ended
    "known",  # a play that an earlier run has written was heard to its end again
    "withdrawn",  # a play that had begun turned out to be none
    "candidate",  # something that is not sure enough, on request
    "gap",  # the sound broke off: detail `reason`, `dropped_seconds`
    "title",  # what the stream says is playing: detail `title`; never believed
    "ended",  # a source ended: detail `reason`, '' at the end of a file
]


@dataclass(frozen=True, slots=True)
class MonitorEvent:
    """One thing that happened on one station."""

    kind: Kind
    station: str
    at: float  # UTC, seconds since 1970, of the sound that it is about
    play: Play | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
