"""The values that pass through matching, and what the matcher asks of an index, of a catalog and of a comparison."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.types import Align, Fingerprint, Hits, Keys, Layer

FEW_MATCHES = 5  # that are told of a clip
MOST_MATCHES = 10_000  # that are told of a sound: a jingle every second of three hours
SAME_FACTOR = 0.005  # difference of two factors of speed or pitch that is an error of measurement


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of every clip alike; raises OptionError for what makes no sense."""

    threshold: float | None = None  # least confidence; None for the calibrated one
    limit: int | None = None  # matches; None for what `most` says
    several: bool = False  # one recording after another
    places: bool = False  # every place of a track that the clip fits, not the likeliest alone
    # Changes of speed of up to 10 %; any, where plan and index have a channel for them. "only": by that channel alone.
    speed: bool | Literal["only"] = False
    # How sequences of segments are laid on each other; by lines through windows where nothing is said.
    align: Align = ""
    closely: bool = False  # without a glance first, so that every figure of the evidence is known

    @property
    def is_plain(self) -> bool:
        """Whether a clip is one thing, played as it was recorded: what false answers are counted for."""
        return not (self.several or self.speed or self.align)

    @property
    def most(self) -> int:
        """How many matches are told: of a clip the likeliest and some rivals, of a sound that holds several all."""
        if self.limit is not None:
            return self.limit
        return MOST_MATCHES if self.several else FEW_MATCHES

    def __post_init__(self) -> None:
        if self.threshold is not None and not (isinstance(self.threshold, Real) and 0 <= self.threshold <= 1):
            raise OptionError(
                f"threshold={self.threshold}; give a probability, 0 to 1, or leave it out for the calibrated one"
            )
        if self.limit is not None and not (isinstance(self.limit, Integral) and self.limit >= 1):
            raise OptionError(f"limit={self.limit}; give 1 or more")
        if self.align not in get_args(Align):
            raise OptionError(f"align={self.align!r}; give 'edit' or 'local', or leave it out for lines")
        if self.align and self.speed:
            raise OptionError("sequences are laid at the clip's own speed: leave out align or speed")
        if isinstance(self.speed, str) and self.speed != "only":
            raise OptionError(f"speed={self.speed!r}; give True, False or 'only'")


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """One layer of a window laid on a track."""

    start: float  # second of the track at which the window begins
    speed: float  # 1.02: the clip is 2 % faster
    figures: Mapping[str, float]  # what speaks for it, as `z` or `similarity`
    detail: Any = None  # what the comparison that made it wants back


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A place of a window on a track, with the placement of each layer that was compared there."""

    track: int
    start: float  # second of the track at which the window begins
    speed: float = 1.0
    placements: Mapping[str, Placement] = field(default_factory=dict)
    score: float = 0.0  # ranking score

    def figure(self, name: str) -> float:
        """Return a figure of any of its placements, 0 when there is none."""
        for placement in self.placements.values():
            if name in placement.figures:
                return placement.figures[name]
        return 0.0


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where exactly a window lies on a track, by one layer; seconds."""

    start: float  # second of the track at which the window begins
    speed: float
    pitch: float
    position_error: float  # standard error of `start`
    first: float  # seconds of the window between which both hold the same sound
    last: float
    figures: Mapping[str, float] = field(default_factory=dict)  # what the fit adds to the evidence
    is_measured: bool = True  # whether speed and pitch are surely these, not only the likeliest that were tried


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How well a window and a track agree, moment by moment."""

    seconds: NDArray[np.float64]  # (n,) of the window, in order
    values: NDArray[np.float64]  # (n,) of mean 0 and variance 1 where the sounds have nothing to do with each other
    correlation: float  # variance of a sum of unrelated values over that of independent ones: neighbours are alike


@dataclass(frozen=True, slots=True, eq=False)
class Similarities:
    """How like each moment of a window is to each moment of a track, whatever the unit; all the same steps apart."""

    values: NDArray[np.float32]  # (n, m), of the window's steps by the track's; not a number where nothing can be said
    step_seconds: float
    window_seconds: float  # middle of the first row, in seconds of the window
    track_seconds: float  # middle of the first column, in seconds of the track


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """What else a window might be: the best candidate of each other track, duplicates left out."""

    candidates: Sequence[Candidate]
    duplicates: frozenset[int]  # tracks that hold the same sound: they are no runner-ups

    def largest(self, figure: str, *, default: float = 0.0) -> float:
        """Return the largest that any of them has of a figure."""
        return max((one.figure(figure) for one in self.candidates), default=default)


class Search(Protocol):
    """A snapshot of an index: it never changes and never waits."""

    @property
    def channels(self) -> frozenset[str]:
        """Names of the channels that are indexed."""

    def search(self, channel: str, keys: Keys, *, nearest: int = 20) -> Hits:
        """Return where a query's keys stand in the references."""


