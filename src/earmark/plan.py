"""What a fingerprinter says of its features, as data: how they are looked up, compared and weighed.

The matcher and the index read a plan and nothing else of a fingerprinter; times are in seconds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.types import Keys


@dataclass(frozen=True, slots=True)
class VoteRule:
    """How hits vote for a track and a diagonal, which is reference time less query time."""

    bin_seconds: float  # width of a bin of the histogram of diagonals
    neighbours: Literal["next", "both"]  # bins that count together with their own
    limit: int  # candidates in all
    per_track: int  # candidates of one track: a loop must not crowd out other tracks
    apart_seconds: float = 0.0  # least distance of two candidates of one track
    weighted: bool = False  # a hit counts by how much it is nearer than the query's last one, not as one
    min_votes: int = 1  # hits in a bin and its neighbours, when there are many hits
    shortlist: int = 0  # bins looked at, as a multiple of `limit`; 0 for all


@dataclass(frozen=True, slots=True, eq=False)
class LearnedCodes:
    """Buckets of vectors, learned with the network that makes those: an index need not find its own.

    With `signs` a bucket is a set of K sides of hyperplanes, with `codewords` the nearest of M directions.
    """

    kind: Literal["signs", "codewords"]
    planes: NDArray[np.float32]  # (k, d), each of length 1
    offsets: NDArray[np.float32]  # (k,) distance of each hyperplane from the origin; 0 of codewords


@dataclass(frozen=True, slots=True)
class Channel:
    """One way in which recordings are found: keys of one kind, in an index of their own."""

    name: str
    metric: Literal["equal", "inner"]
    layer: str  # the layer that the keys are made of, whose frames they have
    frame_seconds: float
    votes: VoteRule
    key_bits: int = 0  # width of a code; 0 for vectors
    nearest: int = 20  # hits of each key of a query
    most_keys: int = 0  # keys of a window that are looked up, evenly spread; 0 for all
    codes: LearnedCodes | None = field(default=None, compare=False)  # those of the channel's vectors, if learned
    engine: str = ""  # the index that a catalog of this channel alone has unless another is wanted; "" for the first

    def looked_up(self, keys: Keys) -> Keys:
        """Return the keys of a window that are looked up."""
        step = max(-(-len(keys.frames) // self.most_keys), 1) if self.most_keys else 1
        return keys if step == 1 else Keys(keys.frames[::step], keys.values[::step])


@dataclass(frozen=True, slots=True)
class CompareRule:
    """How one layer of a clip is laid on references."""

    kind: str  # the comparison, a module of match/compare
    layer: str
    figures: tuple[str, ...]  # what it says in the evidence
    ranking: dict[str, float]  # weight of each figure in the ranking score
    min_features: int = 1  # fewer features of a clip say nothing
    options: dict[str, Any] = field(default_factory=dict)  # fields of the comparison's own settings

    @property
    def feature_seconds(self) -> float:
        """Length of sound that a feature stands for, from its frame on, where that is long."""
        return float(self.options.get("image_seconds", 0.0))


@dataclass(frozen=True, slots=True)
class SweepRule:
    """Which references are looked through when nothing is decisive, by the comparison of one layer."""

    layer: str
    strongest: str  # the layer with those features alone that noise hides last
    budget: int = 150_000_000  # multiply-adds: all tracks among 32 h that a clip of 1 or 2 s names
    repetition_budget: int = 150_000_000 // 8  # multiply-adds, about 10 ms; spent on every query
    most_tracks: int = 300  # each may have to be read from the disk
    places: int = 40  # best places, one a track, that are compared closely (decision 7)
    checked_tracks: int = 0  # more tracks that are looked at where hits lie, for a tenth of what a sweep takes
    checked_places: int = 12  # best places of those, one a track, that are compared closely
    short_seconds: float = 3.0  # shorter clips are laid on all features, longer ones on the strongest
    repetitions: int = 16  # places of the first track that are compared closely (decision 7)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Which features the confidence weighs, where these layers were compared."""

    layers: tuple[str, ...]
    features: tuple[str, ...]  # names in match/calibration.py
    rising: tuple[str, ...]  # features that can only speak for a match: their weights are not negative
    lengths: tuple[float, ...]  # seconds of a clip, each with weights of its own


@dataclass(frozen=True, slots=True)
class WarpRule:
    """How clips at any speed and pitch are found, where a question asks for them."""

    channel: str  # the channel whose keys are the same at any speed and pitch; no other question looks it up
    layer: str  # the layer by which candidates are registered and compared, the only one
    speeds: tuple[float, ...]  # speeds along which hits vote
    widest: float  # largest change of speed or pitch, either way
    model: ModelShape  # which features the confidence weighs


# Of a plan's digest: a glance leaves odds as they are, the network's digest has its codes, a calibration its index.
UNCOUNTED = ("glance", "codes", "engine")


@dataclass(frozen=True, slots=True)
class GlanceRule:
    """By what a clip is looked at first, where that takes a fraction of the work and mostly settles what it is."""

    layer: str  # the only layer that a glance has
    places: int = 4  # places of a channel that are compared: the right one has most votes where a glance can tell
    longest_seconds: float = 7.5  # of a clip that is one thing, not several


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the matcher needs to know of a kind of fingerprint."""

    channels: tuple[Channel, ...]
    compare: tuple[CompareRule, ...]
    models: tuple[ModelShape, ...]
    sweep: SweepRule | None = None
    query: dict[str, Any] = field(default_factory=dict)  # numbers by which a query is looked at more closely
    warp: WarpRule | None = None
    glance: GlanceRule | None = None

    @property
    def digest(self) -> str:
        """A digest of every number of the plan: a confidence is fitted for one."""
        numbers = asdict(self, dict_factory=lambda fields: {name: one for name, one in fields if name not in UNCOUNTED})
        if self.warp is None:  # as before there were such rules
            del numbers["warp"]
        return blake2b(msgspec.json.encode(numbers), digest_size=4).hexdigest()

    @property
    def usual_channels(self) -> tuple[Channel, ...]:
        """The channels that every question looks up."""
        return tuple(one for one in self.channels if self.warp is None or one.name != self.warp.channel)
