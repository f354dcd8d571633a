"""An inverted index of keys: for each key, the places (track, frame) where it stands.

Adding makes a new segment (`key_segment.py`), and small ones are merged with their neighbour (as Lucene does), so a
catalog that grows by a track at a time keeps few of them, and `add` stays linear up to a logarithm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.index.adopted import adopted, check
from earmark.index.int8 import no_hits, ranges
from earmark.index.key_segment import (
    MOST_POSTINGS,
    SEGMENT_FRAMES,
    KeyPiece,
    KeySegment,
    merge,
    segment_from,
    segment_of,
)
from earmark.index.protocol import NEAREST
from earmark.types import Frames, Hits

LANDMARK_BITS = 21  # bits of a key unless the channel says otherwise
LEAST_BITS, MOST_BITS = 10, 32  # bits; a table of counts has whole groups in each range, a key four bytes
SAMPLE = 64  # keys of a track that are looked up to see whether it is there as it was added
HITS = 120_000  # postings that one search reads: all there are for a 5 s clip among 20 hours, some 10 ms


@dataclass(frozen=True, slots=True, eq=False)
class PostingsSnapshot:
    """The postings of one moment: segments, and the tracks in them that are removed."""

    segments: tuple[KeySegment, ...]
    removed: frozenset[int]
    key_bits: int

    def search(self, frames: Frames, keys: NDArray[Any], *, nearest: int = NEAREST, hits: int = HITS) -> Hits:
        """Return where a query's keys stand in the references: at most `hits` places, those of rarer keys first.

        All places of a key are equally near to it, so that `nearest` has no say: all are returned, or none.
        A hit's score is the same for all hits of a key: ln(1 + 255 / postings of the key), so rare keys say more.
        """
        wanted = checked(keys, self.key_bits)
        if not len(wanted) or not self.segments:
            return no_hits()
        rows = [segment.keys.rows_of(wanted) for segment in self.segments]
        counts = np.zeros(len(wanted), np.int64)
        for segment, own in zip(self.segments, rows, strict=True):
            counts += segment.counts_at(own)
        searched = np.flatnonzero(counts)
        searched = searched[np.argsort(counts[searched], kind="stable")]
        searched = searched[: np.searchsorted(np.cumsum(counts[searched]), hits, side="right")]
        frames = np.asarray(frames)[searched]
        scores = np.log1p(MOST_POSTINGS / counts[searched]).astype(np.float32)
        found = [
            self._hits_in(segment, own[searched], frames, scores)
            for segment, own in zip(self.segments, rows, strict=True)
        ]
        return Hits(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def _hits_in(
        self,
        segment: KeySegment,
        rows: NDArray[np.int64],
        frames: Frames,
        scores: NDArray[np.float32],
    ) -> tuple[Frames, NDArray[np.int32], Frames, NDArray[np.float32]]:
        """Return the columns of the hits of keys in one segment, by the keys' rows."""
        here = np.flatnonzero(segment.counts_at(rows))
        first, count = segment.ranges(rows[here])
        frames, scores = frames[here], scores[here]
        places = segment.places_at(ranges(first, first + count)[0])
        piece = segment.pieces_at(places)
        tracks = segment.tracks[piece]
        reference_frames = places + (segment.firsts - segment.starts)[piece]
        hits = np.repeat(frames, count), tracks, reference_frames, np.repeat(scores, count)
        deleted = self.removed.intersection(segment.tracks.tolist())
        if deleted:
            kept = ~np.isin(tracks, list(deleted))
            return hits[0][kept], hits[1][kept], hits[2][kept], hits[3][kept]
        return hits


