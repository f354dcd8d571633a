"""A catalog in a folder: SQLite, generations of the index, and a lock for the writer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.catalog.backend import Backend, Store
from earmark.catalog.calibrations import OWN_FILE
from earmark.catalog.local.durable import DATABASE, DurableFiles
from earmark.catalog.local.generations import Generations, is_on_network
from earmark.catalog.local.live_index import LocalLiveIndex
from earmark.catalog.sqlite.lock import WriterLock
from earmark.catalog.sqlite.store import SQLiteStore
from earmark.errors import CatalogError

if TYPE_CHECKING:
    from earmark.catalog.settings import Settings
    from earmark.fingerprints.protocol import Fingerprinter

OWN_NAMES = ("writer.lock", "generations", "quarantine", "CURRENT", OWN_FILE, DATABASE)  # starts of a catalog's names


class Folder:
    """The folder of a catalog with its store open, and for a writer the lock."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        """Open the store; a writer's is made when absent. Raises CatalogLocked, CatalogNotFound, CatalogDamaged."""
        self.path, self._read_only = path, read_only
        with ExitStack() as stack:
            self._release: Callable[[], object] = lambda: None
            if not read_only:
                self._release = WriterLock(path / "writer.lock").release
                stack.callback(self._release)
            self.store: Store = SQLiteStore(path / DATABASE, read_only=read_only)
            stack.pop_all()

    def close(self) -> None:
        """Close the store and let others write."""
        try:
            self.store.close()
        finally:
            self._release()

    def sync(self) -> None:
        """Have the folder's name, and the names in it, on the disk when this returns."""
        files = DurableFiles()
        files.sync_folder(self.path)
        files.sync_folder(self.path.absolute().parent)

    def backend(self, fingerprinter: Fingerprinter, settings: Settings) -> Backend:
        """Return what a catalog is put together from."""
        network = is_on_network(self.path)
        warning = f"it lies on {network}, where locks and memory maps may fail; keep it on a local disk"
        return Backend(
            path=self.path,
            store=self.store,
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
        others = [inside.name for inside in path.iterdir() if not inside.name.startswith(OWN_NAMES)]
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror}; name a folder that can be made") from error
    if others:
        raise CatalogError(f"{path} is a folder with other things in it ({others[0]}); name one that is not there yet")
