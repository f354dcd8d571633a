"""Shazam's landmarks: pairs of spectral peaks (Wang, "An Industrial-Strength Audio Search Algorithm", ISMIR 2003).

The fingerprint is the constellation itself; the landmarks that an index knows are made from it. So a catalog stores
each peak once, and a candidate can be checked against every peak rather than the few that landmarks agreed on.

A feature is one uint32: bits 0-9 the bin, bit 10 set when the peak is one that landmarks are made of.
A landmark is one uint32 of 21 bits: bits 20-12 the anchor's bin >> 1, bits 11-6 the (target's - anchor's bin) >> 1,
bits 5-0 the frames between them. Halving the bins lets a peak be one bin off, as it is at 2 % more speed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd, power_chunks
from earmark.errors import OptionError, SpecMismatch
from earmark.fingerprints.peaks import CHUNK_FRAMES, PeakRule, ReliefMaker, find_peaks
from earmark.fingerprints.salience import Relief, whole
from earmark.plan import Channel, Plan
from earmark.types import Codes, Fingerprint, Frames, Keys, Samples, Spec

VERSION = 1
FRONT_END = FrontEnd(rate=11_025, window=1_536, hop=192, low_bin=14, high_bin=750)  # 17.4 ms; 7.2 Hz; 100-5,380 Hz
PEAK_RULE = PeakRule(frames=3, bins=8)  # 52 ms, 57 Hz to each side
PAIRED = np.uint32(1 << 10)
FEWEST_PEAKS = 8
BIN_MASK = np.uint32(PAIRED - 1)
LANDMARK_BITS = 21
ANCHORS_AT_ONCE = 4_096  # whose possible targets are looked at together
LARGEST_BYTES = 1 << 26  # of an unpacked fingerprint: five days of audio
LARGEST_RELIEF_BYTES = 1 << 28  # of a clip's relief: more than four hours of it
BODY_LEVEL = 0  # of compression: a quarter less would cost each candidate of each clip a millisecond
RELIEF_LEVEL = 1  # of compression: most of it is nought, and it is made for every clip


@dataclass(frozen=True, slots=True)
class Density:
    """How many peaks are kept in each block of 0.56 s, and how many targets an anchor is paired with.

    A query keeps more of both: noise adds peaks, and a catalog's pair is found only if the query has it too.
    """

    stored: int
    paired: int
    fan_out: int
    query: int
    query_fan_out: int


DENSITIES = {
    "default": Density(stored=40, paired=22, fan_out=5, query=45, query_fan_out=10),
    "lean": Density(stored=20, paired=10, fan_out=3, query=45, query_fan_out=10),
    # Beside vectors, which name most candidates themselves: a third of the landmarks find all but a few of the others.
    "beside": Density(stored=40, paired=14, fan_out=2, query=45, query_fan_out=10),
}


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """A packed fingerprint: the peaks' planes, and of a clip the relief."""

    spec: str
    seconds: float
    frames: int
    peaks: int
    body: bytes
    relief: bytes = b""


@dataclass(frozen=True, slots=True)
class TargetZone:
    """Where an anchor's targets lie: frames ahead and bins to each side (below 64 each, for the landmark's bits)."""

    first_frames: int = 2
    last_frames: int = 40  # 0.7 s
    bins: int = 62  # 445 Hz


ZONE = TargetZone()


