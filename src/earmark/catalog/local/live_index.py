"""The index of an open catalog: loaded from the current generation, brought up to the store, and published.

Whatever the generation lacks (the tail of tracks that were added since, all tracks when it is damaged) is taken from
the stored fingerprints, so an index can always be had and never decides what is known.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from earmark.catalog.local.generations import Generation, Generations
from earmark.catalog.sqlite.store import Store
from earmark.errors import CatalogDamaged, EarmarkError
from earmark.fingerprints.protocol import Segmented
from earmark.index.protocol import OfTwoKinds
from earmark.types import Fingerprint

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter
    from earmark.index.protocol import Index


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """How far an index is made again."""

    done: int  # tracks whose fingerprints have been read
    total: int
    seconds_left: float  # about, with what the index does when it has them all


class Indexing:
    """The index in memory, in step with the store. Searching threads go through `searching`."""

    def __init__(self, store: Store, generations: Generations, fingerprinter: Fingerprinter, name: str) -> None:
        self.name = name
        self.problems: list[str] = []  # sentences about what is damaged
        self.degraded = False  # whether tracks had to be left out
        self.index: Index
        self._store, self._generations, self._fingerprinter = store, generations, fingerprinter
        self._gate = _Gate()
        self._last_track = self._last_removal = 0
        self._unpublished = False
        self._changed = False  # since it was last asked
        self._published_track = 0

    @property
    def behind(self) -> int:
        """How many track numbers the published generation is behind the index in memory."""
        return self._last_track - self._published_track

    @contextmanager
    def searching(self) -> Iterator[Index]:
        """Give the index to search in; it does not change meanwhile."""
        while True:
            if self._changed:
                with self._gate.writing():
                    self.index.stats()  # an index may put work off until it is asked; here nobody else asks
                    self._changed = False
            with self._gate.reading():
                if not self._changed:
                    yield self.index
                    return

    def load(self, *, repair: bool) -> None:
        """Read the current generation and what came after it; with `repair`, a damaged one goes to quarantine."""
        generation = self._load_generation(repair)
        if generation is None:
            from earmark.index import make

            self.index, self._last_track, self._last_removal = make(self.name), 0, 0
        else:
            self._last_track = generation.manifest.last_track
            self._last_removal = generation.manifest.last_removal
        self._published_track = self._last_track
        for number, fingerprint in self._fingerprints(self._last_track):
            self._include(number, fingerprint)
        self._follow_removals()

    def include(self, fingerprints: Iterable[tuple[int, bytes]]) -> None:
        """Add newly stored tracks, given as (number, packed fingerprint) with rising numbers."""
        unpacked = [(number, self._fingerprinter.unpack(packed)) for number, packed in fingerprints]
        with self._gate.writing():
            for number, fingerprint in unpacked:
                self._include(number, fingerprint)

    def follow_removals(self) -> None:
        """Forget the tracks that the store has forgotten."""
        with self._gate.writing():
            self._follow_removals()

    def forget(self, number: int, problem: str) -> None:
        """Search a track that is damaged or gone no more, for as long as the catalog is open."""
        if problem:
            self.problems.append(problem)
            self.degraded = True
        with self._gate.writing():
            self.index.remove([number])
            self._changed = True

    def publish(self) -> None:
        """Make the index of this moment the current generation, when it is not; only the writer may."""
        if not self._unpublished:
            return
        self._generations.publish(
            self.index.arrays(),
            spec=str(self._fingerprinter.spec),
            index=self.name,
            last_track=self._last_track,
            last_removal=self._last_removal,
        )
        self._unpublished, self._published_track = False, self._last_track
        generation = self._generations.load()
        if generation is not None:
            self._adopt(generation)  # mapped from disk, where it was in memory

    def rebuild(self, name: str, progress: Callable[[Rebuilding], object] | None = None) -> None:
        """Make the index anew from the stored fingerprints, as one of the kind `name`, and publish it."""
        from earmark.index import make
        from earmark.index.build_time import building_seconds

        index, last_track, keys = make(name), 0, 0
        total, began = self._store.count()[0], time.monotonic()
        last_removal = max([0, *(sequence for sequence, _ in self._store.removals(0))])
        self.problems.clear()
        self.degraded = False
        for done, (number, fingerprint) in enumerate(self._fingerprints(0), 1):
            self._put(index, number, fingerprint)
            last_track, keys = number, keys + len(fingerprint.frames)
            if progress is not None:
                reading = (time.monotonic() - began) / done * max(total - done, 0)
                progress(Rebuilding(done, total, reading + building_seconds(name, keys * max(total, done) // done)))
        with self._gate.writing():
            self.index, self.name, self._changed = index, name, True
            self._last_track, self._last_removal = last_track, last_removal
        self._unpublished = True
        self.publish()

    def stats(self) -> dict[str, Any]:
        """Return the figures of the index."""
        with self.searching() as index:
            return dict(index.stats())

    def _load_generation(self, repair: bool) -> Generation | None:
        try:
            generation = self._generations.load()
            if generation is None:
                return None
            manifest = generation.manifest
            if manifest.spec != str(self._fingerprinter.spec) or manifest.index != self.name:
                return None  # of before a rebuild that did not come to its end
            self._adopt(generation)
        except CatalogDamaged as error:
            self.problems.append(str(error))
            if repair:
                moved = self._generations.quarantine()
                self.problems[-1] += f"; it was moved to {moved} and made again"
            return None
        return generation

    def _adopt(self, generation: Generation) -> None:
        from earmark.index import load

        try:
            index = load(self.name, generation.arrays)
        except (EarmarkError, ValueError, LookupError, TypeError, ArithmeticError) as error:
            number = generation.manifest.generation
            raise CatalogDamaged(f"generation {number} does not make an index ({error})") from error
        with self._gate.writing():
            self.index = index

    def _fingerprints(self, after: int) -> Iterator[tuple[int, Fingerprint]]:
        for number, packed in self._store.fingerprints(after):
            if isinstance(packed, CatalogDamaged):
                self.problems.append(str(packed))
                self.degraded = True
            else:
                yield number, self._fingerprinter.unpack(packed)

    def _include(self, number: int, fingerprint: Fingerprint) -> None:
        self._put(self.index, number, fingerprint)
        self._last_track = number
        self._unpublished = self._changed = True

    def _put(self, index: Index, number: int, fingerprint: Fingerprint) -> None:
        index.add(number, *self._fingerprinter.terms(fingerprint))
        if isinstance(index, OfTwoKinds) and isinstance(self._fingerprinter, Segmented):
            peaks = self._fingerprinter.peaks
            if peaks and fingerprint.beside:
                index.add_codes(number, *peaks.terms(fingerprint.beside))

    def _follow_removals(self) -> None:
        removals = self._store.removals(self._last_removal)
        if removals:
            self.index.remove([number for _, number in removals])
            self._last_removal = removals[-1][0]
            self._unpublished = self._changed = True


class _Gate:
    """Many may read at a time, or one write, who keeps new readers out while waiting for those inside."""

    def __init__(self) -> None:
        self._entrance = threading.Lock()
        self._condition = threading.Condition()
        self._readers = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._entrance, self._condition:
            self._readers += 1
        try:
            yield
        finally:
            with self._condition:
                self._readers -= 1
                self._condition.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._entrance, self._condition:
            self._condition.wait_for(lambda: self._readers == 0)
            yield
