"""Stored fingerprints unpacked, with the damage of a row told as what it is."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import msgspec

from earmark.errors import CatalogDamaged, SpecMismatch

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter
    from earmark.types import Fingerprint


def unpacked(fingerprinter: Fingerprinter, number: int, packed: bytes | CatalogDamaged) -> Fingerprint:
    """Return the fingerprint of a row; raises CatalogDamaged for one that no fingerprinter of this kind packed."""
    if isinstance(packed, CatalogDamaged):
        raise packed
    try:
        return fingerprinter.unpack(packed)
    except (ValueError, zlib.error, msgspec.MsgspecError, SpecMismatch) as error:
        raise CatalogDamaged(
            f"the fingerprint of track number {number} is damaged ({error}); "
            "earmark verify marks it, and adding its file again heals it"
        ) from error
