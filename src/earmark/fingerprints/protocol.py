"""What every fingerprinter does, rule-based or learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from earmark.plan import Plan
from earmark.types import Codes, Fingerprint, Frames, Keys, Samples, Spec


class Fingerprinter(Protocol):
    """Turns sound into a fingerprint, and a fingerprint into what an index looks up.

    The same audio gives the same fingerprint, whatever the size of the blocks it comes in.
    """

    @property
    def spec(self) -> Spec:
        """Name, version and a digest of every parameter that shapes the features."""

    @property
    def rate(self) -> int:
        """The sample rate in Hz that `extract` expects."""

    @property
    def plan(self) -> Plan:
        """How recordings are found by these fingerprints."""

    @property
    def frame_seconds(self) -> float:
        """How long one frame of `Fingerprint.frames` lasts."""

    @property
    def fewest_features(self) -> int:
        """A recording or a clip with fewer features cannot be told from chance."""

    def extract(self, audio: Samples | Iterable[Samples], *, query: bool = False) -> Fingerprint:
        """Return the fingerprint of mono samples at `rate`, given whole or as consecutive blocks.

        `query` may look closer (more features), because a clip is short and a catalog is not.
        """

    def terms(self, fingerprint: Fingerprint, *, query: bool = False) -> tuple[Frames, Codes | NDArray[Any]]:
        """Return (frames, keys), each (n,): what an index stores of a reference, or looks up for a query."""

    def keys(self, fingerprint: Fingerprint, *, query: bool = False) -> Mapping[str, Keys]:
        """Return what each channel of the plan stores of a reference, or looks up for a query."""

    def pack(self, fingerprint: Fingerprint) -> bytes:
        """Return a compact form for the catalog; the features survive it exactly."""

    def unpack(self, packed: bytes) -> Fingerprint:
        """Return what `pack` packed; raises SpecMismatch for another fingerprinter's."""


@runtime_checkable
class Constellations(Fingerprinter, Protocol):
    """A fingerprinter whose features are points in time and frequency, which can be laid over one another."""

    @property
    def lead_seconds(self) -> float:
        """The time from the beginning of a frame to its middle, which is what it stands for."""

    @property
    def bins(self) -> int:
        """One more than the largest bin."""

    def points(self, fingerprint: Fingerprint, *, prominent: bool = False) -> tuple[Frames, Frames]:
        """Return (frames, bins) of the features; bins count from 0 Hz, so that a change of pitch is a factor.

        With `prominent`, only of those that stand out most, which terms are made of: a third or half of what is stored.
        """

    def relief(self, fingerprint: Fingerprint) -> NDArray[np.uint8] | None:
        """Return how much each place of a clip's spectrogram speaks for a peak, (frames, bins) from 0 Hz, or None."""


@runtime_checkable
class Segmented(Fingerprinter, Protocol):
    """A fingerprinter whose features are vectors, each of a segment of the sound; compared by their inner products."""

    @property
    def segment_frames(self) -> int:
        """How many frames a segment has."""

    @property
    def hop_frames(self) -> int:
        """How many frames after the one before a stored segment begins."""

    @property
    def query_hop_frames(self) -> int:
        """How many frames after the one before a query's segment begins."""

    @property
    def peaks(self) -> Constellations | None:
        """What reads the constellation in `Fingerprint.beside`, None when there is none."""

    def vectors(self, fingerprint: Fingerprint) -> NDArray[np.float32]:
        """Return the features as vectors of length 1, (n, d)."""
