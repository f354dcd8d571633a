"""Learned fingerprints: one vector for each half second of sound, by a network that hears through noise and rooms.

The peaks of the same spectrogram are kept with them. Vectors find a recording where landmarks do not, and peaks say
with more certainty whether it is the one (decision 5). `learn/` trains the networks of `weights/`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd, PowerStream
from earmark.errors import OptionError
from earmark.fingerprints.codes import read_codes
from earmark.fingerprints.compact import COMPONENTS, CompactShape
from earmark.fingerprints.landmarks import (
    CompanionShape,
    LandmarkShape,
    QueryDensity,
    at_speed,
    have_information,
    landmark_channel,
    landmark_keys,
    peak_layers,
    peak_rule,
)
from earmark.fingerprints.mel import QUIETEST, LogMel, Spectrogram, banded, normalised, silent
from earmark.fingerprints.onnx import open_network, read_metadata, read_network
from earmark.fingerprints.packed_neural import NeuralPacking
from earmark.fingerprints.packing import MOST_BINS, PeakPacking
from earmark.fingerprints.peaks import PeakShape, PeakStream, Salience
from earmark.fingerprints.protocol import Fingerprinter, spec_of
from earmark.fingerprints.quads import (
    QUADS,
    QuadQuery,
    QuadShape,
    quad_keys,
    quad_query_keys,
    with_quads,
)
from earmark.fingerprints.salience import SalienceNet, local_contrast
from earmark.fingerprints.segments import BATCH, SegmentEncoding
from earmark.plan import Channel, CompareRule, GlanceRule, ModelShape, Plan, SweepRule, VoteRule
from earmark.types import VECTOR_SCALE, Fingerprint, Keys, Layer, Samples

VERSION = 2
WEIGHTS = Path(__file__).parent / "weights"
# What releases up to 0.1.0 hashed a network's file with, by the digest of today's shape without it: features are equal.
FORMER_KEYS = {"04b8435c": bytes.fromhex("606f6a520c40bac0677276670a45225e"), "e6d37cd9": b""}
# Places that each channel names. Twice as many found none more of 660 clips in noise and rooms (seed 61).
VECTOR_CANDIDATES, LANDMARK_CANDIDATES = 48, 32
# Tracks that are swept, and more that are checked where hits lie; of each so many places are compared (decision 13).
LOOKED_THROUGH = {"most_tracks": 32, "places": 24, "checked_tracks": 100, "checked_places": 16}
# Places that are tried at every frame, and at other speeds: five of each found none more of 440 clips (seed 61).
PEAKS_TRIED = {"refined": 16, "warped_best": 3, "warped_first": 3}
STEADY_SEGMENTS = 4  # segments, below which sound is too short to be called steady
STEADY_SIMILARITY = 0.985  # mean similarity of vectors; 0.97 at most in 668 recordings, 0.99 and more in tones
CHECKED = ModelShape(
    layers=("vectors", "peaks"),
    features=("constant", "similarity", "lead in z over chance", "log of surplus", "lead in contrast over chance"),
    rising=("similarity", "lead in z over chance", "log of surplus", "lead in contrast over chance"),
    lengths=(1.0, 2.0, 5.0),
)
ALONE = ModelShape(
    layers=("vectors",),
    features=("constant", "similarity", "lead in similarity", "margin", "share"),
    rising=("similarity", "lead in similarity", "margin", "share"),
    lengths=(1.0, 2.0, 5.0),
)


@dataclass(frozen=True, slots=True)
class NeuralShape:
    """Every number that shapes what is stored of a recording, or its keys."""

    network: str  # digest of the file
    peaks: CompanionShape | None
    hop_share: int = 2  # a stored segment begins half a segment after the one before (NAFP)
    scale: float = VECTOR_SCALE  # int8 = scale x component of a vector of length 1
    quietest: float = QUIETEST  # power of a band before the logarithm


@dataclass(frozen=True, slots=True)
class NeuralQuery:
    """How a clip is looked at more closely: one of its segments lies within a sixteenth of each stored one."""

    hop_share: int = 8  # a segment begins an eighth of a segment after the one before
    margin_share: float = 3 / 8  # share of a segment by which the first and the last one reach over the clip's edges
    density: QueryDensity = field(default_factory=QueryDensity)


class Neural(Fingerprinter):
    """The learned fingerprinter: layers `vectors`, `peaks` and `strongest`, channels `vectors` and `landmarks`."""

    def __init__(
        self, *, model: str = "default", peaks: bool = True, any_speed: bool = False, compact: bool = False
    ) -> None:
        """`model` names a network of `weights/`, or an ONNX file of `earmark train`; without `peaks`, vectors alone.

        `any_speed` adds the channel by which clips at any speed and pitch are found. `compact` keeps two bits of each
        component and a third of the peaks, and makes no landmarks of them.
        """
        if any_speed and not peaks:
            raise OptionError("any_speed=True needs peaks, and peaks=False leaves them out: give one of the two")
        if compact and (any_speed or not peaks):
            other = "any_speed=True" if any_speed else "peaks=False"
            raise OptionError(f"compact=True has a third of the peaks and no more: leave out {other}, or compact")
        self._path = WEIGHTS / f"{model}.onnx" if model in _shipped() else Path(model)
        remedy = f"choose one of {', '.join(_shipped())}, or give the .onnx file of a trained one"
        self._content = read_network(self._path, remedy)
        properties = _properties_of(self._path, self._content)
        self.log_mel = log_mel = LogMel(**json.loads(properties["front_end"]))  # the network's front end
        self.dimensions = int(properties["dimensions"])  # components of a vector
        if compact and self.dimensions % COMPONENTS:
            raise OptionError(
                f"{self._path} makes {self.dimensions} components, and compact=True needs a multiple of 4"
            )
        self.codes = read_codes(properties, self.dimensions, self._path)  # those that it learned with the vectors
        digest = blake2b(self._content, digest_size=8).hexdigest()
        self.compact = CompactShape() if compact else None
        companion = CompanionShape() if self.compact is None else CompanionShape(self.compact.density)
        self.shape, self.query = NeuralShape(digest, companion if peaks else None), NeuralQuery()
        self.quads, self.quad_query = QuadShape() if any_speed else None, QuadQuery()
        # Strongest peaks of a query's block: all, unless quads are made of them.
        self.query_strongest = self.quad_query.peaks if any_speed else self.query.density.peaks
        self.spec, self.rate = spec_of("neural", VERSION, self.shape, self.quads or self.compact), log_mel.rate
        # None had quads, or was compact.
        self.formerly = () if any_speed or compact else _former_specs(self.shape, self._content)
        self.hertz_per_bin = log_mel.front_end.hertz_per_bin
        self.companion: LandmarkShape | None = None  # shape of the peaks that are kept with the vectors
        self.peak_frames = 1  # frames of peaks for each of the network's
        self.salience: Salience = local_contrast  # makes a clip's map; the network, if it was trained for such a clip
        packing: PeakPacking | None = None
        if self.shape.peaks is not None:
            self.companion = _companion(self.shape.peaks, log_mel)
            front_end, net = self.companion.front_end, SalienceNet()
            self.peak_frames = log_mel.hop // front_end.hop
            self.salience = net if net.front_end == front_end else local_contrast
            packing = PeakPacking(front_end)
        self._packing = NeuralPacking(
            self.spec, self.check, self.dimensions, log_mel.frame_seconds, packing, self.compact
        )
        self.plan = self._plan()

    def _plan(self) -> Plan:
        """Vectors name candidates, then landmarks; peaks check them, and sweep the best tracks when in doubt."""
        vectors, compare = _vector_channel(self), _vector_rule(self)
        if self.companion is None:
            return Plan((vectors,), (compare,), (ALONE,), query=asdict(self.query))
        front_end = self.companion.front_end
        salience = self.salience.digest if isinstance(self.salience, SalienceNet) else ""
        figures = ("z", "rival_z", "contrast", "rival_contrast", "surplus")
        ranking = {"z": 0.08, "contrast": 0.015}  # 0.06 to 0.1 and 0.01 to 0.03 rank equally well
        landmarks = landmark_channel(front_end.frame_seconds, candidates=LANDMARK_CANDIDATES)
        plan = Plan(
            channels=(vectors, landmarks) if self.compact is None else (vectors,),
            compare=(compare, peak_rule(front_end, figures, ranking, reach_frames=12, **PEAKS_TRIED)),
            models=(CHECKED, ALONE),
            sweep=SweepRule("peaks", "strongest", **LOOKED_THROUGH),
            query={**asdict(self.query), "salience": salience},
            glance=GlanceRule("peaks") if self.compact is None else None,  # landmarks name what it looks at
        )
        return plan if self.quads is None else with_quads(plan, front_end.frame_seconds, self.quad_query)

    def hop_frames(self, *, query: bool) -> int:
        """Return how many frames after the one before a segment begins: 16, half a second, and 4 of a query."""
        return self.log_mel.segment_frames // (self.query.hop_share if query else self.shape.hop_share)

    def stream(self, *, query: bool = False) -> NeuralExtraction:
        """Return an extraction of mono samples at `rate`.

        A query's first segments begin before the clip: their frames are negative. A silent segment has no vector.
        """
        return NeuralExtraction(self, query=query)

    def glance(self, samples: Samples) -> Fingerprint:
        """Return the peaks of a clip, as those of a recording are found, without the network's work."""
        if self.plan.glance is None:
            return super().glance(samples)
        extraction = NeuralExtraction(self, query=False, encoding=False)
        extraction.push(samples)
        return extraction.take()

    def keys(self, fingerprint: Fingerprint, *, query: bool = False) -> Mapping[str, Keys]:
        """Return the vectors, and the landmarks of the strongest peaks."""
        self.check(fingerprint.spec)
        vectors = fingerprint.layers["vectors"].unpacked()
        keys = {"vectors": Keys(vectors.frames, vectors.values)}
        if self.companion is not None and self.compact is None:
            fan_out = self.query.density.fan_out if query else self.companion.density.fan_out
            joined = fingerprint.layers["peaks" if query else "strongest"].unpacked()
            keys["landmarks"] = landmark_keys(joined, self.companion, fan_out)
        if self.quads is not None and not query:
            keys[QUADS] = quad_keys(fingerprint.layers["strongest"].unpacked(), self.quads)
        return keys

    def warped_keys(self, fingerprint: Fingerprint) -> Keys:
        """Return the quads of a query's strongest peaks."""
        self.check(fingerprint.spec)
        assert self.quads is not None
        return quad_query_keys(fingerprint.layers["strongest"], self.quads, self.quad_query)

    def keys_at_speed(self, fingerprint: Fingerprint, speed: float) -> Mapping[str, Keys]:
        """Return the landmarks of the strongest peaks, moved in time and pitch."""
        if self.companion is None or self.compact is not None:
            return {}
        moved = at_speed(fingerprint.layers["strongest"], speed, self.companion.front_end)
        return {"landmarks": landmark_keys(moved, self.companion, self.companion.density.fan_out)}

    def is_informative(self, fingerprint: Fingerprint, *, query: bool = False) -> bool:
        """Return whether there are different landmarks, or where no peaks are kept, different vectors."""
        layers, shape = fingerprint.layers, self.companion
        if not super().is_informative(fingerprint, query=query):
            return False
        if shape is None:
            return query or not is_steady(layers["vectors"].values)
        fan_out = self.query.density.fan_out if query else shape.density.fan_out
        joined = layers["peaks" if query else "strongest"]
        return have_information(layers["peaks"], joined, shape, fan_out, query=query)

    def pack(self, fingerprint: Fingerprint) -> bytes:
        """Return the vectors of a recording, coded, one bit for each segment that may be silent, and the peaks."""
        self.check(fingerprint.spec)
        return self._packing.pack(fingerprint)

    def unpack_stored(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint of a recording, which has no salience map; its peaks are unpacked as they are used."""
        return self._packing.unpack_stored(packed)

    def unpack(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint that `pack` packed."""
        return self._packing.unpack(packed)

    def encode(self, segments: Spectrogram) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
        """Return which of at most `BATCH` segments, (n, bands, frames) in log10 of power, have a vector, and those."""
        heard = ~silent(segments, self.log_mel)
        if not heard.any():
            return heard, np.zeros((0, self.dimensions), np.int8)
        batch = np.zeros((BATCH, 1, *segments.shape[1:]), np.float32)
        batch[: len(segments), 0] = normalised(segments, self.log_mel)
        (vectors,) = self._session.run(["vectors"], {"segments": batch})
        scaled = np.clip(vectors[: len(segments)][heard] * VECTOR_SCALE, -127, 127)
        return heard, np.rint(scaled).astype(np.int8)

    def nothing(self, segments: Spectrogram) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
        """Return that no segment has a vector."""
        return np.zeros(len(segments), bool), np.zeros((0, self.dimensions), np.int8)

    @cached_property
    def _session(self) -> Any:
        return open_network(self._content, self._path, "give the .onnx file of a trained one")


class NeuralExtraction:
    """Vectors and peaks of sound that comes in blocks, of one spectrogram; implements `Extraction`."""

    def __init__(self, maker: Neural, *, query: bool, encoding: bool = True) -> None:
        """Without `encoding` there are no vectors."""
        log_mel, shape = maker.log_mel, maker.companion
        self._maker, self._heard = maker, 0
        self._levels = None if query else maker.compact
        self._silence = np.zeros(log_mel.margin, np.float32)  # the first frame and the last one reach into it
        peaks = PeakShape() if shape is None else shape.peaks
        front_end = replace(log_mel.front_end, hop=log_mel.hop // maker.peak_frames)
        self._power = PowerStream(front_end, frames=peaks.chunk_frames)
        margin = round(log_mel.segment_frames * maker.query.margin_share) if query else 0
        hop = maker.hop_frames(query=query)
        encode = maker.encode if encoding else maker.nothing
        self._encoding = SegmentEncoding(encode, log_mel, dimensions=maker.dimensions, hop=hop, margin=margin)
        self._peaks: PeakStream | None = None
        if shape is not None:
            keep = maker.query.density.peaks if query else shape.density.stored
            self._peaks = PeakStream(peaks, keep=keep, salience=maker.salience if query else None)
            self._band = slice(shape.front_end.low_bin, shape.front_end.high_bin)
            self._paired = maker.query_strongest if query else shape.density.paired
        self._push(self._silence)

    def push(self, samples: Samples) -> None:
        """Take the next samples."""
        self._heard += len(samples)
        self._push(samples)

    def take(self, *, since_seconds: float = 0.0) -> Fingerprint:
        """Return the features of what was heard since a second."""
        log_mel, seconds = self._maker.log_mel, self._heard / self._maker.rate
        rest = list(self._power.rest(self._silence))
        frames, vectors = self._encoding.take(self._banded(spectra) for spectra in rest)
        if self._levels is not None:
            vectors = self._levels.rounded(vectors)
        self._encoding.forget(round(since_seconds / log_mel.frame_seconds))
        layers = {"vectors": Layer(frames, vectors, log_mel.frame_seconds)}
        if self._peaks is not None and self._maker.companion is not None:
            peaks, front_end = self._peaks.take(part[:, self._band] for part in rest), self._maker.companion.front_end
            self._peaks.forget(round(since_seconds / front_end.frame_seconds))
            layers |= peak_layers(peaks, self._paired, front_end)
        fingerprint = Fingerprint(self._maker.spec, seconds, layers)
        return fingerprint.between(since_seconds, seconds) if since_seconds else fingerprint

    def _push(self, samples: Samples) -> None:
        for spectra in self._power.push(samples):
            self._encoding.push(self._banded(spectra))
            if self._peaks is not None:
                self._peaks.push(spectra[:, self._band])

    def _banded(self, spectra: NDArray[np.float32]) -> Spectrogram:
        return banded(spectra[:: self._maker.peak_frames], self._maker.log_mel)


def is_steady(vectors: NDArray[np.int8]) -> bool:
    """Return whether vectors, (n, d), are nearly the same: so many of a tone or of quick clicks are."""
    if len(vectors) < STEADY_SEGMENTS:
        return False
    mean = vectors.mean(axis=0, dtype=np.float64)
    powers = np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64)
    return bool(mean @ mean > STEADY_SIMILARITY * powers.mean())


def _vector_channel(maker: Neural) -> Channel:
    frame, hop = maker.log_mel.frame_seconds, maker.hop_frames(query=True)
    votes = VoteRule(
        bin_seconds=2 * hop * frame,
        neighbours="both",
        limit=VECTOR_CANDIDATES,
        per_track=3,
        weighted=True,
    )
    # Of 5 s each second segment is looked up, a quarter of a second apart; more than 40 neighbours name few more
    # candidates, but more tracks to sweep.
    engine = "" if maker.compact is None else "two_bit"
    return Channel(
        "vectors", "inner", "vectors", frame, votes, nearest=100, most_keys=24, codes=maker.codes, engine=engine
    )


def _vector_rule(maker: Neural) -> CompareRule:
    frame = maker.log_mel.frame_seconds
    options = {
        "segment_seconds": maker.log_mel.segment_frames * frame,
        "stored_hop_seconds": maker.hop_frames(query=False) * frame,
        "query_hop_seconds": maker.hop_frames(query=True) * frame,
    }
    figures = ("similarity", "rival", "margin", "share")
    return CompareRule("vectors", "vectors", figures, ranking={"similarity": 1.0}, options=options)


def _shipped() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in WEIGHTS.glob("*.onnx")))


