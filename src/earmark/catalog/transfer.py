"""Tracks from one catalog to another, and a catalog to another place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

from earmark.catalog.local.durable import DATABASE, Files
from earmark.catalog.local.generations import Generations
from earmark.catalog.local.live_index import Indexing
from earmark.catalog.sqlite.store import File, Recording, Store
from earmark.errors import CatalogDamaged, CatalogError, EarmarkError, SpecMismatch, TrackExists
from earmark.types import AddReport, Track

_BATCH = 64  # tracks kept in one transaction


def merge(store: Store, indexing: Indexing, other: Store, name: str) -> AddReport:
    """Copy the tracks of `other` that are not known yet; a recording that is known keeps its own words."""
    here, there = store.settings(), other.settings()
    if here is None or there is None or here.spec != there.spec:
        raise SpecMismatch(
            f"this catalog holds fingerprints {here and here.spec}, {name} holds {there and there.spec}; "
            "only catalogs of one kind can be merged"
        )
    kept: list[AddReport] = []
    recordings = other.recordings()
    while batch := list(islice(recordings, _BATCH)):
        kept.append(_take(store, indexing, other, batch, name))
    indexing.publish()
    added, unchanged, failed = (
        tuple(chain.from_iterable(getattr(one, outcome) for one in kept))
        for outcome in ("added", "unchanged", "failed")
    )
    return AddReport(added=added, unchanged=unchanged, failed=failed)


def export(store: Store, generations: Generations, target: Path) -> Path:
    """Copy a catalog to the folder `target`, whole or not at all."""
    if target.exists():
        raise CatalogError(f"{target} exists; name a folder that is not there yet")
    files = Files()
    scratch = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(f"{target}: {error.strerror}; name a folder that can be made") from error
    files.make_folder(scratch)
    try:
        generations.copy(scratch)  # before the database: an index may lack tracks, never have more than there are
        store.copy(scratch / DATABASE)
        files.sync_file(scratch / DATABASE)
        files.sync_folder(scratch)
        files.replace(scratch, target)
        files.sync_folder(target.absolute().parent)
    except EarmarkError:
        _remove(scratch)
        raise
    return target


def _take(
    store: Store, indexing: Indexing, other: Store, batch: Sequence[Recording | CatalogDamaged], name: str
) -> AddReport:
    added: list[Track] = []
    unchanged: list[str] = []
    failed: list[tuple[str, str]] = []
    new: list[tuple[int, bytes]] = []
    with store.transaction():
        for recording in batch:
            if not isinstance(recording, Recording):
                failed.append((name, str(recording)))
            elif store.number_with(recording.content) is not None:
                unchanged.append(recording.track.path)
            else:
                try:
                    new.append(_copy(store, other, recording))
                    added.append(recording.track)
                except (CatalogDamaged, TrackExists) as error:
                    failed.append((recording.track.path, str(error)))
    indexing.include(new)
    return AddReport(tuple(added), (), tuple(unchanged), tuple(failed))


def _copy(store: Store, other: Store, recording: Recording) -> tuple[int, bytes]:
    packed = other.fingerprint(recording.number)
    number = store.insert(recording.track, recording.content, packed)
    for file in other.files(recording.number):
        if store.file(file.path) is None:
            store.remember(File(file.path, file.bytes, file.modified, number))
    return number, packed


def _remove(folder: Path) -> None:
    """Remove an unfinished copy, of which nobody knows yet."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    folder.rmdir()
