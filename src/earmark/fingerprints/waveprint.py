"""Waveprint: min-hashes of the largest wavelets of spectral images (Baluja and Covell, Pattern Recognition 41, 2008).

A spectral image of 1.5 s is kept as the signs of its largest Haar wavelets, and those as a signature: min-hashes of a
byte each. Keys are runs of four bytes of it. docs/waveprint.md says where each number is from, and what was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import asdict, dataclass, field
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd, PowerStream
from earmark.errors import OptionError
from earmark.fingerprints.packing import pack_vectors, unpack_vectors
from earmark.fingerprints.protocol import Fingerprinter, spec_of
from earmark.fingerprints.wavelets import Bands, ImageShape, largest_signs, silent, sum_bands
from earmark.plan import Channel, CompareRule, ModelShape, Plan, SweepRule, VoteRule
from earmark.schema import prepared
from earmark.types import Codes, Fingerprint, Frames, Keys, Layer, Samples, Spec

Signatures = NDArray[np.uint8]  # (n, permutations)

VERSION = 1
FRONT_END = FrontEnd(rate=5_512, window=2_048, hop=64, low_bin=37, high_bin=744)  # 11.6 ms
CHUNK_FRAMES = 256  # frames of the spectrogram that are made at a time
IMAGES_AT_ONCE = 64  # images whose wavelets stay in the cache
STRIDES = {"quarter": 32, "half": 64}  # frames from one stored image to the next, as a share of an image
CORRELATION = 2.3  # variance of chance over that of independent entries: 2.33 at 2,399 places of unrelated recordings
MIN_IMAGES = 2  # images of the shortest clip that is answered, of 1.9 s
SWEEP = SweepRule(
    "signatures",
    "signatures",
    budget=900_000_000,  # entries: all tracks among 27 h for a clip of 5 s, in a fifth of a second
    repetition_budget=20_000_000,  # entries: a track of half an hour
    most_tracks=700,
    repetitions=4,
)
MODEL = ModelShape(
    layers=("signatures",),
    features=("constant", "root of z", "lead in z over chance", "share", "log of seconds"),
    rising=("root of z", "lead in z over chance", "share"),
    lengths=(2.0, 5.0),
)


@dataclass(frozen=True, slots=True)
class HashShape:
    """How signs become a signature, and a signature keys ."""

    permutations: int = 100  # bytes of a signature
    largest: int = 255  # place of the first sign in a permutation, from which on it is not told apart
    entries: int = 4  # bytes of a signature that a key is made of
    key_bits: int = 21  # so many are left of a key's 32 bits and its number
    seed: int = 2_008  # the permutations are those of this number


@dataclass(frozen=True, slots=True)
class WaveprintShape:
    """Every number that shapes what is stored of a recording, or its keys."""

    stride: int  # frames from one image to the next
    front_end: FrontEnd = FRONT_END
    image: ImageShape = field(default_factory=ImageShape)
    hashes: HashShape = field(default_factory=HashShape)


@dataclass(frozen=True, slots=True)
class WaveprintQuery:
    """How a clip is looked at more closely: one of its images lies within 23 ms of each stored one."""

    stride: int = 4  # frames from one image to the next, 46 ms


class Waveprint(Fingerprinter):
    """The wavelet fingerprinter: layer `signatures`, (n, 100) uint8, channel `bands`."""

    def __init__(self, *, stride: str = "quarter") -> None:
        """`stride` names an entry of `STRIDES`: the share of an image after which the next stored one begins."""
        if stride not in STRIDES:
            raise OptionError(f"stride {stride!r} is not known: choose one of {', '.join(STRIDES)}")
        self.shape, self._query = WaveprintShape(STRIDES[stride]), WaveprintQuery()
        self.spec, self.rate = spec_of("waveprint", VERSION, self.shape), FRONT_END.rate
        self.plan = _plan(self.shape, self._query)

    def stream(self, *, query: bool = False) -> WaveprintExtraction:
        """Return an extraction of mono samples at 5,512 Hz; a silent image has no signature."""
        return WaveprintExtraction(self, stride=self._query.stride if query else self.shape.stride)

    def keys(self, fingerprint: Fingerprint, *, query: bool = False) -> Mapping[str, Keys]:
        """Return 25 keys of each signature."""
        self.check(fingerprint.spec)
        layer = fingerprint.layers["signatures"]
        codes = band_keys(layer.values, self.shape.hashes)
        return {"bands": Keys(np.repeat(layer.frames, codes.shape[1]), codes.reshape(-1))}

    def pack(self, fingerprint: Fingerprint) -> bytes:
        """Return 100 bytes an image and one bit for each that may be silent."""
        self.check(fingerprint.spec)
        layer = fingerprint.layers["signatures"]
        first, hop, places, body = pack_vectors(layer.frames, layer.values.tobytes())
        return msgspec.msgpack.encode((str(self.spec), fingerprint.seconds, first, hop, places, body))

    def unpack(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint that `pack` packed."""
        spec, seconds, first, hop, places, body = msgspec.msgpack.decode(
            packed, type=prepared(tuple[str, float, int, int, int, bytes])
        )
        self.check(Spec.parse(spec))
        frames, rows = unpack_vectors(first, hop, places, body)
        signatures = np.frombuffer(rows, np.uint8).reshape(len(frames), self.shape.hashes.permutations)
        return self.fingerprint(frames, signatures, seconds)

    def bands_of(self, spectra: NDArray[np.float32]) -> Bands:
        """Return the bands of power spectra, shape (frames, bins)."""
        return sum_bands(spectra, self.shape.front_end, self.shape.image)

    def fingerprint(self, frames: Frames, signatures: Signatures, seconds: float) -> Fingerprint:
        """Return signatures of images that begin at these frames as a fingerprint."""
        layer = Layer(frames, signatures, self.shape.front_end.frame_seconds)
        return Fingerprint(self.spec, seconds, {"signatures": layer})


