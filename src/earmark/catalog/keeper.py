"""What was read of files becomes tracks: new ones, further files of known ones, and others in place of them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from earmark.catalog.backend import File, LiveIndex, Store
from earmark.catalog.tracks import is_there
from earmark.catalog.unpack import unpacked
from earmark.catalog.words import with_edits
from earmark.errors import CatalogDamaged, TrackExists, TrackNotFound
from earmark.extract.protocol import Extracted, Extractor
from earmark.text import printable
from earmark.types import Chapter, Fingerprint, TimeRange, Track

_SAME_SECONDS = 1.0  # difference in length of a recording that only got other tags, or was encoded again
_ID_DIGITS = 16  # hexadecimal digits of the content's SHA-256; two of a million share an id in one of 40 M catalogs


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


class Keeper:
    """What a store and its index keep of files that were read."""

    def __init__(self, store: Store, index: LiveIndex, extractor: Extractor, *, ids: Mapping[str, str]) -> None:
        self._store, self._index, self._ids = store, index, ids
        self._fingerprinter = extractor.fingerprinter

    def number_of_sound(self, content: bytes) -> int | None:
        """Return the number of the recording with that content, unless none is known or it is damaged."""
        number = self._store.number_with(content)
        if number is not None:
            try:
                self._store.recording(number)
                packed = self._store.fingerprints([number]).get(number, CatalogDamaged("it has none"))
                unpacked(self._fingerprinter, number, packed)
            except (CatalogDamaged, TrackNotFound):
                return None
        return number

    def keep(self, batch: Sequence[ReadFile | Stored]) -> list[Stored]:
        """Keep what was read in one transaction, and return what became of each file."""
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
        return kept

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
        number = self.number_of_sound(read.content)
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
