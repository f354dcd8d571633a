"""Build an index, ask it, and compare its hits with those of exact search.

Times are processor seconds of this process: searches run in one thread, building in as many as Faiss takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from earmark.evaluation.indexes.clips import Clip
from earmark.evaluation.indexes.grid import APPROXIMATE_SCORES, EXACT, Kind
from earmark.evaluation.indexes.vector_set import VectorSet
from earmark.index import load
from earmark.index.protocol import NEAREST, Index
from earmark.match.compare import make_comparison
from earmark.match.protocol import Candidate
from earmark.match.votes import vote
from earmark.types import Hits, Layer

KEPT_TRACKS = 4096  # tracks kept as float32 vectors, to be compared along diagonals
PROGRESS_TRACKS = 200  # tracks added between two calls of progress

Tell = Callable[[str, int, int], object]  # arguments: what is being done, how much is done, the total


@dataclass(frozen=True, slots=True)
class Figures:
    """The measured figures of one index."""

    index: str
    recall_at_1: float  # share of exact search's nearest that are the nearest here too; equally near ones count
    recall_at_10: float  # share of exact search's nearest ten that are among the nearest ten here
    rank_1: float  # share of the clips whose best diagonal is on their own track
    clip_seconds: float  # processor time to search for a clip
    vectors_a_second: float  # query vectors in a second of processor time
    build_seconds: float  # processor time
    bytes_per_vector: float  # bytes on disk, mapped
    memory_bytes_per_vector: float  # bytes in memory that every search needs
    memory_bytes: float  # the same for all vectors
    compared_share: float  # share of the vectors whose product or code was computed
    imbalance: float  # size of a vector's own bucket / mean size
    entropy: float  # entropy of the sizes of buckets / the largest possible; 1 without buckets
    largest_bucket: float  # size of the largest bucket / mean size; 1 without buckets


def measure(
    vector_set: VectorSet, clips: Sequence[Clip], kinds: Sequence[Kind], tell: Tell = lambda *_: None
) -> Iterator[Figures]:
    """Yield the figures of each kind of index, exact search before all others, whether it is among them or not.

    Neighbours that differ in how they are asked alone are built once.
    """
    ranking = Ranking(vector_set)
    judge = Kind(EXACT)
    exact: list[Hits] = []
    before: tuple[Kind, Index, float] | None = None
    for kind in [judge, *(kind for kind in kinds if kind != judge)]:
        if before is not None and before[0] == kind.as_built:
            _, built_before, build_seconds = before
            index = load(kind.engine, built_before.arrays(), **kind.options)
        else:
            index, build_seconds = built(kind, vector_set, tell)
        before = kind.as_built, index, build_seconds
        hits, seconds = asked(index, clips, partial(tell, f"asking {kind}"))
        exact = exact or hits
        first, ten = recalls(hits, exact, scored=kind.name not in APPROXIMATE_SCORES)
        stats = index.stats()
        memory = stats.get("memory_bytes_per_vector", 0.0)
        yield Figures(
            index=str(kind),
            recall_at_1=first,
            recall_at_10=ten,
            rank_1=float(np.mean([ranking.found(clip, own) for clip, own in zip(clips, hits, strict=True)])),
            clip_seconds=seconds / len(clips),
            vectors_a_second=sum(len(clip.asked[0]) for clip in clips) / seconds,
            build_seconds=build_seconds,
            bytes_per_vector=stats["bytes_per_vector"],
            memory_bytes_per_vector=memory,
            memory_bytes=memory * stats["vectors"],
            compared_share=stats["compared_share"],
            imbalance=stats.get("imbalance", 1.0),
            entropy=stats.get("entropy", 1.0),
            largest_bucket=largest_bucket(stats),
        )


def largest_bucket(stats: Mapping[str, float]) -> float:
    """Return how many times larger than the mean the largest bucket of an index is; 1 without buckets."""
    if "largest_bucket" not in stats:
        return 1.0
    buckets = stats["lists"] if "lists" in stats else 2 ** stats["bits"]
    return stats["largest_bucket"] * buckets / max(stats["vectors"], 1)


def built(kind: Kind, vector_set: VectorSet, tell: Tell) -> tuple[Index, float]:
    """Return an index of all vectors, and how long its structure took to build."""
    index, done = kind.make(vector_set.channel.codes), 0
    for place, (number, frames, vectors) in enumerate(vector_set.tracks()):
        index.add(number, frames, vectors)
        done += len(vectors)
        if place % PROGRESS_TRACKS == 0 or done == vector_set.wanted:
            tell(f"adding to {kind}", done, vector_set.wanted)
    tell(f"building {kind}", 0, 1)
    began = time.process_time()
    index.arrays()
    seconds = time.process_time() - began
    tell(f"building {kind}", 1, 1)
    return index, seconds


def asked(
    index: Index, clips: Sequence[Clip], progress: Callable[[int, int], object] = lambda *_: None
) -> tuple[list[Hits], float]:
    """Return the hits of each clip, and how long all took; the first is asked once before, to load what it needs."""
    index.snapshot().search(*clips[0].asked, nearest=NEAREST)
    hits, seconds = [], 0.0
    for done, clip in enumerate(clips, start=1):
        frames, vectors = clip.asked
        began = time.process_time()
        hits.append(index.snapshot().search(frames, vectors, nearest=NEAREST))
        seconds += time.process_time() - began
        progress(done, len(clips))
    return hits, max(seconds, 1e-9)


def recalls(found: Sequence[Hits], exact: Sequence[Hits], *, scored: bool = True) -> tuple[float, float]:
    """Return recall@1 and recall@10 against exact search, of all vectors of all clips.

    Hits that are `scored` alike count by their scores, so that equally near ones are as good; else by their places.
    """
    first, ten = [0.0], [0.0]
    for own, wanted in zip(found, exact, strict=True):
        scores = own.scores if scored else _scores_of(own, wanted)
        for frame in np.unique(wanted.query_frames):
            best = wanted.scores[wanted.query_frames == frame]
            here = scores[own.query_frames == frame]
            first.append(len(here) > 0 and here[0] >= best[0])
            ten.append((here[:10] >= best[:10][-1]).sum() / len(best[:10]))
    return float(np.sum(first)) / max(len(first) - 1, 1), float(np.sum(ten)) / max(len(ten) - 1, 1)


def _scores_of(found: Hits, exact: Hits) -> NDArray[np.float32]:
    """Return the scores that exact search gives what was found, 0 for what it did not find."""
    known = dict(zip(_places(exact), exact.scores.tolist(), strict=True))
    return np.array([known.get(place, 0.0) for place in _places(found)], np.float32)


def _places(hits: Hits) -> list[tuple[int, int, int]]:
    columns = (hits.query_frames.tolist(), hits.tracks.tolist(), hits.reference_frames.tolist())
    return list(zip(*columns, strict=True))


class Ranking:
    """From the hits of a clip to the track that it is from, as a catalog goes."""

    def __init__(self, vector_set: VectorSet) -> None:
        self._vector_set = vector_set
        self._reference = lru_cache(KEPT_TRACKS)(self._read)

    def found(self, clip: Clip, hits: Hits) -> bool:
        """Whether the best diagonal among those that the hits vote for is on the clip's own track."""
        channel, rule = self._vector_set.channel, self._vector_set.rule
        options = {**rule.options, "query_hop_seconds": clip.hop_frames * channel.frame_seconds}
        layer = Layer(clip.frames, clip.vectors, channel.frame_seconds)
        guesses = vote(hits, channel)
        comparison = make_comparison(replace(rule, options=options), layer, hits=lambda: hits, wide=False)
        candidates = [Candidate(guess.track, guess.start) for guess in guesses]
        placements = comparison.near([self._reference(guess.track) for guess in guesses], candidates, own=False)
        similarities = [
            (placement.figures["similarity"], -candidate.track)
            for placement, candidate in zip(placements, candidates, strict=True)
            if placement is not None
        ]
        return bool(similarities) and -max(similarities)[1] == clip.track

    def _read(self, track: int) -> Layer:
        frames, vectors = self._vector_set.track(track)
        return Layer(frames, vectors, self._vector_set.channel.frame_seconds)
