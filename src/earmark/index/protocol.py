"""What every index does: it sees numbers, never audio, tracks' names or files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self, runtime_checkable

from numpy.typing import NDArray

from earmark.types import Frames, Hits

NEAREST = 20  # hits of each vector of a query, unless another number is asked for


class Index(Protocol):
    """Keys of reference recordings, and where each stands: track number and frame.

    Keys are codes, (n,) integers, or vectors, (n, d) int8 or float; an index of the one kind refuses the other with an
    OptionError.

    Reading is safe from several threads; adding and removing are for one writer.
    """

    def add(self, track: int, frames: Frames, keys: NDArray[Any]) -> None:
        """Add a recording's keys; `track` is the catalog's number for it, not yet in the index."""

    def remove(self, tracks: Iterable[int]) -> None:
        """Forget these tracks: no search returns them again. Unknown numbers are ignored."""

    def search(self, frames: Frames, keys: NDArray[Any], *, nearest: int = NEAREST) -> Hits:
        """Return where a query's keys stand in the references.

        An index of vectors returns up to `nearest` hits of each; one of codes returns all that are equal.
        """

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the whole index as named arrays, for `from_arrays`.

        A name that was in an earlier result stands for the same content, so a store may keep the old file.
        """

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the index that `arrays` described; the arrays may be memory-mapped and are not copied."""

    def stats(self) -> Mapping[str, float]:
        """Return figures about the index: tracks, keys, bytes, and what was left out and why."""


@runtime_checkable
class OfTwoKinds(Index, Protocol):
    """An index of vectors that also holds codes of the same recordings."""

    def add_codes(self, track: int, frames: Frames, codes: NDArray[Any]) -> None:
        """Add a recording's codes, (n,) integers; their frames may be others than those of the vectors."""

    def search_codes(self, frames: Frames, codes: NDArray[Any]) -> Hits:
        """Return where a query's codes stand in the references."""
