"""Indexes of vectors against exact search: recall, speed, building, memory, share compared.

    python benchmarks/index_vectors.py [--vectors 200000] [--fingerprints vectors.npy] [--clips 50]
        [--index linear --index lsh:tables=10,probes=1000 ...]

The catalog consists of tracks of 500 vectors: walks on the sphere whose neighbours overlap by half, around a middle of
each track, of a spectrum that falls off, every fiftieth track a near-duplicate of another. With --fingerprints, its
tracks are pieces of those vectors, disturbed and of the same spectrum, so that a small real catalog stands in for a
large one. A clip is 20 neighbouring vectors with noise, at a cosine of 0.5 to 0.95 that is the same for the whole clip.

recall@1 and @10: how many of exact search's first and first ten are among the index's first and first ten; equally
good ones count. source@1: how often the first is the vector that the query was made from, divided by how often exact
search's first is. clip@1: how many clips' hits agree most on the place that the clip was made from. Times are CPU
seconds of this process; a clip is searched at once, in one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.index import VECTOR_NAMES, make
from earmark.index.protocol import Index
from earmark.index.vectors import quantised
from earmark.types import Hits

DIMENSIONS = 128
TRACK_VECTORS = 500
CLIP_VECTORS = 20
NEAREST = 20
HOP_FRAMES = 16
DISTURBED = 0.7  # of a real vector: a cosine of 0.82 to it, and of 0.67 among those made of the same
SPECTRUM = 0.35  # the standard deviation of principal component i falls as i ** -0.35: half the energy in a quarter

COLUMNS = {  # title: (width, digits)
    "recall@1": (9, 3),
    "@10": (6, 3),
    "source@1": (9, 3),
    "clip@1": (7, 2),
    "ms/clip": (8, 1),
    "queries/s": (10, 0),
    "build s": (8, 1),
    "disk B": (7, 0),  # a vector
    "memory B": (9, 0),  # a vector, of what is not mapped for exact comparison
    "compared %": (11, 2),
    "imbalance": (10, 1),
}

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clips:
    """Queries: (clips, 20, d), the track and row each vector was made from."""

    vectors: Vectors
    tracks: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one index."""

    build_seconds: float
    clip_seconds: float
    hits: list[Hits]
    stats: dict[str, float]


def unit(vectors: Vectors) -> Vectors:
    scaled: Vectors = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return scaled


class Catalog:
    """Tracks made by number, so that no more than one need be in memory."""

    def __init__(self, fingerprints: NDArray[Any] | None) -> None:
        self._real = None if fingerprints is None else unit(fingerprints.astype(np.float32))
        if self._real is None:
            rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((DIMENSIONS, DIMENSIONS)))[0]
            self._mix = (np.arange(1, DIMENSIONS + 1) ** -SPECTRUM)[:, None] * rotation
        else:  # noise lies where fingerprints lie
            variances, directions = np.linalg.eigh(np.cov(self._real.T))
            self._mix = (np.sqrt(np.maximum(variances, 0)) * directions).T

    def track(self, number: int) -> Vectors:
        """Return (500, d) vectors of length 1."""
        rng = np.random.default_rng([1, number])
        if number % 50 == 49:
            return unit(self.track(number - 7) + 0.3 * unit(self.noise(rng, TRACK_VECTORS)))
        if self._real is not None:
            start = int(rng.integers(0, len(self._real) - TRACK_VECTORS))
            piece = self._real[start : start + TRACK_VECTORS]
            return unit(piece + DISTURBED * unit(self.noise(rng, TRACK_VECTORS)))
        steps = self.noise(rng, TRACK_VECTORS + 1)
        return unit(steps[1:] + steps[:-1] + 0.7 * self.noise(rng, 1))

    def noise(self, rng: np.random.Generator, count: int) -> Vectors:
        mixed: Vectors = (rng.standard_normal((count, DIMENSIONS)) @ self._mix).astype(np.float32)
        return mixed

    def clips(self, tracks: int, count: int) -> Clips:
        rng = np.random.default_rng(2)
        chosen = rng.integers(0, tracks, count)
        starts = rng.integers(0, TRACK_VECTORS - CLIP_VECTORS, count)
        rows = starts[:, None] + np.arange(CLIP_VECTORS)
        clean = np.stack([self.track(int(track))[row] for track, row in zip(chosen, rows, strict=True)])
        noise = unit(self.noise(rng, count * CLIP_VECTORS)).reshape(clean.shape)
        noise = unit(noise - (noise * clean).sum(axis=2, keepdims=True) * clean)
        cosine = rng.uniform(0.5, 0.95, (count, 1, 1))
        mixed = cosine * clean + np.sqrt(1 - cosine**2) * noise
        return Clips(mixed.astype(np.float32), np.repeat(chosen[:, None], CLIP_VECTORS, 1), rows)


