"""Tracks from one catalog to another, and a catalog to another place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.catalog.backend import File, LiveIndex, Recording, Store
from earmark.catalog.calibrations import OWN_FILE
from earmark.catalog.local.durable import DurableFiles
from earmark.catalog.unpack import unpacked
from earmark.errors import CatalogDamaged, CatalogError, EarmarkError, SpecMismatch, TrackExists, TrackNotFound
from earmark.types import AddReport, Fingerprint, Track

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter

_BATCH = 64  # tracks kept in one transaction


def merge(fingerprinter: Fingerprinter, store: Store, index: LiveIndex, other: Store, name: str) -> AddReport:
    """Copy the tracks of `other` that are not known yet; a recording that is known keeps its own words."""
    there = other.settings()
    if there is None or not fingerprinter.accepts(there.spec):
        raise SpecMismatch(
            f"this catalog holds fingerprints {fingerprinter.spec}, {name} holds {there and there.spec}; "
            "only catalogs of one kind can be merged"
        )
    kept: list[AddReport] = []
    recordings = other.recordings()
    while batch := list(islice(recordings, _BATCH)):
        kept.append(_take(fingerprinter, store, index, other, batch, name))
    index.publish()
    added, unchanged, failed = (
        tuple(chain.from_iterable(getattr(one, outcome) for one in kept))
        for outcome in ("added", "unchanged", "failed")
    )
    return AddReport(added=added, unchanged=unchanged, failed=failed)


def export(store: Store, index: LiveIndex, target: Path, *, calibration: Path) -> Path:
    """Copy a catalog to the folder `target`, whole or not at all, with its own calibration where there is one."""
    if target.exists():
        raise CatalogError(f"{target} exists; name a folder that is not there yet")
    files = DurableFiles()
    scratch = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(f"{target}: {error.strerror}; name a folder that can be made") from error
    files.make_folder(scratch)
    try:
        index.copy(scratch)  # before the database: an index may lack tracks, never have more than there are
        store.copy(scratch)
        if calibration.is_file():
            files.write(scratch / OWN_FILE, [calibration.read_bytes()])
        for path in scratch.iterdir():
            if path.is_file():
                files.sync_file(path)
        files.sync_folder(scratch)
        files.replace(scratch, target)
        files.sync_folder(target.absolute().parent)
    except EarmarkError:
        _remove(scratch)
        raise
    return target


def _take(
    fingerprinter: Fingerprinter,
    store: Store,
    index: LiveIndex,
    other: Store,
    batch: Sequence[Recording | CatalogDamaged],
    name: str,
) -> AddReport:
    added: list[Track] = []
    unchanged: list[str] = []
    failed: list[tuple[str, str]] = []
    new: list[tuple[int, Fingerprint]] = []
    packed = other.fingerprints([one.number for one in batch if isinstance(one, Recording)])
    with store.transaction():
        for recording in batch:
            if not isinstance(recording, Recording):
                failed.append((name, str(recording)))
            elif store.number_with(recording.content) is not None:
                unchanged.append(recording.track.path)
            else:
                try:
                    own = packed.get(recording.number)
                    if own is None:
                        raise TrackNotFound(f"{recording.track.id!r} was removed meanwhile")
                    fingerprint = unpacked(fingerprinter, recording.number, own)  # before the copy: no damage spreads
                    new.append((_copy(store, other, recording, own), fingerprint))
                    added.append(recording.track)
                except (CatalogDamaged, TrackExists, TrackNotFound) as error:
                    failed.append((recording.track.path, str(error)))
    index.include(new)
    return AddReport(tuple(added), (), tuple(unchanged), tuple(failed))


def _copy(store: Store, other: Store, recording: Recording, packed: bytes | CatalogDamaged) -> int:
    if isinstance(packed, CatalogDamaged):
        raise packed
    number = store.insert(recording.track, recording.content, packed)
    for file in other.files(recording.number):
        if store.file(file.path) is None:
            store.remember(File(file.path, file.bytes, file.modified, number))
    return number


def _remove(folder: Path) -> None:
    """Remove an unfinished copy, of which nobody knows yet."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    folder.rmdir()
