"""A store and a live index without files: for catalogs put together in tests, and as a second kind for contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from earmark.catalog.backend import File, RebuildProgress, Recording
from earmark.catalog.settings import Settings
from earmark.errors import CatalogDamaged, CatalogError, CatalogReadOnly, TrackExists, TrackNotFound
from earmark.fingerprints.protocol import Fingerprinter
from earmark.index.channels import Channels, ChannelsSnapshot
from earmark.types import Fingerprint, TimeRange, Track


@dataclass
class Rows:
    """All that a store knows."""

    settings: Settings | None = None
    recordings: dict[int, Recording] = field(default_factory=dict)
    packed: dict[int, bytes | CatalogDamaged] = field(default_factory=dict)
    files: dict[bytes, File] = field(default_factory=dict)
    ranges: dict[int, tuple[TimeRange, ...]] = field(default_factory=dict)
    removals: list[tuple[int, int]] = field(default_factory=list)
    last_number: int = 0


@dataclass
class Database:
    """Rows that several stores share, as several processes share a file."""

    rows: Rows = field(default_factory=Rows)
    commits: int = 0


class InMemoryStore:
    """A store of rows in memory, its own or another's."""

    def __init__(self, database: Database | None = None, *, read_only: bool = False) -> None:
        self.database = database or Database()
        self._read_only, self._closed = read_only, False
        self._own_commits = 0

    @property
    def _rows(self) -> Rows:
        if self._closed:
            raise CatalogError("the catalog is closed; open it again")
        return self.database.rows

    def close(self) -> None:
        self._closed = True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._read_only:
            raise CatalogReadOnly("open for reading; open it with read_only=False to change it")
        before = deepcopy(self._rows)
        try:
            yield
        except BaseException:
            self.database.rows = before
            raise
        self.database.commits += 1
        self._own_commits += 1

    def version(self) -> int:
        return self.database.commits - self._own_commits

    def settings(self) -> Settings | None:
        return self._rows.settings

    def write_settings(self, settings: Settings) -> None:
        self._rows.settings = settings

    def insert(
        self, track: Track, content: bytes, packed: bytes, *, file_words: Mapping[str, str | None] | None = None
    ) -> int:
        self._check_id(track.id, 0)
        rows = self._rows
        rows.last_number += 1
        rows.recordings[rows.last_number] = Recording(rows.last_number, content, track, file_words or {})
        rows.packed[rows.last_number] = packed
        return rows.last_number

    def change(self, number: int, track: Track, *, file_words: Mapping[str, str | None] | None = None) -> None:
        self._check_id(track.id, number)
        before = self.recording(number)
        words = before.file_words if file_words is None else file_words
        self._rows.recordings[number] = Recording(number, before.content, track, words)

    def delete(self, number: int) -> None:
        rows = self._rows
        rows.removals.append((len(rows.removals) + 1, number))
        self.forget_files(number)
        del rows.recordings[number], rows.packed[number]
        rows.ranges.pop(number, None)

    def recording(self, number: int) -> Recording:
        if number not in self._rows.recordings:
            raise TrackNotFound(f"no track has the number {number}; it was removed meanwhile")
        return self._rows.recordings[number]

    def recordings(self, after: int = 0) -> Iterator[Recording | CatalogDamaged]:
        yield from [one for number, one in self._rows.recordings.items() if number > after]

    def ranges(self, number: int) -> Sequence[TimeRange]:
        return self._rows.ranges.get(number, ())

    def write_ranges(self, number: int, ranges: Sequence[TimeRange]) -> None:
        self._rows.ranges[number] = tuple(ranges)

    def number_of(self, id: str) -> int:
        for recording in self._rows.recordings.values():
            if recording.track.id == id:
                return recording.number
        raise TrackNotFound(f"no track has the id {id!r}; earmark list shows those there are")

    def id_of(self, number: int) -> str:
        return self.recording(number).track.id

    def has_id(self, id: str) -> bool:
        return any(recording.track.id == id for recording in self._rows.recordings.values())

    def number_with(self, content: bytes) -> int | None:
        return next((one.number for one in self._rows.recordings.values() if one.content == content), None)

    def last(self) -> tuple[int, int]:
        return self._rows.last_number, len(self._rows.removals)

    def count(self) -> tuple[int, float]:
        recordings = self._rows.recordings.values()
        return len(recordings), float(sum(recording.track.seconds for recording in recordings))

    def fingerprints(self, numbers: Sequence[int]) -> Mapping[int, bytes | CatalogDamaged]:
        return {number: self._rows.packed[number] for number in numbers if number in self._rows.packed}

    def fingerprints_after(self, number: int) -> Iterator[tuple[int, bytes | CatalogDamaged]]:
        yield from [(own, packed) for own, packed in self._rows.packed.items() if own > number]

    def removals(self, after: int) -> Sequence[tuple[int, int]]:
        return self._rows.removals[after:]

    def file(self, path: bytes) -> File | None:
        return self._rows.files.get(path)

    def files(self, number: int) -> Sequence[File]:
        return [file for file in self._rows.files.values() if file.track == number]

    def files_below(self, path: bytes) -> Iterator[File]:
        folder = path.rstrip(b"/") + b"/"
        yield from [self._rows.files[one] for one in sorted(self._rows.files) if one == path or one.startswith(folder)]

    def remember(self, file: File) -> None:
        self._rows.files[file.path] = file

    def forget_file(self, path: bytes) -> None:
        self._rows.files.pop(path, None)

    def forget_files(self, number: int) -> None:
        for file in self.files(number):
            del self._rows.files[file.path]

    def problems(self) -> list[str]:
        return []

    def copy(self, folder: Path) -> None:
        raise CatalogError(f"{folder}: what is in memory has no copy in files")

    def size(self) -> int:
        return sum(len(packed) for packed in self._rows.packed.values() if isinstance(packed, bytes))

    def info(self) -> Mapping[str, str]:
        return {"memory": "dict"}

    def _check_id(self, id: str, number: int) -> None:
        if self.has_id(id) and self.number_of(id) != number:
            raise TrackExists(f"another recording has the id {id!r}; choose another, or remove that one first")