def measured(index: Index, catalog: Catalog, tracks: int, clips: Clips) -> Result:
    for number in range(tracks):
        index.add(number, np.arange(TRACK_VECTORS, dtype=np.int32) * HOP_FRAMES, quantised(catalog.track(number)))
    began = time.process_time()
    index.arrays()
    build_seconds = time.process_time() - began
    frames = np.arange(CLIP_VECTORS, dtype=np.int32)
    index.search(frames, clips.vectors[0], nearest=NEAREST)
    began = time.process_time()
    hits = [index.search(frames, vectors, nearest=NEAREST) for vectors in clips.vectors]
    return Result(build_seconds, (time.process_time() - began) / len(hits), hits, dict(index.stats()))


def by_query(hits: Hits) -> Iterator[tuple[NDArray[np.float32], set[tuple[int, int]]]]:
    """Yield (scores, places of the first) of each vector of a clip."""
    for query in range(CLIP_VECTORS):
        here = np.flatnonzero(hits.query_frames == query)
        scores = hits.scores[here]
        first = here[scores == scores[0]] if len(here) else here
        yield scores, {(int(hits.tracks[row]), int(hits.reference_frames[row])) for row in first}


def recalls(result: Result, exact: Result, clips: Clips) -> tuple[float, float, float]:
    """Return recall@1, recall@10, source@1."""
    first = ten = source = exact_source = 0.0
    for clip, (found, wanted) in enumerate(zip(result.hits, exact.hits, strict=True)):
        for query, (one, other) in enumerate(zip(by_query(found), by_query(wanted), strict=True)):
            first += len(one[0]) > 0 and one[0][0] >= other[0][0]
            ten += float((one[0][:10] >= other[0][:10][-1]).mean() if len(one[0]) >= 10 else len(one[0]) / 10)
            place = int(clips.tracks[clip, query]), int(clips.rows[clip, query]) * HOP_FRAMES
            source += place in one[1]
            exact_source += place in other[1]
    count = len(result.hits) * CLIP_VECTORS
    return first / count, ten / count, source / max(exact_source, 1)


def figures_of(result: Result, exact: Result, clips: Clips) -> tuple[float, ...]:
    """Return what stands in the columns of the table."""
    stats = result.stats
    return (
        *recalls(result, exact, clips),
        clips_found(result, clips),
        1e3 * result.clip_seconds,
        CLIP_VECTORS / result.clip_seconds,
        result.build_seconds,
        stats["bytes_per_vector"],
        stats.get("memory_bytes_per_vector", 0.0),
        100 * stats["compared_share"],
        stats.get("imbalance", 1.0),
    )


def clips_found(result: Result, clips: Clips) -> float:
    """Return the share of clips whose hits vote for their own track and place above all others."""
    found = 0
    for hits, track, row in zip(result.hits, clips.tracks[:, 0], clips.rows[:, 0], strict=True):
        places = hits.reference_frames.astype(np.int64) - hits.query_frames * HOP_FRAMES
        votes, counts = np.unique(hits.tracks.astype(np.int64) << 32 | (places + (1 << 31)), return_counts=True)
        found += len(votes) > 0 and votes[counts.argmax()] == (track << 32 | (row * HOP_FRAMES + (1 << 31)))
    return found / len(result.hits)


def drawn(points: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw recall over time, one line for each kind of index."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for name, own in points.items():
        seconds, recall = zip(*sorted(own), strict=True)
        axes.plot([1e3 * value for value in seconds], recall, marker="o", label=name)
    axes.set(xscale="log", xlabel=f"ms for {CLIP_VECTORS} vectors, one thread", ylabel="recall@1 of exact search")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path)


def options_of(text: str) -> tuple[str, dict[str, int]]:
    """Return (name, options) of `lsh:tables=10,probes=1000`."""
    name, _, rest = text.partition(":")
    return name, {key: int(value) for key, value in (part.split("=") for part in rest.split(",") if part)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--fingerprints", type=Path)
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--index", action="append", default=[], help="a name, or name:option=number,...")
    parser.add_argument("--plot", type=Path, help="draw recall over time into this file")
    options = parser.parse_args()
    catalog = Catalog(None if options.fingerprints is None else np.load(options.fingerprints, mmap_mode="r"))
    tracks = max(2, options.vectors // TRACK_VECTORS)
    clips = catalog.clips(tracks, options.clips)
    exact = measured(make("linear"), catalog, tracks, clips)
    print(f"{tracks * TRACK_VECTORS:,} vectors, {options.clips} clips of {CLIP_VECTORS}, {NEAREST} nearest")
    print(f"{'index':30}" + "".join(f"{title:>{width}}" for title, (width, _) in COLUMNS.items()))
    points: dict[str, list[tuple[float, float]]] = {}
    for text in options.index or VECTOR_NAMES:
        name, settings = options_of(text)
        result = exact if name == "linear" else measured(make(name, **settings), catalog, tracks, clips)
        figures = figures_of(result, exact, clips)
        points.setdefault(name, []).append((result.clip_seconds, figures[0]))
        cells = (f"{value:{width}.{digits}f}" for value, (width, digits) in zip(figures, COLUMNS.values(), strict=True))
        print(f"{text:30}" + "".join(cells), flush=True)
    if options.plot:
        drawn(points, options.plot)


if __name__ == "__main__":
    main()
