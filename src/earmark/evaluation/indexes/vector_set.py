"""The vectors of a catalog, and disturbed copies of them that make a small catalog a large one.

A copy has the frames of its original, and its vectors with noise that has their covariance: noise lies where
fingerprints lie. Near a vector that nothing in the catalog resembles, copies bring less than as much other music would:
among 111,000 vectors of other tracks, the nearest to a clip's has a cosine of 0.76, among as many that were made of
12,000 one of 0.73, and among these 12,000 alone 0.70.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import earmark
from earmark.errors import OptionError
from earmark.fingerprints import make, shown
from earmark.fingerprints.protocol import Fingerprinter
from earmark.index.int8 import quantised
from earmark.plan import Channel, CompareRule
from earmark.types import Frames

NOISE_LENGTH = 0.5  # noise / vector length; copies resemble as much other music best at 0.4 to 0.7 (0.4 to 2 tried)
SEED = 1  # seed of the copies, together with their number
COVARIANCE_VECTORS = 100_000  # sample that the covariance is taken from

Vectors = NDArray[Any]  # (n, d) int8


@dataclass(frozen=True, eq=False)
class VectorSet:
    """Tracks of vectors, by number; those of the catalog, then as many copies as are wanted."""

    fingerprinter: Fingerprinter
    numbers: NDArray[np.int32]  # (tracks,) track numbers, rising
    starts: NDArray[np.int64]  # (tracks + 1,) first row of each track, then the number of rows
    frames: Frames  # (n,)
    vectors: Vectors  # (n, d)
    paths: dict[str, int]  # track number by path of the recording
    wanted: int  # number of vectors with the copies, at least as many as the catalog has

    @property
    def channel(self) -> Channel:
        """The channel of the vectors."""
        return next(channel for channel in self.fingerprinter.plan.channels if channel.metric == "inner")

    @property
    def rule(self) -> CompareRule:
        """How the vectors of a clip are compared with those of a recording."""
        return next(rule for rule in self.fingerprinter.plan.compare if rule.layer == self.channel.layer)

    def hop_frames(self, *, query: bool) -> int:
        """Return the frames from one vector to the next, of a query or of a stored recording."""
        seconds = float(self.rule.options["query_hop_seconds" if query else "stored_hop_seconds"])
        return round(seconds / self.channel.frame_seconds)

    def tracks(self) -> Iterator[tuple[int, Frames, Vectors]]:
        """Yield (number, frames, vectors) of all tracks, the last one cut to come to `wanted` vectors."""
        left, number = self.wanted, 0
        rows = {int(own): place for place, own in enumerate(self.numbers)}
        for own, place in rows.items():
            left -= int(self.starts[place + 1] - self.starts[place])
            yield own, *self._rows(place)
        first = int(self.numbers.max()) + 1
        while left > 0:
            frames, vectors = self.track(first + number)
            yield first + number, frames[:left], vectors[:left]
            left, number = left - len(vectors), number + 1

    def track(self, number: int) -> tuple[Frames, Vectors]:
        """Return (frames, vectors) of a track of the catalog, or of a copy, whose numbers follow those."""
        last = int(self.numbers[-1])
        if number <= last:
            return self._rows(int(np.searchsorted(self.numbers, number)))
        frames, vectors = self._rows((number - last - 1) % len(self.numbers))
        noise = np.random.default_rng([SEED, number]).standard_normal(
            (len(vectors), len(self._spread)), dtype=np.float32
        )
        disturbed = unit(vectors.astype(np.float32)) + NOISE_LENGTH * unit(noise @ self._spread)
        return frames, quantised(unit(disturbed))

    def noise(self, draw: np.random.Generator, count: int) -> NDArray[np.float32]:
        """Return noise that has the covariance of the vectors, (count, d)."""
        mixed: NDArray[np.float32] = draw.standard_normal((count, len(self._spread)), dtype=np.float32) @ self._spread
        return mixed

    def _rows(self, place: int) -> tuple[Frames, Vectors]:
        here = slice(int(self.starts[place]), int(self.starts[place + 1]))
        return self.frames[here], self.vectors[here]

    @cached_property
    def _spread(self) -> NDArray[np.float32]:
        """What turns white noise into noise of the vectors' covariance; directions without any are left out."""
        every = max(1, len(self.vectors) // COVARIANCE_VECTORS)
        variances, directions = np.linalg.eigh(np.cov(self.vectors[::every].astype(np.float32).T))
        there = variances > 0.001 * variances.mean()
        spread: NDArray[np.float32] = (np.sqrt(variances[there]) * directions[:, there]).T.astype(np.float32)
        return spread


def of_catalog(path: Path, *, vectors: int = 0) -> VectorSet:
    """Return the vectors of the catalog in a folder, and copies until there are `vectors`.

    Tracks are numbered from 1 in the order they were added. Raises CatalogNotFound, CatalogDamaged, and OptionError
    when its fingerprints are no vectors.
    """
    with earmark.open(path, create=False, read_only=True) as catalog:
        information = catalog.info()
        fingerprinter = make(information["fingerprinter"], **information["preset"])
        if not _has_vectors(fingerprinter):
            raise OptionError(
                f"{path} holds what {shown(information['fingerprinter'])} makes, "
                "which has one index: nothing to compare"
            )
        paths = {track.path: number for number, track in enumerate(catalog, start=1)}
        return of_tracks(fingerprinter, _keys(catalog, fingerprinter), paths=paths, vectors=vectors)


def of_tracks(
    fingerprinter: Fingerprinter,
    tracks: Iterator[tuple[int, Frames, Vectors]],
    *,
    paths: dict[str, int],
    vectors: int = 0,
) -> VectorSet:
    """Return tracks of rising numbers, and copies until there are `vectors`; raises OptionError when there are none."""
    numbers, frames, parts = [], [], []
    for number, places, own in tracks:
        numbers.append(number)
        frames.append(places)
        parts.append(own)
    if not sum(map(len, parts)):
        raise OptionError("the catalog holds no vectors: index some music first")
    starts = np.append(0, np.cumsum([len(part) for part in parts]))
    return VectorSet(
        fingerprinter,
        np.array(numbers, np.int32),
        starts,
        np.concatenate(frames),
        np.concatenate(parts),
        paths,
        max(vectors, int(starts[-1])),
    )


def _has_vectors(fingerprinter: Fingerprinter) -> bool:
    return any(channel.metric == "inner" for channel in fingerprinter.plan.channels)


def _keys(catalog: earmark.Catalog, fingerprinter: Fingerprinter) -> Iterator[tuple[int, Frames, Vectors]]:
    channel = next(channel for channel in fingerprinter.plan.channels if channel.metric == "inner")
    for number, (_, fingerprint) in enumerate(catalog.fingerprints(), start=1):
        keys = fingerprinter.keys(fingerprint)[channel.name]
        yield number, keys.frames, keys.values


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors at length 1, along the last axis."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return scaled
