"""What a catalog knows in words: its tracks, listed, looked for and copied without its fingerprints or its index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from earmark.catalog import transfer
from earmark.catalog.backend import Recording, Store
from earmark.catalog.calibrations import OWN_FILE
from earmark.catalog.local.durable import is_catalog
from earmark.catalog.local.folder import Folder
from earmark.catalog.local.generations import Generations
from earmark.errors import CatalogNotFound, OptionError
from earmark.types import Track, TrackPage

PAGE_ROWS = 5_000  # tracks looked at for one page, some 50 ms


class Tracks:
    """The tracks of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._row_problems: dict[str, None] = {}  # sentences about damaged rows, in the order they were met

    def __len__(self) -> int:
        return self._store.count()[0]

    def size(self) -> tuple[int, float]:
        """Return how many tracks there are, and how many seconds they last together."""
        return self._store.count()

    def __iter__(self) -> Iterator[Track]:
        """Yield the tracks in the order they were added, without holding them all."""
        for recording in self._store.recordings():
            if isinstance(recording, Recording):
                yield recording.track
            else:
                self._row_problems[str(recording)] = None

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

    def page(self, cursor: str = "", *, limit: int = 50, text: str = "") -> TrackPage:
        """Return up to `limit` of the tracks that `find` would, from where the `cursor` of the page before points.

        However large the catalog, it takes little time: at most `PAGE_ROWS` tracks are looked at, so a page of a search
        may hold fewer than `limit` and still have a cursor. Raises OptionError for a cursor that no page had.
        """
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 18) and cursor:
            raise OptionError(f"cursor={cursor!r}; give one that a page had, or none for the first page")
        if limit < 1:
            raise OptionError(f"limit={limit}; give 1 or more")
        words, after, found = text.casefold().split(), int(cursor or 0), list[Track]()
        for looked_at, recording in enumerate(self._store.recordings(after)):
            if len(found) == limit or looked_at == PAGE_ROWS:
                return TrackPage(tuple(found), str(after))
            if isinstance(recording, Recording):
                after = recording.number
                if all(word in _words(recording.track) for word in words):
                    found.append(recording.track)
        return TrackPage(tuple(found), "")


class Listing(Tracks):
    """A catalog of any kind, of which this earmark need not be able to make the fingerprints; open for reading."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the catalog in a folder; raises CatalogNotFound, CatalogDamaged, CatalogTooNew."""
        self._path = Path(path)
        if not is_catalog(self._path):
            raise CatalogNotFound(f"no catalog is at {self._path}; make one with earmark.open(path) or earmark index")
        self._folder = Folder(self._path, read_only=True)
        super().__init__(self._folder.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.close()

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write a copy that can be moved anywhere, consistent whoever writes meanwhile; `path` must not exist."""
        calibration = self._path / OWN_FILE
        return transfer.export(self._store, Generations(self._path), Path(path), calibration=calibration)


def _words(track: Track) -> str:
    return "\n".join((track.id, track.title, track.artist, track.album, track.path)).casefold()
