"""Files become tracks: read by several children at a time, kept in the order given, in small transactions.

Three kinds of threads, so that an interrupt cannot tear anything: the caller's hands out files and reports; as many as
there are workers each drive one sandboxed child; one keeps results. A track is reported only when it is on the disk,
and what was kept stays, whatever ends the run: the next run does the rest.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Event
from typing import BinaryIO

import msgspec

from earmark.catalog.backend import MOST_PACKED_BYTES, File, LiveIndex, Store
from earmark.catalog.scan import Scan
from earmark.catalog.unpack import unpacked
from earmark.errors import CatalogDamaged, MediaError, TrackExists, TrackNotFound
from earmark.extract.protocol import SHORTEST_SECONDS, Extracted, Extractor
from earmark.extract.watched import watched
from earmark.text import printable
from earmark.types import AddReport, Fingerprint, TimeRange, Track

_FILES_AHEAD = 8  # files per worker read ahead of the next to be kept; one long file holds nobody up for long
_BATCH = 64  # results kept in one transaction, when that many are ready
_PUBLISH_HOURS = 24.0  # hours of audio after which the index is published; bounds memory and what a crash leaves undone
_ID_DIGITS = 16  # hexadecimal digits of the content's SHA-256; two of a million share an id in one of 40 M catalogs


@dataclass(frozen=True, slots=True)
class Progress:
    """One more file is dealt with, and what became of it is on the disk."""

    done: int  # files dealt with so far, this one included
    total: int
    path: str
    outcome: str  # added, updated, unchanged or failed
    reason: str  # why it failed, or ''
    track: Track | None  # None when it failed
    seconds_done: float  # seconds of audio decoded so far in this run


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a worker found in a file: a known recording, or a new one."""

    path: str
    file: File  # its track is 0 as long as it is not known
    content: bytes = b""  # SHA-256; empty for a file that is as it was
    extracted: Extracted | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a file."""

    path: str
    outcome: str
    reason: str = ""
    track: Track | None = None
    seconds: float = 0.0


class Ingest:
    """One run of adding files to a catalog."""

    def __init__(self, store: Store, index: LiveIndex, extractor: Extractor, *, ids: Mapping[str, str]) -> None:
        self._store, self._index, self._extractor, self._ids = store, index, extractor, ids
        self._stop = Event()
        self._kept: list[Stored] = []
        self._unpublished_seconds = 0.0

    def run(self, scan: Scan, *, workers: int, progress: Callable[[Progress], object] | None) -> AddReport:
        """Add what was scanned, and publish the index; an interrupt ends it early, and the report says so."""
        self._kept.extend(Stored(path, "failed", reason) for path, reason in scan.failed)
        total, reported, seconds = len(scan.files) + len(scan.failed), 0, 0.0
        readers = ThreadPoolExecutor(workers, thread_name_prefix="earmark-read")
        keeper = ThreadPoolExecutor(1, thread_name_prefix="earmark-keep")
        interrupted = False
        try:
            for _ in self._rounds(scan.files, readers, keeper, ahead=_FILES_AHEAD * workers):
                for kept in self._kept[reported:]:
                    reported, seconds = reported + 1, seconds + kept.seconds
                    if progress is not None:
                        progress(Progress(reported, total, kept.path, kept.outcome, kept.reason, kept.track, seconds))
            keeper.submit(self._index.publish).result()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._stop.set()
            self._extractor.close()
            _shut_down(readers, keeper)
        return _report(self._kept, interrupted)

    def _rounds(
        self, paths: Sequence[str], readers: ThreadPoolExecutor, keeper: ThreadPoolExecutor, *, ahead: int
    ) -> Iterator[None]:
        """Yield whenever more results are kept: at the start what the scan found, then all that is ready, in order."""
        yield
        remaining, waiting = iter(paths), deque[Future[ReadFile | Stored]]()
        while True:
            waiting.extend(readers.submit(self._read, path) for path in islice(remaining, ahead - len(waiting)))
            if not waiting:
                return
            batch = [waiting.popleft().result()]
            while waiting and waiting[0].done() and len(batch) < _BATCH:
                batch.append(waiting.popleft().result())
            keeper.submit(self._keep, batch).result()
            yield

    # In the threads of the readers

    def _read(self, path: str) -> ReadFile | Stored:
        if self._stop.is_set():
            return Stored(path, "failed", "not read: the run was ended")
        try:
            for _ in range(2):  # once more for a file that was just being written
                read = self._read_once(path)
                if read is not None:
                    return read
            raise MediaError("unreadable", "it changes while it is read; add it again when it is complete")
        except MediaError as error:
            return Stored(path, "failed", str(error))
        except OSError as error:
            return Stored(path, "failed", f"unreadable: {error.strerror}")

    def _read_once(self, path: str) -> ReadFile | None:
        """Return what a file holds, or None when it changed meanwhile."""
        absolute, status = _absolute(path), Path(path).stat()
        known = self._store.file(absolute)
        if known is not None and (known.bytes, known.modified) == (status.st_size, status.st_mtime_ns):
            return ReadFile(path, known)
        with watched(path) as source:
            try:
                content = source.digest(self._stop)
                number = self._number_of_sound(content)
                extracted = self._extract(source.file) if number is None else None
            except MediaError:
                if source.has_changed():
                    return None
                raise
            if source.differs_from(content, self._stop):
                return None
        read = File(absolute, source.status.st_size, source.status.st_mtime_ns, number or 0)
        return ReadFile(path, read, content, extracted)

    def _extract(self, file: BinaryIO) -> Extracted:
        extracted = self._extractor.extract(file)
        if extracted.silent:
            raise MediaError("low_information", "it is silent", extracted.seconds)
        if extracted.seconds < SHORTEST_SECONDS:
            raise MediaError("too_short", f"{extracted.seconds:.3f} s; a recording has {SHORTEST_SECONDS:g} s or more")
        if len(extracted.packed) > MOST_PACKED_BYTES:
            raise MediaError("too_long", "its fingerprint takes more than a catalog keeps", extracted.seconds)
        if not self._extractor.fingerprinter.is_informative(extracted.fingerprint):
            raise MediaError("low_information", "there is too little in it to tell recordings apart", extracted.seconds)
        return extracted

    def _number_of_sound(self, content: bytes) -> int | None:
        """Return the number of the recording with that content, unless none is known or it is damaged."""
        number = self._store.number_with(content)
        if number is not None:
            try:
                self._store.recording(number)
                packed = self._store.fingerprints([number]).get(number, CatalogDamaged("it has none"))
                unpacked(self._extractor.fingerprinter, number, packed)
            except (CatalogDamaged, TrackNotFound):
                return None
        return number

    # In the thread of the keeper

    def _keep(self, batch: Sequence[ReadFile | Stored]) -> None:
        kept: list[Stored] = []
        new: list[tuple[int, Fingerprint]] = []
        changing = any(isinstance(read, ReadFile) and read.content for read in batch)
        with self._store.transaction() if changing else contextlib.nullcontext():
            for read in batch:
                try:
                    kept.append(read if isinstance(read, Stored) else self._keep_one(read, new))
                except (CatalogDamaged, TrackExists) as error:
                    kept.append(Stored(read.path, "failed", str(error)))
        if changing:
            self._index.apply_removals()
            self._index.include(new)
        self._kept.extend(kept)
        self._unpublished_seconds += sum(one.seconds for one in kept)
        if self._unpublished_seconds > _PUBLISH_HOURS * 3600:
            self._index.publish()
            self._unpublished_seconds = 0.0

    def _keep_one(self, read: ReadFile, new: list[tuple[int, Fingerprint]]) -> Stored:
        if not read.content:
            return Stored(read.path, "unchanged", track=self._known(read.path, read.file.track))
        # Another file of this run may have brought the same recording, or a damaged one is to be replaced.
        number = self._number_of_sound(read.content)
        if number is not None:
            return self._keep_known(read, number)
        if read.extracted is None:
            raise CatalogDamaged(f"{read.path}: its track was damaged while it was read; add it again")
        return self._keep_new(read, read.extracted, new)

    def _known(self, path: str, number: int) -> Track:
        track = self._store.recording(number).track
        wanted = self._ids.get(path, track.id)
        if wanted != track.id:
            raise TrackExists(f"it is the track {track.id!r} already, not {wanted!r}; earmark update changes the id")
        return track

    def _keep_known(self, read: ReadFile, number: int) -> Stored:
        """Keep one more file of a known recording, or the place where its file was moved to."""
        file, track = read.file, self._known(read.path, number)
        replaced = self._store.file(file.path)
        self._store.remember(msgspec.structs.replace(file, track=number))
        if not any(
            Path(os.fsdecode(other.path)).exists() for other in self._store.files(number) if other.path != file.path
        ):
            track = replace(track, path=read.path)
            self._store.change(number, track)
        if replaced is not None and replaced.track != number:
            if not self._store.files(replaced.track):
                self._store.delete(replaced.track)
            return Stored(read.path, "updated", track=track)
        return Stored(read.path, "unchanged", track=track)

    def _keep_new(self, read: ReadFile, extracted: Extracted, new: list[tuple[int, Fingerprint]]) -> Stored:
        """Keep a recording that is new, or takes the place of what its file held, under the same id."""
        file = read.file
        old = self._store.number_with(read.content)  # damaged, else it would be known
        replaced = self._store.file(file.path)
        if old is None and replaced is not None and len(self._store.files(replaced.track)) == 1:
            old = replaced.track
        id = self._ids.get(read.path) or (self._store.id_of(old) if old is not None else self._new_id(read.content))
        others = [other for other in self._store.files(old) if other.path != file.path] if old is not None else []
        ranges: Sequence[TimeRange] = ()
        if old is not None:
            ranges = self._store.ranges(old)
            self._store.delete(old)
        track = _track(id, read.path, extracted)
        number = self._store.insert(track, read.content, extracted.packed)
        self._store.write_ranges(number, ranges)
        for one in (file, *others):
            self._store.remember(msgspec.structs.replace(one, track=number))
        new.append((number, extracted.fingerprint))
        return Stored(read.path, "added" if old is None else "updated", track=track, seconds=extracted.seconds)

    def _new_id(self, content: bytes) -> str:
        """Return the shortest start of the content's hash, from 16 digits on, that no other track has for an id."""
        digest = content.hex()
        lengths = range(_ID_DIGITS, len(digest) + 1)
        return next((digest[:n] for n in lengths if not self._store.has_id(digest[:n])), digest)


