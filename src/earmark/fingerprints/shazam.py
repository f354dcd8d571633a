"""Shazam's landmarks (Wang, "An Industrial-Strength Audio Search Algorithm", ISMIR 2003).

The fingerprint is the peaks themselves; landmarks are made of the strongest. So a catalog stores each peak once, and a
candidate is checked against every peak rather than the few that landmarks agreed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

import msgspec

from earmark.audio.stft import FrontEnd, PowerStream
from earmark.errors import OptionError
from earmark.fingerprints.landmarks import (
    Density,
    LandmarkShape,
    QueryDensity,
    at_speed,
    have_information,
    landmark_channel,
    landmark_keys,
    peak_layers,
    peak_rule,
)
from earmark.fingerprints.packing import PackedPeaks, PeakPacking
from earmark.fingerprints.peaks import PeakStream
from earmark.fingerprints.protocol import Fingerprinter, spec_of
from earmark.fingerprints.quads import QUADS, QuadQuery, QuadShape, quad_keys, quad_query_keys, with_quads
from earmark.plan import ModelShape, Plan
from earmark.schema import prepared
from earmark.types import Fingerprint, Keys, Layer, Samples, Spec

VERSION = 2
FRONT_END = FrontEnd(rate=11_025, window=1_536, hop=192, low_bin=14, high_bin=750)  # 17.4 ms; 100-5,380 Hz
DENSITIES = {
    "default": Density(stored=40, paired=22, fan_out=5),
    "lean": Density(stored=20, paired=10, fan_out=3),
}
QUADS_OF = {  # where more peaks are joined, fewer are anchors, and more of a clip's are tried
    "default": (QuadShape(anchor_step=2), QuadQuery(peaks=28, far=11)),
    "lean": (QuadShape(), QuadQuery(peaks=13)),
}
FORMERLY = {  # equal features of release 0.1.0, whose digest covered less
    "shazam/2/8573dc9a": "shazam/1/69cfd4f5",
    "shazam/2/b3283f78": "shazam/1/8f462d85",
}
MODEL = ModelShape(
    layers=("peaks",),
    features=(
        "constant",
        "log of matches beyond chance",
        "root of z",
        "lead in z",
        "share",
        "log of seconds",
    ),
    rising=(),
    lengths=(1.0,),
)


class Shazam(Fingerprinter):
    """The landmark fingerprinter: layers `peaks` and `strongest`, channel `landmarks`."""

    def __init__(self, *, density: str = "default", any_speed: bool = False) -> None:
        """`density` names an entry of `DENSITIES`; `any_speed` finds clips at any speed and pitch."""
        if density not in DENSITIES:
            raise OptionError(f"density {density!r} is not known: choose one of {', '.join(DENSITIES)}")
        self.shape, self.query = LandmarkShape(DENSITIES[density], FRONT_END), QueryDensity()
        self.quads: QuadShape | None
        self.quads, self.quad_query = QUADS_OF[density] if any_speed else (None, QuadQuery())
        # Strongest peaks of a query's block: all, unless quads are made of them.
        self.query_strongest = self.quad_query.peaks if any_speed else self.query.peaks
        front_end = self.shape.front_end
        self.spec, self.rate = spec_of("shazam", VERSION, self.shape, self.quads), front_end.rate
        self.hertz_per_bin = front_end.hertz_per_bin
        self.formerly = tuple(old for new, old in FORMERLY.items() if new == str(self.spec))
        figures = ("matched", "expected", "z", "rival_z", "share")
        rule = peak_rule(front_end, figures, {"z": 1.0}, reach_frames=2, warped_first=8, warped_about="place")
        channel = landmark_channel(front_end.frame_seconds)
        plan = Plan((channel,), (rule,), models=(MODEL,), query=asdict(self.query))
        self.plan = plan if self.quads is None else with_quads(plan, front_end.frame_seconds, self.quad_query)
        self._packing = PeakPacking(front_end)

    def stream(self, *, query: bool = False) -> ShazamExtraction:
        """Return an extraction of mono samples at 11,025 Hz."""
        return ShazamExtraction(self, query=query)

    def keys(self, fingerprint: Fingerprint, *, query: bool = False) -> Mapping[str, Keys]:
        """Return the landmarks of the strongest peaks."""
        self.check(fingerprint.spec)
        fan_out = self.query.fan_out if query else self.shape.density.fan_out
        joined = fingerprint.layers["peaks" if query else "strongest"].unpacked()
        keys = {"landmarks": landmark_keys(joined, self.shape, fan_out)}
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
        moved = at_speed(fingerprint.layers["strongest"], speed, self.shape.front_end)
        return {"landmarks": landmark_keys(moved, self.shape, self.shape.density.fan_out)}

    def is_informative(self, fingerprint: Fingerprint, *, query: bool = False) -> bool:
        """Return whether there are enough peaks, and different landmarks among them."""
        layers, fan_out = fingerprint.layers, self.query.fan_out if query else self.shape.density.fan_out
        return super().is_informative(fingerprint, query=query) and have_information(
            layers["peaks"], layers["peaks" if query else "strongest"], self.shape, fan_out, query=query
        )

    def pack(self, fingerprint: Fingerprint) -> bytes:
        """Return about 1.6 bytes a peak."""
        self.check(fingerprint.spec)
        layers = fingerprint.layers
        return self._packing.pack(
            layers["peaks"], layers["strongest"], spec=str(self.spec), seconds=fingerprint.seconds
        )

    def unpack_stored(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint of a recording, which has no salience map; its peaks are unpacked as they are used."""
        return self._unpacked(packed, self._packing.unpack_stored)

    def unpack(self, packed: bytes) -> Fingerprint:
        """Return the fingerprint that `pack` packed."""
        return self._unpacked(packed, self._packing.unpack)

    def _unpacked(self, packed: bytes, unpack_peaks: Callable[[PackedPeaks], tuple[Layer, Layer]]) -> Fingerprint:
        parts = msgspec.msgpack.decode(packed, type=prepared(PackedPeaks))
        self.check(Spec.parse(parts.spec))
        peaks, strongest = unpack_peaks(parts)
        return Fingerprint(self.spec, parts.seconds, {"peaks": peaks, "strongest": strongest})


class ShazamExtraction:
    """Peaks of sound that comes in blocks; implements `Extraction`."""

    def __init__(self, maker: Shazam, *, query: bool) -> None:
        self._maker, shape = maker, maker.shape
        keep = maker.query.peaks if query else shape.density.stored
        self._paired = maker.query_strongest if query else shape.density.paired
        self._power = PowerStream(shape.front_end, frames=shape.peaks.chunk_frames)
        self._peaks = PeakStream(shape.peaks, keep=keep)
        self._heard = 0

    def push(self, samples: Samples) -> None:
        """Take the next samples."""
        self._heard += len(samples)
        for chunk in self._power.push(samples):
            self._peaks.push(chunk)

    def take(self, *, since_seconds: float = 0.0) -> Fingerprint:
        """Return the peaks of what was heard since a second."""
        front_end, seconds = self._maker.shape.front_end, self._heard / self._maker.rate
        peaks = self._peaks.take(self._power.rest())
        self._peaks.forget(round(since_seconds / front_end.frame_seconds))
        layers = peak_layers(peaks, self._paired, front_end)
        fingerprint = Fingerprint(self._maker.spec, seconds, layers)
        return fingerprint.between(since_seconds, seconds) if since_seconds else fingerprint
