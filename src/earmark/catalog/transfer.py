"""Tracks from one catalog to another, and a catalog to another place."""

from __future__ import annotations

import os
import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from earmark.arguments import why_not_made
from earmark.catalog.backend import File, LiveIndex, Recording, Store
from earmark.catalog.calibrations import MOST_BYTES, OWN_FILE
from earmark.catalog.local.directory import Directory
from earmark.catalog.local.durable import DATABASE, PLAYS, DurableFiles, sync_folder
from earmark.catalog.plays import PlayStore
from earmark.catalog.unpack import unpacked
from earmark.errors import CatalogDamaged, CatalogError, SpecMismatch, TrackExists, TrackNotFound
from earmark.regular import read_regular
from earmark.types import AddReport, Fingerprint, Track

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter

_BATCH = 64  # tracks kept in one transaction


class Copied(Protocol):
    """An index that is published, of whatever kind."""

    def copy(self, folder: Path) -> None:
        """Copy what is published into a catalog's folder."""


def merge(fingerprinter: Fingerprinter, store: Store, index: LiveIndex, other: Store, name: str) -> AddReport:
    """Copy the tracks of `other` that are not known yet; a recording that is known keeps its own words."""
    there = other.settings()
    if there is None or not fingerprinter.accepts(there.spec):
        raise SpecMismatch(
            f"this catalog holds fingerprints {fingerprinter.spec}, {name} holds {there and there.spec}; "
            "only catalogs of one kind can be merged"
        )
    added, unchanged, failed = list[Track](), list[str](), list[tuple[str, str]]()
    recordings = other.recordings()
    while batch := list(islice(recordings, _BATCH)):
        packed = other.fingerprints([one.number for one in batch if isinstance(one, Recording)])
        new: list[tuple[int, Fingerprint]] = []
        with store.transaction():
            for recording in batch:
                if not isinstance(recording, Recording):
                    failed.append((name, str(recording)))
                elif store.number_with(recording.content) is not None:
                    unchanged.append(recording.track.path)
                else:
                    try:
                        new.append(_copy(fingerprinter, store, other, recording, packed.get(recording.number)))
                        added.append(recording.track)
                    except (CatalogDamaged, TrackExists, TrackNotFound) as error:
                        failed.append((recording.track.path, str(error)))
        index.include(new)
    index.publish()
    return AddReport(added=tuple(added), unchanged=tuple(unchanged), failed=tuple(failed))


def export(store: Store, index: Copied, target: Path, *, calibration: Path, plays: PlayStore) -> Path:
    """Copy a catalog to the folder `target`, whole or not at all; calibration and plays where there are any."""
    if os.path.lexists(target):
        raise CatalogError(f"{target} exists; name a folder that is not there yet")
    parent = target.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=".tmp", dir=parent))
    except (OSError, ValueError) as error:
        raise CatalogError(f"{target}: {why_not_made(error)}; name a folder that can be made") from error
    try:
        _copy_to(scratch, store, index, calibration, plays)
        scratch.chmod(0o777 & ~_umask())
        scratch.rename(target)
        sync_folder(parent)
    except OSError as error:
        raise CatalogError(f"{target}: {error.strerror}; free some space, or name another folder") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)  # what is unfinished, of which nobody knows yet
    return target


def _copy_to(scratch: Path, store: Store, index: Copied, calibration: Path, plays: PlayStore) -> None:
    index.copy(scratch)  # before the database: an index may lack tracks, never have more than there are
    store.copy(scratch)
    has_plays = plays.copy(scratch)
    with Directory.opened(scratch) as folder:
        files = DurableFiles()
        if os.path.lexists(calibration):
            files.write(folder, OWN_FILE, [read_regular(calibration, most_bytes=MOST_BYTES)])
        for name in (DATABASE, PLAYS) if has_plays else (DATABASE,):
            files.sync_file(folder, name)
        files.sync_folder(folder)


def _copy(
    fingerprinter: Fingerprinter,
    store: Store,
    other: Store,
    recording: Recording,
    packed: bytes | CatalogDamaged | None,
) -> tuple[int, Fingerprint]:
    """Copy a recording and return (its number here, its fingerprint); raises CatalogDamaged, TrackExists."""
    if packed is None:
        raise TrackNotFound(f"{recording.track.id!r} was removed meanwhile")
    if isinstance(packed, CatalogDamaged):
        raise packed
    fingerprint = unpacked(fingerprinter, recording.number, packed)  # before the copy: no damage spreads
    number = store.insert(recording.track, recording.content, packed)
    if ranges := other.ranges(recording.number):
        store.write_ranges(number, ranges)
    for file in other.files(recording.number):
        if store.file(file.path) is None:
            store.remember(File(file.path, file.bytes, file.modified, number))
    return number, fingerprint


def _umask() -> int:
    """Return the process's mask of permissions, which can be read in no other way."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
