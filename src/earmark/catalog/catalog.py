"""A catalog: what is known, and the questions it answers."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from earmark.arguments import check_callable, path_of, texts_of
from earmark.catalog import transfer, verify
from earmark.catalog.backend import Backend, RebuildProgress
from earmark.catalog.calibrations import OWN_FILE, trust_figures
from earmark.catalog.identify import Identify
from earmark.catalog.ingest import Ingest, Progress
from earmark.catalog.plays import PlayStore
from earmark.catalog.questions import Questions
from earmark.catalog.ranges import Ranges
from earmark.catalog.scan import scan
from earmark.catalog.settings import Settings
from earmark.catalog.tracks import Tracks
from earmark.catalog.unpack import unpacked
from earmark.catalog.words import edit
from earmark.errors import CatalogError, CatalogReadOnly, OptionError
from earmark.extract.pool import worker_count
from earmark.extract.protocol import Extractor
from earmark.fingerprints import shown
from earmark.index.channels import index_name
from earmark.match.references import CACHE_BYTES
from earmark.text import printable
from earmark.types import AddReport, Fingerprint, Track

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter


class Catalog(Questions, Ranges, Tracks):
    """Recordings, and the means to say which of them a clip comes from. `earmark.open` makes one.

    Safe to use from several threads; changes wait for one another, questions for none of them. A reader follows what a
    writer in another process changes: it looks before each question, and when `refresh` is called.
    """

    def __init__(
        self,
        backend: Backend,
        settings: Settings,
        *,
        fingerprinter: Fingerprinter,
        make_extractor: Callable[..., Extractor],
        open_other: Callable[[str | os.PathLike[str]], Catalog],
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Put together what `open.open_catalog` has opened.

        `make_extractor(workers=...)` makes what reads files, `open_other` opens what is merged; `cache_bytes` are kept.
        """
        Tracks.__init__(self, backend.store)
        self._backend, self._store, self._index = backend, backend.store, backend.index
        self._settings, self._fingerprinter, self._open_other = settings, fingerprinter, open_other
        self._make_extractor, self._extractor = make_extractor, make_extractor(workers=None)
        self._identify = Identify(backend, self._extractor, cache_bytes=cache_bytes)
        self._changing = threading.RLock()
        self._closed = False

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            with contextlib.suppress(CatalogError):  # the first error says more
                self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"open for {'reading' if self._backend.read_only else 'writing'}"
        return f"<Catalog {os.fspath(self.path)!r} of {shown(self._settings.fingerprinter)}, {state}>"

    @property
    def path(self) -> Path:
        """The catalog's folder."""
        return self._backend.path

    @property
    def plays(self) -> PlayStore:
        """What was heard on stations; a catalog that is open for reading keeps them too, whoever adds tracks to it."""
        return self._backend.plays

    def close(self) -> None:
        """Publish what is not yet, end the children and let others write; a second call does nothing."""
        with self._changing, contextlib.ExitStack() as stack:
            if self._closed:
                return
            self._closed = True
            for close in (self._backend.release, self._store.close, self.plays.close, self._extractor.close):
                stack.callback(close)
            if not self._backend.read_only:
                self._index.publish()

    def refresh(self) -> bool:
        """Follow what a writer in another process has changed, and return whether anything was; a writer has no other.

        A question does the same before it is answered.
        """
        self._check_open()
        return self._index.refresh()

    # Knowledge

    def fingerprints(self) -> Iterator[tuple[Track, Fingerprint]]:
        """Yield each track and its fingerprint, in the order of adding; raises CatalogDamaged for a damaged one."""
        for number, packed in self._store.fingerprints_after(0):
            yield self._store.recording(number).track, unpacked(self._fingerprinter, number, packed)

    def info(self) -> dict[str, Any]:
        """Return figures about the catalog, and its problems as sentences."""
        return _figures(self._backend, self._settings, self._fingerprinter, *self._index.problems, *self._row_problems)

    # Changes

    def add(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        workers: int | None = None,
        progress: Callable[[Progress], object] | None = None,
        ids: Mapping[str, str] | None = None,
        exclude: Sequence[str] = (),
        follow_links: bool = False,
    ) -> AddReport:
        """Make the recordings in files, and in all files below folders, known; only what changed is read.

        `workers` children read at the same time (default: one a core). `progress` is called in the calling thread, once
        a file, after its track is on the disk. `ids` gives your own ids, by path as given or found. `exclude` names
        what to pass over in folders, as '*.tmp'; `follow_links` goes into folders that are links. A file that cannot
        be used is listed in `.failed` and stops nothing; what is no audio is `.skipped`; tracks of the given folders
        whose files are gone are `.missing`; an interrupt (Ctrl-C) is reported as `.interrupted`.
        Raises CatalogError when the catalog cannot be written to. What was reported as added stays in every case.
        """
        if not isinstance(ids, Mapping | None):
            raise OptionError(f"ids={ids!r}; give a mapping from paths to ids")
        for id in (ids or {}).values():
            _check_id(id)
        check_callable(progress, "progress")
        exclude = texts_of(exclude, "a pattern to exclude")
        with self._writing():
            count = worker_count(workers)
            ingest = Ingest(self._store, self._index, self._make_extractor(workers=count), ids=ids or {})
            found = scan(paths, exclude=exclude, follow_links=follow_links)
            return ingest.run(found, workers=count, progress=progress)

    def remove(self, ids: str | Iterable[str]) -> None:
        """Forget tracks; raises TrackNotFound for an unknown id, and then forgets none."""
        with self._writing():
            numbers = [self._store.number_of(id) for id in texts_of(ids, "the id")]
            with self._store.transaction():
                for number in dict.fromkeys(numbers):
                    self._store.delete(number)
            self._index.apply_removals()

    def update(
        self,
        id: str,
        *,
        title: str | None = None,
        artist: str | None = None,
        album: str | None = None,
        tags: Mapping[str, str] | None = None,
        new_id: str | None = None,
        reset: bool = False,
        path: str | None = None,
    ) -> Track:
        """Change what is said about a track, and return it; `tags` replaces all. Raises TrackExists for a taken id.

        What is changed here stays when the tags of the file change; `reset` first goes back to those of the file.
        `path` is what is shown as its place, as where it was read from a copy that goes: then it has no file to miss.
        """
        if new_id is not None:
            _check_id(new_id)
        words = {"title": title, "artist": artist, "album": album, "path": path}
        given: dict[str, Any] = {name: text and printable(text) for name, text in words.items()}
        given |= {"tags": tags and {printable(name): printable(text) for name, text in tags.items()}, "id": new_id}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        with self._writing(), self._store.transaction():
            return edit(self._store, id, changes, reset=reset)

    def merge(self, other: Catalog | str | os.PathLike[str]) -> AddReport:
        """Add the tracks of another catalog, without their audio; raises SpecMismatch when it is of another kind."""
        with self._writing(), contextlib.ExitStack() as stack:
            if not isinstance(other, Catalog):
                path_of(other)
                other = stack.enter_context(self._open_other(other))
            name = os.fspath(other.path)
            return transfer.merge(self._fingerprinter, self._store, self._index, other._store, name)

    def rebuild(self, index: str | None = None, *, progress: Callable[[RebuildProgress], object] | None = None) -> None:
        """Make the index again from the stored fingerprints, of another kind when one is named, and publish it.

        `progress` is called after each track with how far it is and about how long it still takes.
        """
        with self._writing():
            made = self._settings
            channels = self._fingerprinter.plan.channels
            name = made.index if index is None else index_name(index, channels, shown(made.fingerprinter))
            self._index.rebuild(name, progress)
            settings = msgspec.structs.replace(made, index=name)
            with self._store.transaction():  # last: an interrupted rebuild leaves the index that there was
                self._store.write_settings(settings)
            self._settings = settings

    # Copies and checks

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write a copy that can be moved anywhere, consistent whoever writes meanwhile; `path` must not exist."""
        own = self.path / OWN_FILE  # its calibration
        return transfer.export(self._store, self._index, Path(path_of(path)), calibration=own, plays=self.plays)

    def verify(self) -> verify.Verification:
        """Read everything and say what does not hold; a writer also has damaged tracks read again at the next add."""
        with self._changing:
            repair = not self._backend.read_only
            return verify.verify(self._store, self.plays, self._index, self._fingerprinter, repair=repair)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        if self._backend.read_only:
            raise CatalogReadOnly(f"{self.path} is open for reading; open it with read_only=False to change it")
        with self._changing:
            self._check_open()
            yield

    def _check_open(self) -> None:
        if self._closed:
            raise CatalogError(f"{self.path} is closed; open it again")


def _figures(backend: Backend, settings: Settings, fingerprinter: Fingerprinter, *problems: str) -> dict[str, Any]:
    store, index = backend.store, backend.index
    trust, misfits = trust_figures(fingerprinter, index.name, folder=backend.path)
    tracks, seconds = store.count()
    return {
        "path": os.fspath(backend.path),
        "tracks": tracks,
        "seconds": seconds,
        "fingerprinter": settings.fingerprinter,
        "preset": dict(settings.preset),
        "spec": settings.spec,
        "index": index.name,
        "index_stats": dict(index.stats()),
        "index_bytes": index.size(),
        "database_bytes": store.size(),
        "unpublished_tracks": index.unpublished,
        **trust,
        **store.info(),
        "problems": tuple(dict.fromkeys([*problems, *misfits, *backend.warnings])),
    }


def _check_id(id: str) -> None:
    if not isinstance(id, str) or not id or id != printable(id):
        raise OptionError(f"{id!r} cannot be an id; give 1 to 1,024 characters that can be printed")
