"""What all indexes of vectors have in common: segments, merged with their neighbour while small (as Lucene does).

What was added becomes a segment in `snapshot`, and gets a structure in `arrays`; a published segment never changes.
Removed tracks are masked until their segment is written anew: at once where that is only copying, else when a fifth is
gone. Vectors that would fill the memory wait on disk (`spill.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from earmark.errors import CatalogDamaged, OptionError
from earmark.index.adopted import adopted, check
from earmark.index.int8 import MOST_DIMENSIONS, SCALE, best, no_hits, quantised
from earmark.index.protocol import NEAREST
from earmark.index.segment import (
    DIGEST_BYTES,
    Structure,
    VectorPiece,
    VectorSegment,
    check_rows,
    checksum,
    groups_of,
    name_of_removed,
    segment_of,
    size_of,
    spilled,
    without,
)
from earmark.index.spill import SPILLED_BYTES
from earmark.types import Frames, Hits

REMOVED_SHARE = 0.2  # share of a segment with a structure at which it is written anew


class Tally:
    """How much of an index its searches have compared, in all threads."""

    def __init__(self) -> None:
        self.searches = self.compared = self.comparable = self.last_compared = self.last_comparable = 0
        self._lock = Lock()

    def count(self, compared: int, comparable: int) -> None:
        """Count one search that compared so many of so many pairs."""
        with self._lock:
            self.searches += 1
            self.compared += compared
            self.comparable += comparable
            self.last_compared, self.last_comparable = compared, comparable


@dataclass(frozen=True, slots=True, eq=False)
class VectorSnapshot:
    """The segments of one moment."""

    segments: tuple[VectorSegment, ...]
    dimensions: int  # 0 when there are no vectors
    tally: Tally

    def search(self, frames: Frames, keys: NDArray[Any], *, nearest: int = NEAREST) -> Hits:
        """Return up to `nearest` hits of each vector of a query, best first; the score is the inner product.

        Of equal scores the lower track comes first, then the earlier frame. Raises OptionError when `keys` are no
        vectors, or of another number of dimensions.
        """
        if nearest < 1:
            raise OptionError(f"nearest={nearest}: ask for at least 1")
        if not len(keys) or not self.segments:
            return no_hits()
        queries = quantised(keys)
        check_dimensions(queries, self.dimensions)
        parts, compared = zip(*(segment.search(queries, nearest) for segment in self.segments), strict=True)
        self.tally.count(sum(compared), len(queries) * sum(len(segment.vectors) for segment in self.segments))
        names = ("query_frames", "tracks", "reference_frames", "scores")
        hits = Hits(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
        kept = best(hits, nearest)
        scores = hits.scores[kept] / np.float32(SCALE * SCALE)
        query_frames = np.asarray(frames, np.int32)[hits.query_frames[kept]]
        return Hits(query_frames, hits.tracks[kept], hits.reference_frames[kept], scores)


class Segmented(ABC):
    """An index of vectors in segments; a kind says how these are scanned, and what structures large ones get."""

    most_vectors: ClassVar[int]  # vectors of a segment that is made by merging
    stored_type: ClassVar[type] = np.int8  # type of the vectors as they are stored
    components_per_byte: ClassVar[int] = 1  # components of the vectors as they are stored
    is_exact: ClassVar[bool] = True  # whether a scan gives the true inner products

    def __init__(self) -> None:
        self._state: tuple[VectorSegment, ...] = ()
        self._buffer: list[VectorPiece] = []
        self._buffer_bytes = 0  # bytes of those that lie in memory, which come last
        self._dimensions = 0
        self._tally, self._lock = Tally(), Lock()

    @staticmethod
    @abstractmethod
    def _scan() -> Structure:
        """Return how a segment is searched that has no structure."""

    @classmethod
    def _kinds(cls) -> Mapping[str, tuple[Any, int]]:
        """Return the type and number of axes of each array of a segment."""
        return VectorSegment.ARRAYS | {"vectors": (cls.stored_type, 2)}

    def _stored(self, vectors: NDArray[np.int8]) -> NDArray[Any]:
        """Return vectors as segments hold them."""
        return vectors

    def _restructured(self, segments: list[VectorSegment]) -> list[VectorSegment]:
        """Return segments with the structures that their size calls for."""
        return segments

    def _segment_parts(self, parts: dict[str, dict[str, NDArray[Any]]]) -> dict[str, dict[str, NDArray[Any]]]:
        """Return those of the parts of an index, by name, that are segments; what else there is, is adopted first."""
        return parts

    def _load(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        """Return the structure that its `arrays` described; raises CatalogDamaged when they do not fit."""
        raise CatalogDamaged(f"{sorted(arrays)} belong to another kind of index; `earmark rebuild` makes it again")

    def add(self, track: int, frames: Frames, keys: NDArray[Any]) -> None:
        """Add a recording's vectors, (n, d) int8 or float; `track` is the catalog's number for it, not yet in here.

        Raises OptionError when `keys` are no vectors, or of another number of dimensions than those before.
        """
        vectors = quantised(keys)
        if len(frames) != len(vectors):
            raise OptionError(f"{len(frames)} frames for {len(vectors)} vectors: give one for each")
        check_dimensions(vectors, self._dimensions)
        order = np.argsort(frames, kind="stable")
        stored = self._stored(vectors)[order]
        with self._lock:
            self._dimensions = vectors.shape[1]
            self._buffer.append(VectorPiece(track, np.asarray(frames, np.int32)[order], stored))
            self._buffer_bytes += stored.nbytes
            if self._buffer_bytes >= SPILLED_BYTES:
                self._buffer, self._buffer_bytes = spilled(self._buffer, self._buffer_bytes), 0

    def remove(self, tracks: Iterable[int]) -> None:
        """Forget these tracks; their vectors go when their segment is written anew."""
        wanted = frozenset(tracks)
        with self._lock:
            self._buffer = [piece for piece in self._buffer if piece.track not in wanted]
            self._state = tuple(without(segment, wanted) for segment in self._state)

    def snapshot(self) -> VectorSnapshot:
        """Return what the index holds now."""
        if self._buffer:
            with self._lock:
                self._flush()
        return VectorSnapshot(self._state, self._dimensions, self._tally)

    def tracks(self) -> set[int]:
        """Return the numbers of all tracks that are there."""
        return set[int]().union(*(segment.kept for segment in self.snapshot().segments))

    def holds(self, track: int, frames: Frames, keys: NDArray[Any]) -> bool:
        """Return whether a track is there with these vectors at these frames."""
        found = [piece for one in self.snapshot().segments if track in one.kept for piece in one.pieces_of(track)]
        order = np.argsort(frames, kind="stable")
        vectors = self._stored(quantised(keys))[order]
        return any(
            np.array_equal(one.frames, np.asarray(frames)[order]) and np.array_equal(one.vectors, vectors)
            for one in found
        )

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the whole index as named arrays, for `from_arrays`."""
        segments = self._compact()
        named: dict[str, NDArray[Any]] = {}
        for segment in segments:
            arrays = segment.arrays()
            named |= {f"{segment.name}.{name}": array for name, array in arrays.items()}
            named[f"{segment.name}.digest"] = np.frombuffer(segment.digest, np.uint8)
            if segment.removed:
                removed = np.array(sorted(segment.removed), np.int32)
                named[f"{segment.name}.{name_of_removed(removed)}"] = removed
        return named

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], **options: Any) -> Self:
        """Return the index that `arrays` described; the arrays are not copied. `options` are those of the class.

        Raises CatalogDamaged when they do not fit together.
        """
        index = cls(**options)
        names = dict.fromkeys(name.partition(".")[0] for name in arrays)
        parts = {
            name: {key.partition(".")[2]: array for key, array in arrays.items() if key.startswith(f"{name}.")}
            for name in names
        }
        segments = index._segment_parts(parts)
        index._state = tuple(index._load_segment(name, part) for name, part in segments.items())
        dimensions = {cls.components_per_byte * segment.vectors.shape[1] for segment in index._state}
        if len(dimensions) > 1:
            raise CatalogDamaged(f"segments hold vectors of {sorted(dimensions)} dimensions")
        index._dimensions = max(dimensions, default=0)
        return index

    def stats(self) -> Mapping[str, float]:
        """Return tracks, vectors, segments, bytes, how much of the catalog a search compares, and more.

        `compared_share` is the mean of all searches since the index was loaded, `last_compared_share` the last one's.
        What is said of a structure is of the largest segment's.
        """
        segments, tally = self.snapshot().segments, self._tally
        vectors = sum(len(segment.vectors) for segment in segments)
        size = sum(array.nbytes for segment in segments for array in segment.arrays().values())
        scanned = sum(len(segment.vectors) for segment in segments if segment.structure.is_scan)
        largest = max(segments, key=lambda segment: len(segment.vectors), default=None)
        return {
            "tracks": sum(len(segment.kept) for segment in segments),
            "removed": sum(len(segment.removed) for segment in segments),
            "vectors": vectors,
            "exact_vectors": scanned if self.is_exact else 0,
            "dimensions": self._dimensions,
            "segments": len(segments),
            "bytes": size,
            "bytes_per_vector": size / max(vectors, 1),
            "searches": tally.searches,
            "compared_share": tally.compared / max(tally.comparable, 1),
            "last_compared_share": tally.last_compared / max(tally.last_comparable, 1),
            **({} if largest is None else largest.structure.stats()),
        }

    def _flush(self) -> None:
        """Turn the buffer into segments that are scanned, merged with the last such ones; under the lock."""
        if not self._buffer:
            return
        pieces, segments = self._buffer, list(self._state)
        while segments and segments[-1].structure.is_scan and self._are_merged(segments[-1], pieces):
            pieces = [*segments.pop().pieces(), *pieces]
        segments += [segment_of(group, self._scan()) for group in groups_of(pieces, self.most_vectors)]
        self._state = tuple(segments)
        self._buffer, self._buffer_bytes = [], 0

    def _compact(self) -> tuple[VectorSegment, ...]:
        """Merge segments, leave out removed tracks where that pays, make structures; searches go on meanwhile."""
        before = self.snapshot().segments
        compacted = self._restructured(self._merged(before))
        with self._lock:
            now = {segment.name: segment.kept for segment in self._state}
            removed = frozenset().union(*(segment.kept - now[segment.name] for segment in before))
            self._state = tuple(without(segment, removed) for segment in compacted)
            return self._state

    def _merged(self, segments: Iterable[VectorSegment]) -> list[VectorSegment]:
        done: list[VectorSegment] = []
        for segment in segments:
            merged = segment
            while done and self._are_merged(done[-1], merged.pieces()):
                merged = segment_of([*done.pop().pieces(), *merged.pieces()], self._scan())
            if merged is segment and self._needs_compaction(segment):
                merged = segment_of(segment.pieces(), self._scan())
            if merged.tracks.size:
                done.append(merged)
        return done

    def _load_segment(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> VectorSegment:
        own = {array: adopted(arrays, array, *kind) for array, kind in self._kinds().items()}
        digest = adopted(arrays, "digest", np.uint8, 1)
        parts = {key: array for key, array in arrays.items() if not key.startswith(("removed-", "digest"))}
        removed = {key: adopted(arrays, key, np.int32, 1) for key in arrays if key.startswith("removed-")}
        check(sum(map(len, removed.values())) <= len(own["tracks"]), f"{name} has fewer tracks than are removed")
        check(len(digest) == DIGEST_BYTES and digest.tobytes() == checksum(parts), f"the checksum of {name}")
        check(all(name_of_removed(array) == key for key, array in removed.items()), f"removed tracks of {name}")
        check_rows(name, **own)
        check(self.components_per_byte * own["vectors"].shape[1] <= MOST_DIMENSIONS, f"dimensions of {name}")
        parts = {key: array for key, array in parts.items() if key not in own}
        numbers = frozenset(number for array in removed.values() for number in array.tolist())
        structure = self._load(parts, own["vectors"]) if parts else self._scan()
        return VectorSegment(name, **own, structure=structure, removed=numbers & set(own["tracks"].tolist()))

    def _are_merged(self, older: VectorSegment, newer: list[VectorPiece]) -> bool:
        deleted = 0 if older.deleted is None else int(older.deleted.sum())
        old, new = len(older.vectors) - deleted + len(older.kept), size_of(newer)
        return old < 2 * new and old + new <= self.most_vectors

    @staticmethod
    def _needs_compaction(segment: VectorSegment) -> bool:
        deleted = segment.deleted
        if deleted is None:
            return False
        return segment.structure.is_scan or not segment.kept or bool(deleted.mean() >= REMOVED_SHARE)


def check_dimensions(vectors: NDArray[np.int8], dimensions: int) -> None:
    """Raise OptionError for vectors of other dimensions than an index's, unless it has none yet (0)."""
    if dimensions and vectors.shape[1] != dimensions:
        raise OptionError(f"vectors of {vectors.shape[1]} dimensions in an index of {dimensions}")
