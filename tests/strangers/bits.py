"""A kind of fingerprint that earmark does not know: signs of energy differences (Haitsma and Kalker, ISMIR 2002, s. 4).

Everything a stranger has to write: this class, and the comparison in `bit_comparison.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import numpy as np

from earmark.audio.stft import FrontEnd, PowerStream
from earmark.fingerprints.protocol import Fingerprinter, spec_of
from earmark.plan import Channel, CompareRule, ModelShape, Plan, VoteRule
from earmark.types import Fingerprint, Keys, Layer, Samples

FRONT_END = FrontEnd(rate=5_512, window=2_048, hop=64, low_bin=0, high_bin=1_025)  # 11.6 ms
EDGES = np.geomspace(300, 2_000, 34) * FRONT_END.window / FRONT_END.rate  # bins of 33 bands


@dataclass(frozen=True, slots=True)
class BitsShape:
    """Every number that shapes features."""

    front_end: FrontEnd = FRONT_END
    bands: tuple[float, ...] = tuple(EDGES.tolist())


class Bits(Fingerprinter):
    """Layer `bits`, (n, 1) uint32; channel `subprints`, whose keys are the same 32 bits."""

    def __init__(self) -> None:
        frame = FRONT_END.frame_seconds
        votes = VoteRule(2 * frame, "next", limit=40, per_track=4, apart_seconds=6 * frame, shortlist=8)
        self.spec, self.rate = spec_of("bits", 1, BitsShape()), FRONT_END.rate
        self.plan = Plan(
            channels=(Channel("subprints", "equal", "bits", frame, votes, key_bits=32),),
            compare=(CompareRule("signs", "bits", ("z", "rival_z"), {"z": 1.0}, min_features=16),),
            models=(ModelShape(("bits",), ("constant", "root of z", "lead in z"), ("root of z", "lead in z"), (1.0,)),),
        )

    def stream(self, *, query: bool = False) -> BitsExtraction:
        return BitsExtraction(self)

    def keys(self, fingerprint: Fingerprint, *, query: bool = False) -> dict[str, Keys]:
        layer = fingerprint.layers["bits"]
        return {"subprints": Keys(layer.frames, layer.values[:, 0])}

    def pack(self, fingerprint: Fingerprint) -> bytes:
        words = fingerprint.layers["bits"].values.tobytes()
        return msgspec.msgpack.encode((str(fingerprint.spec), fingerprint.seconds, words))

    def unpack(self, packed: bytes) -> Fingerprint:
        spec, seconds, words = msgspec.msgpack.decode(packed, type=tuple[str, float, bytes])
        self.check(spec)
        return self.fingerprint(np.frombuffer(words, np.uint32).reshape(-1, 1), seconds)

    def fingerprint(self, words: np.ndarray, seconds: float) -> Fingerprint:
        frames = np.arange(len(words), dtype=np.int32)
        return Fingerprint(self.spec, seconds, {"bits": Layer(frames, words, FRONT_END.frame_seconds)})


class BitsExtraction:
    """Energies of bands, of sound that comes in blocks."""

    def __init__(self, maker: Bits) -> None:
        self._maker, self._power, self._heard = maker, PowerStream(FRONT_END, frames=256), 0
        self._energies: list[np.ndarray] = []  # (frames, 33)

    def push(self, samples: Samples) -> None:
        self._heard += len(samples)
        self._energies += self._bands(self._power.push(samples))

    def take(self, *, since_seconds: float = 0.0) -> Fingerprint:
        energies = np.concatenate([np.zeros((1, 33)), *self._energies, *self._bands(self._power.rest())])
        signs = np.diff(np.diff(energies, axis=1), axis=0) < 0
        words = np.packbits(signs, axis=1, bitorder="little").view(np.uint32)
        whole = self._maker.fingerprint(words, self._heard / FRONT_END.rate)
        return whole.between(since_seconds, whole.seconds) if since_seconds else whole

    def _bands(self, chunks: Iterable[np.ndarray]) -> list[np.ndarray]:
        return [np.add.reduceat(chunk, EDGES.astype(int), axis=1)[:, :33] for chunk in chunks]
