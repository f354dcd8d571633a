"""One segment of an inverted index: the postings of some tracks, sorted by key, then place.

A place is a frame counted from the segment's start, over all tracks one after another; three bytes, little-endian.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from earmark.index.adopted import adopted, are_tracks, check, is_rising
from earmark.index.key_rows import DENSE_BITS, GROUP, KeyBits, KeyRows, SortedKeys, key_rows
from earmark.types import Frames

SEGMENT_FRAMES = 1 << 22  # frames of audio; places have three bytes, and 20 h of landmarks make 20 MB
LAST_FRAME = (1 << 31) - 2 * SEGMENT_FRAMES  # frame, as int32, at which the last piece of a track may begin
STEP = 32  # rows; the first posting of each step is kept in memory, the rest is summed from the counts
RANGES = 16  # ranges of keys, made one after another to need little memory
BLOCK_BITS = 10  # bits of a block of places, whose piece is looked up in a table: twice as fast as a search
MOST_POSTINGS = 255  # postings of one key in one segment, since a count is a byte

Postings = Callable[[int, int], NDArray[np.uint64]]  # (low, high) -> postings of keys from low to below high


@dataclass(frozen=True, eq=False)
class KeyPiece:
    """Keys of one track, or of a part of it, that no segment holds yet."""

    track: int
    first: int  # frame of the track that frame 0 is
    frames: Frames
    keys: NDArray[np.uint32]

    @property
    def length(self) -> int:
        """Frames that the piece takes."""
        return int(self.frames[-1]) + 1 if len(self.frames) else 1


@dataclass(frozen=True, eq=False)
class KeySegment:
    """The postings of some tracks, unchangeable."""

    name: str
    keys: KeyRows  # which keys have a row
    counts: NDArray[np.uint8]  # (rows,): postings of each row
    places: NDArray[np.uint8]  # (n, 3), little-endian
    tracks: NDArray[np.int32]  # (pieces,): the track of each piece of audio, in order of place
    starts: NDArray[np.int32]  # (pieces,): the place where it begins
    firsts: NDArray[np.int32]  # (pieces,): frame of the track that this is; 0 but for tracks longer than a segment
    figures: NDArray[np.int64]  # (3,): frames in use, keys on the stop-list, postings they had

    ARRAYS: ClassVar[Mapping[str, tuple[Any, int]]] = {  # type and number of axes
        "counts": (np.uint8, 1),
        "places": (np.uint8, 2),
        "tracks": (np.int32, 1),
        "starts": (np.int32, 1),
        "firsts": (np.int32, 1),
        "figures": (np.int64, 1),
    }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays by name."""
        return {name: getattr(self, name) for name in self.ARRAYS} | dict(self.keys.arrays())

    @cached_property
    def _step_ends(self) -> NDArray[np.int64]:
        """The end of each step of rows, up to the number of postings."""
        ends: NDArray[np.int64] = np.cumsum(self.counts.reshape(-1, STEP).sum(axis=1, dtype=np.int64))
        return ends

    @cached_property
    def _step_starts(self) -> NDArray[np.int32]:
        """The first posting of each step of rows; a segment's frames bound how many there are."""
        return np.concatenate([[0], self._step_ends[:-1]]).astype(np.int32)

    def check(self, key_bits: int) -> None:
        """Raise CatalogDamaged unless it was made for keys of so many bits and a search stays within its arrays."""
        pieces, frames = len(self.tracks), int(self.figures[0]) if self.figures.shape == (3,) else -1
        self.keys.check(self.name, self.counts, key_bits)
        check(self.places.shape[1] == 3, f"{self.name} has places of {self.places.shape[1]} bytes")
        check(0 <= frames <= SEGMENT_FRAMES and (self.figures >= 0).all(), f"{self.name} counts {self.figures}")
        check(len(self.starts) == len(self.firsts) == pieces <= frames, f"{self.name} has pieces without a length")
        check(are_tracks(self.tracks), f"{self.name} has tracks below 0")
        check(is_rising(self.starts, strictly=True), f"{self.name} has pieces out of order")
        check(not pieces or 0 <= self.starts[0] <= self.starts[-1] < frames, f"{self.name} has pieces beyond its end")
        check(not pieces or 0 <= self.firsts.min() <= self.firsts.max() < LAST_FRAME, f"{self.name} has no first frame")
        counted = int(self._step_ends[-1]) if len(self.counts) else 0
        check(counted == len(self.places) and (pieces or not counted), f"{self.name} counts {counted} postings")

    def counts_at(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the number of postings of each row, none of row -1."""
        if not len(self.counts):
            return np.zeros(len(rows), np.uint8)
        counts = self.counts.take(rows)
        counts[rows < 0] = 0  # what was taken there is the last row's
        return counts

    def ranges(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (first posting, number of postings) of each row that there is."""
        return self._first_postings(rows), self.counts.take(rows).astype(np.int64)

    def places_at(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the places of postings, given by their number."""
        at, flat = 3 * rows, self.places.reshape(-1)
        low, middle, high = (flat.take(at + byte).astype(np.int32) for byte in range(3))
        return low | middle << 8 | high << 16

    def pieces_at(self, places: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return which piece of audio each place lies in."""
        piece = self._piece_of_block.take(places >> BLOCK_BITS)
        ends = np.append(self.starts[1:], np.iinfo(np.int32).max).astype(np.int32)
        while (beyond := places >= ends.take(piece)).any():
            piece += beyond
        return piece

    def between(self, low: int, high: int) -> NDArray[np.uint64]:
        """Return the postings of keys from `low` to below `high` as key << 24 | place, sorted."""
        first_row, keys = self.keys.between(low, high)
        if not len(keys):
            return np.zeros(0, np.uint64)
        counts = self.counts[first_row : first_row + len(keys)]
        first = int(self._first_postings(np.array([first_row]))[0])
        places = self.places_at(np.arange(first, first + int(counts.sum(dtype=np.int64))))
        check(int(places.max(initial=0)) < int(self.figures[0]), f"{self.name} has postings beyond its end")
        return np.repeat(keys, counts) << np.uint64(24) | places.astype(np.uint64)

    def _first_postings(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the first posting of each row."""
        step, within = rows // STEP, rows % STEP
        counts = self.counts.reshape(-1, STEP)[step]
        counts *= np.arange(STEP) < within[:, None]
        firsts: NDArray[np.int64] = self._step_starts[step] + counts.sum(axis=1, dtype=np.int64)
        return firsts

    @cached_property
    def _piece_of_block(self) -> NDArray[np.int32]:
        """The piece that each block of places, of as many as three bytes can name, begins in."""
        blocks = np.arange(0, 1 << 24, 1 << BLOCK_BITS)
        before = np.searchsorted(self.starts, blocks, side="right") - 1
        return np.maximum(before, 0).astype(np.int32)  # a removed piece leaves a hole in front of the first


def segment_from(name: str, arrays: Mapping[str, NDArray[Any]], key_bits: int) -> KeySegment:
    """Return the segment that `KeySegment.arrays` described; raises CatalogDamaged when it is none."""
    own = {array: adopted(arrays, array, *KeySegment.ARRAYS[array]) for array in KeySegment.ARRAYS}
    segment = KeySegment(name, key_rows(arrays), **own)
    segment.check(key_bits)
    return segment


def segment_of(pieces: Sequence[KeyPiece], key_bits: int) -> KeySegment:
    """Return the pieces, one after another, as a segment."""
    ends = np.cumsum([piece.length for piece in pieces])
    starts = np.append(0, ends[:-1])

    def between(low: int, high: int) -> NDArray[np.uint64]:
        found = []
        for piece, start in zip(pieces, starts.astype(np.int64), strict=True):
            here = (piece.keys >= low) & (piece.keys < high)
            found.append(
                piece.keys[here].astype(np.uint64) << np.uint64(24) | (piece.frames[here] + start).astype(np.uint64)
            )
        return np.concatenate(found)

    tracks = np.array([piece.track for piece in pieces], np.int32)
    firsts = np.array([piece.first for piece in pieces], np.int32)
    figures = np.array([ends[-1], 0, 0], np.int64)
    return _segment(between, key_bits, tracks, starts.astype(np.int32), firsts, figures)


def merge(older: KeySegment, newer: KeySegment, removed: frozenset[int], key_bits: int) -> KeySegment:
    """Return both segments as one, without the removed tracks."""
    offset = int(older.figures[0])
    tracks = np.concatenate([older.tracks, newer.tracks])
    starts = np.concatenate([older.starts, newer.starts + offset]).astype(np.int32)
    firsts = np.concatenate([older.firsts, newer.firsts])
    kept = ~np.isin(tracks, list(removed))

    def between(low: int, high: int) -> NDArray[np.uint64]:
        postings = np.concatenate([older.between(low, high), newer.between(low, high) + np.uint64(offset)])
        if kept.all():
            return postings
        piece = np.searchsorted(starts, (postings & np.uint64(0xFFFFFF)).astype(np.int64), side="right") - 1
        return postings[kept[piece]]

    figures = older.figures + newer.figures
    return _segment(between, key_bits, tracks[kept], starts[kept], firsts[kept], figures)


def _segment(
    between: Postings,
    key_bits: int,
    tracks: NDArray[np.int32],
    starts: NDArray[np.int32],
    firsts: NDArray[np.int32],
    figures: NDArray[np.int64],
) -> KeySegment:
    """Return a segment of the postings that `between` gives, made a range of keys at a time to need little memory."""
    counts: list[NDArray[np.uint8]] = []
    places: list[NDArray[np.uint8]] = []
    keys: list[NDArray[np.uint32]] = []
    width, figures = (1 << key_bits) // RANGES, figures.copy()
    for low in range(0, 1 << key_bits, width):
        postings = between(low, low + width)
        postings.sort()
        own, count, row = _counted((postings >> np.uint64(24)).astype(np.int64), low, width, key_bits)
        over = count > MOST_POSTINGS
        if over.any():
            postings = postings[~over[row]]
            figures += [0, int(over.sum()), int(count[over].sum())]
            count[over] = 0
        counts.append(count.astype(np.uint8))
        keys.append(own.astype(np.uint32))
        places.append(postings.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)[:, :3].copy())
    name, stops = f"segment-{uuid4().hex[:12]}", np.concatenate(counts)
    used = stops > 0
    table = np.zeros(-(-int(used.sum()) // GROUP) * GROUP, np.uint8)
    table[: used.sum()] = stops[used]
    rows = KeyBits.of(used) if key_bits <= DENSE_BITS else SortedKeys(np.concatenate(keys)[used])
    return KeySegment(name, rows, table, np.concatenate(places), tracks, starts, firsts, figures)


def _counted(
    keys: NDArray[np.int64], low: int, width: int, key_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (keys that have a row, postings of each, row of each posting) of sorted keys from `low` on."""
    if key_bits <= DENSE_BITS:
        return np.zeros(0, np.int64), np.bincount(keys - low, minlength=width), keys - low
    distinct, rows, count = np.unique(keys, return_inverse=True, return_counts=True)
    return distinct, count, rows
