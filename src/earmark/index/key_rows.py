"""Which row of a segment's table of counts a key has: the nth of those that occur, by bits or in a sorted list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from earmark.index.adopted import adopted, check

DENSE_BITS = 21  # bits; narrower keys have a bit each (0.26 MB a segment), wider ones four bytes where they occur
WORD = 64  # keys whose bits are counted together
GROUP = 64  # rows of a table of counts come in whole groups

Rows = NDArray[np.int64]


class KeyRows(Protocol):
    """The rows of one segment, in order of key."""

    def rows_of(self, keys: Rows) -> Rows:
        """Return the row of each key, -1 for a key that has none."""

    def between(self, low: int, high: int) -> tuple[int, NDArray[np.uint64]]:
        """Return (first row, keys) of the keys from `low` to below `high` that have a row."""

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return it as arrays."""

    def check(self, name: str, counts: NDArray[np.uint8], key_bits: int) -> None:
        """Raise CatalogDamaged unless keys of so many bits have the rows of a segment's table of counts."""


@dataclass(frozen=True, eq=False)
class KeyBits:
    """A bit for each key there may be: one where it has a row."""

    present: NDArray[np.uint64]  # (2 ^ key bits / 64,), the first key the lowest bit

    @classmethod
    def of(cls, used: NDArray[np.bool_]) -> KeyBits:
        """Return the rows of keys that are used, given by a flag for each key there may be."""
        return cls(np.packbits(used, bitorder="little").view(np.uint64))

    @cached_property
    def _rows_before(self) -> NDArray[np.int32]:
        """How many keys have a row before each word; of what comes after the last one, all."""
        return np.concatenate([[0], np.cumsum(np.bitwise_count(self.present), dtype=np.int32)]).astype(np.int32)

    def rows_of(self, keys: Rows) -> Rows:
        """Return the row of each key, -1 for a key that has none."""
        words = keys >> 6
        word, above = np.asarray(self.present).take(words), (keys & WORD - 1).view(np.uint64)
        np.subtract(np.uint64(WORD - 1), above, out=above)
        word <<= above  # the key's own bit is the highest then, and those of keys before it follow
        rows = self._rows_before.take(words)
        rows += np.bitwise_count(word)
        rows -= 1
        rows[word.view(np.int64) >= 0] = -1
        return rows.astype(np.int64)

    def between(self, low: int, high: int) -> tuple[int, NDArray[np.uint64]]:
        """Return (first row, keys) of the keys from `low` to below `high`, of whole words."""
        bits = np.unpackbits(self.present[low // WORD : high // WORD].view(np.uint8), bitorder="little")
        return int(self._rows_before[low // WORD]), (np.flatnonzero(bits) + low).astype(np.uint64)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the bits."""
        return {"present": self.present}

    def check(self, name: str, counts: NDArray[np.uint8], key_bits: int) -> None:
        """Raise CatalogDamaged unless keys of so many bits have the rows of a segment's table of counts."""
        is_whole = key_bits <= DENSE_BITS and WORD * len(self.present) == 1 << key_bits
        check(is_whole, f"{name} holds no keys of {key_bits} bits")
        _check_rows(name, counts, int(self._rows_before[-1]))


@dataclass(frozen=True, eq=False)
class SortedKeys:
    """The keys that have a row."""

    keys: NDArray[np.uint32]  # (k,), rising

    def rows_of(self, keys: Rows) -> Rows:
        """Return the row of each key, -1 for a key that has none."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        wanted = keys.astype(np.uint32)  # the type of all keys, which would be converted otherwise
        rows = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[rows] == wanted, rows, -1)  # of what a query probes, most is nowhere

    def between(self, low: int, high: int) -> tuple[int, NDArray[np.uint64]]:
        """Return (first row, keys) of the keys from `low` to below `high` that have a row."""
        first = int(np.searchsorted(self.keys, np.uint32(low)))
        end = int(np.searchsorted(self.keys, np.uint32(high - 1), side="right"))
        return first, self.keys[first:end].astype(np.uint64)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the keys."""
        return {"keys": self.keys}

    def check(self, name: str, counts: NDArray[np.uint8], key_bits: int) -> None:
        """Raise CatalogDamaged unless keys of so many bits have the rows of a segment's table of counts."""
        check(key_bits > DENSE_BITS, f"{name} holds no keys of {key_bits} bits")
        _check_rows(name, counts, len(self.keys))


@dataclass(frozen=True, eq=False)
class EveryKey:
    """A row for each key there may be, as releases up to 0.1 wrote segments: 2 MB a segment."""

    def rows_of(self, keys: Rows) -> Rows:
        """Return the keys."""
        return keys

    def between(self, low: int, high: int) -> tuple[int, NDArray[np.uint64]]:
        """Return (first row, keys) of the keys from `low` to below `high`."""
        return low, np.arange(low, high, dtype=np.uint64)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return nothing."""
        return {}

    def check(self, name: str, counts: NDArray[np.uint8], key_bits: int) -> None:
        """Raise CatalogDamaged unless keys of so many bits have the rows of a segment's table of counts."""
        check(key_bits <= DENSE_BITS and len(counts) == 1 << key_bits, f"{name} holds no keys of {key_bits} bits")


def key_rows(arrays: Mapping[str, NDArray[Any]]) -> KeyRows:
    """Return the rows that a segment's arrays describe; raises CatalogDamaged for arrays of another type."""
    if "present" in arrays:
        return KeyBits(adopted(arrays, "present", np.uint64, 1))
    return SortedKeys(adopted(arrays, "keys", np.uint32, 1)) if "keys" in arrays else EveryKey()


def _check_rows(name: str, counts: NDArray[np.uint8], rows: int) -> None:
    check(len(counts) == -(-rows // GROUP) * GROUP, f"{name} counts postings of other keys than it holds")
    check(not counts[rows:].any(), f"{name} counts postings of no key")