class WaveprintExtraction:
    """Signatures of sound that comes in blocks; implements `Extraction`."""

    def __init__(self, maker: Waveprint, *, stride: int) -> None:
        self._maker, self._heard = maker, 0
        self._power = PowerStream(maker.shape.front_end, frames=CHUNK_FRAMES)
        self._images = _ImageStream(maker.shape, stride)

    def push(self, samples: Samples) -> None:
        """Take the next samples."""
        self._heard += len(samples)
        for spectra in self._power.push(samples):
            self._images.push(self._maker.bands_of(spectra))

    def take(self, *, since_seconds: float = 0.0) -> Fingerprint:
        """Return the signatures of what was heard since a second."""
        shape, seconds = self._maker.shape, self._heard / self._maker.rate
        frames, signatures = self._images.take(self._maker.bands_of(spectra) for spectra in self._power.rest())
        self._images.forget(round(since_seconds / shape.front_end.frame_seconds))
        whole = self._maker.fingerprint(frames, signatures, seconds)
        return whole.between(since_seconds, seconds) if since_seconds else whole


class _ImageStream:
    """Signatures of the images that begin every `stride` frames, of bands that arrive in chunks."""

    def __init__(self, shape: WaveprintShape, stride: int) -> None:
        self._shape, self._stride = shape, stride
        self._held, self._first = np.zeros((0, shape.image.bands), np.float32), 0  # frames that later images need
        self._done: list[tuple[Frames, Signatures]] = []

    def push(self, chunk: Bands) -> None:
        """Take more frames."""
        self._held = np.concatenate([self._held, chunk])
        count = max((len(self._held) - self._shape.image.frames) // self._stride + 1, 0)
        for done in range(0, count, IMAGES_AT_ONCE):
            self._sign(min(IMAGES_AT_ONCE, count - done))

    def take(self, rest: Iterable[Bands]) -> tuple[Frames, Signatures]:
        """Return (first frames, signatures) of all images if the sound ends with `rest`; nothing is taken away."""
        ended = copy(self)
        ended._done = list(self._done)
        for chunk in rest:
            ended.push(chunk)
        nothing = np.zeros((0, self._shape.hashes.permutations), np.uint8)
        frames, signatures = zip((np.zeros(0, np.int32), nothing), *ended._done, strict=True)
        return np.concatenate(frames), np.concatenate(signatures)

    def forget(self, before: int) -> None:
        """Let go of the images that begin before a frame, batch by batch."""
        while self._done and (not len(self._done[0][0]) or self._done[0][0][-1] < before):
            del self._done[0]

    def _sign(self, count: int) -> None:
        starts = np.arange(count, dtype=np.int32) * np.int32(self._stride)
        windows = np.lib.stride_tricks.sliding_window_view(self._held, self._shape.image.frames, axis=0)
        images = windows[starts]
        heard = ~silent(images, self._shape.front_end, self._shape.image)
        signatures = min_hashes(largest_signs(images[heard], self._shape.image), self._shape)
        self._done.append((starts[heard] + np.int32(self._first), signatures))
        self._held, self._first = self._held[count * self._stride :], self._first + count * self._stride


def min_hashes(signs: NDArray[np.int64], shape: WaveprintShape) -> Signatures:
    """Return the signatures of sets of signs, shape (n, wavelets).

    An entry is the place of the first sign in a permutation, or `HashShape.largest`; two sets agree in as large a share
    of entries as of what either has both have (Cohen et al., "Finding interesting associations", 2001).
    """
    places = _places(shape.hashes, 2 * shape.image.bands * shape.image.frames)
    signatures = np.empty((len(signs), shape.hashes.permutations), np.uint8)
    for number, one in enumerate(signs):
        places[one].min(axis=0, out=signatures[number])
    return signatures


def band_keys(signatures: Signatures, shape: HashShape) -> Codes:
    """Return the keys of signatures, shape (n, permutations / entries): hashes of a band's bytes and its number."""
    numbers = np.arange(shape.permutations // shape.entries, dtype=np.uint32)
    bands = signatures.reshape(len(signatures), len(numbers), shape.entries).astype(np.uint32)
    keys = (bands << np.arange(0, 8 * shape.entries, 8, dtype=np.uint32)).sum(axis=2, dtype=np.uint32)
    keys = (keys ^ numbers * np.uint32(0x9E3779B9)) * np.uint32(0x85EBCA6B)  # the constants of MurmurHash3's last steps
    keys = (keys ^ keys >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    codes: Codes = (keys ^ keys >> np.uint32(16)) >> np.uint32(32 - shape.key_bits)
    return codes


@lru_cache(maxsize=4)
def _places(shape: HashShape, signs: int) -> Signatures:
    """Return where each sign stands in each permutation, shape (signs, permutations), at most `largest`.

    A permutation is the order of hashes (SplitMix64) of numbers that follow each other, so that every machine has it.
    """
    numbers = np.arange(shape.permutations * signs, dtype=np.uint64) + np.uint64(shape.seed << 32)
    mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ mixed >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    order = np.argsort((mixed ^ mixed >> np.uint64(31)).reshape(shape.permutations, signs), axis=1, kind="stable")
    places = np.full((signs, shape.permutations), shape.largest, np.uint8)
    for permutation, first in enumerate(order[:, : shape.largest]):
        places[first, permutation] = np.arange(len(first))
    return places


def _plan(shape: WaveprintShape, query: WaveprintQuery) -> Plan:
    frame = shape.front_end.frame_seconds
    votes = VoteRule(
        bin_seconds=2 * query.stride * frame,
        neighbours="both",
        limit=40,
        per_track=4,
        apart_seconds=4 * query.stride * frame,
        min_votes=3,
        shortlist=8,
    )
    compare = CompareRule(
        "sets",
        "signatures",
        figures=("share", "chance", "z", "rival_z"),
        ranking={"z": 1.0},
        min_features=MIN_IMAGES,
        options={
            "image_seconds": ((shape.image.frames - 1) * shape.front_end.hop + shape.front_end.window)
            / shape.front_end.rate,
            "stored_hop_seconds": shape.stride * frame,
            "query_hop_seconds": query.stride * frame,
            "correlation": CORRELATION,
        },
    )
    return Plan(
        channels=(Channel("bands", "equal", "signatures", frame, votes, key_bits=shape.hashes.key_bits),),
        compare=(compare,),
        models=(MODEL,),
        sweep=SWEEP,
        query=asdict(query),
    )
