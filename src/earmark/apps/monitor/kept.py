"""Heard sound as fingerprints, kept for some hours, in which tracks that are added later are looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from earmark.apps.monitor.events import MonitorEvent
from earmark.apps.monitor.ledger import Ledger, Part, Thresholds
from earmark.apps.monitor.monitor import RATE
from earmark.catalog.plays import HeardSound, PlayedTrack
from earmark.errors import CatalogDamaged, SpecMismatch
from earmark.extract.fingerprint import extract_samples
from earmark.extract.fingerprinter import make_fingerprinter
from earmark.types import Samples

if TYPE_CHECKING:
    from earmark.catalog.catalog import Catalog
    from earmark.fingerprints.protocol import Fingerprinter

PIECE_SECONDS = 60.0  # seconds of sound that are kept together
OVERLAP_SECONDS = 5.0  # seconds by which a piece reaches into the one before: a window
GAP_SECONDS = 0.5  # seconds between two blocks, from which on sound does not go on
MOST_MATCHES = 100  # matches of a piece


@dataclass
class _Piece:
    start: float = 0.0
    blocks: list[Samples] = field(default_factory=list)
    count: int = 0  # samples

    @property
    def end(self) -> float:
        return self.start + self.count / RATE


class KeptSound:
    """Keeps fingerprints of what stations sounded like; a `Recorder` of the monitor."""

    def __init__(self, catalog: Catalog, *, hours: float) -> None:
        self._store, self._seconds = catalog.plays, hours * 3_600.0
        self._fingerprinter = fingerprinter_of(catalog)
        self._pieces: dict[str, _Piece] = {}

    def hear(self, station: str, samples: Samples, start: float) -> None:
        """Add samples, and keep what is a piece."""
        piece = self._pieces.get(station)
        if piece is None or abs(piece.end - start) > GAP_SECONDS:
            self.end(station)
            piece = self._pieces[station] = _Piece(start)
        piece.blocks.append(samples)
        piece.count += len(samples)
        if piece.count >= PIECE_SECONDS * RATE:
            self._keep(station, piece)

    def note(self, event: MonitorEvent) -> None:
        """Plays are kept by others."""

    def end(self, station: str) -> None:
        """Keep what is left of a station's sound."""
        piece = self._pieces.pop(station, None)
        if piece is not None and piece.count > OVERLAP_SECONDS * RATE:
            self._keep(station, piece)
            del self._pieces[station]

    def _keep(self, station: str, piece: _Piece) -> None:
        samples = np.concatenate(piece.blocks)
        # As of a recording, not of a clip: a tenth of the size, and music is found as well under louder speech.
        fingerprint = extract_samples(samples, RATE, self._fingerprinter, query=False).fingerprint
        packed = self._fingerprinter.pack(fingerprint)
        with self._store.transaction():
            self._store.keep(HeardSound(station, piece.start, fingerprint.seconds, packed))
            self._store.forget_heard(station, piece.end - self._seconds)
        overlap = samples[-round(OVERLAP_SECONDS * RATE) :]
        self._pieces[station] = _Piece(piece.end - len(overlap) / RATE, [overlap], len(overlap))


def rescan(
    catalog: Catalog,
    thresholds: Thresholds,
    *,
    station: str | None = None,
    since: float | None = None,
    progress: Callable[[HeardSound], object] | None = None,
) -> Iterator[MonitorEvent]:
    """Look up, in the kept sound, the tracks that were added after it was heard, and yield what happens to plays.

    Pieces whose fingerprint is damaged, or of another kind, raise CatalogDamaged, SpecMismatch.
    """
    fingerprinter, ledgers = fingerprinter_of(catalog), dict[str, tuple[Ledger, float]]()
    for heard in catalog.plays.heard(station=station, since=since):
        if progress is not None:
            progress(heard)
        if heard.station not in ledgers:
            ledger = Ledger(catalog.plays, heard.station, thresholds, resumes=False)
            ledgers[heard.station] = ledger, heard.start
        ledger, begun = ledgers[heard.station]
        parts = list(_parts_of(catalog, fingerprinter, heard, thresholds.review))
        yield from ledger.update(parts, since=begun, until=heard.start + heard.seconds)
        ledger.settle()
    for ledger, _ in ledgers.values():
        yield from ledger.close(0.0)


def fingerprinter_of(catalog: Catalog) -> Fingerprinter:
    """Return what makes a catalog's fingerprints."""
    info = catalog.info()
    return make_fingerprinter(info["fingerprinter"], info["preset"])


def _parts_of(catalog: Catalog, fingerprinter: Fingerprinter, heard: HeardSound, threshold: float) -> Iterator[Part]:
    try:
        fingerprint = fingerprinter.unpack(heard.packed)
    except SpecMismatch:
        raise
    except ValueError as error:
        raise CatalogDamaged(f"sound number {heard.number} is damaged ({error}); it cannot be looked up") from error
    answer = catalog.identify(fingerprint, several=True, limit=MOST_MATCHES, threshold=threshold)
    for match in answer.matches:
        track = match.track
        if track.added / 1e9 <= heard.start:  # known then: it was looked up when it was heard
            continue
        yield Part(
            track=PlayedTrack(track.id, track.title, track.artist, track.album, track.path, track.seconds),
            start=heard.start + match.query_start,
            end=heard.start + match.query_end,
            source_start=match.query_start,
            reference_start=match.reference_start,
            reference_end=match.reference_end,
            confidence=match.confidence,
            copies=frozenset(copy.id for copy in match.copies),
            evidence=match.evidence,
        )
