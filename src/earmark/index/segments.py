"""What all vector indexes have in common: segments of vectors, each with a structure that shortens its search.

Tracks that were added wait until they are asked for, become a segment, and small segments are merged with their
neighbour (as Lucene does), so that `add` stays linear up to a logarithm and a segment, once made, never changes. Rows
of a segment are in order of track, then frame. Removed tracks are masked; their vectors go when the segment is written
anew. What kind of structure a segment gets is all that a kind of index decides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from threading import Lock
from typing import Any, ClassVar, Protocol, Self
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from earmark.errors import CatalogDamaged, OptionError
from earmark.index.protocol import NEAREST
from earmark.index.vectors import SCALE, Found, best, no_hits, quantised
from earmark.types import Frames, Hits

DIGEST_BYTES = 16


class Structure(Protocol):
    """What shortens the search of one segment's vectors."""

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return it as arrays."""

    def stats(self) -> Mapping[str, float]:
        """Return figures about it."""

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[np.int8], gone: NDArray[np.bool_] | None, nearest: int
    ) -> Found:
        """Return up to `nearest` rows of each query with their inner products; none of the rows that are `gone`."""


@dataclass(frozen=True, eq=False)
class Piece:
    """The vectors of one track that no segment holds yet."""

    track: int
    frames: Frames
    vectors: NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Segment:
    """The vectors of some tracks; unchangeable but for the set of removed tracks, which a new one replaces."""

    name: str
    vectors: NDArray[np.int8]  # (n, d)
    frames: NDArray[np.int32]  # (n,)
    tracks: NDArray[np.int32]  # (pieces,), rising
    starts: NDArray[np.int64]  # (pieces,): the row where each track begins
    structure: Structure
    removed: frozenset[int] = field(default_factory=frozenset)

    ARRAYS: ClassVar = ("vectors", "frames", "tracks", "starts")

    @cached_property
    def gone(self) -> NDArray[np.bool_] | None:
        """Which rows belong to removed tracks; None when there are none."""
        if not self.removed:
            return None
        return np.repeat(np.isin(self.tracks, list(self.removed)), self.lengths)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many vectors each track has."""
        return np.diff(self.starts, append=len(self.vectors))

    @cached_property
    def kept(self) -> set[int]:
        """The tracks that are there."""
        return set(self.tracks.tolist()) - self.removed

    @cached_property
    def digest(self) -> bytes:
        """The checksum of the arrays."""
        return _digest(self.arrays())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays but the removed tracks."""
        return {name: getattr(self, name) for name in self.ARRAYS} | dict(self.structure.arrays())

    def pieces(self) -> list[Piece]:
        """Return the tracks that are not removed."""
        return [
            Piece(track, self.frames[start : start + length], self.vectors[start : start + length])
            for track, start, length in zip(
                self.tracks.tolist(), self.starts.tolist(), self.lengths.tolist(), strict=True
            )
            if track not in self.removed
        ]

    def search(self, queries: NDArray[np.int8], nearest: int) -> tuple[Hits, int]:
        """Return hits (whose query frames are numbers of queries), and how many pairs were compared."""
        found = self.structure.search(queries, self.vectors, self.gone, nearest)
        piece = np.searchsorted(self.starts, found.rows, side="right") - 1  # a track without vectors is passed over
        return Hits(
            found.queries.astype(np.int32), self.tracks[piece], self.frames[found.rows], found.scores
        ), found.compared


class Segmented(ABC):
    """An index of vectors in segments; see the module's docstring."""

    most_vectors: ClassVar[int]  # of a segment that is made by merging
    removed_share: ClassVar[float]  # a segment with more removed vectors than this is written anew by `arrays`

    def __init__(self) -> None:
        self._segments: tuple[Segment, ...] = ()
        self._fresh: list[Piece] = []
        self._dimensions = 0
        self._lock = Lock()
        self._searches = self._compared = self._comparable = self._last_compared = self._last_comparable = 0

    @abstractmethod
    def _build(self, vectors: NDArray[np.int8], tracks: NDArray[np.int32]) -> Structure:
        """Return the structure of a segment; `tracks` says whose each vector is."""

    @abstractmethod
    def _read(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        """Return the structure that its `arrays` described; raises CatalogDamaged when they do not fit."""

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
        with self._lock:
            self._fresh.append(Piece(track, np.asarray(frames, np.int32)[order], vectors[order]))

    def remove(self, tracks: Iterable[int]) -> None:
        """Forget these tracks; their vectors go when their segment is written anew."""
        wanted = frozenset(tracks)
        with self._lock:
            self._fresh = [piece for piece in self._fresh if piece.track not in wanted]
            self._segments = tuple(
                replace(part, removed=part.removed | here) if (here := wanted & part.kept) else part
                for part in self._segments
            )

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
        with self._lock:
            self._segments = tuple(
                self._segment(part.pieces()) if self._is_worn(part) else part for part in self._segments if part.kept
            )
            segments = self._segments
        named: dict[str, NDArray[Any]] = {}
        for segment in segments:
            arrays = segment.arrays()
            named |= {f"{segment.name}.{name}": array for name, array in arrays.items()}
            named[f"{segment.name}.digest"] = np.frombuffer(segment.digest, np.uint8)
            if segment.removed:
                removed = np.array(sorted(segment.removed), np.int32)
                named[f"{segment.name}.removed-{sha256(removed.tobytes()).hexdigest()[:12]}"] = removed
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
        dimensions = {segment.vectors.shape[1] for segment in index._segments}
        if len(dimensions) > 1:
            raise CatalogDamaged(f"segments hold vectors of {sorted(dimensions)} dimensions")
        index._dimensions = max(dimensions, default=0)
        return index

    def stats(self) -> Mapping[str, float]:
        """Return tracks, vectors, segments, bytes, how much of the catalog a search compares, and more.

        What says more is about the structure of the largest segment.
        `compared_share` is the mean of all searches since the index was loaded, `last_compared_share` the last one's.
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
        """Turn what was added into a segment, together with the last ones while they are not much larger."""
        with self._lock:
            if not self._fresh:
                return
            pieces, segments = self._fresh, list(self._segments)
            self._fresh = []
            while segments and _worth_merging(segments[-1], pieces, self.most_vectors):
                pieces = [*segments.pop().pieces(), *pieces]
            segments += [self._segment(group) for group in _groups(pieces, self.most_vectors)]
            self._segments = tuple(segments)

    def _segment(self, pieces: list[Piece]) -> Segment:
        pieces = sorted(pieces, key=lambda piece: piece.track)
        lengths = np.array([len(piece.vectors) for piece in pieces], np.int64)
        tracks = np.array([piece.track for piece in pieces], np.int32)
        vectors = np.concatenate([piece.vectors for piece in pieces])
        frames = np.concatenate([piece.frames for piece in pieces])
        structure = self._build(vectors, np.repeat(tracks, lengths))
        name = f"segment-{uuid4().hex[:12]}"
        return Segment(name, vectors, frames, tracks, np.cumsum(lengths) - lengths, structure)

    def _read_segment(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> Segment:
        missing = {*Segment.ARRAYS, "digest"} - set(arrays)
        if missing:
            raise CatalogDamaged(f"{name} lacks {', '.join(sorted(missing))}; earmark rebuild makes the index again")
        parts = {key: array for key, array in arrays.items() if not key.startswith(("removed-", "digest"))}
        if arrays["digest"].tobytes() != _digest(parts):
            raise CatalogDamaged(
                f"{name} is damaged: its checksum does not hold; earmark rebuild makes the index again"
            )
        own = {key: parts.pop(key) for key in Segment.ARRAYS}
        removed = [array for key, array in arrays.items() if key.startswith("removed-")]
        gone = frozenset(int(number) for array in removed for number in array) & set(own["tracks"].tolist())
        return Segment(name, **own, structure=self._read(parts, own["vectors"]), removed=gone)

    def _is_worn(self, segment: Segment) -> bool:
        gone = segment.gone
        return gone is not None and int(gone.sum()) >= self.removed_share * len(gone)

    def _check_dimensions(self, vectors: NDArray[np.int8]) -> None:
        if self._dimensions and vectors.shape[1] != self._dimensions:
            raise OptionError(f"vectors of {vectors.shape[1]} dimensions in an index of {self._dimensions}")

    def _count(self, compared: int, comparable: int) -> None:
        with self._lock:
            self._searches += 1
            self._compared += compared
            self._comparable += comparable
            self._last_compared, self._last_comparable = compared, comparable


def _worth_merging(older: Segment, pieces: list[Piece], most: int) -> bool:
    old, new = _size(older.pieces()), _size(pieces)
    return old < 2 * new and old + new <= most


def _size(pieces: list[Piece]) -> int:
    return sum(len(piece.vectors) + 1 for piece in pieces)  # a track without vectors takes room too


def _groups(pieces: list[Piece], most: int) -> list[list[Piece]]:
    """Return the pieces in order of track, in groups of at most `most` vectors, or of one track."""
    groups: list[list[Piece]] = [[]]
    size = 0
    for piece in sorted(pieces, key=lambda piece: piece.track):
        if groups[-1] and size + len(piece.vectors) > most:
            groups.append([])
            size = 0
        groups[-1].append(piece)
        size += len(piece.vectors)
    return groups


def _digest(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a checksum of everything but the vectors' content.

    A bit that flips there changes one score a little; one that flips elsewhere might send a search astray.
    """
    digest = sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        if name != "vectors":
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()[:DIGEST_BYTES]
