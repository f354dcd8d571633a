"""Types that JSON and msgpack are read as, safe to use in several threads.

msgspec 0.22 makes its plan of a type when the type is first used, and shows it to other threads while it is half made:
two threads that read a nested type for the first time at once end the process with a segmentation fault.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")
_LOCK = Lock()  # held while a plan is made
_PREPARED = set[Any]()  # types whose plan is made


@overload
def prepared(kind: type[T]) -> type[T]: ...
@overload
def prepared(kind: Any) -> Any: ...
def prepared(kind: Any) -> Any:
    """Return `kind`, whose plan is made: what every call of msgspec that reads a type is given."""
    if kind not in _PREPARED:
        with _LOCK:
            msgspec.json.Decoder(kind)
            _PREPARED.add(kind)
    return kind