class Postings:
    """The inverted index of keys of `key_bits` bits.

    Cost, for N postings of K distinct keys in S segments and a query of Q keys: Q S look-ups, and a search that reads
    at most `hits` postings, rarest keys first. Memory: keys of up to 21 bits take 3 N + K + 0.4 M S bytes, wider ones
    3 N + 5 K: 8.0 bytes a posting as measured for 4 million different 32-bit keys. A key with more than 255 postings in
    one segment says next to nothing: it is put on the segment's stop-list, which `stats` counts.
    """

    def __init__(self, *, key_bits: int = LANDMARK_BITS) -> None:
        if not LEAST_BITS <= key_bits <= MOST_BITS:
            raise OptionError(f"keys of {key_bits} bits: {LEAST_BITS} to {MOST_BITS} are possible")
        self._state = PostingsSnapshot((), frozenset(), key_bits)
        self._buffer: list[KeyPiece] = []
        self._buffer_frames = 0
        self._lock = Lock()

    def add(self, track: int, frames: Frames, keys: NDArray[Any]) -> None:
        """Add a recording's keys; raises OptionError when they are vectors, or wider than `key_bits`."""
        length = int(frames[-1]) + 1 if len(frames) else 1
        codes = checked(keys, self._state.key_bits).astype(np.uint32)
        with self._lock:
            for first in range(0, length, SEGMENT_FRAMES):
                part = slice(*np.searchsorted(frames, [first, first + SEGMENT_FRAMES]))
                piece = KeyPiece(track, first, (frames[part] - first).astype(np.int32), codes[part])
                if self._buffer_frames + piece.length > SEGMENT_FRAMES:
                    self._flush()
                self._buffer.append(piece)
                self._buffer_frames += piece.length

    def remove(self, tracks: Iterable[int]) -> None:
        """Forget these tracks; their postings go when their segment is merged."""
        with self._lock:
            self._flush()
            state = self._state
            held = {int(number) for part in state.segments for number in part.tracks}
            self._state = replace(state, removed=state.removed | (frozenset(tracks) & held))

    def snapshot(self) -> PostingsSnapshot:
        """Return what the index holds now."""
        if self._buffer:
            with self._lock:
                self._flush()
        return self._state

    def tracks(self) -> set[int]:
        """Return the numbers of all tracks that are there."""
        state = self.snapshot()
        return {number for segment in state.segments for number in segment.tracks.tolist()} - state.removed

    def holds(self, track: int, frames: Frames, keys: NDArray[Any]) -> bool:
        """Return whether a track is there, and the places of `SAMPLE` of its keys, evenly over its length, are its own.

        Keys that are on a segment's stop-list count as found.
        """
        state = self.snapshot()
        segments = [one for one in state.segments if track in one.tracks]
        if track in state.removed or not segments:
            return False
        sample = slice(None, None, max(1, len(keys) // SAMPLE))
        wanted, there = checked(keys, state.key_bits)[sample], np.asarray(frames)[sample]
        found = np.zeros(len(wanted), bool)
        for segment in segments:
            rows, numbers = segment.keys.rows_of(wanted), np.arange(len(wanted), dtype=np.int32)
            key, tracks, places, _ = state._hits_in(segment, rows, numbers, np.zeros(len(wanted), np.float32))
            found[key[(tracks == track) & (places == there[key])]] = True
            if segment.figures[1]:
                found |= segment.counts_at(rows) == 0
        return bool(found.all())

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the whole index as named arrays, for `from_arrays`."""
        state = self.snapshot()
        named = {f"{part.name}.{name}": array for part in state.segments for name, array in part.arrays().items()}
        named[f"removed-{uuid4().hex[:12]}"] = np.array(sorted(state.removed), np.int32)
        return named

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, key_bits: int = LANDMARK_BITS) -> Postings:
        """Return the index that `arrays` described; the arrays are not copied."""
        index = cls(key_bits=key_bits)
        parts: dict[str, dict[str, NDArray[Any]]] = {}
        for name, array in arrays.items():
            segment, dot, own = name.partition(".")
            if dot:
                parts.setdefault(segment, {})[own] = array
        segments = tuple(segment_from(name, own, key_bits) for name, own in parts.items())
        removed = [adopted(arrays, name, np.int32, 1) for name in arrays if name.startswith("removed-")]
        held = sum(len(segment.tracks) for segment in segments)
        check(sum(map(len, removed)) <= held, "more tracks are removed than there are")
        numbers = frozenset(number for array in removed for number in array.tolist())
        index._state = PostingsSnapshot(segments, numbers, key_bits)
        return index

    def stats(self) -> Mapping[str, float]:
        """Return tracks, keys (postings), segments, bytes, and what the stop-lists left out."""
        state = self.snapshot()
        figures = np.array([part.figures for part in state.segments], np.int64).reshape(-1, 3).sum(axis=0)
        frames, stopped_keys, stopped_postings = (int(figure) for figure in figures)
        tracks = {int(number) for segment in state.segments for number in segment.tracks} - state.removed
        return {
            "tracks": len(tracks),
            "removed": len(state.removed),
            "frames": frames,
            "segments": len(state.segments),
            "postings": sum(len(segment.places) for segment in state.segments),
            "bytes": sum(array.nbytes for segment in state.segments for array in segment.arrays().values()),
            "stopped_keys": stopped_keys,
            "stopped_postings": stopped_postings,
        }

    def _flush(self) -> None:
        """Turn the buffer into a segment, and merge it with the last ones while they are not much larger."""
        if not self._buffer:
            return
        state = self._state
        segments = [*state.segments, segment_of(self._buffer, state.key_bits)]
        while len(segments) > 1 and _worth_merging(*segments[-2:]):
            segments[-2:] = [merge(segments[-2], segments[-1], state.removed, state.key_bits)]
        held = {int(number) for segment in segments for number in segment.tracks}
        self._state = PostingsSnapshot(tuple(segments), state.removed & held, state.key_bits)
        self._buffer, self._buffer_frames = [], 0


def checked(keys: NDArray[Any], key_bits: int) -> NDArray[np.int64]:
    """Return keys as they are looked up; raises OptionError when they are vectors, or wider than `key_bits`."""
    if keys.ndim != 1 or keys.dtype.kind not in "ui":
        raise OptionError(
            f"an array of {keys.dtype} and shape {keys.shape} holds no codes: give (n,) integers, or use an index of "
            "vectors"
        )
    codes: NDArray[np.int64] = keys.astype(np.int64)
    if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < 1 << key_bits:
        raise OptionError(f"keys from {codes.min()} to {codes.max()} in an index of {key_bits} bits: make a wider one")
    return codes


def _worth_merging(older: KeySegment, newer: KeySegment) -> bool:
    fits = older.figures[0] + newer.figures[0] <= SEGMENT_FRAMES
    return bool(fits and older.figures[0] < 2 * newer.figures[0])
