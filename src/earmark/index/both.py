"""Vectors, and the landmarks of the peaks beside them: an index of each, searched each for itself.

A recording that is lost to the one is often found by the other. Both only name candidates, which are then compared by
what the catalog stores of them, so vectors are kept in two bits a component here. Cost: that of `compact.py` and of
`postings.py`, added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from numpy.typing import NDArray

from earmark.index.postings import Postings
from earmark.index.protocol import NEAREST
from earmark.index.two_bit import Compact
from earmark.types import Frames, Hits

VECTORS, CODES = "vectors-", "codes-"  # before the names of arrays


class Both:
    """An index of vectors which also holds codes; see the module's docstring."""

    def __init__(self) -> None:
        self._vectors, self._codes = Compact(), Postings()

    def add(self, track: int, frames: Frames, keys: NDArray[Any]) -> None:
        """Add a recording's vectors."""
        self._vectors.add(track, frames, keys)

    def add_codes(self, track: int, frames: Frames, codes: NDArray[Any]) -> None:
        """Add a recording's codes; their frames may be others than those of the vectors."""
        self._codes.add(track, frames, codes)

    def remove(self, tracks: Iterable[int]) -> None:
        """Forget these tracks."""
        gone = list(tracks)
        self._vectors.remove(gone)
        self._codes.remove(gone)

    def search(self, frames: Frames, keys: NDArray[Any], *, nearest: int = NEAREST) -> Hits:
        """Return the nearest vectors of a query's vectors."""
        return self._vectors.search(frames, keys, nearest=nearest)

    def search_codes(self, frames: Frames, codes: NDArray[Any]) -> Hits:
        """Return where a query's codes stand."""
        return self._codes.search(frames, codes)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return both indexes as named arrays."""
        vectors = {VECTORS + name: array for name, array in self._vectors.arrays().items()}
        return vectors | {CODES + name: array for name, array in self._codes.arrays().items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the index that `arrays` described."""
        made = cls()
        made._vectors = Compact.from_arrays(_named(arrays, VECTORS))
        made._codes = Postings.from_arrays(_named(arrays, CODES))
        return made

    def stats(self) -> Mapping[str, float]:
        """Return the figures of the vectors, and those of the codes after their name."""
        return dict(self._vectors.stats()) | {f"codes_{name}": value for name, value in self._codes.stats().items()}


def _named(arrays: Mapping[str, NDArray[Any]], kind: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(kind): array for name, array in arrays.items() if name.startswith(kind)}
