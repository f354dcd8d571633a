"""Catalogs of hundreds to a hundred thousand tracks, made in minutes from a real one.

    python benchmarks/grow_catalog.py CATALOG OUT --tracks 10000 [--real 2] [--seed 1]

First come the catalog's own tracks; then, `--real` times, each of them at another speed or backwards, fingerprinted
from its file; then stand-ins of each, until there are enough. A stand-in's vectors are turned at random among axes of
like spread, so that they lie where music lies and near no music; its peaks are moved in time and pitch, every second
time backwards. OUT must not be there. What is real keeps its id and path.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import soxr
from numpy.typing import NDArray

import earmark
from earmark.distort.timing import change_speed
from earmark.evaluation.recordings import Recordings
from earmark.fingerprints.landmarks import at_speed
from earmark.fingerprints.neural import Neural
from earmark.types import VECTOR_SCALE, Fingerprint, Layer, Track

AT_ONCE = 512  # tracks that are put into a catalog together
SAMPLE = 100  # tracks that the axes of the vectors are found from
ANGLES = (0.8, 1.1)  # radians that each pair of axes is turned by, either way: tracks of one style are as far apart
SPEEDS = (0.8, 1.25)  # slowest and fastest of stand-ins and variants
NEAREST_SPEED = 0.04  # difference from the original's, as a share, that no variant is within
RATE = 16_000  # Hz of the sound that variants are made of


class StandIns:
    """Makes tracks that look like music to an index, and are none."""

    def __init__(self, maker: Neural, catalog: earmark.Catalog) -> None:
        assert maker.companion is not None  # the shipped network keeps peaks
        self._maker, self._catalog, self._front_end = maker, catalog, maker.companion.front_end

    def make(self, whole: Fingerprint, random: np.random.Generator, *, backwards: bool) -> Fingerprint:
        """Return a stand-in of a track, no longer than it is."""
        factor = speed(random)
        moved = transposed(self._maker, whole, factor)
        layers = dict(moved.layers)
        layers["vectors"] = replace(layers["vectors"], values=self.turned(layers["vectors"].values, random))
        if backwards:
            layers |= {name: reversed_layer(layers[name]) for name in ("peaks", "strongest")}
        stand_in = replace(moved, layers=layers)
        return stand_in.between(0, min(whole.seconds, moved.seconds))

    def turned(self, vectors: NDArray[np.int8], random: np.random.Generator) -> NDArray[np.int8]:
        """Return vectors, (n, d), turned about the mean of music by angles drawn once for all of them."""
        mean, axes = self._axes
        angles = random.uniform(*ANGLES, len(axes) // 2) * random.choice([-1, 1], len(axes) // 2)
        along = (vectors / np.float32(VECTOR_SCALE) - mean) @ axes
        pairs = (along[:, ::2] + 1j * along[:, 1::2]) * np.exp(1j * angles).astype(np.complex64)
        along[:, ::2], along[:, 1::2] = pairs.real, pairs.imag
        turned = along @ axes.T + mean
        turned /= np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        stored: NDArray[np.int8] = np.clip(np.rint(turned * VECTOR_SCALE), -127, 127).astype(np.int8)
        return stored

    @cached_property
    def _axes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The mean of the catalog's vectors, (d,), and their principal axes, (d, d), the widest first."""
        step = max(self._catalog.info()["tracks"] // SAMPLE, 1)
        parts = [one.layers["vectors"].values for _, one in islice(self._catalog.fingerprints(), 0, None, step)]
        sample = np.concatenate(parts).astype(np.float32) / np.float32(VECTOR_SCALE)
        mean = sample.mean(axis=0)
        spread = np.linalg.eigh(np.cov((sample - mean).T))[1][:, ::-1]
        return mean, spread.astype(np.float32)


def transposed(maker: Neural, fingerprint: Fingerprint, factor: float) -> Fingerprint:
    """Return a fingerprint of peaks as of another speed and pitch, on the same vectors."""
    assert maker.companion is not None  # the shipped network keeps peaks
    front_end = maker.companion.front_end
    layers = {name: at_speed(fingerprint.layers[name], factor, front_end) for name in ("peaks", "strongest")}
    return replace(fingerprint, seconds=float(fingerprint.seconds / factor), layers={**fingerprint.layers, **layers})


def reversed_layer(layer: Layer) -> Layer:
    """Return a layer backwards in time."""
    frames = layer.frames.max(initial=0) - layer.frames
    order = np.lexsort((layer.values, frames))
    return replace(layer, frames=frames[order], values=layer.values[order])


def speed(random: np.random.Generator) -> float:
    """Return a random factor of speed that is not near 1."""
    while True:
        factor = float(np.exp(random.uniform(*np.log(SPEEDS))))
        if abs(factor - 1) > NEAREST_SPEED:
            return factor


def variants(
    maker: Neural, catalog: earmark.Catalog, sounds: Recordings, number: int, seed: int
) -> Iterator[tuple[Track, Fingerprint]]:
    """Yield a real variant of each track, by its file: backwards at first, then at a random speed, and so on."""
    for place, (track, _) in enumerate(catalog.fingerprints()):
        random = np.random.default_rng((seed, number, place, 0))
        path = Path(track.path)
        sound = sounds.piece(path, 0, sounds.seconds(path))
        sound = np.ascontiguousarray(sound[::-1]) if number % 2 == 0 else change_speed(sound, speed(random))
        yield renamed(track, f"variant/{number}"), maker.extract(soxr.resample(sound, RATE, maker.rate))


def stand_ins(makes: StandIns, catalog: earmark.Catalog, number: int, seed: int) -> Iterator[tuple[Track, Fingerprint]]:
    """Yield a stand-in of each track."""
    for place, (track, whole) in enumerate(catalog.fingerprints()):
        random = np.random.default_rng((seed, number, place, 1))
        yield renamed(track, f"stand-in/{number}"), makes.make(whole, random, backwards=number % 2 == 1)


def renamed(track: Track, kind: str) -> Track:
    """Return a track under an id and a path that are no file's."""
    return replace(track, id=f"{kind}/{track.id}", title=f"{track.title} ({kind})", path=f"/{kind}{track.path}")


def tracks(options: argparse.Namespace, maker: Neural, base: earmark.Catalog) -> Iterator[tuple[Track, Fingerprint]]:
    """Yield the catalog's own tracks, real variants of them, then stand-ins without end."""
    yield from base.fingerprints()
    with Recordings(RATE) as sounds:
        for number in range(options.real):
            yield from variants(maker, base, sounds, number, options.seed)
    makes, number = StandIns(maker, base), 0
    while True:
        yield from stand_ins(makes, base, number, options.seed)
        number += 1


def put(catalog: earmark.Catalog, maker: Neural, made: Sequence[tuple[Track, Fingerprint]]) -> None:
    """Add tracks by their fingerprints alone."""
    new = []
    with catalog._store.transaction():
        for track, fingerprint in made:
            track = replace(track, seconds=fingerprint.seconds)
            content = hashlib.sha256(track.id.encode()).digest()
            new.append((catalog._store.insert(track, content, maker.pack(fingerprint)), fingerprint))
    catalog._index.include(new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--real", type=int, default=0, help="variants of each track that are made from its file")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} is there: name another, or remove it")
    maker, began, done, seconds = Neural(), time.process_time(), 0, 0.0
    with (
        earmark.open(options.catalog, create=False, read_only=True) as base,
        earmark.open(options.out) as catalog,
    ):
        wanted = islice(tracks(options, maker, base), options.tracks)
        while part := list(islice(wanted, AT_ONCE)):
            put(catalog, maker, part)
            done, seconds = done + len(part), seconds + sum(one.seconds for _, one in part)
            print(f"{done} tracks, {seconds / 3600:.1f} h", file=sys.stderr, flush=True)
        catalog._index.publish()
    print(f"{done} tracks, {seconds / 3600:.1f} h, {time.process_time() - began:.0f} s of the processor")


if __name__ == "__main__":
    main()
