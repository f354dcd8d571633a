"""Fingerprints as bytes, for the catalog and between processes; features survive it exactly.

Readers trust nothing: every size is checked before it is used.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd
from earmark.fingerprints.stored_peaks import PeakPlanes, StoredPeaks, spread
from earmark.types import CompressedSalience, Frames, Layer, SalienceMap

MOST_BINS = (1 << 10) - 1  # bins of a band: two planes beside a byte
LARGEST_BYTES = 1 << 26  # bytes of unpacked peaks: five days of audio
MOST_IN_A_FRAME = 255  # peaks, whose number is a byte where they are unpacked
LARGEST_SALIENCE_BYTES = 1 << 28  # bytes of a clip's map: more than four hours of it
LARGEST_SEGMENTS = 1 << 22  # vectors of an unpacked fingerprint: three weeks of audio
LARGEST_FRAMES = 1 << 26  # frames of the same
MOST_UNPACKED = 16  # unpacked bytes of each packed one; no music of release 0.1.0, which compressed, comes near
FREE_BYTES = 1 << 19  # bytes that any body may unpack to: two hours without a peak
MOST_PEAKS_PER_BYTE = 3  # peaks of each packed byte; 0.7 of what is not compressed, 1.2 of release 0.1.0's music
PLANES, STRONGEST_ALONE = 1, 2  # forms of peaks in planes of bits, as they are written now
SALIENCE_BLOCK_FRAMES = 1_024  # frames of a map that are compressed together: 16 s
SMALL_SALIENCE_BYTES = 1 << 20  # bytes of a map that is unpacked at once, a minute; more is never matched together
BLOCK_LENGTH = struct.Struct("<I")  # before each block, its compressed bytes
SALIENCE_LEVEL = 1  # least compression: most of a map is zero, and one is made for every clip


class PackedPeaks(msgspec.Struct, frozen=True, array_like=True):
    """The peaks' planes, and of a clip the salience map; 1.6 bytes a peak of music."""

    spec: str
    seconds: float
    frames: int
    peaks: int
    body: bytes
    salience: bytes = b""
    form: int = 0  # `PLANES`, or what releases up to 0.1 wrote: a byte a frame and 11 bits a peak, compressed


