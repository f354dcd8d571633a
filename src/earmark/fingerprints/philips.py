"""Philips' robust hash (Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002).

A recording has one word of 32 bits for each frame. A clip has one for each of several speeds, and knows which bits of
each are the least reliable: they are turned before the words are looked up. docs/philips.md has what differs from the
paper, and why.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd, PowerStream
from earmark.errors import OptionError
from earmark.fingerprints.protocol import Fingerprinter, spec_of
from earmark.plan import Channel, CompareRule, ModelShape, Plan, SweepRule, VoteRule
from earmark.schema import prepared
from earmark.types import Codes, Fingerprint, Keys, Layer, Samples

VERSION = 1
WORD_BITS = 32
FRONT_END = FrontEnd(rate=5_512, window=2_048, hop=64, low_bin=100, high_bin=800)  # 0.37 s each 11.6 ms (section 4.2)
CHUNK_FRAMES = 256  # frames of the chunks that a spectrogram comes in
CORRELATED = 2.7  # measured standard deviation of chance over that of independent bits; the paper has 3 (section 5)
LARGEST_FRAMES = 1 << 26  # frames of an unpacked fingerprint: nine days of audio
SWEEP = SweepRule(
    "bits",
    "bits",
    budget=300_000_000,  # words: all tracks among 26 h for a clip of 5 s, in a quarter of a second
    repetition_budget=5_000_000,  # words: a track of half an hour
    most_tracks=700,
    repetitions=4,
)
MODEL = ModelShape(
    layers=("bits",),
    features=("constant", "root of z", "lead in z", "log of seconds"),
    rising=("root of z", "lead in z"),
    lengths=(1.0, 2.0, 5.0),
)

Energies = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PhilipsShape:
    """Every number that shapes what is stored of a recording, or its keys."""

    front_end: FrontEnd = FRONT_END
    hertz: tuple[float, float] = (300.0, 2_000.0)  # the bands lie between (section 4.2)
    bands: int = WORD_BITS + 1  # equally wide on a logarithmic scale (section 4.2)
    power: float = 0.5  # of the energy that is compared; the paper has 1 (docs/philips.md, "Roots")
    quietest: float = 1e-3  # energy of all bands, of a sine 86 dB below full scale: quieter frames have no word
    steadiest: float = 1e-3  # share of a frame that differs from the one before: tones and hum have no word
    key_bits: int = 26  # of a word, those of the highest bands, that are looked up; the paper has 32


@dataclass(frozen=True, slots=True)
class PhilipsQuery:
    """How a clip is looked at more closely."""

    speeds: tuple[float, ...] = (1.0, 0.98, 1.02, 0.96, 1.04)  # a clip has words of each; half a step is 0.2 bands
    weakest: int = 8  # bits of a word that may be turned, the least reliable ones (section 5.1)
    tried: int = 128  # words that are looked up for each of speed 1, itself and those with bits turned
    tried_beside: int = 16  # the same for other speeds
    most_turned: int = 4  # bits that are turned at the same time


@dataclass(frozen=True, slots=True)
class Information:
    """What tells a recording from its like, by the words of its most varied window."""

    windows: int = 8  # that are looked at, evenly spread
    window_frames: int = 430  # 5 s
    least_words: int = 24  # of a recording: a train of clicks has up to 21
    least_different: float = 0.3  # share of different words: music has 0.68 or more, trains and beeps at most 0.12


INFORMATION = Information()
VARIANTS = {"default": PhilipsShape(), "paper": PhilipsShape(power=1.0, key_bits=WORD_BITS)}


class Philips(Fingerprinter):
    """Layer `bits`, (n, 1) uint32, of a clip (n, speeds); channel `words`."""

    def __init__(self, *, variant: str = "default") -> None:
        """`variant` names an entry of `VARIANTS`: "paper" has those of Haitsma and Kalker, one speed and no sweep."""
        if variant not in VARIANTS:
            raise OptionError(f"variant {variant!r} is not known: choose one of {', '.join(VARIANTS)}")
        self.shape, self.query = VARIANTS[variant], PhilipsQuery()
        self.speeds = self.query.speeds if variant == "default" else (1.0,)  # of which a clip has words
        front_end = self.shape.front_end
        frame = front_end.frame_seconds
        self.spec, self.rate = spec_of("philips", VERSION, self.shape), front_end.rate
        votes = VoteRule(8 * frame, "next", limit=120, per_track=3, apart_seconds=16 * frame, min_votes=2, shortlist=8)
        options = {
            "speeds": self.speeds,
            "correlated": CORRELATED,
            "reach_seconds": 14 * frame,
            "frame_centre_seconds": front_end.window / front_end.rate / 2,
        }
        self.plan = Plan(
            channels=(Channel("words", "equal", "bits", frame, votes, key_bits=self.shape.key_bits),),
            compare=(
                CompareRule(
                    "bits",
                    "bits",
                    figures=("bit_error_rate", "z", "rival_z"),
                    ranking={"z": 1.0},
                    min_features=16,
                    options=options,
                ),
            ),
            models=(MODEL,),
            sweep=SWEEP if variant == "default" else None,
            query=asdict(self.query),
        )

    def stream(self, *, query: bool = False) -> PhilipsExtraction:
        """Return an extraction of mono samples at 5,512 Hz."""
        return PhilipsExtraction(self, query=query)

    def keys(self, fingerprint: Fingerprint, *, query: bool = False) -> Mapping[str, Keys]:
        """Return the words' upper bits; of a query also those with its least reliable bits turned (section 5.1)."""
        self.check(fingerprint.spec)
        layer, dropped = fingerprint.layers["bits"], np.uint32(WORD_BITS - self.shape.key_bits)
        if not query or layer.weights is None:
            return {"words": Keys(layer.frames, layer.values[:, 0] >> dropped)}
        weakest = layer.weights.reshape(*layer.values.shape, -1)
        most = self.query.most_turned
        tried = [
            layer.values[:, column, None]
            ^ (np.uint32(1) << weakest[:, column]) @ _patterns(weakest.shape[2], most, count)
            for column, count in enumerate(self._tried(layer.values.shape[1]))
        ]
        words = np.concatenate(tried, axis=1)
        return {"words": Keys(np.repeat(layer.frames, words.shape[1]), words.reshape(-1) >> dropped)}

    def is_informative(self, fingerprint: Fingerprint, *, query: bool = False) -> bool:
        """Return whether there are enough different words; trains of clicks and beeps have the same again and again."""
        words = fingerprint.layers["bits"].values[:, 0] >> np.uint32(WORD_BITS - self.shape.key_bits)
        rule, most, share = INFORMATION, 0, 0.0
        last = max(len(words) - rule.window_frames, 0)
        for start in np.unique(np.linspace(0, last, rule.windows).astype(int)):
            part = words[start : start + rule.window_frames]
            different = len(np.unique(part))
            most, share = max(most, different), max(share, different / max(len(part), 1))
        enough = self.min_features if query else rule.least_words
        return most >= enough and share >= rule.least_different

    def pack(self, fingerprint: Fingerprint) -> bytes:
        """Return four bytes a word and one bit for each frame that may have none; of a query, its weakest bits too."""
        self.check(fingerprint.spec)
        layer = fingerprint.layers["bits"]
        present = np.zeros(int(layer.frames[-1]) + 1 if len(layer.frames) else 0, bool)
        present[layer.frames] = True
        weakest = b"" if layer.weights is None else layer.weights.tobytes()
        packed = PackedWords(
            str(self.spec),
            fingerprint.seconds,
            len(present),
            np.packbits(present).tobytes(),
            layer.values.shape[1],
            layer.values.tobytes(),
            weakest,
        )
        return msgspec.msgpack.encode(packed)

    def unpack(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint that `pack` packed."""
        parts = msgspec.msgpack.decode(packed, type=prepared(PackedWords))
        self.check(parts.spec)
        frames, words, weakest = parts.checked(self.query.weakest)
        return self.fingerprint(parts.seconds, frames, words, weakest)

    def fingerprint(
        self, seconds: float, frames: NDArray[np.int32], words: Codes, weakest: NDArray[np.uint8] | None
    ) -> Fingerprint:
        """Return a fingerprint of words (n, speeds); `weakest` are the bits of each, least reliable first."""
        layer = Layer(frames, words, self.shape.front_end.frame_seconds, weakest)
        return Fingerprint(self.spec, seconds, {"bits": layer})

    def _tried(self, columns: int) -> list[int]:
        return [self.query.tried, *[self.query.tried_beside] * (columns - 1)]


class PackedWords(msgspec.Struct, frozen=True, array_like=True):
    """A packed fingerprint."""

    spec: str
    seconds: float
    frames: int
    present: bytes  # a bit a frame
    columns: int
    words: bytes
    weakest: bytes

    def checked(self, weakest_of_word: int) -> tuple[NDArray[np.int32], Codes, NDArray[np.uint8] | None]:
        """Return (frames, words, weakest bits); raises ValueError for what no `pack` wrote."""
        flags = (self.frames + 7) // 8
        if not (0 <= self.frames <= LARGEST_FRAMES and len(self.present) == flags and self.columns >= 1):
            raise ValueError(f"a fingerprint of {self.frames} frames in {len(self.present)} bytes")
        frames = np.flatnonzero(np.unpackbits(np.frombuffer(self.present, np.uint8), count=self.frames))
        words = np.frombuffer(self.words, np.uint32).reshape(len(frames), self.columns)
        if not self.weakest:
            return frames.astype(np.int32), words, None
        weakest = np.frombuffer(self.weakest, np.uint8).reshape(len(frames), self.columns * weakest_of_word)
        if weakest.max() >= WORD_BITS:
            raise ValueError(f"bit {weakest.max()} of a word of {WORD_BITS}")
        return frames.astype(np.int32), words, weakest


class PhilipsExtraction:
    """Words of sound that comes in blocks; implements `Extraction`."""

    def __init__(self, maker: Philips, *, query: bool) -> None:
        shape = maker.shape
        self._maker, self._weakest = maker, maker.query.weakest if query else 0
        edges = np.geomspace(*shape.hertz, shape.bands + 1) / shape.front_end.hertz_per_bin
        speeds = np.array(maker.speeds if query else (1.0,))
        self._edges = speeds[:, None] * edges + 0.5 - shape.front_end.low_bin  # bin b reaches from b - 1/2 to b + 1/2
        self._power = PowerStream(shape.front_end, frames=CHUNK_FRAMES)
        self._parts: list[_Words] = []
        self._before: Energies | None = None  # bands of the last frame
        self._frames, self._heard = 0, 0

    def push(self, samples: Samples) -> None:
        """Take the next samples."""
        self._heard += len(samples)
        for chunk in self._power.push(samples):
            bands = self._bands(chunk)
            self._parts.append(self._words(self._before, bands, self._frames))
            self._before = bands[-1:]
            self._frames += len(bands)

    def take(self, *, since_seconds: float = 0.0) -> Fingerprint:
        """Return the words of what was heard since a second."""
        frame_seconds, seconds = self._maker.shape.front_end.frame_seconds, self._heard / self._maker.rate
        parts, before, first = list(self._parts), self._before, self._frames
        for chunk in self._power.rest():
            bands = self._bands(chunk)
            parts.append(self._words(before, bands, first))
            before, first = bands[-1:], first + len(bands)
        since = round(since_seconds / frame_seconds)
        self._parts = [part for part in self._parts if part.end > since]
        columns = len(self._edges)
        empty = _Words(
            np.zeros(0, np.int32),
            np.zeros((0, columns), np.uint32),
            np.zeros((0, columns * self._weakest), np.uint8),
            0,
        )
        frames, words, weakest = (
            np.concatenate([getattr(part, name) for part in (empty, *parts)]) for name in ("frames", "words", "weakest")
        )
        whole = self._maker.fingerprint(seconds, frames, words, weakest if self._weakest else None)
        return whole.between(since_seconds, seconds) if since_seconds else whole

    def _bands(self, power: NDArray[np.float32]) -> Energies:
        """Return the compressed energy of each band at each speed, (frames, speeds, bands)."""
        below = np.cumsum(power, axis=1, dtype=np.float64)
        below = np.concatenate([np.zeros((len(power), 1)), below], axis=1)
        whole = self._edges.astype(np.int64)
        edges = below[:, whole] + (self._edges - whole) * (below[:, whole + 1] - below[:, whole])
        bands: Energies = np.diff(edges, axis=2) ** self._maker.shape.power
        return bands

    def _words(self, before: Energies | None, bands: Energies, first: int) -> _Words:
        """Return the words of frames from `first` on, each of the frame and the one before it (section 4.2)."""
        shape = self._maker.shape
        if before is None:
            before, bands, first = bands[:1], bands[1:], first + 1
        earlier = np.concatenate([before, bands])[:-1]
        change = bands - earlier
        differences = change[:, :, :-1] - change[:, :, 1:]
        own, moved = bands[:, 0], np.abs(change[:, 0])
        loud = (own ** (1 / shape.power)).sum(axis=1) > shape.quietest
        kept = loud & (moved.sum(axis=1) > shape.steadiest * own.sum(axis=1))
        differences = differences[kept]
        packed = np.packbits(differences > 0, axis=2, bitorder="little")
        words = np.ascontiguousarray(packed).view(np.uint32)[:, :, 0]
        frames = (np.flatnonzero(kept) + first).astype(np.int32)
        return _Words(frames, words, self._weakest_of(differences), first + len(bands))

    def _weakest_of(self, differences: Energies) -> NDArray[np.uint8]:
        """Return the bits of each word that are the least reliable of those looked up, (frames, speeds * bits)."""
        if not self._weakest:
            return np.zeros((len(differences), 0), np.uint8)
        lowest = WORD_BITS - self._maker.shape.key_bits
        order = np.argsort(np.abs(differences[:, :, lowest:]), axis=2, kind="stable")
        weakest = (order[:, :, : self._weakest] + lowest).astype(np.uint8)
        return weakest.reshape(len(weakest), weakest.shape[1] * weakest.shape[2])


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    """Words of some frames."""

    frames: NDArray[np.int32]
    words: Codes
    weakest: NDArray[np.uint8]
    end: int  # frame behind them


@cache
def _patterns(weakest: int, most: int, count: int) -> NDArray[np.uint32]:
    """Return which of the weakest bits are turned in each of the likeliest words, (weakest, count); the first in none.

    The likeliest are those whose turned bits have the smallest sum of ranks, since reliability grows with the rank.
    """
    sets: Iterable[Sequence[int]] = itertools.chain.from_iterable(
        itertools.combinations(range(weakest), turned) for turned in range(most + 1)
    )
    chosen = sorted(sets, key=lambda ranks: sum(rank + 1.5 for rank in ranks))[:count]
    patterns = np.zeros((weakest, len(chosen)), np.uint32)
    for column, ranks in enumerate(chosen):
        patterns[list(ranks), column] = 1
    return patterns
