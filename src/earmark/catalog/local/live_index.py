"""The index of an open catalog in a folder: loaded from the current generation, brought up to the store, published.

Whatever the generation lacks (the tail of tracks that were added since, all tracks when it is damaged) is taken from
the stored fingerprints, so an index can always be had and never decides what is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from earmark.catalog.backend import RebuildProgress, Store
from earmark.catalog.local.generations import Generation, Generations
from earmark.errors import CatalogDamaged, EarmarkError
from earmark.types import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from earmark.fingerprints.protocol import Fingerprinter
    from earmark.index.channels import Channels
    from earmark.index.protocol import Search


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """An index, and up to where it follows the store."""

    name: str
    channels: Channels
    last_track: int  # number of the newest track in it
    last_removal: int  # sequence of the newest removal that is done
    published_track: int = 0  # number of the newest track in the generation that it was loaded from, 0 for none


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
        self._problems: list[str] = []
        self._excluded: set[int] = set()
        self._degraded = self._unsaved = False
        self._writing, self._snapshotting = Lock(), Lock()
        self._seen = self._mark()
        if not read_only:
            generations.sweep()
        self._state = self._followed(self._loaded(name) or self._empty(name))
        self._search: Search = self._state.channels.snapshot()
        self._is_stale = False

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
        return self._state.last_track - self._state.published_track

    def snapshot(self) -> Search:
        """Return the index as it is now."""
        if self._is_stale:
            with self._snapshotting:
                if self._is_stale:
                    self._is_stale = False  # first: a change that comes meanwhile makes it stale again
                    self._search = self._state.channels.snapshot()
        return self._search

    def refresh(self, *, wait: bool = True) -> bool:
        """Follow what another process has written since, and return whether that was done; a writer has no other."""
        mark = self._mark() if self._read_only else self._seen
        if mark == self._seen or not self._writing.acquire(blocking=wait):
            return False
        try:
            if mark == self._seen:
                return False
            settings = self._store.settings()
            state = None
            if mark[1] != self._seen[1] and settings is not None:
                state = self._loaded(settings.index)
            self._state = self._followed(state or self._state)
            self._is_stale, self._seen = True, mark
            return True
        finally:
            self._writing.release()

    def include(self, fingerprints: Iterable[tuple[int, bytes]]) -> None:
        """Add newly stored tracks, given as (number, packed fingerprint) with rising numbers."""
        unpacked = [(number, self._fingerprinter.unpack(packed)) for number, packed in fingerprints]
        with self._writing:
            self._state, self._is_stale = self._added(self._state, unpacked), True

    def apply_removals(self) -> None:
        """Leave out the tracks that the store has forgotten."""
        with self._writing:
            self._state, self._is_stale = self._removed(self._state), True

    def exclude(self, number: int, problem: str) -> None:
        """Leave out a track that is damaged or gone; a question calls this, so it waits for no writer."""
        if problem:
            self._problems.append(problem)
            self._degraded = True
        self._excluded.add(number)
        self._state.channels.remove([number])
        self._is_stale = True

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
            self._state, self._is_stale, self._unsaved = self._rebuilt(name, progress), True, True
            self._publish()

    def stats(self) -> Mapping[str, float]:
        """Return figures of the index."""
        return self._state.channels.stats()

    def size(self) -> int:
        """Return how many bytes of disk the current generation takes."""
        return self._generations.bytes()

    def check(self) -> list[str]:
        """Read every byte of the current generation and return what does not hold."""
        return self._generations.problems()

    def copy(self, folder: Path) -> None:
        """Copy the current generation into a catalog's folder."""
        self._generations.copy(folder)

    def _mark(self) -> tuple[int, tuple[int, int]]:
        """Return what is another one when another process has written."""
        return self._store.version(), self._generations.current()

    def _empty(self, name: str) -> _State:
        from earmark.index.channels import Channels

        return _State(name, Channels(name, self._fingerprinter.plan.channels), 0, 0)

    def _loaded(self, name: str) -> _State | None:
        """Return the index of the current generation, None when that is damaged or another index's."""
        try:
            generation = self._generations.load()
            if generation is None:
                return None
            manifest = generation.manifest
            if manifest.spec != str(self._fingerprinter.spec) or manifest.index != name:
                return None  # of before a rebuild that has not come to its end
            return self._adopted(generation)
        except CatalogDamaged as error:
            problem = str(error)
            if not self._read_only:
                problem += f"; it was moved to {self._generations.quarantine()} and made again"
            self._problems.append(problem)
            return None

    def _adopted(self, generation: Generation) -> _State:
        from earmark.index.channels import Channels

        manifest, plan = generation.manifest, self._fingerprinter.plan
        try:
            channels = Channels.from_arrays(manifest.index, plan.channels, generation.arrays)
        except (EarmarkError, ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise CatalogDamaged(f"generation {manifest.generation} does not make an index ({error})") from error
        channels.remove(self._excluded)
        last = manifest.last_track
        return _State(manifest.index, channels, last, manifest.last_removal, last)

    def _followed(self, state: _State) -> _State:
        """Return an index with the tracks that the store has beyond it, without those that it has forgotten."""
        return self._removed(self._added(state, self._fingerprints(state.last_track)))

    def _added(self, state: _State, fingerprints: Iterable[tuple[int, Fingerprint]]) -> _State:
        last = state.last_track
        for last, fingerprint in fingerprints:
            state.channels.add(last, self._fingerprinter.keys(fingerprint))
            self._unsaved = True
        return replace(state, last_track=last)

    def _removed(self, state: _State) -> _State:
        removals = self._store.removals(state.last_removal)
        if not removals:
            return state
        state.channels.remove([number for _, number in removals])
        self._unsaved = True
        return replace(state, last_removal=removals[-1][0])

    def _fingerprints(self, after: int) -> Iterator[tuple[int, Fingerprint]]:
        for number, packed in self._store.fingerprints_after(after):
            if isinstance(packed, CatalogDamaged):
                self._problems.append(str(packed))
                self._degraded = True
            else:
                yield number, self._fingerprinter.unpack(packed)

    def _publish(self) -> None:
        if not self._unsaved:
            return
        state = self._state
        self._generations.publish(
            state.channels.arrays(),
            spec=str(self._fingerprinter.spec),
            index=state.name,
            last_track=state.last_track,
            last_removal=state.last_removal,
        )
        self._unsaved = False
        generation = self._generations.load()
        if generation is not None:
            self._state, self._is_stale = self._adopted(generation), True  # mapped from disk, where it was in memory

    def _rebuilt(self, name: str, progress: Callable[[RebuildProgress], object] | None) -> _State:
        from earmark.index.build_time import build_seconds
        from earmark.index.channels import Channels

        plan = self._fingerprinter.plan
        channels, last_track, counted = Channels(name, plan.channels), 0, 0
        total, began = self._store.count()[0], time.monotonic()
        last_removal = max([0, *(sequence for sequence, _ in self._store.removals(0))])
        for done, (number, fingerprint) in enumerate(self._fingerprints(0), 1):
            keys = self._fingerprinter.keys(fingerprint)
            channels.add(number, keys)
            last_track, counted = number, counted + len(keys[plan.channels[0].name].frames)
            if progress is not None:
                reading = (time.monotonic() - began) / done * max(total - done, 0)
                building = build_seconds(name, counted * max(total, done) // done)
                progress(RebuildProgress(done, total, reading + building))
        return _State(name, channels, last_track, last_removal)
