"""What a catalog knows in words: its tracks, listed, looked for and copied without its fingerprints or its index."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from earmark.arguments import path_of, text_of
from earmark.catalog import transfer
from earmark.catalog.backend import File, Recording, Store
from earmark.catalog.calibrations import OWN_FILE
from earmark.catalog.local.durable import is_catalog
from earmark.catalog.local.folder import Folder
from earmark.catalog.local.generations import Generations
from earmark.errors import CatalogDamaged, CatalogNotFound, OptionError, TrackNotFound
from earmark.types import Track, TrackPage

PAGE_ROWS = 5_000  # tracks looked at for one page, some 50 ms

LEAST_ID_DIGITS = 4  # characters of an id that can stand for it


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

    def missing(self, path: str | os.PathLike[str] | None = None) -> tuple[Track, ...]:
        """Return the tracks none of whose files is there any more; with `path`, of the file or folder there alone."""
        known: dict[int, list[File]] = {}
        below = absolute(path_of(path)) if path is not None else b"/"
        for file in self._store.files_below(below):
            if not is_there(file.path):
                known.setdefault(file.track, []).append(file)
        found = []
        for number in sorted(known):
            if not any(is_there(file.path) for file in self._store.files(number)):
                with contextlib.suppress(CatalogDamaged, TrackNotFound):  # `verify` names the damaged ones
                    found.append(self._store.recording(number).track)
        return tuple(found)

    def state_of(self, path: str) -> str:
        """Return what a file is to the catalog, by its size and time: new, changed or unchanged; raises OSError."""
        known, status = self._store.file(absolute(path)), Path(path).stat()
        if known is None:
            return "new"
        is_same = (known.bytes, known.modified) == (status.st_size, status.st_mtime_ns)
        return "unchanged" if is_same else "changed"

    def get(self, id: str) -> Track:
        """Return the track with an id; raises TrackNotFound, and CatalogDamaged when its row is."""
        return self._store.recording(self._store.number_of(text_of(id, "the id"))).track

    def select(self, text: str) -> tuple[Track, ...]:
        """Return the tracks that `text` names: by id, or how it begins; by the path of a file or folder; or by words.

        Raises TrackNotFound when there is none.
        """
        if self._store.has_id(text_of(text, "what is looked for")):
            return (self.get(text),)
        numbers = dict.fromkeys(file.track for file in self._store.files_below(absolute(text))) if text else {}
        if numbers:
            return tuple(self._store.recording(number).track for number in numbers)
        found = self.find(text) if text.strip() else ()
        begun = [track for track in found if track.id.startswith(text)] if len(text) >= LEAST_ID_DIGITS else []
        if not found:
            raise TrackNotFound(f"no track has the id, the path or the words {text!r}; `earmark list` shows all")
        return tuple(begun) if len(begun) == 1 else found

    def find(self, text: str) -> tuple[Track, ...]:
        """Return the tracks with every word of `text` in id, title, artist, album or path; case is ignored."""
        words = text_of(text, "what is looked for").casefold().split()
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
        self._path = Path(path_of(path))
        if not is_catalog(self._path):
            raise CatalogNotFound(
                f"no catalog is at {self._path}; give the path of one, or make it with `earmark index`"
            )
        self._folder = Folder(self._path, read_only=True)
        super().__init__(self._folder.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.close()

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write a copy that can be moved anywhere, consistent whoever writes meanwhile; `path` must not exist."""
        calibration = self._path / OWN_FILE
        return transfer.export(
            self._store, Generations(self._path), Path(path_of(path)), calibration=calibration, plays=self._folder.plays
        )


def absolute(path: str) -> bytes:
    """Return a path from the root on, which one slash stands for: POSIX lets two of them mean something else."""
    if ".." in Path(path).parts:  # what a link's parent is, the file system alone can say
        path = str(Path(path).parent.resolve() / Path(path).name)
    return b"/" + os.fsencode(Path(path).absolute()).lstrip(b"/")


def is_there(path: bytes) -> bool:
    """Return whether a file is there, or may be: a folder that must not be looked into says nothing."""
    try:
        Path(os.fsdecode(path)).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _words(track: Track) -> str:
    return "\n".join((track.id, track.title, track.artist, track.album, track.path)).casefold()
