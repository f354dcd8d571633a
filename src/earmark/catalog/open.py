"""Opening a catalog: made when absent, and refused when it is not what was asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.catalog.catalog import Catalog
from earmark.catalog.local.durable import DATABASE, Files, is_catalog
from earmark.catalog.sqlite.lock import WriterLock
from earmark.catalog.sqlite.store import Settings, Store
from earmark.errors import CatalogError, CatalogNotFound, OptionError
from earmark.extract.pool import check_spec, make_fingerprinter
from earmark.fingerprints import DEFAULT

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter

# The index that suits a fingerprinter's keys; hashes, as most make, are looked up in postings.
_SUITED: Mapping[str, str] = {"neural": "both"}
_WITHOUT_PEAKS = "auto"  # for vectors alone
_OWN_NAMES = ("writer.lock", "generations", "quarantine", "CURRENT", DATABASE)


def open_catalog(
    path: str | os.PathLike[str],
    *,
    create: bool = True,
    read_only: bool = False,
    fingerprinter: str | None = None,
    index: str | None = None,
    **preset: Any,
) -> Catalog:
    """Open the catalog in the folder `path`; close it after use, or open it in a `with`.

    It is made when absent, unless `create` is False or it is opened `read_only`. One process at a time may write; any
    number may read meanwhile. `fingerprinter`, its settings in `preset` (as peaks=False) and `index` count when the
    catalog is made and are written in it; later they must agree or be left out. Raises CatalogNotFound, CatalogLocked,
    CatalogDamaged, CatalogTooNew, SpecMismatch when this earmark makes other fingerprints, OptionError.
    """
    folder = Path(path)
    if not is_catalog(folder):
        if read_only or not create:
            raise CatalogNotFound(f"no catalog is at {folder}; make one with earmark.open(path) or earmark index")
        wanted = fingerprinter or DEFAULT
        make_fingerprinter(wanted, preset), index_name(index, wanted, preset)  # wrong ones leave no folder
        _make_folder(folder)
    lock = None if read_only else WriterLock(folder / "writer.lock")
    try:
        store = Store(folder / DATABASE, read_only=read_only)
        try:
            settings = store.settings()
            if settings is None:
                if read_only:
                    raise CatalogNotFound(f"{folder} is a catalog that is only being made; try again later")
                settings = _make_settings(store, fingerprinter, index, preset)
            maker = _agreed(folder, settings, fingerprinter, index, preset)
            return Catalog(folder, settings, store, fingerprinter=maker, lock=lock)
        except BaseException:
            store.close()
            raise
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def index_name(asked: str | None, fingerprinter: str, preset: Mapping[str, Any]) -> str:
    """Return `asked`, or where it is None the name of the index that suits the fingerprinter.

    Raises OptionError for an index that there is not, or that holds other keys than the fingerprinter makes.
    """
    from earmark.index import CODE_NAMES, VECTOR_NAMES, make

    suited = _SUITED.get(fingerprinter, "postings")
    names = VECTOR_NAMES if suited in VECTOR_NAMES else CODE_NAMES
    alone = suited in VECTOR_NAMES and preset.get("peaks") is False
    if asked is None:
        return _WITHOUT_PEAKS if alone else suited
    make(asked)
    if alone and asked == suited:
        raise OptionError(
            f"index {asked!r} holds landmarks too, and without peaks there are none: use {_WITHOUT_PEAKS}"
        )
    if asked not in names:
        raise OptionError(f"index {asked!r} cannot hold what {fingerprinter} makes: choose one of {', '.join(names)}")
    return asked


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = [inside.name for inside in folder.iterdir() if not inside.name.startswith(_OWN_NAMES)]
    except OSError as error:
        raise CatalogError(f"{folder}: {error.strerror}; name a folder that can be made") from error
    if others:
        raise CatalogError(
            f"{folder} is a folder with other things in it ({others[0]}); name one that is not there yet"
        )


def _make_settings(store: Store, fingerprinter: str | None, index: str | None, preset: Mapping[str, Any]) -> Settings:
    name = fingerprinter or DEFAULT
    spec = make_fingerprinter(name, preset).spec
    settings = Settings(name, dict(preset), str(spec), index_name(index, name, preset))
    with store.transaction():
        store.write_settings(settings)
    files = Files()
    files.sync_folder(store.path.parent)
    files.sync_folder(store.path.parent.absolute().parent)
    return settings


def _agreed(
    folder: Path,
    settings: Settings,
    fingerprinter: str | None,
    index: str | None,
    preset: Mapping[str, Any],
) -> Fingerprinter:
    """Return the catalog's fingerprinter; raises OptionError for a setting that is not the catalog's, naming both."""
    name = index and index_name(index, settings.fingerprinter, settings.preset)
    if name and name != settings.index:
        raise OptionError(
            f"{folder} has index={settings.index!r}, not {name!r}: leave it out, or use rebuild(index=...)"
        )
    if fingerprinter and fingerprinter != settings.fingerprinter:
        raise OptionError(
            f"{folder} was made with fingerprinter={settings.fingerprinter!r}, not {fingerprinter!r}: "
            "leave it out, or make another catalog"
        )
    maker = make_fingerprinter(settings.fingerprinter, settings.preset)
    check_spec(maker, settings.spec, folder)
    if preset and make_fingerprinter(settings.fingerprinter, preset).spec != maker.spec:
        raise OptionError(
            f"{folder} was made with {settings.preset or 'the default settings'}, not {dict(preset)}: "
            "leave them out, or make another catalog"
        )
    return maker
