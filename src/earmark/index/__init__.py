"""Engines by name; `channels.py` puts one for each channel of a fingerprint into an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index.protocol import Index

LARGEST_EXACT = 500_000  # vectors; "auto" searches smaller segments exactly, in up to 75 ms of one core for a 5 s clip


@dataclass(frozen=True, slots=True)
class Engine:
    """Where an engine's class is, and what it holds."""

    module: str  # loaded when the engine is first made
    kind: str  # its class
    metric: str  # metric of the channels it can hold, as `Channel.metric`
    defaults: Mapping[str, Any] = field(default_factory=dict)


ENGINES = {
    "postings": Engine("postings", "Postings", "equal"),
    "auto": Engine("pq", "PQ", "inner", {"smallest": LARGEST_EXACT}),
    "linear": Engine("flat", "Flat", "inner"),
    "lsh": Engine("lsh", "LSH", "inner"),
    "hashcode": Engine("hashcode", "Hashcode", "inner"),
    "pq": Engine("pq", "PQ", "inner"),
    "hnsw": Engine("hnsw", "HNSW", "inner"),
    "two_bit": Engine("two_bit", "TwoBit", "inner"),
}
EVERY_CHANNEL = "both"  # the name that catalogs and command lines have for it
CODE_NAMES = tuple(name for name, engine in ENGINES.items() if engine.metric == "equal")
VECTOR_NAMES = tuple(name for name, engine in ENGINES.items() if engine.metric == "inner")
NAMES = (EVERY_CHANNEL, *CODE_NAMES, *VECTOR_NAMES)


def make(name: str, **options: Any) -> Index:
    """Return an empty engine, with the options of its class; raises OptionError when there is none of that name."""
    index: Index = _class_of(name)(**{**_engine(name).defaults, **options})
    return index


def load(name: str, arrays: Mapping[str, NDArray[Any]], **options: Any) -> Index:
    """Return the engine that `Index.arrays` described."""
    index: Index = _class_of(name).from_arrays(arrays, **{**_engine(name).defaults, **options})
    return index


def metric_of(name: str) -> str:
    """Return the metric of the channels that an engine can hold; raises OptionError when there is none of that name."""
    return _engine(name).metric


def _engine(name: str) -> Engine:
    if name not in ENGINES:
        raise OptionError(f"index {name!r} is not known: choose one of {', '.join(NAMES)}")
    return ENGINES[name]


def _class_of(name: str) -> Any:
    engine = _engine(name)
    return getattr(import_module(f"earmark.index.{engine.module}"), engine.kind)
