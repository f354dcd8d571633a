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
from earmark.types import CompressedSalience, Frames, Layer, SalienceMap

MOST_BINS = (1 << 10) - 1  # bins of a band: two planes beside a byte
# What the eighth and the ninth bit of a bin add to it, by three bits: these and that of the strongest.
HIGH_BITS = np.array([0, 0, 512, 512, 256, 256, 768, 768], np.int32)
LARGEST_BYTES = 1 << 26  # bytes of unpacked peaks: five days of audio
LARGEST_SALIENCE_BYTES = 1 << 28  # bytes of a clip's map: more than four hours of it
LARGEST_SEGMENTS = 1 << 22  # vectors of an unpacked fingerprint: three weeks of audio
LARGEST_FRAMES = 1 << 26  # frames of the same
MOST_UNPACKED = 16  # unpacked bytes of each packed one; no music of release 0.1.0, which compressed, comes near
FREE_BYTES = 1 << 19  # bytes that any body may unpack to: two hours without a peak
PLANES, STRONGEST_ALONE = 1, 2  # forms of peaks in planes of bits, as they are written now
MOST_CODED = 8  # components in a byte of a Huffman code, whose shortest words are a bit
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
        """Return (all peaks, the strongest alone); raises ValueError for what no `pack` wrote."""
        frames, count = parts.frames, parts.peaks
        if min(frames, count) < 0 or frames + count > LARGEST_BYTES or frames > self._most_frames(parts.seconds):
            raise ValueError(f"a fingerprint of {frames} frames and {count} peaks in {parts.seconds:g} s")
        if parts.form not in (0, PLANES, STRONGEST_ALONE):
            raise ValueError(f"peaks in form {parts.form}, which this release does not know")
        moments, bins, kept = self._former_planes(parts) if parts.form == 0 else self._planes(parts)
        if len(bins) and int(bins.max()) >= self._high - self._low:
            raise ValueError("a peak beyond the highest bin")
        bins += np.int32(self._low)
        peaks = Layer(moments, bins, self._frame, self._salience(parts))
        if kept is None or len(kept) == len(bins):
            return peaks, peaks
        return peaks, Layer(moments.take(kept), bins.take(kept), self._frame)

    def _planes(self, parts: PackedPeaks) -> tuple[Frames, NDArray[np.int32], NDArray[np.int64] | None]:
        """Return (frames, bins from the lowest on, which are the strongest, None for all)."""
        frames, count = parts.frames, parts.peaks
        first, size = (frames + count + 7) // 8, (count + 7) // 8  # bytes of the plane of frames, and of others of bits
        high = first + count  # where the bins' higher bits begin
        flags = high + self._high_planes * size  # where those of the strongest do
        if len(parts.body) != flags + (size if parts.form == PLANES else 0):
            raise ValueError(f"a fingerprint of {frames} frames and {count} peaks in {len(parts.body)} bytes")
        planes = np.frombuffer(parts.body, np.uint8)
        if int(np.bitwise_count(planes[:first]).sum(dtype=np.int64)) != count:
            raise ValueError(f"a fingerprint of {count} peaks that holds others")
        moments = np.flatnonzero(np.unpackbits(planes[:first], count=frames + count).view(np.bool_)).astype(np.int32)
        moments -= np.arange(len(moments), dtype=np.int32)
        if len(moments) != count or (count and moments[-1] >= frames):
            raise ValueError(f"a fingerprint of {count} peaks with one beyond its end")
        bins = planes[first:high].astype(np.int32)
        for place in range(self._high_planes):
            plane = planes[high + place * size : high + (place + 1) * size]
            bins += np.unpackbits(plane, count=count).astype(np.int32) << 8 + place
        if parts.form == STRONGEST_ALONE:
            return moments, bins, None
        return moments, bins, np.flatnonzero(np.unpackbits(planes[flags:], count=count).view(np.bool_))

    def _former_planes(self, parts: PackedPeaks) -> tuple[Frames, NDArray[np.int32], NDArray[np.int64]]:
        """Return the same of what a release up to 0.1 wrote: peaks a frame, bins, and three bits a peak."""
        frames, count = parts.frames, parts.peaks
        size = frames + count + (3 * count + 7) // 8
        if size > min(LARGEST_BYTES, len(parts.body) * MOST_UNPACKED + FREE_BYTES):
            raise ValueError(f"a fingerprint of {size} bytes")
        planes = np.frombuffer(zlib.decompressobj().decompress(parts.body, size), np.uint8)
        if int(planes[:frames].sum(dtype=np.int64)) != count or len(planes) != size:
            raise ValueError(f"a fingerprint of {count} peaks that holds others")
        high = _unpacked_threes(planes[frames + count :], count)
        bins = planes[frames : frames + count] + HIGH_BITS.take(high)
        return np.repeat(np.arange(frames, dtype=np.int32), planes[:frames]), bins, np.flatnonzero(high & 1)

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


def _unpacked_threes(packed: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return `count` numbers of three bits, the first bit the highest, from bytes; four times as fast as bit by bit."""
    eights = np.zeros((-(-count // 8), 3), np.uint8)
    eights.reshape(-1)[: len(packed)] = packed
    words = eights[:, 0].astype(np.uint32) << 16 | eights[:, 1].astype(np.uint32) << 8 | eights[:, 2]
    numbers = (words[:, None] >> np.arange(21, -1, -3, dtype=np.uint32) & 7).astype(np.uint8)
    return numbers.reshape(-1)[:count]


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


def pack_rows(vectors: NDArray[np.int8]) -> bytes:
    """Return overlapping vectors, (n, d), a quarter smaller: every second one as what the mean of its neighbours lacks.

    Their bytes have a Huffman code (RFC 1951, without the search for repetitions), which is read back in 0.2 ms for
    three minutes of music.
    """
    even, odd = vectors[::2], vectors[1::2]
    rows = np.concatenate([even.view(np.uint8), odd.view(np.uint8) - _between(even)[: len(odd)]])
    coder = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY, wbits=-zlib.MAX_WBITS)
    return coder.compress(rows.tobytes()) + coder.flush()


def unpack_rows(packed: bytes, count: int, dimensions: int) -> NDArray[np.int8]:
    """Return `count` vectors; raises ValueError for what no `pack_rows` wrote."""
    size, decoder = count * dimensions, zlib.decompressobj(-zlib.MAX_WBITS)
    if size > MOST_CODED * len(packed):
        raise ValueError(f"{count} vectors in {len(packed)} bytes")
    try:
        rows = np.frombuffer(decoder.decompress(packed, size + 1), np.uint8)
    except zlib.error as error:
        raise ValueError(f"{count} vectors that are damaged") from error
    if len(rows) != size or not decoder.eof or decoder.unused_data:
        raise ValueError(f"{count} vectors in {len(rows)} bytes")
    rows = rows.reshape(count, dimensions)
    vectors = np.empty((count, dimensions), np.uint8)
    vectors[::2], odd = rows[: (count + 1) // 2], rows[(count + 1) // 2 :]
    np.add(odd, _between(vectors[::2].view(np.int8))[: len(odd)], out=vectors[1::2])
    return vectors.view(np.int8)


def _between(even: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return the mean, rounded down, of each row and the next one; of the last row, itself."""
    following = np.concatenate([even[1:], even[-1:]])
    means: NDArray[np.int8] = (even & following) + ((even ^ following) >> 1)  # within a byte
    return means.view(np.uint8)
