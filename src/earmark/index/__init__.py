"""Indexes by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index.protocol import Index

CODE_NAMES = ("postings",)  # indexes of codes
VECTOR_NAMES = ("auto", "linear", "lsh", "hashcode", "pq", "hnsw", "both")  # indexes of vectors
NAMES = CODE_NAMES + VECTOR_NAMES


def make(name: str, **options: Any) -> Index:
    """Return an empty index of that kind, with the options of its class; raises OptionError when there is none."""
    index: Index = _kind(name)(**options)
    return index


def load(name: str, arrays: Mapping[str, NDArray[Any]], **options: Any) -> Index:
    """Return the index that `Index.arrays` described."""
    index: Index = _kind(name).from_arrays(arrays, **options)
    return index


def _kind(name: str) -> Any:
    if name not in NAMES:
        raise OptionError(f"index {name!r} is not known: choose one of {', '.join(NAMES)}")
    return getattr(import_module(f"earmark.index.{name}"), name.capitalize())  # each loads what it needs