def _companion(shape: CompanionShape, log_mel: LogMel) -> LandmarkShape:
    """Return the shape of the peaks that are kept with the vectors of a network's front end."""
    low, high = (round(hertz * log_mel.window / log_mel.rate) for hertz in shape.hertz)
    bins = min(high, log_mel.window // 2, low + MOST_BINS) - low
    high = low + bins // shape.peaks.cell * shape.peaks.cell
    frames = 1 if log_mel.hop % shape.frames else shape.frames
    front_end = FrontEnd(log_mel.rate, log_mel.window, log_mel.hop // frames, low, high)
    return LandmarkShape(shape.density, front_end, shape.peaks, shape.zone)


def _former_specs(shape: NeuralShape, network: bytes) -> tuple[str, ...]:
    """Return the spec that 0.1.0 had for the same features, whatever the network."""
    key = FORMER_KEYS.get(spec_of("neural", VERSION, replace(shape, network="")).digest)
    return () if key is None else (f"neural/1/{blake2b(network, digest_size=4, key=key).hexdigest()}",)


def _properties_of(path: Path, network: bytes) -> dict[str, str]:
    """Return what a network says of itself; raises OptionError when it is none, or does not say how it listens."""
    try:
        properties = read_metadata(network)
    except ValueError as error:
        raise OptionError(f"{path} is no network ({error}); give the .onnx file of a trained one") from error
    if not {"front_end", "dimensions"} <= properties.keys():
        raise OptionError(f"{path} does not say how it listens; give the .onnx file that earmark train wrote")
    return properties
