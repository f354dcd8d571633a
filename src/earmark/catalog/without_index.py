"""What stands for an index in a catalog whose fingerprints this earmark cannot compare: tracks can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from earmark.catalog.backend import RebuildProgress
from earmark.errors import SpecMismatch
from earmark.types import Fingerprint


class WithoutIndex:
    """A `LiveIndex` for readers: whatever needs an index raises the SpecMismatch that says why there is none."""

    problems: Sequence[str] = ()
    degraded = False
    unpublished = 0

    def __init__(self, name: str, mismatch: SpecMismatch) -> None:
        self.name, self._mismatch = name, mismatch

    def snapshot(self) -> NoReturn:
        """Raise."""
        raise self._mismatch

    def refresh(self, *, wait: bool = True) -> bool:
        """Return False: there is nothing to follow."""
        return False

    def include(self, fingerprints: Iterable[tuple[int, Fingerprint]]) -> None:
        """Raise."""
        raise self._mismatch

    def apply_removals(self) -> None:
        """Raise."""
        raise self._mismatch

    def exclude(self, number: int, problem: str) -> None:
        """Raise."""
        raise self._mismatch

    def publish(self) -> None:
        """Raise."""
        raise self._mismatch

    def rebuild(self, name: str, progress: Callable[[RebuildProgress], object] | None = None) -> None:
        """Raise."""
        raise self._mismatch

    def stats(self) -> Mapping[str, float]:
        """Return no figures."""
        return {}

    def size(self) -> int:
        """Return 0 bytes."""
        return 0

    def check(self) -> list[str]:
        """Raise."""
        raise self._mismatch

    def copy(self, folder: Path) -> None:
        """Copy nothing: whoever opens the copy with the right earmark makes the index from the fingerprints."""
