"""What a fingerprinter says of its features, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Channel:
    """One way in which recordings are found: keys of one kind, in an index of their own."""

    name: str
    metric: Literal["equal", "inner", "hamming"]
    key_bits: int = 0  # width of a code; 0 for vectors


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an index needs to know of a kind of fingerprint."""

    channels: tuple[Channel, ...]
