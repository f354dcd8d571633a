"""Hand-made sound of which every segment's place is known, as layers of vectors.

The sound is a row of random vectors, one a frame, and a segment's vector is the sum over its 32 frames. So two
segments k frames apart have a cosine of 1 - k / 32, and other sound has about nought. A frame lasts a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from earmark.match.compare.neighbours import Neighbours
from earmark.match.compare.vectors import Diagonal, VectorComparison, VectorSettings
from earmark.match.protocol import Candidate, Placement
from earmark.match.votes import Guess, vote
from earmark.plan import Channel, VoteRule
from earmark.types import VECTOR_SCALE, Hits, Layer

LENGTH, STORED_HOP, HOP = 32, 16, 4  # frames
DIMENSIONS = 128
NEAREST = 20
SETTINGS = VectorSettings(segment_seconds=LENGTH, stored_hop_seconds=STORED_HOP, query_hop_seconds=HOP)
FIGURES = ("similarity", "rival", "margin", "share")
CHANNEL = Channel(
    "vectors", "inner", "vectors", 1.0,
    VoteRule(2 * HOP, "both", limit=48, per_track=3, weighted=True),
)  # fmt: skip


def sound(frames: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, DIMENSIONS))


def silence(frames: int) -> np.ndarray:
    return np.zeros((frames, DIMENSIONS))


def mixed(clip: np.ndarray, amount: float, seed: int = 99) -> np.ndarray:
    """A clip with other sound over it, `amount` times as loud."""
    return clip + amount * sound(len(clip), seed)


def played(track: np.ndarray, start: float, frames: int, *, speed: float = 1.0) -> np.ndarray:
    """What is heard of a track from a frame on, at a speed."""
    return track[np.rint(start + speed * np.arange(frames)).astype(int)]


TRACKS = [sound(900, seed) for seed in range(5)]


def segments(of: np.ndarray, hop: int, *, margin: int = 0) -> Layer:
    """As a fingerprinter makes them, silent ones left out."""
    padded = np.concatenate([silence(margin), of, silence(margin)])
    sums = np.array([padded[start : start + LENGTH].sum(axis=0) for start in range(0, len(padded) - LENGTH + 1, hop)])
    frames = np.arange(len(sums), dtype=np.int32) * hop - margin
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    heard = norms[:, 0] > 0
    scaled = np.clip(np.rint(sums[heard] / norms[heard] * VECTOR_SCALE), -127, 127)
    return Layer(frames[heard], scaled.astype(np.int8), 1.0)


def vectors(layer: Layer) -> np.ndarray:
    """A layer's vectors, of length 1."""
    return layer.values.astype(np.float32) / np.float32(VECTOR_SCALE)


def nearest(clip: Layer, tracks: Mapping[int, Layer], count: int = NEAREST) -> Hits:
    """What an exact index finds."""
    numbers = np.repeat(list(tracks), [len(track.frames) for track in tracks.values()])
    frames = np.concatenate([track.frames for track in tracks.values()])
    products = vectors(clip) @ np.concatenate([vectors(track) for track in tracks.values()]).T
    best = np.argsort(-products, axis=1, kind="stable")[:, :count]
    return Hits(
        np.repeat(clip.frames, best.shape[1]),
        numbers[best].ravel().astype(np.int32),
        frames[best].ravel(),
        np.take_along_axis(products, best, axis=1).ravel(),
    )


@dataclass(frozen=True)
class Asked:
    """A clip's diagonals among some tracks."""

    clip: Layer
    tracks: Mapping[int, Layer]
    hits: Hits

    @property
    def neighbours(self) -> Neighbours:
        rows = np.searchsorted(self.clip.frames, self.hits.query_frames)
        return Neighbours(self.hits, rows, len(self.clip.frames), HOP)

    def comparison(self, *, wide: bool = False) -> VectorComparison:
        return VectorComparison(self.clip, FIGURES, settings=SETTINGS, wide=wide, hits=lambda: self.hits)

    def guesses(self) -> list[Guess]:
        return vote(self.hits, CHANNEL)

    def placements(self, *, wide: bool = False) -> list[Placement]:
        """Of the candidates that the hits vote for, best first."""
        candidates = [Candidate(guess.track, guess.start) for guess in self.guesses()]
        references = [self.tracks[one.track] for one in candidates]
        found = self.comparison(wide=wide).near(references, candidates, own=True)
        kept = [placement for placement in found if placement is not None]
        return sorted(kept, key=lambda placement: (-placement.detail.score, placement.detail.track))

    def diagonals(self, *, wide: bool = False) -> list[Diagonal]:
        return [placement.detail for placement in self.placements(wide=wide)]


def ask(clip: np.ndarray, sounds: Sequence[np.ndarray], *, count: int = NEAREST, margin: int = 12) -> Asked:
    tracks = {number: segments(one, STORED_HOP) for number, one in enumerate(sounds)}
    looked_up = segments(clip, HOP, margin=margin)
    return Asked(looked_up, tracks, nearest(looked_up, tracks, count))
