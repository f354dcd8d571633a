"""Learned fingerprints as bytes: their vectors, coded or in two bits a component, and the peaks beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.fingerprints.compact import CompactShape
from earmark.fingerprints.packing import PackedPeaks, PeakPacking, pack_vectors, unpack_vectors
from earmark.fingerprints.stored_vectors import CodedVectors, StoredVectors, code
from earmark.schema import prepared
from earmark.types import Fingerprint, Frames, Layer, Spec

LEAST_CODED = 64  # vectors, of which fewer are stored as they are: a clip's are read once, and take no room
PLAIN, CODED, LEVELS = 0, 1, 2  # forms of vectors: a byte a component, Huffman-coded, two bits a component


class PackedNeural(msgspec.Struct, frozen=True, array_like=True):
    """A fingerprint as bytes."""

    spec: str
    seconds: float
    first: int  # frame of the first vector
    hop: int  # frames from one place to the next
    places: int
    body: bytes  # a bit a place, then the vectors
    peaks: bytes
    form: int = PLAIN


@dataclass(frozen=True, slots=True)
class NeuralPacking:
    """Packs the vectors of a fingerprinter, and its peaks where it keeps some."""

    spec: Spec
    check: Callable[[Spec], None]  # raises SpecMismatch for what cannot be compared with the spec
    dimensions: int  # components of a vector
    frame_seconds: float  # length of a frame of the vectors
    peaks: PeakPacking | None
    compact: CompactShape | None

    def pack(self, fingerprint: Fingerprint) -> bytes:
        """Return the vectors of a recording, one bit for each segment that may be silent, and the peaks."""
        layers, peaks = fingerprint.layers, b""
        form, rows = self._pack_vectors(layers["vectors"].values)
        first, hop, places, body = pack_vectors(layers["vectors"].frames, rows)
        if self.peaks is not None:
            peaks = self.peaks.pack(layers["peaks"], layers["strongest"], spec="", seconds=fingerprint.seconds)
        packed = PackedNeural(str(self.spec), fingerprint.seconds, first, hop, places, body, peaks, form)
        return msgspec.msgpack.encode(packed)

    def unpack(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint that `pack` packed; raises ValueError, SpecMismatch for what it cannot have packed."""
        return self._unpacked(packed, PeakPacking.unpack)

    def unpack_stored(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint of a recording, which has no salience map; its peaks are unpacked as they are used."""
        return self._unpacked(packed, PeakPacking.unpack_stored)

    def _unpacked(
        self, packed: bytes, unpack_peaks: Callable[[PeakPacking, PackedPeaks], tuple[Layer, Layer]]
    ) -> Fingerprint:
        parts = msgspec.msgpack.decode(packed, type=prepared(PackedNeural))
        self.check(Spec.parse(parts.spec))
        frames, rows = unpack_vectors(parts.first, parts.hop, parts.places, parts.body)
        layers = {"vectors": self._unpack_vectors(parts.form, rows, frames)}
        if self.peaks is not None:
            every, strongest = unpack_peaks(self.peaks, msgspec.msgpack.decode(parts.peaks, type=prepared(PackedPeaks)))
            layers |= {"peaks": every, "strongest": strongest}
        return Fingerprint(self.spec, parts.seconds, layers)

    def _pack_vectors(self, vectors: NDArray[np.int8]) -> tuple[int, bytes]:
        """Return (form, vectors as bytes)."""
        if self.compact is not None and np.isin(vectors, self.compact.values(self.dimensions)).all():
            return LEVELS, self.compact.pack(vectors)
        return (PLAIN, vectors.tobytes()) if len(vectors) < LEAST_CODED else (CODED, code(vectors))

    def _unpack_vectors(self, form: int, rows: bytes, frames: Frames) -> Layer:
        if form == CODED:
            return StoredVectors(frames, CodedVectors.read(rows, len(frames), self.dimensions), self.frame_seconds)
        if form == LEVELS and self.compact is not None:
            return Layer(frames, self.compact.unpack(rows, len(frames), self.dimensions), self.frame_seconds)
        if form != PLAIN:
            raise ValueError(f"vectors in form {form}, which is not that of {self.spec}")
        return Layer(frames, np.frombuffer(rows, np.int8).reshape(len(frames), self.dimensions), self.frame_seconds)
