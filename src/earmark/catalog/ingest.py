"""Files become tracks: read by several children at a time, kept in the order given, in small transactions.

Three kinds of threads, so that an interrupt cannot tear anything: the caller's hands out files and reports; as many as
there are workers each drive one sandboxed child; one keeps results. A track is reported only when it is on the disk,
and what was kept stays, whatever ends the run: the next run does the rest.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Event
from typing import BinaryIO

from earmark.arguments import path_of
from earmark.catalog.backend import MOST_PACKED_BYTES, File, LiveIndex, Store
from earmark.catalog.cue import cue_sheet_of
from earmark.catalog.keeper import Keeper, ReadFile, Stored
from earmark.catalog.scan import Scan
from earmark.catalog.tracks import Tracks, absolute
from earmark.errors import MediaError
from earmark.extract.protocol import SHORTEST_SECONDS, Extracted, Extractor
from earmark.extract.watched import watched
from earmark.types import AddReport, Track

NO_AUDIO = ("unreadable", "unsupported", "no_audio", "too_short")  # codes of what may be no audio at all
_FILES_AHEAD = 8  # files per worker read ahead of the next to be kept; one long file holds nobody up for long
_BATCH = 64  # results kept in one transaction, when that many are ready
_PUBLISH_HOURS = 24.0  # hours of audio after which the index is published; bounds memory and what a crash leaves undone


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


class Ingest:
    """One run of adding files to a catalog."""

    def __init__(self, store: Store, index: LiveIndex, extractor: Extractor, *, ids: Mapping[str, str]) -> None:
        self._store, self._index, self._extractor = store, index, extractor
        self._keeper = Keeper(store, index, extractor, ids={path_of(path): id for path, id in ids.items()})
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
                number = self._keeper.number_of_sound(content)
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

    # In the thread of the keeper

    def _keep(self, batch: Sequence[ReadFile | Stored]) -> None:
        kept = self._keeper.keep(batch)
        self._kept.extend(kept)
        self._unpublished_seconds += sum(one.seconds for one in kept)
        if self._unpublished_seconds > _PUBLISH_HOURS * 3600:
            self._index.publish()
            self._unpublished_seconds = 0.0


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
        replaced=tuple(
            (replace(one.before, path=os.fsdecode(absolute(one.path))), one.track)  # the file that was written over
            for one in kept
            if one.before is not None and one.track is not None
        ),
        missing=missing,
    )
