"""Peaks of a recording as they are stored, of which a question unpacks what it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.types import Frames, Layer

BLOCK_FRAMES = 64  # frames, a second, of which it is known how many peaks come before
MOST_BLOCK_PEAKS = 256  # peaks of a block; 80 of a recording, 135 of a clip that begins anywhere, none has more
STRONGEST = 1  # bit of three that says of a peak that landmarks are made of it
# What the eighth and the ninth bit of a bin add to it, by three bits: these and that of the strongest.
HIGH_BITS = np.array([0, 0, 512, 512, 256, 256, 768, 768], np.int32)
EIGHTH_BITS, NINTH_BITS = np.uint32(0o44444444), np.uint32(0o22222222)  # of eight peaks in a word of 24 bits
SHIFTS = np.arange(21, -1, -3, dtype=np.uint32)  # bits by which the three of each of a word's peaks are shifted
# What the bits of a byte are in such a word, each the lowest of a peak's three.
APART = (np.arange(256, dtype=np.uint32)[:, None] >> np.arange(7, -1, -1, dtype=np.uint32) & 1) @ (
    np.uint32(1) << SHIFTS
)


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """The peaks of the blocks from one on to before another."""

    begin: int
    end: int
    frames: Frames
    bins: NDArray[np.int32]
    is_strongest: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PeakPlanes:
    """Peaks in order of time: how many a frame has, and in planes what is known of each.

    What was unpacked last is kept: a question looks at the same place several times.
    """

    counts: NDArray[np.uint8]  # (frames,) peaks of each frame
    low: NDArray[np.uint8]  # (peaks,) low eight bits of their bins, counted from `first_bin`
    words: NDArray[np.uint32]  # (peaks / 8,) three bits of each of eight peaks: two of its bin, whether it is strongest
    ends: NDArray[np.int32]  # (blocks + 1,) peaks before each block
    first_bin: int
    recent: list[_Blocks | None] = field(default_factory=lambda: [None])

    @classmethod
    def of(cls, planes: NDArray[np.uint8], *, frames: int, peaks: int, first_bin: int, bins: int) -> PeakPlanes:
        """Return the planes that bytes hold one after another; raises ValueError unless they are of such peaks."""
        counts, low, packed = planes[:frames], planes[frames : frames + peaks], planes[frames + peaks :]
        if len(packed) != (3 * peaks + 7) // 8:
            raise ValueError(f"a fingerprint of {peaks} peaks that holds others")
        eights = np.zeros((-(-peaks // 8), 3), np.uint8)
        eights.reshape(-1)[: len(packed)] = packed
        words: NDArray[np.uint32] = eights.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        return cls.made(counts, low, words, first_bin=first_bin, bins=bins)

    @classmethod
    def made(
        cls,
        counts: NDArray[np.uint8],
        low: NDArray[np.uint8],
        words: NDArray[np.uint32],
        *,
        first_bin: int,
        bins: int,
    ) -> PeakPlanes:
        """Return planes of peaks whose bins are among so many; raises ValueError unless they are."""
        frames = len(counts)
        before = np.zeros(-(-frames // BLOCK_FRAMES) * BLOCK_FRAMES + 1, np.int32)
        np.cumsum(counts, out=before[1 : frames + 1])
        before[frames + 1 :] = before[frames]
        ends = before[::BLOCK_FRAMES].copy()
        if len(ends) > 1 and not 0 <= np.diff(ends).min() <= np.diff(ends).max() <= MOST_BLOCK_PEAKS:  # a sum may wrap
            raise ValueError("more peaks together than sound has")
        if int(ends[-1]) != len(low):
            raise ValueError(f"a fingerprint of {len(low)} peaks that holds others")
        made = cls(counts, low, words, ends, first_bin)
        if made._reach_beyond(bins):
            raise ValueError("a peak beyond the highest bin")
        return made

    def _reach_beyond(self, bins: int) -> bool:
        """Return whether a bin is not among so many; the few that may be are looked at."""
        block, rest = divmod(bins, 256)
        eighth, ninth = self.words & EIGHTH_BITS, self.words & NINTH_BITS
        higher = (eighth | ninth, ninth, eighth & ninth << 1)[block] if block < 3 else np.zeros(0, np.uint32)
        near = np.flatnonzero(self.low >= rest)
        threes = self.words[near >> 3] >> SHIFTS[near & 7] & 7
        return bool(higher.any() or (HIGH_BITS.take(threes) >= block << 8).any())

    def between(self, first: float, last: float) -> tuple[Frames, NDArray[np.int32], NDArray[np.bool_]]:
        """Return (frames, bins, whether it is strongest) of the peaks from one frame on to before another."""
        begin = min(max(int(first // BLOCK_FRAMES), 0), len(self.ends) - 1)
        end = min(max(int(-(-last // BLOCK_FRAMES)), begin), len(self.ends) - 1)
        recent = self.recent[0]
        if recent is None or begin < recent.begin or end > recent.end:
            self.recent[0] = recent = self._unpacked(begin, end)
        low, high = recent.frames.searchsorted([first, last])
        return recent.frames[low:high], recent.bins[low:high], recent.is_strongest[low:high]

    def all(self) -> tuple[Frames, NDArray[np.int32], NDArray[np.bool_]]:
        """Return (frames, bins, whether it is strongest) of every peak."""
        blocks = self._unpacked(0, len(self.ends) - 1)
        return blocks.frames, blocks.bins, blocks.is_strongest

    def _unpacked(self, begin: int, end: int) -> _Blocks:
        """Return the peaks of the blocks from one on to before another."""
        counts = self.counts[begin * BLOCK_FRAMES : end * BLOCK_FRAMES]
        frames = np.arange(begin * BLOCK_FRAMES, begin * BLOCK_FRAMES + len(counts), dtype=np.int32).repeat(counts)
        low, high = int(self.ends[begin]), int(self.ends[end])
        words = self.words[low >> 3 : (high + 7) >> 3]
        threes: NDArray[np.uint32] = (words[:, None] >> SHIFTS & np.uint32(7)).reshape(-1)[low & 7 :][: high - low]
        bins = self.low[low:high] + HIGH_BITS.take(threes)
        bins += np.int32(self.first_bin)
        return _Blocks(begin, end, frames, bins, threes & STRONGEST == STRONGEST)

    @property
    def nbytes(self) -> int:
        """How much memory the planes take."""
        return self.counts.nbytes + self.low.nbytes + self.words.nbytes + self.ends.nbytes


class StoredPeaks(Layer):
    """A layer of all the peaks of planes, or of the strongest alone."""

    __slots__ = ("_is_strongest_only", "_planes")

    _planes: PeakPlanes
    _is_strongest_only: bool

    def __init__(self, planes: PeakPlanes, frame_seconds: float, *, is_strongest_only: bool = False) -> None:
        """`frame_seconds`: length of a frame."""
        object.__setattr__(self, "frame_seconds", frame_seconds)
        object.__setattr__(self, "weights", None)
        object.__setattr__(self, "_planes", planes)
        object.__setattr__(self, "_is_strongest_only", is_strongest_only)

    @property
    def frames(self) -> Frames:
        """The frames of all its peaks."""
        return self.unpacked().frames

    @property
    def values(self) -> NDArray[Any]:
        """The bins of all its peaks."""
        return self.unpacked().values

    def within(self, first: float, last: float) -> tuple[Frames, NDArray[Any]]:
        """Return (frames, bins) of the peaks from one frame on to before another."""
        frames, bins, is_strongest = self._planes.between(first, last)
        return (frames[is_strongest], bins[is_strongest]) if self._is_strongest_only else (frames, bins)

    def unpacked(self) -> Layer:
        """Return the layer with all its peaks, which nobody keeps."""
        frames, bins, is_strongest = self._planes.all()
        if self._is_strongest_only:
            frames, bins = frames[is_strongest], bins[is_strongest]
        return Layer(frames, bins, self.frame_seconds)

    @property
    def nbytes(self) -> int:
        """How much memory it takes: half of what the planes do, which two layers share."""
        return self._planes.nbytes // 2


def spread(bits: Sequence[NDArray[np.uint8]], strongest: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the words of planes of bits: of the eighth bit of a bin, perhaps of the ninth, and of the strongest."""
    words: NDArray[np.uint32] = APART.take(strongest)
    for place, plane in enumerate(bits):
        words |= APART.take(plane) << np.uint32(2 - place)
    return words
