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

from earmark.arguments import path_of
from earmark.catalog.backend import MOST_PACKED_BYTES, File, LiveIndex, Store
from earmark.catalog.cue import cue_sheet_of
from earmark.catalog.scan import Scan
from earmark.catalog.tracks import Tracks, absolute, is_there
from earmark.catalog.unpack import unpacked
from earmark.catalog.words import with_edits
from earmark.errors import CatalogDamaged, MediaError, TrackExists, TrackNotFound
from earmark.extract.protocol import SHORTEST_SECONDS, Extracted, Extractor
from earmark.extract.watched import watched
from earmark.text import printable
from earmark.types import AddReport, Chapter, Fingerprint, TimeRange, Track

NO_AUDIO = ("unreadable", "unsupported", "no_audio", "too_short")  # codes of what may be no audio at all
_FILES_AHEAD = 8  # files per worker read ahead of the next to be kept; one long file holds nobody up for long
_BATCH = 64  # results kept in one transaction, when that many are ready
_PUBLISH_HOURS = 24.0  # hours of audio after which the index is published; bounds memory and what a crash leaves undone
_SAME_SECONDS = 1.0  # difference in length of a recording that only got other tags, or was encoded again
_ID_DIGITS = 16  # hexadecimal digits of the content's SHA-256; two of a million share an id in one of 40 M catalogs


@dataclass(frozen=True, slots=True)
class Progress:
    """One more file is dealt with, and what became of it is on the disk."""

    done: int  # files dealt with so far, this one included
    total: int
    path: str
    outcome: str  # added, updated, unchanged, skipped or failed
    reason: str  # why it failed or was skipped, or ''
    track: Track | None  # None when it failed or was skipped
    seconds_done: float  # seconds of audio decoded so far in this run


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a worker found in a file: a known recording, or a new one."""

    path: str
    file: File  # its track is 0 as long as it is not known
    content: bytes = b""  # SHA-256; empty for a file that is as it was
    extracted: Extracted | None = None
    cue_sheet: tuple[Chapter, ...] | None = None  # tracks that a sheet beside the file gives it


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a file."""

    path: str
    outcome: str
    reason: str = ""
    track: Track | None = None
    seconds: float = 0.0
    before: Track | None = None  # the track as it was, of a file that was written over
    moved_from: str = ""  # path at which the file was before


