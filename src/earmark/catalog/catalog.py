"""A catalog: what is known, and the questions it answers."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from earmark.catalog import transfer, verify
from earmark.catalog.identify import Answering, Question
from earmark.catalog.ingest import Adder, Progress
from earmark.catalog.local.durable import Files
from earmark.catalog.local.generations import Generations, is_on_network
from earmark.catalog.local.live_index import Indexing, Rebuilding
from earmark.catalog.names import shown
from earmark.catalog.scan import scan
from earmark.catalog.sqlite.lock import WriterLock
from earmark.catalog.sqlite.store import Recording, Settings, Store
from earmark.errors import CatalogDamaged, CatalogError, CatalogReadOnly, OptionError
from earmark.extract.pool import Extractors, Source
from earmark.types import AddReport, Answer, Fingerprint, Track

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter

# Clips identified ahead of the one whose answer is wanted next, for each worker: hides the wait for a child.
_AHEAD = 4


class Catalog:
    """Recordings, and the means to say which of them a clip comes from. `earmark.open` makes one.

    Safe to use from several threads; changes wait for one another. A reader keeps the index that was current when it
    was opened; what a writer adds is found by others that open after it.
    """

    def __init__(
        self, folder: Path, settings: Settings, store: Store, *, fingerprinter: Fingerprinter, lock: WriterLock | None
    ) -> None:
        """Put together what `opening.open_catalog` has opened."""
        self._folder, self._settings, self._store = folder, settings, store
        self._fingerprinter, self._lock = fingerprinter, lock
        self._files = Files()
        self._generations = Generations(folder, self._files)
        self._indexing = Indexing(store, self._generations, fingerprinter, settings.index)
        if lock is not None:
            self._generations.sweep()
        self._indexing.load(repair=lock is not None)
        self._extractors = Extractors(settings.fingerprinter, settings.preset)
        self._answering = Answering(store, self._indexing, fingerprinter, self._extractors)
        self._changing = threading.RLock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            with contextlib.suppress(CatalogError):  # what went wrong before says more
                self.close()

    def __repr__(self) -> str:
        mode = "reading" if self._lock is None else "writing"
        return f"<Catalog {os.fspath(self._folder)!r} of {self._settings.fingerprinter}, open for {mode}>"

    def __len__(self) -> int:
        return self._store.count()[0]

    def __iter__(self) -> Iterator[Track]:
        """Yield the tracks in the order they were added, without holding them all."""
        for recording in self._store.recordings():
            if isinstance(recording, Recording):
                yield recording.track
            elif str(recording) not in self._indexing.problems:
                self._indexing.problems.append(str(recording))

    @property
    def path(self) -> Path:
        """The catalog's folder."""
        return self._folder

    def close(self) -> None:
        """Publish what is not yet, end the children and let others write; a second call does nothing."""
        with self._changing, contextlib.ExitStack() as stack:
            if self._closed:
                return
            self._closed = True
            if self._lock is not None:
                stack.callback(self._lock.release)
            stack.callback(self._store.close)
            stack.callback(self._extractors.close)
            if self._lock is not None:
                self._indexing.publish()

    # What is known

    def tracks(self) -> tuple[Track, ...]:
        """Return all tracks in the order they were added; `for track in catalog` does not hold them all."""
        return tuple(self)

    def get(self, id: str) -> Track:
        """Return the track with an id; raises TrackNotFound, and CatalogDamaged when its row is."""
        return self._store.recording(self._store.number_of(id)).track

    def find(self, text: str) -> tuple[Track, ...]:
        """Return the tracks with every word of `text` in id, title, artist, album or path; case is ignored."""
        words = text.casefold().split()
        return tuple(track for track in self if all(word in _words(track) for word in words))

    def fingerprints(self) -> Iterator[tuple[Track, Fingerprint]]:
        """Yield each track and its fingerprint, in the order of adding; raises CatalogDamaged for a damaged one."""
        for number, packed in self._store.fingerprints(0):
            if isinstance(packed, CatalogDamaged):
                raise packed
            yield self._store.recording(number).track, self._fingerprinter.unpack(packed)

    def info(self) -> dict[str, Any]:
        """Return figures about the catalog, and its problems as sentences."""
        tracks, seconds = self._store.count()
        network = is_on_network(self._folder)
        warning = (
            [f"it lies on {network}, where locks and memory maps may fail; keep it on a local disk"] if network else []
        )
        return {
            "path": os.fspath(self._folder),
            "tracks": tracks,
            "seconds": seconds,
            "fingerprinter": self._settings.fingerprinter,
            "preset": dict(self._settings.preset),
            "spec": self._settings.spec,
            "index": self._indexing.name,
            "index_stats": self._indexing.stats(),
            "index_bytes": self._generations.bytes(),
            "database_bytes": self._store.path.stat().st_size,
            "unpublished_tracks": self._indexing.behind,
            "sqlite": sqlite3.sqlite_version,
            "problems": tuple(dict.fromkeys([*self._indexing.problems, *warning])),
        }

    # Changes

    def add(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        workers: int | None = None,
        progress: Callable[[Progress], object] | None = None,
        ids: Mapping[str, str] | None = None,
    ) -> AddReport:
        """Make the recordings in files, and in all files below folders, known; only what changed is read.

        `workers` children read at the same time (default: as many as this process may use cores). `progress` is called
        in the calling thread, once a file, after its track is on the disk. `ids` gives ids of one's own, by path as
        given or found. A file that cannot be used is listed in `.failed` with the reason and stops nothing; an
        interrupt (KeyboardInterrupt) ends the run and is reported as `.interrupted`. Raises CatalogError when the
        catalog itself cannot be written to; what `progress` was told stays.
        """
        for id in (ids or {}).values():
            _check_id(id)
        with self._writing():
            extractors = Extractors(self._settings.fingerprinter, self._settings.preset)
            adder = Adder(self._store, self._indexing, extractors, ids=ids or {})
            return adder.run(scan(paths), workers=_workers(workers), progress=progress)

    def remove(self, ids: str | Iterable[str]) -> None:
        """Forget tracks; raises TrackNotFound for an unknown id, and then forgets none."""
        with self._writing():
            numbers = [self._store.number_of(id) for id in ([ids] if isinstance(ids, str) else ids)]
            with self._store.transaction():
                for number in dict.fromkeys(numbers):
                    self._store.delete(number)
            self._indexing.follow_removals()

    def update(
        self,
        id: str,
        *,
        title: str | None = None,
        artist: str | None = None,
        album: str | None = None,
        tags: Mapping[str, str] | None = None,
        new_id: str | None = None,
    ) -> Track:
        """Change what is said about a track, and return it; `tags` replaces all. Raises TrackExists for a taken id."""
        if new_id is not None:
            _check_id(new_id)
        words = {"title": title, "artist": artist, "album": album}
        given: dict[str, Any] = {name: text and shown(text) for name, text in words.items()}
        given |= {"tags": tags and {shown(name): shown(text) for name, text in tags.items()}, "id": new_id}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        with self._writing(), self._store.transaction():
            number = self._store.number_of(id)
            track = replace(self._store.recording(number).track, **changes)
            self._store.change(number, track)
        return track

    def merge(self, other: Catalog | str | os.PathLike[str]) -> AddReport:
        """Add the tracks of another catalog, without their audio; raises SpecMismatch when it is of another kind."""
        with self._writing(), contextlib.ExitStack() as stack:
            if not isinstance(other, Catalog):
                from earmark.catalog.open import open_catalog

                other = stack.enter_context(open_catalog(other, create=False, read_only=True))
            return transfer.merge(self._store, self._indexing, other._store, os.fspath(other.path))

    def rebuild(self, index: str | None = None, *, progress: Callable[[Rebuilding], object] | None = None) -> None:
        """Make the index again from the stored fingerprints, of another kind when one is named, and publish it.

        `progress` is called after each track with how far it is and about how long it still takes.
        """
        from earmark.catalog.open import index_name

        with self._writing():
            made = self._settings
            name = made.index if index is None else index_name(index, made.fingerprinter, made.preset)
            settings = Settings(made.fingerprinter, made.preset, made.spec, name)
            with self._store.transaction():
                self._store.write_settings(settings)
            self._settings = settings
            self._indexing.rebuild(name, progress)

    # Copies and checks

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write a copy that can be moved anywhere, consistent whoever writes meanwhile; `path` must not exist."""
        return transfer.export(self._store, self._generations, Path(path))

    def verify(self) -> verify.Verification:
        """Read everything and say what does not hold; a writer also has damaged tracks read again at the next add."""
        with self._changing:
            repair = self._lock is not None
            return verify.verify(self._store, self._generations, self._fingerprinter, repair=repair)

    # Questions

    def identify(
        self,
        source: Source,
        *,
        threshold: float | None = None,
        limit: int = 5,
        several: bool = False,
        speed: bool = False,
    ) -> Answer:
        """Say which tracks a clip comes from: a path, bytes, a file object, or (samples, rate).

        Matches of at least `threshold` confidence (default: the calibrated one; 0 gives the candidates too) come back,
        at most `limit`, best first. `several` looks for one recording after another, `speed` for other playing speeds.
        A clip that nothing can be said of has an answer without matches and a reason; one that cannot be read as audio
        raises MediaError.
        """
        return self._answering.answer(source, _question(threshold, limit, several, speed))

    def identify_many(
        self,
        sources: Iterable[Source],
        *,
        workers: int | None = None,
        threshold: float | None = None,
        limit: int = 5,
        several: bool = False,
        speed: bool = False,
    ) -> Iterator[Answer]:
        """Yield an answer for each source, in their order, as `identify` would, on all cores.

        A source that cannot be read as audio does not stop the others: its answer's reason is the MediaError's code.
        """
        count, question = _workers(workers), _question(threshold, limit, several, speed)
        ask = self._answering.answer_or_reason
        remaining, waiting = iter(sources), deque[Future[Answer]]()
        with ThreadPoolExecutor(count, thread_name_prefix="earmark-identify") as pool:
            try:
                while True:
                    waiting.extend(
                        pool.submit(ask, one, question) for one in islice(remaining, _AHEAD * count - len(waiting))
                    )
                    if not waiting:
                        return
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        if self._lock is None:
            raise CatalogReadOnly(f"{self._folder} is open for reading; open it with read_only=False to change it")
        with self._changing:
            yield


def _words(track: Track) -> str:
    return "\n".join((track.id, track.title, track.artist, track.album, track.path)).casefold()


def _check_id(id: str) -> None:
    if not id or id != shown(id):
        raise OptionError(f"{id!r} cannot be an id; give 1 to 1,024 characters that can be printed")


def _question(threshold: float | None, limit: int, several: bool, speed: bool) -> Question:
    if threshold is not None and not 0 <= threshold <= 1:
        raise OptionError(f"threshold={threshold}; give a probability, 0 to 1, or leave it out for the calibrated one")
    if limit < 1:
        raise OptionError(f"limit={limit}; give 1 or more")
    return Question(threshold, limit, several, speed)


def _workers(asked: int | None) -> int:
    if asked is not None and asked < 1:
        raise OptionError(f"workers={asked}; give 1 or more, or leave it out for all cores")
    return asked or len(os.sched_getaffinity(0))
