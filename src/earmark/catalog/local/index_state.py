"""An index with how far it follows the store, and how it is made: of a generation, or of the stored fingerprints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from earmark.catalog.backend import RebuildProgress, Store
from earmark.catalog.local.generations import Generation
from earmark.catalog.unpack import keys_of
from earmark.errors import CatalogDamaged, EarmarkError

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter
    from earmark.index.channels import Channels
    from earmark.types import Fingerprint, Keys


@dataclass(frozen=True, slots=True, eq=False)
class IndexState:
    """An index, and up to where it follows the store."""

    name: str
    channels: Channels
    last_track: int = 0  # number of the newest track in it
    last_removal: int = 0  # sequence of the newest removal that is done
    published: tuple[int, int] | None = (0, 0)  # both of its generation; None where one is to be published in any case

    @property
    def is_published(self) -> bool:
        """Whether its generation holds all that it does."""
        return self.published == (self.last_track, self.last_removal)


class IndexMaker:
    """Makes the index of a store's fingerprints and brings it up to date."""

    def __init__(self, store: Store, fingerprinter: Fingerprinter, report: Callable[[str], object]) -> None:
        """`report` is called with a sentence for each fingerprint that is damaged and left out."""
        self._store, self._fingerprinter, self._report = store, fingerprinter, report

    def empty(self, name: str) -> IndexState:
        """Return an index of nothing."""
        from earmark.index.channels import Channels

        return IndexState(name, Channels(name, self._fingerprinter.plan.channels))

    def loaded(self, generation: Generation) -> IndexState:
        """Return the index of a generation, mapped; raises CatalogDamaged when its arrays do not make one."""
        from earmark.index.channels import Channels

        manifest, plan = generation.manifest, self._fingerprinter.plan
        try:
            channels = Channels.from_arrays(manifest.index, plan.channels, generation.arrays)
        except (EarmarkError, ValueError, LookupError, TypeError, ArithmeticError, MemoryError) as error:
            raise CatalogDamaged(f"generation {manifest.generation} does not make an index ({error})") from error
        last_track, last_removal = self._store.last()
        if manifest.last_track > last_track or manifest.last_removal > last_removal:
            raise CatalogDamaged(f"generation {manifest.generation} is another catalog's: it has later tracks")
        last = manifest.last_track, manifest.last_removal
        return IndexState(manifest.index, channels, *last, published=last)

    def followed(self, state: IndexState) -> IndexState:
        """Return an index with the tracks that the store has beyond it, without those that it has forgotten."""
        return self.removed(self.added(state, self.stored_keys(state.last_track)))

    def keys(self, fingerprints: Iterable[tuple[int, Fingerprint]]) -> Iterator[tuple[int, Mapping[str, Keys]]]:
        """Yield the keys of fingerprints that were just made."""
        for number, fingerprint in fingerprints:
            yield number, self._fingerprinter.keys(fingerprint)

    def added(self, state: IndexState, keys: Iterable[tuple[int, Mapping[str, Keys]]]) -> IndexState:
        """Return an index with these tracks, given with rising numbers."""
        added = list[int]()
        try:
            for number, own in keys:
                added.append(number)
                state.channels.add(number, own)
        except BaseException:
            state.channels.remove(added)  # or the next try would enter them twice
            raise
        return replace(state, last_track=max([state.last_track, *added]))

    def removed(self, state: IndexState) -> IndexState:
        """Return an index without the tracks that the store has forgotten."""
        removals = self._store.removals(state.last_removal)
        if not removals:
            return state
        state.channels.remove([number for _, number in removals])
        return replace(state, last_removal=removals[-1][0])

    def rebuilt(self, name: str, progress: Callable[[RebuildProgress], object] | None) -> IndexState:
        """Return an index of all stored fingerprints, to be published."""
        from earmark.index.build_time import build_seconds

        state, channel = self.empty(name), self._fingerprinter.plan.channels[0].name
        last_track = counted = 0
        total, began = self._store.count()[0], time.monotonic()
        last_removal = max([0, *(sequence for sequence, _ in self._store.removals(0))])
        for done, (number, keys) in enumerate(self.stored_keys(0), 1):
            state.channels.add(number, keys)
            last_track, counted = number, counted + len(keys[channel].frames)
            if progress is not None:
                reading = (time.monotonic() - began) / done * max(total - done, 0)
                building = build_seconds(name, counted * max(total, done) // done)
                progress(RebuildProgress(done, total, reading + building))
        return replace(state, last_track=last_track, last_removal=last_removal, published=None)

    def differences(self, state: IndexState) -> list[str]:
        """Return where an index is not that of the stored fingerprints, as sentences."""
        known, other = set[int](), list[int]()
        for number, packed in self._store.fingerprints_after(0):
            known.add(number)
            with suppress(CatalogDamaged):  # which is said of the row
                if not state.channels.holds(number, keys_of(self._fingerprinter, number, packed)):
                    other.append(number)
        unknown = state.channels.tracks() - known
        problems = {
            "lacks, or holds with other keys than are stored,": other,
            "holds, though there is no fingerprint of them,": sorted(unknown),
        }
        return [
            f"the index {problem} {len(numbers)} tracks, as number {numbers[0]}; `earmark rebuild` makes it again"
            for problem, numbers in problems.items()
            if numbers
        ]

    def stored_keys(self, after: int) -> Iterator[tuple[int, Mapping[str, Keys]]]:
        """Yield the keys of stored fingerprints with a higher number than that; damaged ones are reported."""
        for number, packed in self._store.fingerprints_after(after):
            try:
                keys = keys_of(self._fingerprinter, number, packed)
            except CatalogDamaged as error:
                self._report(str(error))
            else:
                yield number, keys