class References(Protocol):
    """Stored fingerprints of tracks, in one batch."""

    def __call__(self, tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        """Return the fingerprint of each track; raises what the store raises for one that cannot be had."""


class Comparison(Protocol):
    """One layer of a window, ready to be laid on references."""

    def near(
        self, references: Sequence[Layer], candidates: Sequence[Candidate], *, own: bool
    ) -> Sequence[Placement | None]:
        """Return the best placement near each candidate; None where nothing lies, or what another one has already.

        `own`: the candidates were named by keys of this layer, so their places are known no better than these keys are.
        """

    def fit(self, reference: Layer, placement: Placement, *, measuring: bool = True) -> Alignment:
        """Return the alignment at a placement; without `measuring`, nobody asks whether its speed is sure."""

    def evidence(self, candidate: Candidate, alignment: Alignment, others: Others) -> Mapping[str, float]:
        """Return the figures that speak for a candidate."""

    def over_time(self, reference: Layer, alignment: Alignment) -> Scores:
        """Return how well the window and the reference agree along an alignment."""

    def same(self, one: tuple[Layer, Placement], other: tuple[Layer, Placement]) -> bool:
        """Return whether two references hold the same sound under the window."""


@runtime_checkable
class Sweepable(Comparison, Protocol):
    """A comparison that can search a reference from end to end."""

    @property
    def seconds(self) -> float:
        """Length of the window, from its first feature to its last."""

    def sweep_cost(self, reference: Layer) -> int:
        """Return how many multiply-adds a sweep takes."""

    def sweep(self, reference: Layer, *, limit: int = 1) -> Sequence[Placement]:
        """Return the best placements on the whole of a reference, best first."""

    def sweep_each(self, references: Sequence[Layer]) -> Sequence[Placement | None]:
        """Return the best placement on the whole of each reference."""


@runtime_checkable
class Checkable(Comparison, Protocol):
    """A comparison that tells of many places at little cost how well the window fits there."""

    def check(
        self, references: Sequence[Layer], starts: Sequence[float], *, reach_seconds: float
    ) -> Sequence[Placement]:
        """Return the best placement near each second of a reference, at the clip's own speed."""


class SweepsOneByOne(ABC):
    """What a comparison inherits whose sweeps gain nothing by several references at once."""

    @abstractmethod
    def sweep(self, reference: Layer, *, limit: int = 1) -> Sequence[Placement]:
        """Return the best placements on the whole of a reference, best first."""

    def sweep_each(self, references: Sequence[Layer]) -> list[Placement | None]:
        """Return the best placement on the whole of each reference."""
        return [next(iter(self.sweep(one)), None) for one in references]


@runtime_checkable
class Sequential(Comparison, Protocol):
    """A comparison that says of each moment of a window how like it is to each moment of a track."""

    def similarities(self, reference: Layer) -> Similarities:
        """Return the similarities of the window's moments with those of a reference, or of a part of one."""


@runtime_checkable
class Separable(Comparison, Protocol):
    """A comparison that tells what is there once from what is there twice."""

    def apart(self, one: tuple[Layer, Placement], other: tuple[Layer, Placement]) -> tuple[float, float]:
        """Return the share of z that is left of each without what the window has in common with the other."""

    def unexplained(self, laid: Sequence[tuple[Layer, Alignment, float, float]]) -> Layer:
        """Return what references that are laid on the window, each between two of its seconds, do not meet."""


@runtime_checkable
class Registrable(Comparison, Protocol):
    """A comparison that finds out at which speed and pitch a window plays."""

    def register(
        self, references: Sequence[Layer], candidates: Sequence[Candidate], *, widest: float
    ) -> Sequence[Placement | None]:
        """Return the placement near each candidate, whose speed is known to some per cent and its pitch not at all."""

    def repetitions(self, reference: Layer, placement: Placement, *, limit: int) -> Sequence[float]:
        """Return the seconds of a reference at which the window may begin too, at a placement's speed and pitch."""
