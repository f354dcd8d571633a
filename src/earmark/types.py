"""The values that pass between rooms: frozen, without behaviour but views.

Times that people see are seconds (float64); frames are int32 and stay inside. A name says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Frames = NDArray[np.int32]
Codes = NDArray[np.uint32]

# Vectors of length 1 are kept as 8-bit integers, so many to one: components of 128 are about 0.09, none that matters
# above a half.
VECTOR_SCALE = 254.0


@dataclass(frozen=True, slots=True)
class Spec:
    """What shaped a fingerprint: two fingerprints can be compared only when their specs are equal."""

    name: str
    version: int
    digest: str  # of every parameter that shapes the features

    def __str__(self) -> str:
        return f"{self.name}/{self.version}/{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Return the spec that `str()` wrote as `text`; raises ValueError when it is none."""
        name, version, digest = text.split("/")
        return cls(name, int(version), digest)


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """The features of one recording or clip, in order of time."""

    spec: Spec
    seconds: float  # length of the audio they were taken from
    frames: Frames  # (n,), not decreasing
    features: NDArray[np.generic]  # (n,) or (n, w) uint32 codes, or (n, d) vectors of 8-bit integers
    beside: Fingerprint | None = None  # features of another kind, of the same sound, with frames of their own
    # Of a clip, (frames, bins / 2): how much each place speaks for a peak of the recording, four bits, the lower first.
    relief: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """What a channel stores of a recording, or looks up for a clip."""

    frames: Frames  # (n,)
    values: NDArray[Any]  # (n,) codes, or (n, d) vectors


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What an index found: parallel columns, one row a hit."""

    query_frames: Frames
    tracks: Frames  # the catalog's track numbers
    reference_frames: Frames
    scores: NDArray[np.float32]  # how much one hit says; comparable within one index only

    def __len__(self) -> int:
        return len(self.tracks)


@dataclass(frozen=True, slots=True)
class Track:
    """A recording that a catalog knows."""

    id: str  # stable across re-indexing
    title: str
    artist: str
    album: str
    path: str  # as given when it was added
    seconds: float
    complete: bool = True  # False when the file broke off or had damaged parts
    added: int = 0  # UTC, nanoseconds since 1970
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """One place of one track that a clip comes from."""

    track: Track
    confidence: float  # the probability that it is right
    query_start: float
    query_end: float
    reference_start: float
    reference_end: float
    position_error: float  # seconds, about one standard deviation
    speed: float  # 1.02: the clip plays 2 % faster than the reference
    pitch: float  # the clip's frequencies over the reference's
    evidence: Mapping[str, float]  # the figures the confidence was made of


@dataclass(frozen=True, slots=True)
class Answer:
    """What a catalog says of one clip: matches, best first; empty when nothing is known."""

    matches: tuple[Match, ...]
    threshold: float  # the confidence that was asked for
    reason: str  # why there is no match: silent, too_short, low_information, unknown; '' when there is one
    source: str  # what was asked, as it may be shown
    seconds: float  # length of the clip
    elapsed: float  # seconds it took
    degraded: bool = False  # part of the catalog is damaged and was not searched

    @property
    def best(self) -> Match | None:
        """The surest match, or None."""
        return self.matches[0] if self.matches else None


@dataclass(frozen=True, slots=True)
class AddReport:
    """What became of every file that a catalog was asked to add."""

    added: tuple[Track, ...] = ()
    updated: tuple[Track, ...] = ()  # files whose content had changed
    unchanged: tuple[str, ...] = ()  # paths
    failed: tuple[tuple[str, str], ...] = ()  # (path, reason)
    interrupted: bool = False
