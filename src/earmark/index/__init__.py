"""Indexes by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index.protocol import Index

CODE_NAMES = ("postings",)  # indexes of codes
VECTOR_NAMES = ("linear",)  # indexes of vectors
NAMES = CODE_NAMES + VECTOR_NAMES


def make(name: str) -> Index:
    """Return an empty index of that kind; raises OptionError when there is none."""
    return _kind(name)()


def load(name: str, arrays: Mapping[str, NDArray[Any]]) -> Index:
    """Return the index that `Index.arrays` described."""
    return _kind(name).from_arrays(arrays)


def _kind(name: str) -> type[Index]:
    if name == "postings":
        from earmark.index.postings import Postings

        return Postings
    if name == "linear":
        from earmark.index.linear import Linear

        return Linear
    raise OptionError(f"index {name!r} is not known: choose one of {', '.join(NAMES)}")
