"""One segment of an index of vectors: the vectors of some tracks, and what shortens their search.

Rows of a segment are in order of track, then frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar, Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from earmark.index.adopted import are_groups, are_tracks, check, is_rising
from earmark.index.int8 import Neighbours
from earmark.index.spill import joined
from earmark.types import Frames, Hits

DIGEST_BYTES = 16  # bytes of a SHA-256 that are kept


class Structure(Protocol):
    """How one segment's vectors are searched; a structure that is no scan was built, and shortens that."""

    is_scan: ClassVar[bool]

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return it as arrays."""

    def stats(self) -> Mapping[str, float]:
        """Return figures about it."""

    def search(
        self, queries: NDArray[np.int8], vectors: NDArray[np.int8], deleted: NDArray[np.bool_] | None, nearest: int
    ) -> Neighbours:
        """Return up to `nearest` rows of each query with their inner products; none of the `deleted` rows."""


@dataclass(frozen=True, eq=False)
class VectorPiece:
    """The vectors of one track that no segment holds yet."""

    track: int
    frames: Frames
    vectors: NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class VectorSegment:
    """The vectors of some tracks, unchangeable."""

    name: str
    vectors: NDArray[Any]  # (n, d) int8, or what the kind of index makes of them
    frames: NDArray[np.int32]  # (n,)
    tracks: NDArray[np.int32]  # (pieces,), rising
    starts: NDArray[np.int64]  # (pieces,): the row where each track begins
    structure: Structure
    removed: frozenset[int] = field(default_factory=frozenset)

    ARRAYS: ClassVar[dict[str, tuple[Any, int]]] = {  # type and number of axes
        "vectors": (np.int8, 2),
        "frames": (np.int32, 1),
        "tracks": (np.int32, 1),
        "starts": (np.int64, 1),
    }

    @cached_property
    def deleted(self) -> NDArray[np.bool_] | None:
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
        return checksum(self.arrays())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays but the removed tracks."""
        return {name: getattr(self, name) for name in self.ARRAYS} | dict(self.structure.arrays())

    def pieces(self) -> list[VectorPiece]:
        """Return the tracks that are not removed."""
        return [
            VectorPiece(track, self.frames[start : start + length], self.vectors[start : start + length])
            for track, start, length in zip(
                self.tracks.tolist(), self.starts.tolist(), self.lengths.tolist(), strict=True
            )
            if track not in self.removed
        ]

    def pieces_of(self, track: int) -> list[VectorPiece]:
        """Return the vectors of one track, unless it is not there or removed."""
        place = int(np.searchsorted(self.tracks, track))
        if place == len(self.tracks) or self.tracks[place] != track or track in self.removed:
            return []
        rows = slice(int(self.starts[place]), int(self.starts[place]) + int(self.lengths[place]))
        return [VectorPiece(track, self.frames[rows], self.vectors[rows])]

    def search(self, queries: NDArray[np.int8], nearest: int) -> tuple[Hits, int]:
        """Return hits (whose query frames are numbers of queries), and how many pairs were compared."""
        found = self.structure.search(queries, self.vectors, self.deleted, nearest)
        piece = np.searchsorted(self.starts, found.rows, side="right") - 1  # a track without vectors is passed over
        return Hits(
            found.queries.astype(np.int32), self.tracks[piece], self.frames[found.rows], found.scores
        ), found.compared


def new_name() -> str:
    """Return a name that no other segment has."""
    return f"segment-{uuid4().hex[:12]}"


def segment_of(pieces: list[VectorPiece], structure: Structure) -> VectorSegment:
    """Return the pieces in order of track as a segment without a structure."""
    pieces = sorted(pieces, key=lambda piece: piece.track)
    lengths = np.array([len(piece.vectors) for piece in pieces], np.int64)
    tracks = np.array([piece.track for piece in pieces], np.int32)
    vectors = joined([piece.vectors for piece in pieces]) if pieces else np.zeros((0, 1), np.int8)
    frames = np.concatenate([np.zeros(0, np.int32), *(piece.frames for piece in pieces)])
    return VectorSegment(new_name(), vectors, frames, tracks, np.cumsum(lengths) - lengths, structure)


def spilled(pieces: list[VectorPiece], size: int) -> list[VectorPiece]:
    """Return the pieces, those at the end whose vectors take `size` bytes with these on disk."""
    first = len(pieces)
    while size > 0 and first > 0:  # some of them may have been removed
        first -= 1
        size -= pieces[first].vectors.nbytes
    moved = joined([piece.vectors for piece in pieces[first:]])
    ends = np.cumsum([len(piece.vectors) for piece in pieces[first:]])
    return [
        *pieces[:first],
        *(
            replace(piece, vectors=moved[end - len(piece.vectors) : end])
            for piece, end in zip(pieces[first:], ends.tolist(), strict=True)
        ),
    ]


def without(segment: VectorSegment, tracks: frozenset[int]) -> VectorSegment:
    """Return the segment with these tracks masked."""
    here = tracks & segment.kept
    if not here:
        return segment
    structure = type(segment.structure)() if segment.structure.is_scan else segment.structure
    return replace(segment, removed=segment.removed | here, structure=structure)  # a scan may keep what it has masked


def name_of_removed(tracks: NDArray[np.int32]) -> str:
    """Return a name that stands for the content."""
    return f"removed-{sha256(np.ascontiguousarray(tracks, np.int32).tobytes()).hexdigest()[:12]}"


def size_of(pieces: list[VectorPiece]) -> int:
    """Return how much pieces weigh when it is decided what is merged."""
    return sum(len(piece.vectors) + 1 for piece in pieces)  # a track without vectors takes room too


def groups_of(pieces: list[VectorPiece], most: int) -> list[list[VectorPiece]]:
    """Return the pieces in order of track, in groups of at most `most` vectors, or of one track."""
    groups: list[list[VectorPiece]] = [[]]
    size = 0
    for piece in sorted(pieces, key=lambda piece: piece.track):
        if groups[-1] and size + len(piece.vectors) > most:
            groups.append([])
            size = 0
        groups[-1].append(piece)
        size += len(piece.vectors)
    return groups


def check_rows(
    name: str,
    *,
    vectors: NDArray[Any],
    frames: NDArray[np.int32],
    tracks: NDArray[np.int32],
    starts: NDArray[np.int64],
) -> None:
    """Raise CatalogDamaged unless every row has a frame, and belongs to one track of rising number."""
    rows = len(vectors)
    check(vectors.shape[1] and len(frames) == rows, f"{name} has {len(frames)} frames for {rows} vectors")
    check(len(starts) == len(tracks) and (len(tracks) or not rows), f"{name} has vectors of no track")
    check(are_tracks(tracks) and is_rising(tracks, strictly=True), f"tracks of {name} are out of order")
    check(are_groups(np.append(starts, rows), rows) if len(starts) else not rows, f"{name} has tracks beyond its end")


def checksum(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a checksum of everything but the vectors' content.

    A bit that flips there changes one score a little; one that flips elsewhere might send a search astray.
    """
    digest = sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        if name != "vectors":
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()[:DIGEST_BYTES]
