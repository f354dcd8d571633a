"""Cutting sound into overlapping pieces of one length: frames for a spectrogram, segments for an encoder."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.types import Samples


def segments(samples: Samples, *, length: int, hop: int) -> NDArray[np.float32]:
    """Return the whole segments of `length` samples, one every `hop`, shape (n, length), as a view.

    A last piece shorter than `length` is not among them; sound shorter than one segment is padded with zeros to one.
    """
    if 0 < len(samples) < length:
        samples = np.pad(samples, (0, length - len(samples)))
    if len(samples) < length:
        return np.zeros((0, length), np.float32)
    return np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]


class SegmentStream:
    """The segments of sound that comes in blocks, `count` at a time.

    The chunks' grid is fixed by the sound alone, so what is computed a chunk at a time is the same to the last bit,
    however the blocks are cut.
    """

    def __init__(self, *, length: int, hop: int, count: int) -> None:
        """Raise OptionError when segments of `length` samples, one every `hop`, would leave gaps."""
        if not 1 <= hop <= length:
            raise OptionError(f"hop={hop}; give 1 to length={length} samples")
        self._length, self._hop, self._count = length, hop, count
        self._needed = (count - 1) * hop + length
        self._pending: list[Samples] = []
        self._held, self._is_begun = 0, False

    def push(self, block: Samples) -> Iterator[NDArray[np.float32]]:
        """Take more samples, and yield the chunks that are complete, each (count, length)."""
        if len(block):
            self._pending.append(block)
            self._held += len(block)
        while self._held >= self._needed:
            samples = np.concatenate(self._pending) if len(self._pending) > 1 else self._pending[0]
            self._pending = [samples[self._count * self._hop :]]
            self._held, self._is_begun = len(self._pending[0]), True
            yield segments(samples[: self._needed], length=self._length, hop=self._hop)

    def rest(self, block: Samples | None = None) -> Iterator[NDArray[np.float32]]:
        """Yield the chunks that are left if the sound ends here, or after one more block; nothing is taken away."""
        copy = SegmentStream(length=self._length, hop=self._hop, count=self._count)
        copy._pending, copy._held, copy._is_begun = list(self._pending), self._held, self._is_begun
        if block is not None:
            yield from copy.push(block)
        samples = np.concatenate(copy._pending) if copy._pending else np.zeros(0, np.float32)
        if len(samples) >= self._length or (len(samples) and not copy._is_begun):
            yield segments(samples, length=self._length, hop=self._hop)
