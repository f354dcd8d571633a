"""What all vector indexes have in common: segments of vectors, each with a structure that shortens its search.

Tracks that were added are searched exactly until the index is asked for its arrays. Then they get the structure of
their kind, and small segments are merged with their neighbour (as Lucene does), so that `add` stays linear up to a
logarithm and a published segment never changes. Rows of a segment are in order of track, then frame. Removed tracks are
masked; their vectors go when the segment is written anew: at once where that is only copying, else when a fifth is
gone. Vectors that would fill the memory wait on disk (`spilling.py`). What kind of structure a large segment gets is
all that a kind of index decides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from threading import Lock
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from earmark.errors import CatalogDamaged, OptionError
from earmark.index.exact import Exact
from earmark.index.int8 import SCALE, best, no_hits, quantised
from earmark.index.protocol import NEAREST
from earmark.index.segment import (
    Piece,
    Segment,
    Structure,
    checksum,
    groups_of,
    name_of_removed,
    new_name,
    segment_of,
    size_of,
    spilled,
    without,
)
from earmark.index.spill import SPILLED_BYTES
from earmark.types import Frames, Hits

SMALLEST = 10_000  # vectors of a segment that gets a structure; below, exact search takes a millisecond
REMOVED_SHARE = 0.2  # of a segment with a structure, from which on it is written anew


class Segmented(ABC):
    """An index of vectors in segments; see the module's docstring."""

    most_vectors: ClassVar[int]  # of a segment that is made by merging
    components_a_byte: ClassVar[int] = 1  # of the vectors as they are stored

    def __init__(self, *, smallest: int | None = None) -> None:
        """Give structures to segments of at least `smallest` vectors; to none, when it is None."""
        self._smallest = inf if smallest is None else max(smallest, 1)
        self._segments: tuple[Segment, ...] = ()
        self._fresh: list[Piece] = []
        self._fresh_bytes = 0  # of those that lie in memory, which come last
        self._dimensions = 0
        self._lock = Lock()
        self._searches = self._compared = self._comparable = self._last_compared = self._last_comparable = 0

    @abstractmethod
    def _build(self, vectors: NDArray[np.int8]) -> Structure:
        """Return the structure of a segment."""

    @abstractmethod
    def _read(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        """Return the structure that its `arrays` described; raises CatalogDamaged when they do not fit."""

    @staticmethod
    def _plain() -> Exact:
        """Return how a segment is searched that has no structure."""
        return Exact()

    def _stored(self, vectors: NDArray[np.int8]) -> NDArray[Any]:
        """Return vectors as segments hold them."""
        return vectors

    def add(self, track: int, frames: Frames, keys: NDArray[Any]) -> None:
        """Add a recording's vectors, (n, d) int8 or float; `track` is the catalog's number for it, not yet in here.

        Raises OptionError when `keys` are no vectors, or of another number of dimensions than those before.
        """
        vectors = quantised(keys)
        if len(frames) != len(vectors):
            raise OptionError(f"{len(frames)} frames for {len(vectors)} vectors: give one for each")
        self._check_dimensions(vectors)
        self._dimensions = vectors.shape[1]
        order = np.argsort(frames, kind="stable")
        stored = self._stored(vectors)[order]
        with self._lock:
            self._fresh.append(Piece(track, np.asarray(frames, np.int32)[order], stored))
            self._fresh_bytes += stored.nbytes
            if self._fresh_bytes >= SPILLED_BYTES:
                self._fresh, self._fresh_bytes = spilled(self._fresh, self._fresh_bytes), 0

    def remove(self, tracks: Iterable[int]) -> None:
        """Forget these tracks; their vectors go when their segment is written anew."""
        wanted = frozenset(tracks)
        with self._lock:
            self._fresh = [piece for piece in self._fresh if piece.track not in wanted]
            self._segments = tuple(without(segment, wanted) for segment in self._segments)

    def search(self, frames: Frames, keys: NDArray[Any], *, nearest: int = NEAREST) -> Hits:
        """Return up to `nearest` hits of each vector of a query, best first; the score is the inner product.

        Of equal scores the lower track comes first, then the earlier frame. Raises OptionError as `add` does.
        """
        if nearest < 1:
            raise OptionError(f"nearest={nearest}: ask for at least 1")
        self._seal()
        segments = self._segments
        if not len(keys) or not segments:
            return no_hits()
        queries = quantised(keys)
        self._check_dimensions(queries)
        parts, compared = zip(*(segment.search(queries, nearest) for segment in segments), strict=True)
        self._count(sum(compared), len(queries) * sum(len(segment.vectors) for segment in segments))
        names = ("query_frames", "tracks", "reference_frames", "scores")
        hits = Hits(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
        kept = best(hits, nearest)
        scores = hits.scores[kept] / np.float32(SCALE * SCALE)
        asked = np.asarray(frames, np.int32)[hits.query_frames[kept]]
        return Hits(asked, hits.tracks[kept], hits.reference_frames[kept], scores)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the whole index as named arrays, for `from_arrays`."""
        self._seal()
        segments = self._settle()
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
        index._segments = tuple(index._read_segment(name, part) for name, part in parts.items())
        dimensions = {cls.components_a_byte * segment.vectors.shape[1] for segment in index._segments}
        if len(dimensions) > 1:
            raise CatalogDamaged(f"segments hold vectors of {sorted(dimensions)} dimensions")
        index._dimensions = max(dimensions, default=0)
        return index

    def stats(self) -> Mapping[str, float]:
        """Return tracks, vectors, segments, bytes, how much of the catalog a search compares, and more.

        `compared_share` is the mean of all searches since the index was loaded, `last_compared_share` the last one's.
        What is said of a structure is of the largest segment's.
        """
        self._seal()
        vectors = sum(len(segment.vectors) for segment in self._segments)
        arrays = [array for part in self._segments for array in part.arrays().values()]
        size = sum(array.nbytes for array in arrays)
        largest = max(self._segments, key=lambda segment: len(segment.vectors), default=None)
        figures = {} if largest is None else largest.structure.stats()
        return {
            "tracks": sum(len(segment.kept) for segment in self._segments),
            "removed": sum(len(segment.removed) for segment in self._segments),
            "vectors": vectors,
            "exact_vectors": sum(len(part.vectors) for part in self._segments if type(part.structure) is Exact),
            "dimensions": self._dimensions,
            "segments": len(self._segments),
            "bytes": size,
            "bytes_per_vector": size / max(vectors, 1),
            "searches": self._searches,
            "compared_share": self._compared / max(self._comparable, 1),
            "last_compared_share": self._last_compared / max(self._last_comparable, 1),
            **figures,
        }

    def _seal(self) -> None:
        """Turn what was added into segments that are searched exactly, merged with the last such ones."""
        with self._lock:
            if not self._fresh:
                return
            pieces, segments = self._fresh, list(self._segments)
            self._fresh, self._fresh_bytes = [], 0
            while segments and isinstance(segments[-1].structure, Exact) and self._are_merged(segments[-1], pieces):
                pieces = [*segments.pop().pieces(), *pieces]
            segments += [segment_of(group, self._plain()) for group in groups_of(pieces, self.most_vectors)]
            self._segments = tuple(segments)

    def _settle(self) -> tuple[Segment, ...]:
        """Merge segments, leave out removed tracks where that pays, make structures; searches go on meanwhile."""
        before = self._segments
        settled = [self._structured(segment) for segment in self._merged(before)]
        with self._lock:
            now = {segment.name: segment.kept for segment in self._segments}
            removed = frozenset().union(*(segment.kept - now[segment.name] for segment in before))
            self._segments = tuple(without(segment, removed) for segment in settled)
            return self._segments

    def _merged(self, segments: Iterable[Segment]) -> list[Segment]:
        done: list[Segment] = []
        for segment in segments:
            merged = segment
            while done and self._are_merged(done[-1], merged.pieces()):
                merged = segment_of([*done.pop().pieces(), *merged.pieces()], self._plain())
            if merged is segment and self._is_worn(segment):
                merged = segment_of(segment.pieces(), self._plain())
            if merged.tracks.size:
                done.append(merged)
        return done

    def _structured(self, segment: Segment) -> Segment:
        if isinstance(segment.structure, Exact) and len(segment.vectors) >= self._smallest:
            return replace(segment, name=new_name(), structure=self._build(segment.vectors))
        return segment

    def _read_segment(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> Segment:
        missing = {*Segment.ARRAYS, "digest"} - set(arrays)
        if missing:
            raise CatalogDamaged(f"{name} lacks {', '.join(sorted(missing))}; earmark rebuild makes the index again")
        parts = {key: array for key, array in arrays.items() if not key.startswith(("removed-", "digest"))}
        if arrays["digest"].tobytes() != checksum(parts):
            raise CatalogDamaged(
                f"{name} is damaged: its checksum does not hold; earmark rebuild makes the index again"
            )
        own = {key: parts.pop(key) for key in Segment.ARRAYS}
        removed = {key: array for key, array in arrays.items() if key.startswith("removed-")}
        if any(name_of_removed(array) != key for key, array in removed.items()):
            raise CatalogDamaged(f"{name}'s list of removed tracks is damaged; earmark rebuild makes the index again")
        gone = frozenset(int(number) for array in removed.values() for number in array) & set(own["tracks"].tolist())
        structure = self._read(parts, own["vectors"]) if parts else self._plain()
        return Segment(name, **own, structure=structure, removed=gone)

    def _are_merged(self, older: Segment, newer: list[Piece]) -> bool:
        gone = 0 if older.gone is None else int(older.gone.sum())
        old, new = len(older.vectors) - gone + len(older.kept), size_of(newer)
        return old < 2 * new and old + new <= self.most_vectors

    @staticmethod
    def _is_worn(segment: Segment) -> bool:
        gone = segment.gone
        if gone is None:
            return False
        return isinstance(segment.structure, Exact) or not segment.kept or gone.mean() >= REMOVED_SHARE

    def _check_dimensions(self, vectors: NDArray[np.int8]) -> None:
        if self._dimensions and vectors.shape[1] != self._dimensions:
            raise OptionError(f"vectors of {vectors.shape[1]} dimensions in an index of {self._dimensions}")

    def _count(self, compared: int, comparable: int) -> None:
        with self._lock:
            self._searches += 1
            self._compared += compared
            self._comparable += comparable
            self._last_compared, self._last_comparable = compared, comparable
