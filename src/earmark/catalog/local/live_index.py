"""The index of an open catalog in a folder: loaded from the current generation, brought up to the store, published.

Whatever the generation lacks (the tail of tracks that were added since, all tracks when it is damaged) is taken from
the stored fingerprints, so an index can always be had and never decides what is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from earmark.catalog.backend import RebuildProgress, Store
from earmark.catalog.local.generations import Generation, Generations
from earmark.catalog.local.index_state import IndexMaker, IndexState
from earmark.errors import CatalogDamaged

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter
    from earmark.index.protocol import Search
    from earmark.types import Fingerprint


class LocalLiveIndex:
    """The index in memory, in step with the store.

    `_writing` serialises whoever changes the index, and no search takes it. A search takes the present snapshot, which
    is swapped in one assignment; the first one after a change makes it, under `_snapshotting`.
    """

    def __init__(
        self, store: Store, generations: Generations, fingerprinter: Fingerprinter, name: str, *, read_only: bool
    ) -> None:
        """Load the current generation and what came after it; a writer puts a damaged one in quarantine."""
        self._store, self._generations, self._fingerprinter = store, generations, fingerprinter
        self._read_only = read_only
        self._maker = IndexMaker(store, fingerprinter, self._note_damage)
        self._problems: list[str] = []
        self._excluded: set[int] = set()
        self._degraded = False
        self._writing, self._snapshotting = Lock(), Lock()
        self._seen = self._mark()
        if not read_only:
            generations.sweep()
        self._state = self._maker.followed(self._loaded() or self._maker.empty(name))
        self._change_mark = object()  # another one after each change
        self._current: tuple[object, Search | None] = (
            None,
            None,
        )  # mark of the change that the snapshot was made after

    @property
    def name(self) -> str:
        """Name of the index, as `Settings.index`."""
        return self._state.name

    @property
    def problems(self) -> Sequence[str]:
        """What is damaged, as sentences."""
        return tuple(self._problems)

    @property
    def degraded(self) -> bool:
        """Whether tracks had to be left out."""
        return self._degraded

    @property
    def unpublished(self) -> int:
        """How many track numbers the published generation is behind the index in memory."""
        state = self._state
        return state.last_track - (state.published or (0, 0))[0]

    def snapshot(self) -> Search:
        """Return the index as it is now."""
        mark, search = self._current
        if search is None or mark is not self._change_mark:
            with self._snapshotting:
                mark, search = self._current
                if search is None or mark is not self._change_mark:
                    mark = self._change_mark  # first: a change that comes meanwhile has another one
                    search = self._state.channels.snapshot()
                    self._current = mark, search
        return search

    def refresh(self, *, wait: bool = True) -> bool:
        """Follow what another process has written since, and return whether that was done; a writer has no other."""
        mark = self._mark() if self._read_only else self._seen
        if mark == self._seen or not self._writing.acquire(blocking=wait):
            return False
        try:
            if mark == self._seen:
                return False
            newer = self._loaded() if mark[1] != self._seen[1] else None
            self._change(self._maker.followed(newer or self._state))
            self._seen = mark
            return True
        finally:
            self._writing.release()

    def include(self, fingerprints: Iterable[tuple[int, Fingerprint]]) -> None:
        """Add newly stored tracks, given as (number, fingerprint) with rising numbers."""
        with self._writing:
            self._change(self._maker.added(self._state, self._maker.keys(fingerprints)))

    def apply_removals(self) -> None:
        """Leave out the tracks that the store has forgotten."""
        with self._writing:
            self._change(self._maker.removed(self._state))

    def exclude(self, number: int, problem: str) -> None:
        """Leave out a track that is damaged or gone; a question calls this, so it waits for no writer."""
        if problem:
            self._note_damage(problem)
        numbers = {number} if problem else {number, *self._unknown(number)}
        self._excluded |= numbers
        self._state.channels.remove(numbers)
        self._change_mark = object()

    def publish(self) -> None:
        """Make the index of this moment the current generation, when it is not; only the writer may."""
        with self._writing:
            self._publish()

    def rebuild(self, name: str, progress: Callable[[RebuildProgress], object] | None = None) -> None:
        """Make the index anew from the stored fingerprints, as one of that name, and publish it."""
        with self._writing:
            self._problems.clear()
            self._excluded.clear()
            self._degraded = False
            self._change(self._maker.rebuilt(name, progress))
            self._publish()

    def stats(self) -> Mapping[str, float]:
        """Return figures of the index."""
        return self._state.channels.stats()

    def size(self) -> int:
        """Return how many bytes of disk the current generation takes."""
        return self._generations.bytes()

    def check(self) -> list[str]:
        """Read every byte of the current generation, compare the index with the store; return what does not hold."""
        problems = self._generations.problems()
        if not problems:
            with self._writing:
                state = self._maker.followed(self._state)
                self._change(state)
                problems = self._maker.differences(state)
        return problems

    def copy(self, folder: Path) -> None:
        """Copy the current generation into a catalog's folder."""
        self._generations.copy(folder)

    def _unknown(self, gone: int) -> set[int]:
        """Return the tracks of the index that the store does not know, unless `gone` is one that was removed."""
        if any(number == gone for _, number in self._store.removals(self._state.last_removal)):
            return set()
        known = {number for number, _ in self._store.fingerprints_after(0)}
        return self._state.channels.tracks() - known

    def _mark(self) -> tuple[int, tuple[int, int]]:
        """Return what is another one when another process has written."""
        return self._store.version(), self._generations.current()

    def _note_damage(self, problem: str) -> None:
        self._problems.append(problem)
        self._degraded = True

    def _change(self, state: IndexState) -> None:
        self._state = state
        self._change_mark = object()

    def _loaded(self) -> IndexState | None:
        """Return the index of the current generation, whichever kind it is; None when that is damaged."""
        try:
            generation = self._generations.load()
            if generation is None:
                return None
            manifest = generation.manifest
            if not self._fingerprinter.accepts(manifest.spec):
                return None
            return self._without_excluded(generation)
        except CatalogDamaged as error:
            problem = str(error)
            if not self._read_only:
                problem += f"; it was moved to {self._generations.quarantine()} and made again"
            self._problems.append(problem)
            return None

    def _without_excluded(self, generation: Generation) -> IndexState:
        state = self._maker.loaded(generation)
        state.channels.remove(self._excluded)
        return state

    def _publish(self) -> None:
        state = self._state
        if state.is_published:
            return
        self._generations.publish(
            state.channels.arrays(),
            spec=str(self._fingerprinter.spec),
            index=state.name,
            last_track=state.last_track,
            last_removal=state.last_removal,
        )
        generation = self._generations.load()
        if generation is not None:
            self._change(self._without_excluded(generation))  # mapped from disk, where it was in memory
