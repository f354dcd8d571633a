"""Matches audio clips against a catalog of recordings: which recording, where in it, and how sure.

    import earmark

    with earmark.open("music.earmark") as catalog:
        catalog.add(["albums/"])
        answer = catalog.identify("clip.wav")
        if answer.best:
            print(answer.best.track.title, answer.best.reference_start, answer.best.confidence)

Names are loaded when they are first used, so that importing earmark costs next to nothing.
"""

from __future__ import annotations

import importlib
import os

# ONNX Runtime's wheels send a device id and what is run, unless this is set before their import. It stands here so that
# it holds in every process, whichever of earmark's modules brings ONNX Runtime.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

TYPE_CHECKING = False  # typing's own, without its import, which is a fifth of a bare Python's start


if TYPE_CHECKING:
    from typing import Any

    from earmark.apps.compare import compare
    from earmark.apps.monitor.events import MonitorEvent
    from earmark.apps.monitor.monitor import Monitor, MonitorOptions
    from earmark.apps.monitor.stations import Station
    from earmark.apps.repeats import repeats
    from earmark.catalog.catalog import Catalog
    from earmark.catalog.duplicates import duplicate_groups
    from earmark.catalog.ingest import Progress
    from earmark.catalog.open import open_catalog as open
    from earmark.catalog.plays import Play
    from earmark.catalog.verify import Verification
    from earmark.errors import (
        CatalogDamaged,
        CatalogError,
        CatalogLocked,
        CatalogNotFound,
        CatalogReadOnly,
        CatalogTooNew,
        EarmarkError,
        MediaError,
        OptionError,
        PlayNotFound,
        SpecMismatch,
        TrackExists,
        TrackNotFound,
    )
    from earmark.evaluation.music import evaluate
    from earmark.extract.protocol import ExtractLimits
    from earmark.extract.sources import Source
    from earmark.types import (
        AddReport,
        Answer,
        Duplicate,
        DuplicateGroup,
        Explanation,
        Fingerprint,
        Match,
        Repeat,
        Spec,
        TimeRange,
        Trace,
        Track,
        TrackPage,
    )

__version__ = "0.1.0"

__all__ = [
    "AddReport",
    "Answer",
    "Catalog",
    "CatalogDamaged",
    "CatalogError",
    "CatalogLocked",
    "CatalogNotFound",
    "CatalogReadOnly",
    "CatalogTooNew",
    "Duplicate",
    "DuplicateGroup",
    "EarmarkError",
    "Explanation",
    "ExtractLimits",
    "Fingerprint",
    "Match",
    "MediaError",
    "Monitor",
    "MonitorEvent",
    "MonitorOptions",
    "OptionError",
    "Play",
    "PlayNotFound",
    "Progress",
    "Repeat",
    "Spec",
    "SpecMismatch",
    "Station",
    "TimeRange",
    "Trace",
    "Track",
    "TrackExists",
    "TrackNotFound",
    "TrackPage",
    "Verification",
    "__version__",
    "compare",
    "duplicate_groups",
    "evaluate",
    "fingerprint",
    "open",
    "packed_fingerprint",
    "repeats",
]

_TYPES = (
    "AddReport",
    "Answer",
    "Duplicate",
    "DuplicateGroup",
    "Explanation",
    "Fingerprint",
    "Match",
    "Repeat",
    "Spec",
    "TimeRange",
    "Trace",
    "Track",
    "TrackPage",
)


def fingerprint(source: Source, *, fingerprinter: str | None = None, query: bool = False, **preset: Any) -> Fingerprint:
    """Return the fingerprint of a path, bytes, a binary file or (samples, rate), without a catalog.

    Samples are float32 in [-1, 1], shape (n,) or (n, channels). `query` looks closer, as for a clip that is to be
    identified; `fingerprinter` is that of a new catalog unless another is named, `preset` its settings, as
    peaks=False. Raises MediaError, and OptionError for an unknown fingerprinter or setting.
    """
    from earmark.extract.fingerprint import fingerprint_of
    from earmark.fingerprints import DEFAULT

    return fingerprint_of(source, fingerprinter or DEFAULT, preset, query=query)


def packed_fingerprint(source: Source, *, fingerprinter: str | None = None, **preset: Any) -> bytes:
    """Return a clip's fingerprint as bytes, which a service takes in place of the sound: `POST /v1/identify`.

    Arguments and errors are those of `fingerprint`.
    """
    from earmark.extract.fingerprint import packed_fingerprint_of
    from earmark.fingerprints import DEFAULT

    return packed_fingerprint_of(source, fingerprinter or DEFAULT, preset)


def __getattr__(name: str) -> Any:
    """Return a public name, imported when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'earmark' has no attribute {name!r}")
    value = getattr(importlib.import_module(_home_of(name)), "open_catalog" if name == "open" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _home_of(name: str) -> str:
    homes = {"open": "catalog.open", "Catalog": "catalog.catalog", "Progress": "catalog.ingest"}
    homes |= {"Verification": "catalog.verify", "compare": "apps.compare", "evaluate": "evaluation.music"}
    homes |= {"duplicate_groups": "catalog.duplicates", "repeats": "apps.repeats"}
    homes |= {"Monitor": "apps.monitor.monitor", "MonitorOptions": "apps.monitor.monitor", "Play": "catalog.plays"}
    homes |= {"MonitorEvent": "apps.monitor.events", "Station": "apps.monitor.stations"}
    homes |= {"ExtractLimits": "extract.protocol"}
    return f"earmark.{homes.get(name, 'types' if name in _TYPES else 'errors')}"
