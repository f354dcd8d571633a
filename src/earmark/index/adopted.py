"""Arrays that an index adopts: of the type and shape it makes, in order and in range, whoever wrote them.

A file's checksum says that it is as somebody wrote it, not that it was an index. What a search would follow out of
bounds is looked at once; large arrays are not read for it, unless their checksum was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import DTypeLike, NDArray

from earmark.errors import CatalogDamaged


def check(holds: object, what: str) -> None:
    """Raise CatalogDamaged, which says `what` does not hold, unless it does."""
    if not holds:
        raise CatalogDamaged(f"an index is damaged: {what}; `earmark rebuild` makes it again")


def adopted(arrays: Mapping[str, NDArray[Any]], name: str, dtype: DTypeLike, axes: int) -> NDArray[Any]:
    """Return an array by name; raises CatalogDamaged when it is not there, or of another type or number of axes."""
    array = arrays.get(name)
    if array is None or array.dtype != dtype or array.ndim != axes:
        found = "absent" if array is None else f"of {array.dtype} and shape {array.shape}"
        raise CatalogDamaged(f"an index is damaged: {name} is {found}; `earmark rebuild` makes it again")
    return array


def is_rising(array: NDArray[Any], *, strictly: bool) -> bool:
    """Return whether no number of the last axis is below the one before, or each is above it."""
    before, after = array[..., :-1], array[..., 1:]
    return bool((after > before).all() if strictly else (after >= before).all())


def are_tracks(tracks: NDArray[Any]) -> bool:
    """Return whether numbers can be a catalog's tracks."""
    return not len(tracks) or int(tracks.min()) >= 0


def are_groups(ends: NDArray[Any], size: int) -> bool:
    """Return whether numbers, along the last axis, divide `size` rows into groups: from 0 up to `size`."""
    return bool(ends.shape[-1] and (ends[..., 0] == 0).all() and (ends[..., -1] == size).all()) and is_rising(
        ends, strictly=False
    )


def are_rows(rows: NDArray[Any], size: int) -> bool:
    """Return whether unsigned numbers are rows of an array of `size`."""
    return not rows.size or int(rows.max()) < size