class PeakPacking:
    """Packs the layers of peaks of a spectrogram."""

    def __init__(self, front_end: FrontEnd) -> None:
        self._low, self._high, self._frame = front_end.low_bin, front_end.high_bin, front_end.frame_seconds
        self._window = front_end.window // front_end.hop  # frames
        self._high_planes = max((self._high - self._low - 1).bit_length() - 8, 0)  # bits of a bin beyond a byte

    def pack(self, peaks: Layer, strongest: Layer, *, spec: str, seconds: float) -> bytes:
        """Return how many peaks each frame has (a one each, then a zero), bins and which are the strongest.

        The bins' low bytes, each higher bit and the strongest have a plane of their own; where all are the strongest,
        that plane is left out.
        """
        frames, count = int(peaks.frames[-1]) + 1 if len(peaks.frames) else 0, len(peaks.frames)
        bins = peaks.values - self._low
        if count and not 0 <= bins.min() <= bins.max() < 1 << 8 + self._high_planes:
            raise ValueError("a peak beyond the highest bin")
        ones = np.zeros(frames + count, np.uint8)
        ones[peaks.frames + np.arange(count)] = 1
        planes = [np.packbits(ones), (bins & 0xFF).astype(np.uint8)]
        planes += [np.packbits(bins >> 8 + bit & 1) for bit in range(self._high_planes)]
        form = STRONGEST_ALONE if len(strongest.frames) == count else PLANES
        if form == PLANES:
            places, kept = (layer.frames.astype(np.int64) << 16 | layer.values for layer in (peaks, strongest))
            planes.append(np.packbits(np.isin(places, kept)))
        body = b"".join(plane.tobytes() for plane in planes)
        salience = b""
        if isinstance(peaks.weights, SalienceMap):
            salience = _join_blocks(_compressed(peaks.weights.packed))
        elif isinstance(peaks.weights, CompressedSalience):
            salience = _join_blocks(peaks.weights.blocks)
        return msgspec.msgpack.encode(PackedPeaks(spec, seconds, frames, count, body, salience, form))

    def unpack(self, parts: PackedPeaks) -> tuple[Layer, Layer]:
        """Return (all peaks, the strongest alone) of a clip; raises ValueError for what no `pack` wrote."""
        planes = self._planes(parts)
        frames, bins, is_strongest = planes.all()
        peaks = Layer(frames, bins, self._frame, self._salience(parts))
        return peaks, peaks if is_strongest.all() else Layer(frames[is_strongest], bins[is_strongest], self._frame)

    def unpack_stored(self, parts: PackedPeaks) -> tuple[Layer, Layer]:
        """Return (all peaks, the strongest alone) of a recording, unpacked where they are looked at, as `unpack`."""
        if parts.salience:
            raise ValueError("it is a clip's, not a recording's")
        planes = self._planes(parts)
        return StoredPeaks(planes, self._frame), StoredPeaks(planes, self._frame, is_strongest_only=True)

    def _planes(self, parts: PackedPeaks) -> PeakPlanes:
        frames, count = parts.frames, parts.peaks
        if min(frames, count) < 0 or frames + count > LARGEST_BYTES or frames > self._most_frames(parts.seconds):
            raise ValueError(f"a fingerprint of {frames} frames and {count} peaks in {parts.seconds:g} s")
        bins = self._high - self._low
        if parts.form in (PLANES, STRONGEST_ALONE):
            counts, low, words = self._bit_planes(parts)
            return PeakPlanes.made(counts, low, words, first_bin=self._low, bins=bins)
        if parts.form:
            raise ValueError(f"peaks in form {parts.form}, which this release does not know")
        size = frames + count + (3 * count + 7) // 8
        most = min(LARGEST_BYTES, len(parts.body) * MOST_UNPACKED + FREE_BYTES)
        if size > most or count > len(parts.body) * MOST_PEAKS_PER_BYTE:
            raise ValueError(f"a fingerprint of {size} bytes")
        # One byte more than there may be, since 0 would mean all that there are.
        planes = np.frombuffer(zlib.decompressobj().decompress(parts.body, size + 1), np.uint8)
        if len(planes) != size:
            raise ValueError(f"a fingerprint of {count} peaks that holds others")
        return PeakPlanes.of(planes, frames=frames, peaks=count, first_bin=self._low, bins=bins)

    def _bit_planes(self, parts: PackedPeaks) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint32]]:
        """Return (peaks of each frame, low bytes of bins, three bits of each of eight peaks a word)."""
        frames, count = parts.frames, parts.peaks
        first, size = (frames + count + 7) // 8, (count + 7) // 8  # bytes of the plane of frames, and of others of bits
        high = first + count  # where the bins' higher bits begin
        flags = high + self._high_planes * size  # where those of the strongest do
        if len(parts.body) != flags + (size if parts.form == PLANES else 0):
            raise ValueError(f"a fingerprint of {frames} frames and {count} peaks in {len(parts.body)} bytes")
        planes = np.frombuffer(parts.body, np.uint8)
        if int(np.bitwise_count(planes[:first]).sum(dtype=np.int64)) != count:
            raise ValueError(f"a fingerprint of {count} peaks that holds others")
        ends = np.flatnonzero(np.unpackbits(planes[:first], count=frames + count) == 0)
        if len(ends) != frames or (frames and ends[-1] != frames + count - 1):
            raise ValueError(f"a fingerprint of {count} peaks with one beyond its end")
        counts = ends.astype(np.int32)
        counts[1:] -= ends[:-1].astype(np.int32) + 1
        if frames and int(counts.max()) > MOST_IN_A_FRAME:
            raise ValueError(f"a fingerprint of {int(counts.max())} peaks in a frame")
        bits = [planes[high + place * size : high + (place + 1) * size] for place in range(self._high_planes)]
        strongest = planes[flags:] if parts.form == PLANES else np.full(size, 0xFF, np.uint8)
        return counts.astype(np.uint8), planes[first:high], spread(bits, strongest)

    def _salience(self, parts: PackedPeaks) -> SalienceMap | CompressedSalience | None:
        """Return the map of a clip, that of a long one still compressed; every block is looked at."""
        if not parts.salience:
            return None
        width = (self._high - self._low) // 2
        most = min(self._most_frames(parts.seconds), LARGEST_SALIENCE_BYTES // width)
        blocks, frames, unpacked = list(_blocks(parts.salience)), 0, list[bytes]()
        for number, block in enumerate(blocks, start=1):
            unpacking = zlib.decompressobj()
            content = unpacking.decompress(block, SALIENCE_BLOCK_FRAMES * width)
            rows, rest = divmod(len(content), width)
            frames += rows
            is_short = rows < SALIENCE_BLOCK_FRAMES and number < len(blocks)
            if not unpacking.eof or rest or is_short or frames > most:
                raise ValueError(f"a salience map of {frames} frames or more in a clip of {parts.seconds:g} s")
            if frames * width <= SMALL_SALIENCE_BYTES:
                unpacked.append(content)
        if len(unpacked) == len(blocks):
            return SalienceMap(np.frombuffer(b"".join(unpacked), np.uint8).reshape(-1, width), self._low)
        return CompressedSalience(blocks, SALIENCE_BLOCK_FRAMES, width, self._low)

    def _most_frames(self, seconds: float) -> int:
        """Return how many frames so much sound may have, silence around it included."""
        around = 2 * self._window + 2
        return max(int(min(seconds, LARGEST_BYTES) / self._frame) + around, 0)


def _compressed(packed: NDArray[np.uint8]) -> Iterator[bytes]:
    """Yield the compressed blocks of a map, (frames, bins / 2)."""
    for first in range(0, len(packed), SALIENCE_BLOCK_FRAMES):
        rows = np.ascontiguousarray(packed[first : first + SALIENCE_BLOCK_FRAMES])
        yield zlib.compress(rows.data, SALIENCE_LEVEL)


def _join_blocks(blocks: Iterable[bytes | memoryview]) -> bytes:
    return b"".join(part for block in blocks for part in (BLOCK_LENGTH.pack(len(block)), block))


def _blocks(packed: bytes) -> Iterator[memoryview]:
    """Yield the blocks that `_join_blocks` joined; raises ValueError for others."""
    view, place = memoryview(packed), 0
    while place < len(view):
        if place + BLOCK_LENGTH.size > len(view):
            raise ValueError("a salience map that ends within a length")
        (length,) = BLOCK_LENGTH.unpack_from(view, place)
        place += BLOCK_LENGTH.size
        if place + length > len(view):
            raise ValueError("a salience map that ends within a block")
        yield view[place : place + length]
        place += length


def pack_vectors(frames: Frames, rows: bytes) -> tuple[int, int, int, bytes]:
    """Return (first frame, frames from one place to the next, places, body): a bit a place, then the vectors."""
    first = int(frames[0]) if len(frames) else 0
    hop = int(np.gcd.reduce(np.diff(frames))) if len(frames) > 1 else 1
    present = np.zeros((int(frames[-1]) - first) // hop + 1 if len(frames) else 0, bool)
    present[(frames - first) // hop] = True
    return first, hop, len(present), np.packbits(present).tobytes() + rows


def unpack_vectors(first: int, hop: int, places: int, body: bytes) -> tuple[Frames, bytes]:
    """Return (frames, the vectors as they were given); raises ValueError for what no `pack_vectors` wrote."""
    reach = abs(first) + max(places, 1) * hop
    if not (0 <= places <= LARGEST_SEGMENTS and hop >= 1 and reach <= LARGEST_FRAMES):
        raise ValueError(f"a fingerprint of {places} segments from frame {first} on, {hop} apart")
    flags = (places + 7) // 8
    if len(body) < flags:
        raise ValueError(f"a fingerprint of {places} segments in {len(body)} bytes")
    present = np.unpackbits(np.frombuffer(body[:flags], np.uint8), count=places)
    return (np.flatnonzero(present) * hop + first).astype(np.int32), body[flags:]
