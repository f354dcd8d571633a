"""The vectors of distorted clips, as a catalog would look them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.audio.arrays import to_mono
from earmark.audio.decode import load
from earmark.errors import OptionError
from earmark.evaluation.indexes.vector_set import Vectors, VectorSet, unit
from earmark.evaluation.queries import ClipMaker, Grid, Query, from_music
from earmark.index.int8 import quantised
from earmark.types import Frames, Keys

MOST_LOOKED_UP = 24  # segments of a clip that an index is asked for, as many as a catalog looks up (plan.channels)
CLIP_VECTORS = 20  # vectors of a synthetic clip: 10 s
COSINES = (0.5, 0.95)  # range of the cosine to the stored vector: under noise of 0 dB, and hardly changed


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The vectors of a clip, and the track that it is from."""

    condition: str
    frames: Frames  # (n,) first frames of all segments
    vectors: Vectors  # (n, d)
    hop_frames: int  # frames from one segment to the next
    track: int  # track number

    @property
    def every(self) -> int:
        """Step between two segments that are looked up; the others are compared along diagonals alone."""
        return -(-len(self.frames) // MOST_LOOKED_UP)

    @property
    def asked(self) -> tuple[Frames, Vectors]:
        """The segments that are looked up."""
        return self.frames[:: self.every], self.vectors[:: self.every]


def cut_clips(
    vector_set: VectorSet, grid: Grid, *, count: int, seed: int, progress: Callable[[int, int], object]
) -> list[Clip]:
    """Return clips cut from the recordings of the catalog's tracks, distorted; `count` of each condition.

    Raises OptionError when none of the recordings is where it was.
    """
    there = {path: number for path, number in vector_set.paths.items() if Path(path).is_file()}
    if not there:
        raise OptionError(
            "none of the catalog's recordings is where it was when it was indexed: ask invented clips instead"
        )
    queries = from_music([(path, Path(path)) for path in there], [], grid, count=count, seed=seed)
    return of_queries(vector_set, queries, [there[str(query.path)] for query in queries], ClipMaker(), progress)


def of_queries(
    vector_set: VectorSet,
    queries: Sequence[Query],
    tracks: Sequence[int],
    maker: ClipMaker,
    progress: Callable[[int, int], object],
) -> list[Clip]:
    """Return the clips of queries, each with the number of the track that it is from; those of silence are left out."""
    own, clips = vector_set.fingerprinter, []
    for query, track in zip(queries, tracks, strict=True):
        sound = maker(query)
        samples = load(sound, rate=own.rate)[0] if isinstance(sound, str) else to_mono(*sound, to_rate=own.rate)
        keys: Keys = own.keys(own.extract(samples, query=True), query=True)[vector_set.channel.name]
        if len(keys.frames):
            label = f"{query.condition}@{query.seconds:g}"
            clips.append(Clip(label, keys.frames, keys.values, vector_set.hop_frames(query=True), track))
        progress(len(clips), len(queries))
    return clips


def synthetic_clips(vector_set: VectorSet, *, count: int, seed: int) -> list[Clip]:
    """Return clips of neighbouring vectors of the catalog with noise, at one cosine a clip; needs no recordings."""
    draw = np.random.default_rng(seed)
    long_enough = np.flatnonzero(np.diff(vector_set.starts) > CLIP_VECTORS)
    if not len(long_enough):
        raise OptionError(f"no track has more than {CLIP_VECTORS} vectors: index longer music")
    return [_synthetic_clip(vector_set, int(place), draw) for place in draw.choice(long_enough, count)]


def _synthetic_clip(vector_set: VectorSet, place: int, draw: np.random.Generator) -> Clip:
    begin, end = vector_set.starts[place], vector_set.starts[place + 1]
    first = int(draw.integers(begin, end - CLIP_VECTORS))
    here = slice(first, first + CLIP_VECTORS)
    clean = unit(vector_set.vectors[here].astype(np.float32))
    vectors = at_cosine(clean, vector_set.noise(draw, CLIP_VECTORS), float(draw.uniform(*COSINES)))
    frames = (vector_set.frames[here] - vector_set.frames[first]).astype(np.int32)
    return Clip("invented", frames, vectors, vector_set.hop_frames(query=False), int(vector_set.numbers[place]))


def at_cosine(clean: NDArray[np.float32], noise: NDArray[np.float32], cosine: float) -> Vectors:
    """Return vectors that lie at a cosine to those of length 1, in the direction of noise, as 8-bit integers."""
    across = unit(noise - (noise * clean).sum(axis=1, keepdims=True) * clean)
    return quantised(cosine * clean + np.sqrt(1 - cosine**2) * across)
