"""What every engine does, and what a search of all channels is: numbers, never audio, tracks' names or files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from earmark.types import Frames, Hits, Keys

NEAREST = 20  # hits of each vector of a query, unless another number is asked for


class Snapshot(Protocol):
    """What one engine held at one moment; it never changes and its searches never wait for a writer."""

    def search(self, frames: Frames, keys: NDArray[Any], *, nearest: int = NEAREST) -> Hits:
        """Return where a query's keys stand in the references.

        An engine of vectors returns up to `nearest` hits of each; one of codes returns all that are equal.
        """


class Index(Protocol):
    """An engine: keys of reference recordings, and where each stands (track number and frame).

    Keys are codes, (n,) integers, or vectors, (n, d) int8 or float; an engine of the one kind refuses the other with an
    OptionError. One writer adds; removing and taking snapshots is safe from any thread.
    """

    def add(self, track: int, frames: Frames, keys: NDArray[Any]) -> None:
        """Add a recording's keys; `track` is the catalog's number for it, not yet in the index."""

    def remove(self, tracks: Iterable[int]) -> None:
        """Forget these tracks: no later snapshot has them. Unknown numbers are ignored."""

    def snapshot(self) -> Snapshot:
        """Return what the index holds now; what was added since the last one is put in order first."""

    def tracks(self) -> set[int]:
        """Return the numbers of all tracks that are there."""

    def holds(self, track: int, frames: Frames, keys: NDArray[Any]) -> bool:
        """Return whether a track is there with these keys at these frames; of many codes, some are looked up."""

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the whole index as named arrays, for `from_arrays`.

        A name that was in an earlier result stands for the same content, so a store may keep the old file.
        """

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the index that `arrays` described; the arrays may be memory-mapped and are not copied."""

    def stats(self) -> Mapping[str, float]:
        """Return figures about the index: tracks, keys, bytes, and what was left out and why."""


class Search(Protocol):
    """A snapshot of all channels of a catalog's index: it never changes and never waits."""

    @property
    def channels(self) -> frozenset[str]:
        """Names of the channels that are indexed."""

    def search(self, channel: str, keys: Keys, *, nearest: int = NEAREST) -> Hits:
        """Return where a query's keys of one channel stand in the references, as `Snapshot.search` does."""
