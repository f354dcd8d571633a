"""Learned fingerprints: one vector for each half second of sound, by a network that hears through noise and rooms.

The networks are in `weights/`, each with its card; `learn/` trains them, ONNX Runtime runs them. A feature is a vector
of length 1 as 8-bit integers, 254 to one: components are about 0.09 in size, and none is larger than a half. A query
is looked at every eighth of a second, also across its edges, so that one of its segments lies within a sixteenth of
each segment of the catalog.

Beside the vectors are the peaks of the same spectrogram. Vectors find a recording where landmarks do not, and peaks say
with more certainty whether it is the one: they are laid on the clip where vectors or landmarks point.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.audio.stft import FrontEnd, power_chunks
from earmark.errors import OptionError, SpecMismatch
from earmark.fingerprints.peaks import CELL, CHUNK_FRAMES, ReliefMaker
from earmark.fingerprints.salience import LearnedRelief, standing_out
from earmark.fingerprints.shazam import BIN_MASK, DENSITIES, LANDMARK_BITS, PEAK_RULE, ZONE, Shazam
from earmark.plan import Channel, Plan
from earmark.types import VECTOR_SCALE, Fingerprint, Frames, Keys, Samples, Spec

if TYPE_CHECKING:
    from earmark.fingerprints.mel import LogMel, Spectrogram

VERSION = 1
WEIGHTS = Path(__file__).parent / "weights"
HOP_SHARE = 2  # a stored segment begins half a segment after the one before (NAFP)
QUERY_HOP_SHARE = 8  # and a query's an eighth
QUERY_MARGIN_SHARE = 3 / 8  # of a segment, by which a query's first and last one reach over the clip's edges
BATCH = 16  # segments at a time, always as many, so that a segment's vector never depends on others or on the memory
SCALE = VECTOR_SCALE
LARGEST_SEGMENTS = 1 << 22  # of an unpacked fingerprint: three weeks of audio
LARGEST_FRAMES = 1 << 26  # of the same
PEAK_FRAMES = 2  # frames of peaks for each of the network's, if its hop can be halved: 15.6 ms, as fine as landmarks'
PEAK_HERTZ = (31.25, 3_906.25)  # some music has next to nothing above 125 Hz (decision 8)
PEAK_DENSITY = "beside"


class Neural:
    """The learned fingerprinter; see the module's docstring.

    `model` names a network of `weights/`, or is the path of an ONNX file that `earmark train` has written. Without
    `peaks` a fingerprint is vectors alone.
    """

    def __init__(self, *, model: str = "default", peaks: bool = True) -> None:
        self._path = WEIGHTS / f"{model}.onnx" if model in _shipped() else Path(model)
        try:
            self._content = self._path.read_bytes()
        except OSError as error:
            raise OptionError(
                f"model {model!r} cannot be read ({error.strerror}): choose one of {', '.join(_shipped())}, "
                "or give the .onnx file of a trained one"
            ) from error
        self._with_peaks = peaks
        shape = blake2b(self._content, digest_size=4, key=_shape_of_peaks() if peaks else b"")
        self._spec = Spec("neural", VERSION, shape.hexdigest())

    @property
    def spec(self) -> Spec:
        """What shaped the fingerprints: the network's file, and whether there are peaks."""
        return self._spec

    @property
    def plan(self) -> Plan:
        """Vectors, then the landmarks of the peaks."""
        vectors = Channel("vectors", "inner")
        return Plan((vectors, Channel("landmarks", "equal", LANDMARK_BITS)) if self._with_peaks else (vectors,))

    @property
    def rate(self) -> int:
        """8,000 Hz, unless the network was trained at another rate."""
        return self._log_mel.rate

    @property
    def frame_seconds(self) -> float:
        """From one frame of the spectrogram to the next: 31.25 ms."""
        return self._log_mel.frame_seconds

    @property
    def segment_frames(self) -> int:
        """How many frames a vector stands for."""
        return self._log_mel.segment_frames

    @property
    def hop_frames(self) -> int:
        """How many frames after the one before a stored segment begins: 16, half a second."""
        return self.segment_frames // HOP_SHARE

    @property
    def query_hop_frames(self) -> int:
        """How many frames after the one before a query's segment begins."""
        return self.segment_frames // QUERY_HOP_SHARE

    @property
    def fewest_features(self) -> int:
        """One: a segment says a lot, and the confidence says how much."""
        return 1

    @cached_property
    def peaks(self) -> Shazam | None:
        """What makes and reads the constellation beside the vectors."""
        if not self._with_peaks:
            return None
        shape = self._log_mel
        low, high = (round(hertz * shape.window / shape.rate) for hertz in PEAK_HERTZ)
        bins = min(high, shape.window // 2, low + int(BIN_MASK)) - low
        high = low + bins // CELL * CELL
        front_end = FrontEnd(shape.rate, shape.window, shape.hop // self._peak_frames, low, high)
        return Shazam(density=PEAK_DENSITY, front_end=front_end)

    def vectors(self, fingerprint: Fingerprint) -> NDArray[np.float32]:
        """Return the features as vectors of length 1, up to rounding, (n, d)."""
        self._check(fingerprint.spec)
        return fingerprint.features.astype(np.float32) / np.float32(SCALE)

    def extract(self, audio: Samples | Iterable[Samples], *, query: bool = False) -> Fingerprint:
        """Return one vector for each segment, shape (n, d) int8, with the frame where it begins.

        A query's first segments begin before the clip: their frames are negative. A silent segment has no vector.
        """
        from earmark.fingerprints.mel import banded, padded

        heard = 0

        def counted(blocks: Iterable[Samples]) -> Iterator[Samples]:
            nonlocal heard
            for block in blocks:
                heard += len(block)
                yield block

        blocks = [audio] if isinstance(audio, np.ndarray) else audio
        shape, every = self._log_mel, self._peak_frames if self.peaks else 1
        front_end = FrontEnd(shape.rate, shape.window, shape.hop // every, 0, shape.window // 2 + 1)
        encoding = _Encoding(
            self,
            hop=self.query_hop_frames if query else self.hop_frames,
            margin=round(self.segment_frames * QUERY_MARGIN_SHARE) if query else 0,
        )

        def encoded() -> Iterator[NDArray[np.float32]]:
            for spectra in power_chunks(padded(counted(blocks), shape), front_end, frames=CHUNK_FRAMES):
                encoding.take(banded(spectra[::every], shape))
                yield spectra

        beside = None
        if self.peaks:
            band = slice(self.peaks.front_end.low_bin, self.peaks.front_end.high_bin)
            spectra = (part[:, band] for part in encoded())
            frames, features, relief = self.peaks.of_power(spectra, query=query, relief=self._relief if query else None)
            beside = Fingerprint(self.peaks.spec, heard / self.rate, frames, features, relief=relief)
        else:
            for _ in encoded():
                pass
        frames, vectors = encoding.end()
        return Fingerprint(self._spec, heard / self.rate, frames, vectors, beside)

    def terms(self, fingerprint: Fingerprint, *, query: bool = False) -> tuple[Frames, NDArray[Any]]:
        """Return (frames, vectors): what is stored is what is looked up."""
        self._check(fingerprint.spec)
        return fingerprint.frames, fingerprint.features

    def keys(self, fingerprint: Fingerprint, *, query: bool = False) -> Mapping[str, Keys]:
        """Return the vectors, and the landmarks of the peaks."""
        vectors, beside = {"vectors": Keys(*self.terms(fingerprint, query=query))}, fingerprint.beside
        return vectors | dict(self.peaks.keys(beside, query=query)) if self.peaks and beside else vectors

    def pack(self, fingerprint: Fingerprint) -> bytes:
        """Return 128 bytes a segment and one bit for each that may be silent, and the packed peaks."""
        self._check(fingerprint.spec)
        frames = fingerprint.frames
        first = int(frames[0]) if len(frames) else 0
        hop = int(np.gcd.reduce(np.diff(frames))) if len(frames) > 1 else 1
        present = np.zeros((int(frames[-1]) - first) // hop + 1 if len(frames) else 0, bool)
        present[(frames - first) // hop] = True
        vectors = fingerprint.features.astype(np.int8, copy=False)
        body = np.packbits(present).tobytes() + vectors.tobytes()
        beside = self.peaks.pack(fingerprint.beside) if self.peaks and fingerprint.beside else b""
        return msgspec.msgpack.encode((str(self._spec), fingerprint.seconds, first, hop, len(present), body, beside))

    def unpack(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint that `pack` packed; raises SpecMismatch for another fingerprinter's."""
        spec, seconds, first, hop, places, body, beside = msgspec.msgpack.decode(
            packed, type=tuple[str, float, int, int, int, bytes, bytes]
        )
        self._check(Spec.parse(spec))
        if not (0 <= places <= LARGEST_SEGMENTS and hop >= 1 and abs(first) + places * hop <= LARGEST_FRAMES):
            raise ValueError(f"a fingerprint of {places} segments from frame {first} on, {hop} apart")
        flags = (places + 7) // 8
        if len(body) < flags:
            raise ValueError(f"a fingerprint of {places} segments in {len(body)} bytes")
        present = np.unpackbits(np.frombuffer(body[:flags], np.uint8), count=places)
        frames = (np.flatnonzero(present) * hop + first).astype(np.int32)
        vectors = np.frombuffer(body[flags:], np.int8).reshape(len(frames), self.dimensions)
        peaks = self.peaks.unpack(beside) if self.peaks else None
        return Fingerprint(self._spec, seconds, frames, vectors, peaks)

    def encode(self, segments: Spectrogram) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
        """Return which of at most `BATCH` segments, (n, bands, frames) in log10 of power, have a vector, and those."""
        from earmark.fingerprints.mel import normalised, silent

        heard = ~silent(segments, self._log_mel)
        if not heard.any():
            return heard, np.zeros((0, self.dimensions), np.int8)
        batch = np.zeros((BATCH, 1, *segments.shape[1:]), np.float32)
        batch[: len(segments), 0] = normalised(segments, self._log_mel)
        (vectors,) = self._session.run(None, {"segments": batch})
        return heard, np.rint(np.clip(vectors[: len(segments)][heard] * SCALE, -127, 127)).astype(np.int8)

    @property
    def dimensions(self) -> int:
        """Components of a vector."""
        return int(self._properties["dimensions"])

    @property
    def bands(self) -> int:
        """Bands of the spectrogram."""
        return self._log_mel.bands

    @cached_property
    def _session(self) -> Any:
        """The network, ready to run; one thread, since several files are read at the same time."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(self._content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own kinds have no common ancestor
            raise OptionError(f"{self._path} is no network ({error}); give the .onnx file of a trained one") from error

    @cached_property
    def _properties(self) -> dict[str, str]:
        said: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        if not {"front_end", "dimensions"} <= said.keys():
            raise OptionError(f"{self._path} does not say how it listens; give the .onnx file that earmark train wrote")
        return said

    @cached_property
    def _log_mel(self) -> LogMel:
        from earmark.fingerprints.mel import LogMel

        return LogMel(**json.loads(self._properties["front_end"]))

    @cached_property
    def _relief(self) -> ReliefMaker:
        """What makes a clip's relief: the network, if it was trained for such a spectrogram."""
        learned = LearnedRelief()
        return learned if self.peaks and self.peaks.front_end == learned.front_end else standing_out

    @property
    def _peak_frames(self) -> int:
        return 1 if self._log_mel.hop % PEAK_FRAMES else PEAK_FRAMES

    def _check(self, spec: Spec) -> None:
        if spec != self._spec:
            raise SpecMismatch(f"a fingerprint of {spec} meets one of {self._spec}: make both with the same model")


class _Encoding:
    """Segments of a spectrogram that arrives in chunks, encoded as soon as a batch is full.

    Segments begin every `hop` frames, from `margin` before the first on; silence is put around the sound, as much as
    it takes for every frame to be in a segment, and `margin` behind it.
    """

    def __init__(self, maker: Neural, *, hop: int, margin: int) -> None:
        self._maker, self._hop, self._margin = maker, hop, margin
        self._held = self._silence(margin)
        self._first, self._heard = -margin, 0
        self._frames = [np.zeros(0, np.int32)]
        self._vectors = [np.zeros((0, maker.dimensions), np.int8)]

    def take(self, chunk: Spectrogram) -> None:
        """Hear more frames, (n, bands)."""
        self._held, self._heard = np.concatenate([self._held, chunk]), self._heard + len(chunk)
        while len(self._held) >= (BATCH - 1) * self._hop + self._maker.segment_frames:
            self._encode(BATCH)

    def end(self) -> tuple[Frames, NDArray[np.int8]]:
        """Return (first frames, vectors) of all segments."""
        if self._heard:
            length = self._maker.segment_frames
            left = self._heard + self._margin - self._first - length  # frames that reach beyond one more segment
            at_least = 0 if self._first > -self._margin else 1  # sound shorter than a segment has one
            count = max(-(-left // self._hop) + 1, at_least)
            short = (count - 1) * self._hop + length - len(self._held)
            self._held = np.concatenate([self._held, self._silence(max(short, 0))])
            for done in range(0, count, BATCH):
                self._encode(min(BATCH, count - done))
        return np.concatenate(self._frames), np.concatenate(self._vectors)

    def _encode(self, count: int) -> None:
        starts = np.arange(count, dtype=np.int32) * self._hop
        windows = np.lib.stride_tricks.sliding_window_view(self._held, self._maker.segment_frames, axis=0)
        heard, vectors = self._maker.encode(windows[starts])
        self._frames.append(starts[heard] + np.int32(self._first))
        self._vectors.append(vectors)
        self._held, self._first = self._held[count * self._hop :], self._first + count * self._hop

    def _silence(self, frames: int) -> Spectrogram:
        from earmark.fingerprints.mel import QUIETEST

        return np.full((frames, self._maker.bands), np.log10(QUIETEST), np.float32)


def _shape_of_peaks() -> bytes:
    """Return what shapes the peaks beside the vectors of any network, as a key of a digest."""
    parts = (asdict(PEAK_RULE), asdict(DENSITIES[PEAK_DENSITY]), asdict(ZONE), PEAK_FRAMES, PEAK_HERTZ)
    return blake2b(msgspec.json.encode(parts), digest_size=16).digest()


def _shipped() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in WEIGHTS.glob("*.onnx")))
