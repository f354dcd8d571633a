"""Fingerprints as bytes, for the catalog and between processes; features survive it exactly.

Readers trust nothing: every size is checked before it is used.
"""

from __future__ import annotations

import zlib

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.types import Frames, Layer, SalienceMap

STRONGEST = np.uint32(1 << 10)  # bit of a packed peak that landmarks are made of
BIN_MASK = np.uint32(STRONGEST - 1)
LARGEST_BYTES = 1 << 26  # bytes of unpacked peaks: five days of audio
LARGEST_SALIENCE_BYTES = 1 << 28  # bytes of a clip's map: more than four hours of it
LARGEST_SEGMENTS = 1 << 22  # vectors of an unpacked fingerprint: three weeks of audio
LARGEST_FRAMES = 1 << 26  # frames of the same
MOST_UNPACKED = 16  # unpacked bytes of each packed one; no music of release 0.1.0, which compressed, comes near
FREE_BYTES = 1 << 19  # bytes that any body may unpack to: two hours without a peak
BODY_LEVEL = 0  # no compression: a quarter less would cost each candidate of each clip a millisecond
SALIENCE_LEVEL = 1  # least compression: most of a map is zero, and one is made for every clip


class PackedPeaks(msgspec.Struct, frozen=True, array_like=True):
    """The peaks' planes, and of a clip the salience map; 2.2 bytes a peak."""

    spec: str
    seconds: float
    frames: int
    peaks: int
    body: bytes
    salience: bytes = b""


class PeakPacking:
    """Packs the layers of peaks whose bins lie from `low_bin` to below `high_bin`."""

    def __init__(self, low_bin: int, high_bin: int, frame_seconds: float, *, window_frames: int) -> None:
        """`window_frames`: frames that a window of the spectrogram is long."""
        self._low, self._high, self._frame, self._window = low_bin, high_bin, frame_seconds, window_frames

    def pack(self, peaks: Layer, strongest: Layer, *, spec: str, seconds: float) -> bytes:
        """Return peaks a frame, bins and the bit of the strongest, each in a plane of its own."""
        frames = int(peaks.frames[-1]) + 1 if len(peaks.frames) else 0
        features = (peaks.values - self._low).astype(np.uint32)
        is_strongest = np.isin(self._places(peaks), self._places(strongest))
        features |= np.where(is_strongest, STRONGEST, np.uint32(0))
        planes = [
            np.bincount(peaks.frames, minlength=frames).astype(np.uint8),
            (features & 0xFF).astype(np.uint8),
            np.packbits(features[:, None] >> np.arange(8, 11, dtype=np.uint32) & 1 == 1),
        ]
        body = zlib.compress(b"".join(plane.tobytes() for plane in planes), BODY_LEVEL)
        salience = b""
        if isinstance(peaks.weights, SalienceMap):
            salience = zlib.compress(np.ascontiguousarray(peaks.weights.packed).data, SALIENCE_LEVEL)
        return msgspec.msgpack.encode(PackedPeaks(spec, seconds, frames, len(features), body, salience))

    def unpack(self, parts: PackedPeaks) -> tuple[Layer, Layer]:
        """Return (all peaks, the strongest alone); raises ValueError for what no `pack` wrote."""
        frames, count = parts.frames, parts.peaks
        size = frames + count + (3 * count + 7) // 8
        if not 0 <= size <= min(
            LARGEST_BYTES, len(parts.body) * MOST_UNPACKED + FREE_BYTES
        ) or frames > self._most_frames(parts.seconds):
            raise ValueError(f"a fingerprint of {size} bytes and {frames} frames in {parts.seconds:g} s")
        planes = np.frombuffer(zlib.decompressobj().decompress(parts.body, size), np.uint8)
        if int(planes[:frames].sum(dtype=np.int64)) != count or len(planes) != size:
            raise ValueError(f"a fingerprint of {count} peaks that holds others")
        high = np.unpackbits(planes[frames + count :], count=3 * count).reshape(count, 3)
        bins = planes[frames : frames + count] | (high[:, 0] | high[:, 1] << 1).astype(np.int32) << 8
        if count and int(bins.max()) >= self._high - self._low:
            raise ValueError("a peak beyond the highest bin")
        moments = np.repeat(np.arange(frames, dtype=np.int32), planes[:frames])
        bins, kept = bins + np.int32(self._low), high[:, 2] == 1
        peaks = Layer(moments, bins, self._frame, self._salience(parts))
        return peaks, peaks if kept.all() else Layer(moments[kept], bins[kept], self._frame)

    def _places(self, peaks: Layer) -> NDArray[np.int64]:
        places: NDArray[np.int64] = peaks.frames.astype(np.int64) << 16 | peaks.values
        return places

    def _salience(self, parts: PackedPeaks) -> SalienceMap | None:
        if not parts.salience:
            return None
        width, unpacking = (self._high - self._low) // 2, zlib.decompressobj()
        most = min(self._most_frames(parts.seconds) * width, LARGEST_SALIENCE_BYTES)
        content = unpacking.decompress(parts.salience, most)
        if not unpacking.eof or len(content) % width:
            raise ValueError(f"a salience map of {len(content)} bytes or more in a clip of {parts.seconds:g} s")
        return SalienceMap(np.frombuffer(content, np.uint8).reshape(-1, width), self._low)

    def _most_frames(self, seconds: float) -> int:
        """Return how many frames so much sound may have, silence around it included."""
        around = 2 * self._window + 2
        return max(int(min(seconds, LARGEST_BYTES) / self._frame) + around, 0)


def pack_vectors(frames: Frames, vectors: NDArray[np.int8]) -> tuple[int, int, int, bytes]:
    """Return (first frame, frames from one place to the next, places, body): a bit a place, then the vectors."""
    first = int(frames[0]) if len(frames) else 0
    hop = int(np.gcd.reduce(np.diff(frames))) if len(frames) > 1 else 1
    present = np.zeros((int(frames[-1]) - first) // hop + 1 if len(frames) else 0, bool)
    present[(frames - first) // hop] = True
    return first, hop, len(present), np.packbits(present).tobytes() + vectors.tobytes()


def unpack_vectors(
    first: int, hop: int, places: int, body: bytes, *, dimensions: int
) -> tuple[Frames, NDArray[np.int8]]:
    """Return (frames, vectors); raises ValueError for what no `pack_vectors` wrote."""
    reach = abs(first) + max(places, 1) * hop
    if not (0 <= places <= LARGEST_SEGMENTS and hop >= 1 and reach <= LARGEST_FRAMES):
        raise ValueError(f"a fingerprint of {places} segments from frame {first} on, {hop} apart")
    flags = (places + 7) // 8
    if len(body) < flags:
        raise ValueError(f"a fingerprint of {places} segments in {len(body)} bytes")
    present = np.unpackbits(np.frombuffer(body[:flags], np.uint8), count=places)
    frames = (np.flatnonzero(present) * hop + first).astype(np.int32)
    return frames, np.frombuffer(body[flags:], np.int8).reshape(len(frames), dimensions)
