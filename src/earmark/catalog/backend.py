"""Where a catalog's truth and its index are kept: what `Catalog` asks of a store and of a live index.

`catalog/sqlite` and `catalog/local` keep both in a folder; tests/contract holds every other implementation to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from earmark.catalog.plays import PlayStore
from earmark.catalog.settings import Settings
from earmark.errors import CatalogDamaged
from earmark.types import Fingerprint, TimeRange, Track

if TYPE_CHECKING:
    from earmark.index.protocol import Search


MOST_RANGES_BYTES = 1 << 22  # bytes of the time ranges of one track, as they are kept
MOST_PACKED_BYTES = 1 << 26  # bytes of a packed fingerprint: two days of audio


class File(msgspec.Struct, frozen=True):
    """A file as it was when it was read, and the number of the track that it holds."""

    path: bytes  # absolute
    bytes: int
    modified: int  # nanoseconds since 1970, as the file system says
    track: int


class Recording(msgspec.Struct, frozen=True):
    """A track with what the catalog alone knows of it."""

    number: int
    content: bytes  # SHA-256 of the file
    track: Track
    file_words: Mapping[str, str | None] = {}  # words of the file itself, where somebody has edited them; words.py


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """How far an index is made again."""

    done: int  # tracks whose fingerprints have been read
    total: int
    seconds_left: float  # estimate, with what the index does when it has them all


class Store(Protocol):
    """The truth of a catalog: tracks, their files and their fingerprints. Safe to use from several threads.

    A number is given to each recording, rising, and never used again. Where rows can be damaged, a damaged one raises
    CatalogDamaged, and stands as that error in what holds several.
    """

    def close(self) -> None:
        """Close it; every later call raises CatalogError, but another `close`."""

    def transaction(self) -> AbstractContextManager[None]:
        """Keep all changes made inside, or none; when it returns they are durable. Raises CatalogReadOnly."""

    def version(self) -> int:
        """Return a number that is another one after another process, or another store of this one, has committed."""

    def settings(self) -> Settings | None:
        """Return what the catalog was made with, or None when that was never written."""

    def write_settings(self, settings: Settings) -> None:
        """Write what the catalog is made with; inside a transaction."""

    def insert(
        self, track: Track, content: bytes, packed: bytes, *, file_words: Mapping[str, str | None] | None = None
    ) -> int:
        """Add a recording and its fingerprint, and return its number; inside a transaction. Raises TrackExists."""

    def change(self, number: int, track: Track, *, file_words: Mapping[str, str | None] | None = None) -> None:
        """Write other words about a recording; inside a transaction. Raises TrackExists when the id is taken.

        `file_words`: as in `Recording`; None leaves them as they are.
        """

    def delete(self, number: int) -> None:
        """Forget a recording, its files and its fingerprint; inside a transaction."""

    def recording(self, number: int) -> Recording:
        """Return a recording by its number; raises TrackNotFound, CatalogDamaged."""

    def recordings(self, after: int = 0) -> Iterator[Recording | CatalogDamaged]:
        """Yield the recordings with a higher number in the order they were added."""

    def number_of(self, id: str) -> int:
        """Return the number of the track with an id; raises TrackNotFound."""

    def id_of(self, number: int) -> str:
        """Return the id of a track, which stands even where the rest of its row is damaged; raises TrackNotFound."""

    def has_id(self, id: str) -> bool:
        """Return whether a track has that id."""

    def number_with(self, content: bytes) -> int | None:
        """Return the number of the recording whose file has that SHA-256, or None."""

    def last(self) -> tuple[int, int]:
        """Return the highest number that was ever given, and the highest sequence number of a removal; 0 for none."""

    def count(self) -> tuple[int, float]:
        """Return how many recordings there are, and how many seconds they last together."""

    def fingerprints(self, numbers: Sequence[int]) -> Mapping[int, bytes | CatalogDamaged]:
        """Return the packed fingerprints of these recordings in one query; numbers that are not there are left out."""

    def fingerprints_after(self, number: int) -> Iterator[tuple[int, bytes | CatalogDamaged]]:
        """Yield (number, packed) of every recording with a higher number, rising."""

    def removals(self, after: int) -> Sequence[tuple[int, int]]:
        """Return (sequence, number) of every recording that was removed after that sequence number."""

    def ranges(self, number: int) -> Sequence[TimeRange]:
        """Return the time ranges of a recording in their order; none where it has none. Raises CatalogDamaged."""

    def write_ranges(self, number: int, ranges: Sequence[TimeRange]) -> None:
        """Write all time ranges of a recording, in place of those it has; inside a transaction."""

    def file(self, path: bytes) -> File | None:
        """Return what is known of a file, or None."""

    def files(self, number: int) -> Sequence[File]:
        """Return the files that hold a recording."""

    def files_below(self, path: bytes) -> Iterator[File]:
        """Yield what is known of the file with an absolute path, or of all files below the folder there."""

    def remember(self, file: File) -> None:
        """Write what a file holds; inside a transaction."""

    def forget_file(self, path: bytes) -> None:
        """Forget a file, and not its track; inside a transaction."""

    def forget_files(self, number: int) -> None:
        """Have the files of a recording read again when they are next added; inside a transaction."""

    def problems(self) -> list[str]:
        """Return what is wrong with the store as a whole, as sentences."""

    def copy(self, folder: Path) -> None:
        """Write a consistent copy into a catalog's folder, whoever writes meanwhile."""

    def size(self) -> int:
        """Return how many bytes it takes."""

    def info(self) -> Mapping[str, str]:
        """Return what it runs on: names and versions."""


