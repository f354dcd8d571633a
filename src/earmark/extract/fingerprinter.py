"""Fingerprinters by name and settings, each made once a process: a network takes a second to load."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter


def make_fingerprinter(name: str, preset: Mapping[str, Any]) -> Fingerprinter:
    """Return a fingerprinter by its name and settings; raises OptionError for either."""
    return _made(name, msgspec.json.encode(dict(preset), order="sorted"))


@functools.cache
def _made(name: str, preset: bytes) -> Fingerprinter:
    from earmark.fingerprints import make

    return make(name, **msgspec.json.decode(preset))