def _track(id: str, path: str, extracted: Extracted) -> Track:
    tags = dict(extracted.tags)
    words = (tags.pop("title", "") or printable(Path(path).stem), tags.pop("artist", ""), tags.pop("album", ""))
    return Track(id, *words, path, extracted.seconds, extracted.complete, time.time_ns(), tags)


def _absolute(path: str) -> bytes:
    """Return a path from the root on, which one slash stands for: POSIX lets two of them mean something else."""
    return b"/" + os.fsencode(Path(path).absolute()).lstrip(b"/")


def _shut_down(*executors: ThreadPoolExecutor) -> None:
    """Wait for what is at work; more interrupts do not shorten it, since nothing long is left."""
    for executor in executors:
        while True:
            try:
                executor.shutdown(wait=True, cancel_futures=True)
                break
            except KeyboardInterrupt:
                continue


def _report(kept: Sequence[Stored], interrupted: bool) -> AddReport:
    def tracks(outcome: str) -> tuple[Track, ...]:
        return tuple(one.track for one in kept if one.outcome == outcome and one.track is not None)

    unchanged = tuple(one.path for one in kept if one.outcome == "unchanged")
    failed = tuple((one.path, one.reason) for one in kept if one.outcome == "failed")
    return AddReport(tracks("added"), tracks("updated"), unchanged, failed, interrupted)
