"""Opening a catalog: made when absent, and refused when it is not what was asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from earmark.arguments import path_of
from earmark.catalog.catalog import Catalog
from earmark.catalog.local.durable import is_catalog
from earmark.catalog.local.folder import Folder, make_folder
from earmark.catalog.settings import Settings, check_model
from earmark.errors import CatalogDamaged, CatalogNotFound, OptionError, SpecMismatch
from earmark.extract.fingerprinter import make_fingerprinter
from earmark.extract.pool import ExtractorPool
from earmark.fingerprints import ALIASES, DEFAULT, shown
from earmark.index.channels import index_name
from earmark.match.references import CACHE_BYTES

if TYPE_CHECKING:
    from earmark.extract.protocol import ExtractLimits, Extractor
    from earmark.fingerprints.protocol import Fingerprinter


def open_catalog(
    path: str | os.PathLike[str],
    *,
    create: bool = True,
    read_only: bool = False,
    fingerprinter: str | None = None,
    index: str | None = None,
    limits: ExtractLimits | None = None,
    make_extractor: Callable[..., Extractor] | None = None,
    cache_bytes: int = CACHE_BYTES,
    **preset: Any,
) -> Catalog:
    """Open the catalog in the folder `path`; close it after use, or open it in a `with`.

    It is made when absent, unless `create` is False or it is opened `read_only`. One process at a time may write; any
    number may read meanwhile. `fingerprinter`, its settings in `preset` (as peaks=False) and `index` count when the
    catalog is made and are written in it; later they must agree or be left out. `limits`: what a file or clip may take.
    `make_extractor(workers=...)` makes what reads files, where that is not to be a pool of children of its own.
    `cache_bytes`: how much memory stored fingerprints may take that are kept for the next question; besides these and
    the index, what an open catalog takes does not depend on its size.
    Raises CatalogNotFound, CatalogLocked, CatalogDamaged, CatalogTooNew, SpecMismatch when this earmark makes other
    fingerprints, OptionError.
    """
    if not isinstance(cache_bytes, int) or cache_bytes < 0:
        raise OptionError(f"cache_bytes={cache_bytes!r}: give a number of bytes, 0 to keep no more than one")
    place, fingerprinter = Path(path_of(path)), ALIASES.get(fingerprinter or "", fingerprinter)
    if not is_catalog(place):
        if read_only or not create:
            raise CatalogNotFound(f"no catalog is at {place}; give the path of one, or make it with `earmark index`")
        _new_settings(fingerprinter, index, preset)  # raises before a folder is made
        make_folder(place)
    folder = Folder(place, read_only=read_only)
    try:
        stored = folder.store.settings()
        if stored is None and read_only:
            raise CatalogNotFound(f"{place} is a catalog that is only being made; try again later")
        settings = stored or _new_settings(fingerprinter, index, preset)
        maker = _agreed(place, settings, fingerprinter, index, preset)
        if not read_only:  # an earlier release had another spec for the same features
            settings = msgspec.structs.replace(settings, spec=str(maker.spec))
            if settings != stored:
                with folder.store.transaction():
                    folder.store.write_settings(settings)
                folder.sync()
        open_other = partial(open_catalog, create=False, read_only=True)
        backend = folder.backend(maker, settings)
        if not read_only and settings.index != backend.index.name:  # a rebuild ended between the index and the settings
            settings = msgspec.structs.replace(settings, index=backend.index.name)
            with folder.store.transaction():
                folder.store.write_settings(settings)
        return Catalog(
            backend,
            settings,
            fingerprinter=maker,
            make_extractor=make_extractor
            or partial(ExtractorPool, settings.fingerprinter, settings.preset, limits=limits),
            open_other=open_other,
            cache_bytes=cache_bytes,
        )
    except BaseException:
        folder.close()
        raise


def _new_settings(fingerprinter: str | None, index: str | None, preset: Mapping[str, Any]) -> Settings:
    name = fingerprinter or DEFAULT
    maker = make_fingerprinter(name, preset)
    return Settings(name, dict(preset), str(maker.spec), index_name(index, maker.plan.channels, shown(name)))


def _agreed(
    folder: Path,
    settings: Settings,
    fingerprinter: str | None,
    index: str | None,
    preset: Mapping[str, Any],
) -> Fingerprinter:
    """Return the catalog's fingerprinter; raises OptionError for a setting that is not the catalog's, naming both."""
    maker = _maker_of(folder, settings, preset)
    name = index and index_name(index, maker.plan.channels, shown(settings.fingerprinter))
    if name and name != settings.index:
        raise OptionError(
            f"{folder} has index={settings.index!r}, not {name!r}: leave it out, or use rebuild(index=...)"
        )
    if fingerprinter and fingerprinter != settings.fingerprinter:
        raise OptionError(
            f"{folder} was made with fingerprinter={shown(settings.fingerprinter)!r}, not {shown(fingerprinter)!r}: "
            "leave it out, or make another catalog"
        )
    if not maker.accepts(settings.spec):
        raise SpecMismatch(
            f"{folder} holds fingerprints {settings.spec}, this earmark makes {maker.spec}; "
            "open it with the earmark that made it, or run `earmark index` on the audio with another --catalog"
        )
    if preset and make_fingerprinter(settings.fingerprinter, preset).spec != maker.spec:
        raise OptionError(
            f"{folder} was made with {settings.preset or 'the default settings'}, not {dict(preset)}: "
            "leave them out, or make another catalog"
        )
    return maker


def _maker_of(folder: Path, settings: Settings, named: Mapping[str, Any]) -> Fingerprinter:
    """Return the fingerprinter that a catalog was made with; raises CatalogError when it names none, or no safe one."""
    if "model" not in named:
        check_model(folder, settings.preset.get("model", ""))
    try:
        return make_fingerprinter(settings.fingerprinter, settings.preset)
    except OptionError:
        raise
    except (TypeError, ValueError, LookupError, ImportError, AttributeError) as error:
        raise CatalogDamaged(
            f"{folder} was made with {shown(settings.fingerprinter)} and {settings.preset}, "
            f"which there is not ({error}); restore a copy made by `earmark export`"
        ) from error