class Shazam:
    """The landmark fingerprinter; see the module's docstring."""

    def __init__(self, *, density: str = "default", front_end: FrontEnd = FRONT_END) -> None:
        if density not in DENSITIES:
            raise OptionError(f"density {density!r} is not known: choose one of {', '.join(DENSITIES)}")
        self.density, self.front_end = DENSITIES[density], front_end
        shape = (asdict(front_end), asdict(PEAK_RULE), asdict(ZONE), self.density.stored, self.density.paired,
                 self.density.fan_out)  # fmt: skip
        self._spec = Spec("shazam", VERSION, blake2b(msgspec.json.encode(shape), digest_size=4).hexdigest())

    @property
    def spec(self) -> Spec:
        """What shaped the fingerprints."""
        return self._spec

    @property
    def plan(self) -> Plan:
        """Landmarks alone."""
        return Plan((Channel("landmarks", "equal", LANDMARK_BITS),))

    @property
    def rate(self) -> int:
        """11,025 Hz, unless the front end is another."""
        return self.front_end.rate

    @property
    def frame_seconds(self) -> float:
        """17.4 ms, unless the front end is another."""
        return self.front_end.frame_seconds

    @property
    def fewest_features(self) -> int:
        """Eight peaks: the landmarks of fewer match by chance."""
        return FEWEST_PEAKS

    @property
    def lead_seconds(self) -> float:
        """70 ms, unless the front end is another."""
        return self.front_end.window / self.front_end.rate / 2

    @property
    def bins(self) -> int:
        """750 bins of 7.2 Hz, unless the front end is another."""
        return self.front_end.high_bin

    def extract(self, audio: Samples | Iterable[Samples], *, query: bool = False) -> Fingerprint:
        """Return the constellation of mono samples at 11,025 Hz: one feature a peak, in order of (frame, bin)."""
        heard = 0

        def counted(blocks: Iterable[Samples]) -> Iterable[Samples]:
            nonlocal heard
            for block in blocks:
                heard += len(block)
                yield block

        blocks = [audio] if isinstance(audio, np.ndarray) else audio
        chunks = power_chunks(counted(blocks), self.front_end, frames=CHUNK_FRAMES)
        frames, features, _ = self.of_power(chunks, query=query)
        return Fingerprint(self._spec, heard / self.rate, frames, features)

    def of_power(
        self, chunks: Iterable[NDArray[np.float32]], *, query: bool = False, relief: ReliefMaker | None = None
    ) -> tuple[Frames, Codes, Relief | None]:
        """Return (frames, features, relief) of a power spectrogram of the front end, in chunks of `CHUNK_FRAMES`."""
        keep = self.density.query if query else self.density.stored
        peaks = find_peaks(chunks, PEAK_RULE, keep=keep, relief=relief)
        paired = peaks.ranks < (self.density.query if query else self.density.paired)
        return peaks.frames, peaks.bins | np.where(paired, PAIRED, np.uint32(0)), peaks.relief

    def terms(self, fingerprint: Fingerprint, *, query: bool = False) -> tuple[Frames, Codes]:
        """Return the (frames of anchors, landmarks) of a fingerprint of this spec."""
        self._check(fingerprint.spec)
        features = fingerprint.features.astype(np.uint32, copy=False)
        paired = features & PAIRED != 0
        fan_out = self.density.query_fan_out if query else self.density.fan_out
        return landmarks(fingerprint.frames[paired], features[paired] & BIN_MASK, fan_out=fan_out)

    def keys(self, fingerprint: Fingerprint, *, query: bool = False) -> Mapping[str, Keys]:
        """Return the landmarks."""
        return {"landmarks": Keys(*self.terms(fingerprint, query=query))}

    def points(self, fingerprint: Fingerprint, *, prominent: bool = False) -> tuple[Frames, Frames]:
        """Return the (frames, bins) of the peaks, or of those that are paired alone, bins counted from 0 Hz."""
        self._check(fingerprint.spec)
        frames, features = fingerprint.frames, fingerprint.features.astype(np.uint32, copy=False)
        if prominent:
            paired = features & PAIRED != 0
            frames, features = frames[paired], features[paired]
        return frames, (features & BIN_MASK).astype(np.int32) + np.int32(self.front_end.low_bin)

    def relief(self, fingerprint: Fingerprint) -> Relief | None:
        """Return how much each place of a clip's spectrogram speaks for a peak, (frames, bins) from 0 Hz."""
        self._check(fingerprint.spec)
        if fingerprint.relief is None:
            return None
        return np.pad(whole(fingerprint.relief), ((0, 0), (self.front_end.low_bin, 0)))

    def pack(self, fingerprint: Fingerprint) -> bytes:
        """Return about 2.2 bytes a peak: peaks a frame, bins and the paired bits, each in a plane of its own."""
        self._check(fingerprint.spec)
        features = fingerprint.features.astype(np.uint32, copy=False)
        frames = int(fingerprint.frames[-1]) + 1 if len(features) else 0
        planes = [
            np.bincount(fingerprint.frames, minlength=frames).astype(np.uint8),
            (features & 0xFF).astype(np.uint8),
            np.packbits(features[:, None] >> np.arange(8, 11, dtype=np.uint32) & 1 == 1),
        ]
        body = zlib.compress(b"".join(plane.tobytes() for plane in planes), BODY_LEVEL)
        known = fingerprint.relief
        relief = b"" if known is None else zlib.compress(np.ascontiguousarray(known).data, RELIEF_LEVEL)
        return msgspec.msgpack.encode(Packed(str(self._spec), fingerprint.seconds, frames, len(features), body, relief))

    def unpack(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint that `pack` packed; raises SpecMismatch for another fingerprinter's."""
        parts = msgspec.msgpack.decode(packed, type=Packed)
        self._check(Spec.parse(parts.spec))
        frames, peaks = parts.frames, parts.peaks
        size = frames + peaks + (3 * peaks + 7) // 8
        if not 0 <= size <= LARGEST_BYTES or frames > self._most_frames(parts.seconds):
            raise ValueError(f"a fingerprint of {size} bytes and {frames} frames in {parts.seconds:g} s")
        planes = np.frombuffer(zlib.decompressobj().decompress(parts.body, size), np.uint8)
        if int(planes[:frames].sum(dtype=np.int64)) != peaks or len(planes) != size:
            raise ValueError(f"a fingerprint of {peaks} peaks that holds others")
        high = np.unpackbits(planes[frames + peaks :], count=3 * peaks).reshape(peaks, 3)
        upper = high[:, 0] | high[:, 1] << 1 | high[:, 2] << 2
        features = planes[frames : frames + peaks] | upper.astype(np.uint32) << 8
        if peaks and int((features & BIN_MASK).max()) >= self.front_end.high_bin - self.front_end.low_bin:
            raise ValueError("a peak beyond the highest bin")
        moments = np.repeat(np.arange(frames, dtype=np.int32), planes[:frames])
        return Fingerprint(
            self._spec, parts.seconds, moments, features, relief=self._unpacked_relief(parts.relief, parts.seconds)
        )

    def _unpacked_relief(self, packed: bytes, seconds: float) -> Relief | None:
        """Return a clip's relief; raises ValueError when it is none of so many seconds."""
        if not packed:
            return None
        width = (self.front_end.high_bin - self.front_end.low_bin) // 2
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(packed, min(self._most_frames(seconds) * width, LARGEST_RELIEF_BYTES))
        if not unpacking.eof or len(content) % width:
            raise ValueError(f"a relief of {len(content)} bytes or more in a clip of {seconds:g} s")
        return np.frombuffer(content, np.uint8).reshape(-1, width)

    def _most_frames(self, seconds: float) -> int:
        """Return how many frames so much sound may have, silence around it included."""
        around = 2 * (self.front_end.window // self.front_end.hop) + 2
        return max(int(min(seconds, LARGEST_BYTES) / self.frame_seconds) + around, 0)

    def _check(self, spec: Spec) -> None:
        if spec != self._spec:
            raise SpecMismatch(
                f"a fingerprint of {spec} meets one of {self._spec}: make both with the same fingerprinter and density"
            )


def landmarks(frames: Frames, bins: Codes, *, fan_out: int, zone: TargetZone = ZONE) -> tuple[Frames, Codes]:
    """Return (frames of anchors, landmarks) of peaks in order of time.

    Each peak is the anchor of its first `fan_out` successors within the target zone (Wang 2003, §2.2).
    """
    signed = bins.astype(np.int32)
    pairs = [_pairs(frames, signed, fan_out, zone, first) for first in range(0, len(frames), ANCHORS_AT_ONCE)]
    nothing = np.zeros(0, np.int64)
    anchor, target = (np.concatenate(column) for column in zip((nothing, nothing), *pairs, strict=True))
    apart = (signed[target] - signed[anchor] + 64).astype(np.uint32) >> 1
    wait = (frames[target] - frames[anchor]).astype(np.uint32)
    codes = (bins[anchor] >> 1) << 12 | apart << 6 | wait
    return frames[anchor], codes.astype(np.uint32, copy=False)


def _pairs(
    frames: Frames, bins: NDArray[np.int32], fan_out: int, zone: TargetZone, first: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (anchors, targets) as places among the peaks, for `ANCHORS_AT_ONCE` anchors from `first` on."""
    anchors = np.arange(first, min(first + ANCHORS_AT_ONCE, len(frames)))
    beyond = np.searchsorted(frames, frames[anchors] + zone.last_frames, side="right")
    most = int((beyond - anchors).max())
    targets = anchors[:, None] + np.arange(1, max(most, 1))
    fits = targets < beyond[:, None]
    targets = np.minimum(targets, len(frames) - 1)
    fits &= frames[targets] - frames[anchors, None] >= zone.first_frames
    fits &= np.abs(bins[targets] - bins[anchors, None]) <= zone.bins
    fits &= np.cumsum(fits, axis=1, dtype=np.int32) <= fan_out
    row, column = np.nonzero(fits)
    return anchors[row], targets[row, column]


def hertz(features: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the frequencies in Hz of a fingerprint's features."""
    return ((features.astype(np.uint32) & BIN_MASK).astype(np.float64) + FRONT_END.low_bin) * FRONT_END.hertz_per_bin