class InMemoryLiveIndex:
    """An index that is made of the store's fingerprints when it is opened, and published nowhere."""

    def __init__(self, store: InMemoryStore, fingerprinter: Fingerprinter, name: str) -> None:
        self._store, self._fingerprinter = store, fingerprinter
        self.degraded, self.unpublished = False, 0
        self._problems: list[str] = []
        self._excluded: set[int] = set()
        self._remake(name)

    @property
    def problems(self) -> Sequence[str]:
        return tuple(self._problems)

    def snapshot(self) -> ChannelsSnapshot:
        return self._search

    def refresh(self, *, wait: bool = True) -> bool:
        if self._store.version() == self._version:
            return False
        settings = self._store.settings()
        self._remake(settings.index if settings else self.name)
        return True

    def include(self, fingerprints: Iterable[tuple[int, Fingerprint]]) -> None:
        for number, fingerprint in fingerprints:
            self._channels.add(number, self._fingerprinter.keys(fingerprint))
        self._search = self._channels.snapshot()

    def apply_removals(self) -> None:
        self._channels.remove(number for _, number in self._store.removals(0))
        self._search = self._channels.snapshot()

    def exclude(self, number: int, problem: str) -> None:
        self._problems += [problem] if problem else []
        self.degraded |= bool(problem)
        self._excluded.add(number)
        self._channels.remove([number])
        self._search = self._channels.snapshot()

    def publish(self) -> None:
        pass

    def rebuild(self, name: str, progress: Callable[[RebuildProgress], object] | None = None) -> None:
        self._problems, self._excluded, self.degraded = [], set(), False
        self._remake(name)
        total = self._store.count()[0]
        for done in range(1, total + 1):
            if progress is not None:
                progress(RebuildProgress(done, total, 0.0))

    def stats(self) -> Mapping[str, float]:
        return self._channels.stats()

    def size(self) -> int:
        return 0

    def check(self) -> list[str]:
        return []

    def copy(self, folder: Path) -> None:
        pass

    def _remake(self, name: str) -> None:
        self.name, self._version = name, self._store.version()
        self._channels = Channels(name, self._fingerprinter.plan.channels)
        for number, packed in self._store.fingerprints_after(0):
            if isinstance(packed, CatalogDamaged):
                self._problems.append(str(packed))
                self.degraded = True
            elif number not in self._excluded:
                self._channels.add(number, self._fingerprinter.keys(self._fingerprinter.unpack(packed)))
        self._search = self._channels.snapshot()
