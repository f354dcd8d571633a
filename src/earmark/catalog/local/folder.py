"""A catalog in a folder: SQLite, generations of the index, and a lock for the writer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.arguments import why_not_made
from earmark.catalog.backend import Backend, Store
from earmark.catalog.calibrations import OWN_FILE
from earmark.catalog.local.durable import DATABASE, PLAYS, sync_folder
from earmark.catalog.local.generations import CURRENT, QUARANTINE, ROOT, SCRATCH, Generations, is_on_network
from earmark.catalog.local.live_index import LocalLiveIndex
from earmark.catalog.plays import PlayStore
from earmark.catalog.sqlite.connection import COMPANIONS
from earmark.catalog.sqlite.lock import WriterLock
from earmark.catalog.sqlite.plays import SQLitePlays
from earmark.catalog.sqlite.store import SQLiteStore
from earmark.errors import CatalogDamaged, CatalogError
from earmark.regular import irregularity

if TYPE_CHECKING:
    from earmark.catalog.settings import Settings
    from earmark.fingerprints.protocol import Fingerprinter

LOCK = "writer.lock"
OWN_NAMES = (LOCK, ROOT, QUARANTINE, CURRENT, OWN_FILE, DATABASE, PLAYS)  # starts of a catalog's names
DROPPINGS = ("Thumbs.db", "desktop.ini")  # files that desktops leave in any folder, besides hidden ones


class Folder:
    """The folder of a catalog with its store open, and for a writer the lock."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        """Open the store; a writer's is made when absent. Raises CatalogLocked, CatalogNotFound, CatalogDamaged."""
        self.path, self._read_only = path, read_only
        _check_kinds(path)
        with ExitStack() as stack:
            self._release: Callable[[], object] = lambda: None
            if not read_only:
                self._release = WriterLock(path / LOCK).release
                stack.callback(self._release)
            self.store: Store = SQLiteStore(path / DATABASE, read_only=read_only)
            self.plays: PlayStore = SQLitePlays(path / PLAYS)
            stack.pop_all()

    def close(self) -> None:
        """Close the store and let others write."""
        try:
            self.plays.close()
            self.store.close()
        finally:
            self._release()

    def sync(self) -> None:
        """Have the folder's name, and the names in it, on the disk when this returns."""
        for path in (self.path, self.path.absolute().parent):
            sync_folder(path)

    def backend(self, fingerprinter: Fingerprinter, settings: Settings) -> Backend:
        """Return what a catalog is put together from."""
        network = is_on_network(self.path)
        warning = f"it lies on {network}, where locks and memory maps may fail; keep it on a local disk"
        return Backend(
            path=self.path,
            store=self.store,
            plays=self.plays,
            index=LocalLiveIndex(
                self.store,
                Generations(self.path),
                fingerprinter,
                settings.index,
                read_only=self._read_only,
            ),
            read_only=self._read_only,
            release=self._release,
            warnings=(warning,) if network else (),
        )


def make_folder(path: Path) -> None:
    """Make the folder of a catalog; raises CatalogError when it holds other things."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        others = [one.name for one in path.iterdir() if not (one.name.startswith(OWN_NAMES) or is_dropping(one.name))]
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise CatalogError(f"{path}: {why_not_made(error)}; name a folder that can be made") from error
    if others:
        raise CatalogError(f"{path} is a folder with other things in it ({others[0]}); name one that is not there yet")


def is_dropping(name: str) -> bool:
    """Return whether a file is one that a desktop leaves in any folder."""
    return name.startswith(".") or name in DROPPINGS


def _check_kinds(folder: Path) -> None:
    """Raise CatalogDamaged for a link, pipe or device in the place of a catalog's file or folder."""
    files = dict.fromkeys(
        (
            LOCK,
            CURRENT,
            SCRATCH,
            OWN_FILE,
            *(file + companion for file in (DATABASE, PLAYS) for companion in COMPANIONS),
        ),
        False,
    )
    for name, is_folder in (files | {ROOT: True, QUARANTINE: True}).items():
        try:
            problem = irregularity(folder / name, is_folder=is_folder)
        except OSError as error:
            raise CatalogError(f"{folder / name}: {error.strerror}; name the folder of a catalog") from error
        if problem:
            raise CatalogDamaged(f"{folder / name} {problem}; remove it: a catalog holds nothing but files of its own")
