"""Stored fingerprints unpacked, with the damage of a row told as what it is."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from earmark.errors import CatalogDamaged, OptionError, SpecMismatch

if TYPE_CHECKING:
    from earmark.fingerprints.protocol import Fingerprinter
    from earmark.types import Fingerprint, Keys


MOST_SECONDS = 1e9  # seconds of a track, thirty years
_DAMAGE = (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RecursionError)  # raised by forged numbers


def unpacked(
    fingerprinter: Fingerprinter, number: int, packed: bytes | CatalogDamaged, *, is_whole: bool = False
) -> Fingerprint:
    """Return the fingerprint of a row; raises CatalogDamaged for one that no fingerprinter of this kind packed.

    `is_whole`: look at all of it, which is unpacked as it is used otherwise.
    """
    if isinstance(packed, CatalogDamaged):
        raise packed
    try:
        fingerprint = fingerprinter.unpack_stored(packed)
        if not 0 <= fingerprint.seconds <= MOST_SECONDS:
            raise ValueError(f"{fingerprint.seconds} s of sound")
        if any(layer.weights is not None for layer in fingerprint.layers.values()):
            raise ValueError("it is a clip's, not a recording's")
        if is_whole:
            for layer in fingerprint.layers.values():
                layer.unpacked()
        return fingerprint
    except (*_DAMAGE, msgspec.MsgspecError, zlib.error, SpecMismatch) as error:
        raise _damage(number, error) from error


def keys_of(fingerprinter: Fingerprinter, number: int, packed: bytes | CatalogDamaged) -> Mapping[str, Keys]:
    """Return what an index holds of a row; raises CatalogDamaged as `unpacked` does."""
    fingerprint = unpacked(fingerprinter, number, packed)
    try:
        return fingerprinter.keys(fingerprint)
    except (*_DAMAGE, OptionError) as error:
        raise _damage(number, error) from error


def _damage(number: int, error: Exception) -> CatalogDamaged:
    return CatalogDamaged(
        f"the fingerprint of track number {number} is damaged ({error}); "
        "`earmark verify` marks it, and adding its file again heals it"
    )