class LiveIndex(Protocol):
    """The index of an open catalog, in step with its store. A search never waits for whoever changes it.

    Including, publishing and rebuilding are the writer's; one waits for another. A reader follows by `refresh`.
    """

    @property
    def name(self) -> str:
        """Name of the index, as `Settings.index`."""

    @property
    def problems(self) -> Sequence[str]:
        """What is damaged, as sentences."""

    @property
    def degraded(self) -> bool:
        """Whether tracks had to be left out."""

    @property
    def unpublished(self) -> int:
        """How many track numbers what is published is behind what can be found here."""

    def snapshot(self) -> Search:
        """Return the index as it is now; whoever holds it is not disturbed by later changes."""

    def refresh(self, *, wait: bool = True) -> bool:
        """Follow what another process has written since, and return whether that was done.

        Without `wait`, a caller who comes while another thread is at it goes on with what there is.
        """

    def include(self, fingerprints: Iterable[tuple[int, Fingerprint]]) -> None:
        """Add newly stored tracks, given as (number, fingerprint) with rising numbers."""

    def apply_removals(self) -> None:
        """Leave out the tracks that the store has forgotten."""

    def exclude(self, number: int, problem: str) -> None:
        """Leave out a track that is damaged (`problem` says how) or gone (''), for as long as the catalog is open."""

    def publish(self) -> None:
        """Make the index of this moment what is loaded when the catalog is opened next."""

    def rebuild(self, name: str, progress: Callable[[RebuildProgress], object] | None = None) -> None:
        """Make the index anew from the stored fingerprints, as one of that name, and publish it."""

    def stats(self) -> Mapping[str, float]:
        """Return figures of the index."""

    def size(self) -> int:
        """Return how many bytes the published index takes."""

    def check(self) -> list[str]:
        """Read all that is published and return what does not hold."""

    def copy(self, folder: Path) -> None:
        """Copy what is published into a catalog's folder."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What a catalog is put together from."""

    path: Path  # place of the catalog, shown to people
    store: Store
    plays: PlayStore
    index: LiveIndex
    read_only: bool
    release: Callable[[], object]  # lets others write
    warnings: tuple[str, ...] = ()  # sentences about the place