class Ingest:
    """One run of adding files to a catalog."""

    def __init__(self, store: Store, index: LiveIndex, extractor: Extractor, *, ids: Mapping[str, str]) -> None:
        self._store, self._index, self._extractor = store, index, extractor
        self._ids = {path_of(path): id for path, id in ids.items()}
        self._stop = Event()
        self._kept: list[Stored] = []
        self._unpublished_seconds = 0.0

    def run(self, scan: Scan, *, workers: int, progress: Callable[[Progress], object] | None) -> AddReport:
        """Add what was scanned, and publish the index; an interrupt ends it early, and the report says so."""
        self._expects_sound = scan.expects_sound
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
        return self._report(scan, interrupted)

    def _report(self, scan: Scan, interrupted: bool) -> AddReport:
        missing: dict[str, Track] = {}
        if not interrupted:
            words = Tracks(self._store)
            missing = {track.id: track for path in scan.given for track in words.missing(path)}
        return report(self._kept, skipped=scan.skipped, missing=tuple(missing.values()), interrupted=interrupted)

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
            is_no_audio = error.code in NO_AUDIO and not self._expects_sound(path)
            return Stored(path, "skipped" if is_no_audio else "failed", error.reason)
        except OSError as error:
            return Stored(path, "failed", f"unreadable: {error.strerror}")

    def _read_once(self, path: str) -> ReadFile | None:
        """Return what a file holds, or None when it changed meanwhile."""
        own, status, cue_sheet = absolute(path), Path(path).stat(), cue_sheet_of(path)
        known = self._store.file(own)
        if known is not None and (known.bytes, known.modified) == (status.st_size, status.st_mtime_ns):
            return ReadFile(path, known, cue_sheet=cue_sheet)
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
        read = File(own, source.status.st_size, source.status.st_mtime_ns, number or 0)
        return ReadFile(path, read, content, extracted, cue_sheet)

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
        changing = any(isinstance(read, ReadFile) and self._changes(read) for read in batch)
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

    def _changes(self, read: ReadFile) -> bool:
        """Return whether the catalog has to be changed for a file."""
        try:
            return bool(read.content) or self._is_changed(self._store.recording(read.file.track).track, read)
        except (CatalogDamaged, TrackNotFound):
            return False

    def _is_changed(self, track: Track, read: ReadFile) -> bool:
        """Return whether something beside the content of a file is news."""
        has_new_sheet = read.cue_sheet is not None and track.chapters != read.cue_sheet
        return has_new_sheet or not Path(track.path).is_absolute()  # as earlier releases kept paths

    def _keep_one(self, read: ReadFile, new: list[tuple[int, Fingerprint]]) -> Stored:
        if not read.content:
            track = self._known(read.path, read.file.track)
            if self._is_changed(track, read):
                chapters = track.chapters if read.cue_sheet is None else read.cue_sheet
                path = track.path if Path(track.path).is_absolute() else os.fsdecode(read.file.path)
                track = replace(track, chapters=chapters, path=path)
                self._store.change(read.file.track, track)
            return Stored(read.path, "unchanged", track=track)
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
        others = [other.path for other in self._store.files(number) if other.path != file.path]
        gone = [path for path in others if not is_there(path)]
        moved_from = ""
        if len(gone) == len(others):
            moved_from, track = track.path, replace(track, path=os.fsdecode(file.path))
            self._store.change(number, track)
        for path in gone:  # it is here now
            self._store.forget_file(path)
        if replaced is not None and replaced.track != number:
            before = self._without_file(replaced)
            return Stored(read.path, "updated", track=track, before=before)
        moved = moved_from if gone and moved_from != track.path else ""
        return Stored(read.path, "unchanged", track=track, moved_from=moved)

    def _without_file(self, file: File) -> Track | None:
        """Take from a track a file that holds another one now, and forget it with its last file; return it."""
        try:
            before = self._store.recording(file.track).track
        except CatalogDamaged:
            before = None
        others = [other for other in self._store.files(file.track) if other.path != file.path]
        if not others:
            self._store.delete(file.track)
        elif before is not None and os.fsencode(before.path) == file.path:
            self._store.change(file.track, replace(before, path=os.fsdecode(others[0].path)))
        return before

    def _keep_new(self, read: ReadFile, extracted: Extracted, new: list[tuple[int, Fingerprint]]) -> Stored:
        """Keep a recording that is new, or takes the place of what its file held, under the same id."""
        file = read.file
        old = self._store.number_with(read.content)  # damaged, else it would be known
        replaced = self._store.file(file.path)
        before, is_last = None, replaced is not None and len(self._store.files(replaced.track)) == 1
        if old is None and replaced is not None:
            if is_last:
                old = replaced.track
            else:
                before = self._without_file(replaced)
        id = self._ids.get(read.path) or (self._store.id_of(old) if old is not None else self._new_id(read.content))
        others = [other for other in self._store.files(old) if other.path != file.path] if old is not None else []
        track, file_words = _track(id, read, extracted), dict[str, str | None]()
        ranges: Sequence[TimeRange] = ()
        if old is not None:
            ranges = self._store.ranges(old)
            with contextlib.suppress(CatalogDamaged):
                known = self._store.recording(old)
                before = known.track
                if abs(before.seconds - track.seconds) <= _SAME_SECONDS:
                    track, file_words = with_edits(track, before, known.file_words)
            self._store.delete(old)
        number = self._store.insert(track, read.content, extracted.packed, file_words=file_words)
        self._store.write_ranges(number, ranges)
        for one in (file, *others):
            self._store.remember(msgspec.structs.replace(one, track=number))
        new.append((number, extracted.fingerprint))
        outcome = "added" if old is None else "updated"
        return Stored(read.path, outcome, track=track, seconds=extracted.seconds, before=before)

    def _new_id(self, content: bytes) -> str:
        """Return the shortest start of the content's hash, from 16 digits on, that no other track has for an id."""
        digest = content.hex()
        lengths = range(_ID_DIGITS, len(digest) + 1)
        return next((digest[:n] for n in lengths if not self._store.has_id(digest[:n])), digest)


def _track(id: str, read: ReadFile, extracted: Extracted) -> Track:
    tags, path = dict(extracted.tags), os.fsdecode(read.file.path)
    words = (tags.pop("title", "") or printable(Path(path).stem), tags.pop("artist", ""), tags.pop("album", ""))
    chapters = extracted.chapters if read.cue_sheet is None else read.cue_sheet
    return Track(id, *words, path, extracted.seconds, extracted.complete, time.time_ns(), tags, chapters)


def _shut_down(*executors: ThreadPoolExecutor) -> None:
    """Wait for what is at work; more interrupts do not shorten it, since nothing long is left."""
    for executor in executors:
        while True:
            try:
                executor.shutdown(wait=True, cancel_futures=True)
                break
            except KeyboardInterrupt:
                continue


def report(
    kept: Sequence[Stored],
    *,
    skipped: Sequence[tuple[str, str]] = (),
    missing: tuple[Track, ...] = (),
    interrupted: bool = False,
) -> AddReport:
    """Return what became of all files."""

    def tracks(outcome: str) -> tuple[Track, ...]:
        return tuple(one.track for one in kept if one.outcome == outcome and one.track is not None)

    def reasons(outcome: str) -> tuple[tuple[str, str], ...]:
        return tuple((one.path, one.reason) for one in kept if one.outcome == outcome)

    unchanged = [one for one in kept if one.outcome == "unchanged" and one.track is not None]
    copies = [(one.path, one.track.path) for one in unchanged if one.track is not None]
    return AddReport(
        tracks("added"),
        tracks("updated"),
        tuple(one.path for one in unchanged),
        reasons("failed"),
        interrupted,
        skipped=(*skipped, *reasons("skipped")),
        moved=tuple((one.moved_from, one.path) for one in unchanged if one.moved_from),
        duplicates=tuple((path, other) for path, other in copies if absolute(path) != os.fsencode(other)),
        replaced=tuple((one.before, one.track) for one in kept if one.before is not None and one.track is not None),
        missing=missing,
    )
