"""An inverted index of keys: for each key, the places (track, frame) where it stands.

Postings are kept in segments of at most `SEGMENT_FRAMES` frames of audio (20 hours at 17.4 ms). A segment holds, per
key, a count of one byte, and per posting a place of three bytes (frames since its start), sorted by key, then place.
Adding makes a new segment; small ones are merged with their neighbour, so a catalog that grows by a track at a time
keeps few of them and `add` stays linear up to a logarithm. The arrays may be memory-mapped.

Cost, for N postings in S segments and a query of Q keys: 3 N + 2.1 M S bytes; Q S look-ups, and a search that reads at
most `hits` postings, rarest keys first. A key with more than 255 postings in one segment says next to nothing: it is
put on the segment's stop-list, which `stats` counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any, ClassVar
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index.protocol import NEAREST
from earmark.types import Frames, Hits

KEY_BITS = 21  # a landmark of fingerprints/shazam.py; other keys are folded to it by a hash
KEYS = 1 << KEY_BITS
SEGMENT_FRAMES = 1 << 22
GROUP = 64  # keys; the start of each group's postings is stored, the rest is summed from the counts
RANGES = 16  # of keys, made one after another
STRETCH_BITS = 10  # places of a stretch, whose piece is looked up in a table: faster than a search by halves
MOST_POSTINGS = 255  # of one key in one segment
HITS = 120_000  # postings that one search reads: all there are for a 5 s clip among 20 hours, some 10 ms


@dataclass(frozen=True, eq=False)
class Segment:
    """The postings of some tracks, unchangeable."""

    name: str
    counts: NDArray[np.uint8]  # (KEYS,)
    places: NDArray[np.uint8]  # (n, 3), little-endian
    tracks: NDArray[np.int32]  # (pieces,): the track of each piece of audio, in order of place
    starts: NDArray[np.int32]  # (pieces,): the place where it begins
    firsts: NDArray[np.int32]  # (pieces,): which frame of the track that is; 0 but for tracks longer than a segment
    figures: NDArray[np.int64]  # (3,): frames in use, keys on the stop-list, postings they had

    ARRAYS: ClassVar = ("counts", "places", "tracks", "starts", "firsts", "figures")

    @cached_property
    def group_starts(self) -> NDArray[np.int64]:
        """Where the postings of each group of keys begin."""
        ends = np.cumsum(self.counts.reshape(-1, GROUP).sum(axis=1, dtype=np.int64))
        return np.concatenate([[0], ends[:-1]])

    def ranges(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (first posting, number of postings) of each key."""
        counts = self.counts[keys].astype(np.int64)
        group, within = keys // GROUP, keys % GROUP
        rows = self.counts.reshape(-1, GROUP)[group]
        rows[np.arange(GROUP) >= within[:, None]] = 0
        return self.group_starts[group] + rows.sum(axis=1, dtype=np.int64), counts

    def places_at(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the places of postings, given by their number."""
        at, flat = 3 * rows, self.places.reshape(-1)
        low, middle, high = (flat.take(at + byte).astype(np.int32) for byte in range(3))
        return low | middle << 8 | high << 16

    def pieces_at(self, places: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return which piece of audio each place lies in."""
        piece = self._piece_of_stretch.take(places >> STRETCH_BITS)
        ends = np.append(self.starts[1:], np.iinfo(np.int32).max).astype(np.int32)
        while (beyond := places >= ends.take(piece)).any():
            piece += beyond
        return piece

    @cached_property
    def _piece_of_stretch(self) -> NDArray[np.int32]:
        """The piece that each stretch of places begins in."""
        stretches = np.arange(0, int(self.figures[0]) + 1, 1 << STRETCH_BITS)
        before = np.searchsorted(self.starts, stretches, side="right") - 1
        return np.maximum(before, 0).astype(np.int32)  # a removed piece leaves a hole in front of the first

    def between(self, low: int, high: int) -> NDArray[np.uint64]:
        """Return the postings of keys from `low` to below `high` as key << 24 | place, sorted."""
        counts = self.counts[low:high]
        first = int(self.group_starts[low // GROUP])  # ranges of keys begin with a group
        places = self.places_at(np.arange(first, first + int(counts.sum(dtype=np.int64))))
        return np.repeat(np.arange(low, high, dtype=np.uint64), counts) << np.uint64(24) | places.astype(np.uint64)


@dataclass(frozen=True, eq=False)
class Piece:
    """Keys of one track, or of a part of it, that no segment holds yet."""

    track: int
    first: int  # which frame of the track frame 0 is
    frames: Frames
    keys: NDArray[np.uint32]  # folded

    @property
    def length(self) -> int:
        """Frames that the piece takes."""
        return int(self.frames[-1]) + 1 if len(self.frames) else 1


class Postings:
    """The inverted index; see the module's docstring."""

    def __init__(self) -> None:
        self._segments: tuple[Segment, ...] = ()
        self._fresh: list[Piece] = []
        self._fresh_frames = 0
        self._removed: frozenset[int] = frozenset()
        self._sealing = Lock()

    def add(self, track: int, frames: Frames, keys: NDArray[Any]) -> None:
        """Add a recording's keys; `track` is the catalog's number for it, not yet in the index."""
        length = int(frames[-1]) + 1 if len(frames) else 1
        folded = _fold(keys).astype(np.uint32)
        for first in range(0, length, SEGMENT_FRAMES):
            part = slice(*np.searchsorted(frames, [first, first + SEGMENT_FRAMES]))
            piece = Piece(track, first, (frames[part] - first).astype(np.int32), folded[part])
            if self._fresh_frames + piece.length > SEGMENT_FRAMES:
                self._seal()
            self._fresh.append(piece)
            self._fresh_frames += piece.length

    def remove(self, tracks: Iterable[int]) -> None:
        """Forget these tracks; their postings go when their segment is merged."""
        self._seal()
        self._removed |= frozenset(tracks) & {int(number) for part in self._segments for number in part.tracks}

    def search(self, frames: Frames, keys: NDArray[Any], *, nearest: int = NEAREST, hits: int = HITS) -> Hits:
        """Return where a query's keys stand in the references: at most `hits` places, those of rarer keys first.

        All places of a key are equally near to it, so that `nearest` has no say: all are returned, or none.
        A hit's score is the same for all hits of a key: ln(1 + 255 / postings of the key), so rare keys say more.
        """
        self._seal()
        if not len(keys) or not self._segments:
            return _no_hits()
        folded = _fold(keys)
        ranges = [segment.ranges(folded) for segment in self._segments]
        counts = np.sum([count for _, count in ranges], axis=0)
        searched = np.flatnonzero(counts)
        searched = searched[np.argsort(counts[searched], kind="stable")]
        searched = searched[: np.searchsorted(np.cumsum(counts[searched]), hits, side="right")]
        scores = np.log1p(MOST_POSTINGS / np.maximum(counts, 1)).astype(np.float32)
        found = [
            self._hits_in(segment, first[searched], count[searched], frames[searched], scores[searched])
            for segment, (first, count) in zip(self._segments, ranges, strict=True)
        ]
        return Hits(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def _hits_in(
        self,
        segment: Segment,
        first: NDArray[np.int64],
        count: NDArray[np.int64],
        frames: Frames,
        scores: NDArray[np.float32],
    ) -> tuple[Frames, NDArray[np.int32], Frames, NDArray[np.float32]]:
        before = np.cumsum(count) - count
        rows = np.repeat(first - before, count) + np.arange(int(count.sum()))
        places = segment.places_at(rows)
        piece = segment.pieces_at(places)
        tracks = segment.tracks[piece]
        reference_frames = places + (segment.firsts - segment.starts)[piece]
        hits = np.repeat(frames, count), tracks, reference_frames, np.repeat(scores, count)
        gone = self._removed.intersection(segment.tracks.tolist())
        if gone:
            kept = ~np.isin(tracks, list(gone))
            return hits[0][kept], hits[1][kept], hits[2][kept], hits[3][kept]
        return hits

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the whole index as named arrays, for `from_arrays`."""
        self._seal()
        named: dict[str, NDArray[Any]] = {
            f"{segment.name}.{array}": getattr(segment, array) for segment in self._segments for array in Segment.ARRAYS
        }
        removed = np.array(sorted(self._removed), np.int32)
        named[f"removed-{uuid4().hex[:12]}"] = removed
        return named

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Postings:
        """Return the index that `arrays` described; the arrays are not copied."""
        index = cls()
        names = dict.fromkeys(name.split(".")[0] for name in arrays if "." in name)
        index._segments = tuple(
            Segment(name, *(arrays[f"{name}.{array}"] for array in Segment.ARRAYS)) for name in names
        )
        removed = [array for name, array in arrays.items() if name.startswith("removed-")]
        index._removed = frozenset(int(number) for array in removed for number in array)
        return index

    def stats(self) -> Mapping[str, float]:
        """Return tracks, keys (postings), segments, bytes, and what the stop-lists left out."""
        self._seal()
        figures = np.array([part.figures for part in self._segments], np.int64).reshape(-1, 3).sum(axis=0)
        frames, stopped_keys, stopped_postings = (int(figure) for figure in figures)
        tracks = {int(number) for segment in self._segments for number in segment.tracks} - self._removed
        return {
            "tracks": len(tracks),
            "removed": len(self._removed),
            "frames": frames,
            "segments": len(self._segments),
            "postings": sum(len(segment.places) for segment in self._segments),
            "bytes": sum(getattr(part, array).nbytes for part in self._segments for array in Segment.ARRAYS),
            "stopped_keys": stopped_keys,
            "stopped_postings": stopped_postings,
        }

    def _seal(self) -> None:
        """Turn what was added into a segment, and merge it with the last ones while they are not much larger."""
        with self._sealing:
            if not self._fresh:
                return
            segments = [*self._segments, _sealed(self._fresh)]
            self._fresh, self._fresh_frames = [], 0
            while len(segments) > 1 and _worth_merging(*segments[-2:]):
                segments[-2:] = [_merge(segments[-2], segments[-1], self._removed)]
            self._segments = tuple(segments)
            self._removed &= {int(number) for segment in segments for number in segment.tracks}


def _no_hits() -> Hits:
    empty = np.zeros(0, np.int32)
    return Hits(empty, empty, empty, np.zeros(0, np.float32))


def _fold(keys: NDArray[Any]) -> NDArray[np.int64]:
    """Return keys below `KEYS`: as they are when they fit, else hashed (Knuth's multiplicative method).

    Raises OptionError when they are vectors.
    """
    if keys.ndim != 1 or keys.dtype.kind not in "ui":
        raise OptionError(
            f"an array of {keys.dtype} and shape {keys.shape} holds no codes: give (n,) integers, or use an index of "
            "vectors"
        )
    wide = keys.astype(np.uint64)
    hashed = (wide * np.uint64(11400714819323198485)) >> np.uint64(64 - KEY_BITS)
    return np.where(wide < KEYS, wide, hashed).astype(np.int64)


def _worth_merging(older: Segment, newer: Segment) -> bool:
    fits = older.figures[0] + newer.figures[0] <= SEGMENT_FRAMES
    return bool(fits and older.figures[0] < 2 * newer.figures[0])


def _sealed(pieces: list[Piece]) -> Segment:
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
    return _segment(between, tracks, starts.astype(np.int32), firsts, np.array([ends[-1], 0, 0], np.int64))


def _merge(older: Segment, newer: Segment, removed: frozenset[int]) -> Segment:
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

    return _segment(between, tracks[kept], starts[kept], firsts[kept], older.figures + newer.figures)


def _segment(
    between: Callable[[int, int], NDArray[np.uint64]],
    tracks: NDArray[np.int32],
    starts: NDArray[np.int32],
    firsts: NDArray[np.int32],
    figures: NDArray[np.int64],
) -> Segment:
    """Return a segment of the postings that `between` gives, made a range of keys at a time to need little memory."""
    counts = np.zeros(KEYS, np.uint8)
    places: list[NDArray[np.uint8]] = []
    figures = figures.copy()
    for low in range(0, KEYS, KEYS // RANGES):
        postings = between(low, low + KEYS // RANGES)
        postings.sort()
        keys = (postings >> np.uint64(24)).astype(np.int64) - low
        here = np.bincount(keys, minlength=KEYS // RANGES)
        over = here > MOST_POSTINGS
        if over.any():
            postings = postings[~over[keys]]
            figures += [0, int(over.sum()), int(here[over].sum())]
            here[over] = 0
        counts[low : low + KEYS // RANGES] = here
        places.append(postings.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)[:, :3].copy())
    return Segment(f"segment-{uuid4().hex[:12]}", counts, np.concatenate(places), tracks, starts, firsts, figures)
