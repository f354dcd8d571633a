"""Vectors of a recording as they are stored, of which a question decodes what it looks at.

Segments overlap, so every second vector is kept as what the mean of its neighbours lacks. The bytes of each block have
a Huffman code (RFC 1951, without the search for repetitions).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.types import Frames, Layer

BLOCK = 32  # vectors that are coded together, 16 s: 64 take a hundredth less room, and a third more time for a clip
MOST_CODED = 8  # components in a byte of a Huffman code, whose shortest words are a bit
LENGTH = np.dtype("<u4")  # of the bytes of a block

Vectors = NDArray[np.int8]


def code(vectors: Vectors) -> bytes:
    """Return vectors, (n, d), a fifth smaller: the lengths of their blocks, then these."""
    blocks = [_coded(vectors[first : first + BLOCK]) for first in range(0, len(vectors), BLOCK)]
    return np.array([len(block) for block in blocks], LENGTH).tobytes() + b"".join(blocks)


@dataclass(frozen=True, slots=True, eq=False)
class CodedVectors:
    """Vectors in blocks; those that were decoded last are kept, as a question looks at the same place several times."""

    content: bytes
    ends: NDArray[np.int64]  # (blocks + 1,) place in the content where each block ends, after where the first begins
    count: int
    dimensions: int
    recent: list[tuple[int, int, Vectors] | None] = field(default_factory=lambda: [None])

    @classmethod
    def read(cls, content: bytes, count: int, dimensions: int) -> CodedVectors:
        """Return what `code` wrote; raises ValueError for bytes that are not as long as their blocks."""
        blocks = -(-count // BLOCK)
        begin = blocks * LENGTH.itemsize
        if count * dimensions > MOST_CODED * len(content) or begin > len(content):
            raise ValueError(f"{count} vectors in {len(content)} bytes")
        lengths = np.frombuffer(content, LENGTH, blocks)
        ends = np.concatenate([[begin], begin + np.cumsum(lengths, dtype=np.int64)])
        if int(ends[-1]) != len(content):
            raise ValueError(f"{count} vectors in {len(content)} bytes of blocks of {int(ends[-1])}")
        return cls(content, ends, count, dimensions)

    def between(self, first: int, last: int) -> Vectors:
        """Return the vectors from one on to before another."""
        last = max(first, last)
        begin, end = first // BLOCK, -(-last // BLOCK)
        recent = self.recent[0]  # looked at once, since other threads may put theirs there
        if recent is None or begin < recent[0] or end > recent[1]:
            self.recent[0] = recent = begin, end, self.decoded(begin, end)
        return recent[2][first - recent[0] * BLOCK : last - recent[0] * BLOCK]

    def decoded(self, begin: int, end: int, *, is_checked: bool = False) -> Vectors:
        """Return the vectors of the blocks from one on to before another.

        Those of a damaged block are zeros, which say nothing, or raise ValueError if it `is_checked`.
        """
        blocks = [self._block(number, is_checked=is_checked) for number in range(begin, end)]
        return blocks[0] if len(blocks) == 1 else np.concatenate([np.zeros((0, self.dimensions), np.int8), *blocks])

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.ends) - 1

    @property
    def nbytes(self) -> int:
        """How much memory it takes, without what was decoded last."""
        return len(self.content) + self.ends.nbytes

    def _block(self, number: int, *, is_checked: bool = False) -> Vectors:
        """Return the vectors of a block; of one that `code` did not write zeros, or ValueError if it `is_checked`."""
        size = min(BLOCK, self.count - number * BLOCK)
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            part = memoryview(self.content)[self.ends[number] : self.ends[number + 1]]
            content = decoder.decompress(part, size * self.dimensions + 1)
        except zlib.error:
            content = b""
        if len(content) != size * self.dimensions or not decoder.eof or decoder.unused_data:
            if is_checked:
                raise ValueError(f"{self.count} vectors, some of which are damaged")
            return np.zeros((size, self.dimensions), np.int8)
        rows = np.frombuffer(content, np.uint8).reshape(size, self.dimensions)
        vectors = np.empty((size, self.dimensions), np.uint8)
        vectors[::2], odd = rows[: (size + 1) // 2], rows[(size + 1) // 2 :]
        np.add(odd, _between(rows[: (size + 1) // 2].view(np.int8))[: len(odd)], out=vectors[1::2])
        return vectors.view(np.int8)


class StoredVectors(Layer):
    """A layer of coded vectors."""

    __slots__ = ("_coded",)

    _coded: CodedVectors

    def __init__(self, frames: Frames, coded: CodedVectors, frame_seconds: float) -> None:
        """`frames`: those of all vectors; `frame_seconds`: length of a frame."""
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "frame_seconds", frame_seconds)
        object.__setattr__(self, "weights", None)
        object.__setattr__(self, "_coded", coded)

    @property
    def values(self) -> NDArray[Any]:
        """All vectors, which nobody keeps."""
        return self._coded.decoded(0, self._coded.blocks)

    def within(self, first: float, last: float) -> tuple[Frames, NDArray[Any]]:
        """Return (frames, vectors) of the segments that begin from one frame on to before another."""
        low, high = self.frames.searchsorted([first, last])
        return self.frames[low:high], self._coded.between(int(low), int(high))

    def unpacked(self) -> Layer:
        """Return the layer with all its vectors; raises ValueError where they are damaged."""
        return Layer(self.frames, self._coded.decoded(0, self._coded.blocks, is_checked=True), self.frame_seconds)

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return self.frames.nbytes + self._coded.nbytes


def _coded(vectors: Vectors) -> bytes:
    even, odd = vectors[::2], vectors[1::2]
    rows = np.concatenate([even.view(np.uint8), odd.view(np.uint8) - _between(even)[: len(odd)]])
    coder = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY, wbits=-zlib.MAX_WBITS)
    return coder.compress(rows.tobytes()) + coder.flush()


def _between(even: Vectors) -> NDArray[np.uint8]:
    """Return the mean, rounded down, of each row and the next one; of the last row, itself."""
    following = np.concatenate([even[1:], even[-1:]])
    means: Vectors = (even & following) + ((even ^ following) >> 1)  # within a byte
    return means.view(np.uint8)
