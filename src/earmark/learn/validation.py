"""Validation of an encoder: the share of distorted segments whose nearest neighbour is the segment they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.fingerprints.mel import LogMel, Spectrogram, log_mel_segments, normalised
from earmark.learn.pairs import PairBatches, TrainingSet
from earmark.learn.pcm import Sounds
from earmark.learn.recipe import Content, FingerprintRecipe

HOP_SECONDS = 0.5  # distance of the catalog's segments
QUERIES = 512  # queries, at least
NEAR_SECONDS = 0.5  # largest distance of a right neighbour
SEED = 20_000  # seed of the queries, far from training's


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Segments of recordings."""

    segments: Spectrogram  # (n, bands, frames), normalised
    tracks: NDArray[np.int64]  # (n,)
    seconds: NDArray[np.float64]  # (n,) positions in their tracks


class Validation:
    """Queries and a small catalog of recordings that are never learned from: `training_set.music`."""

    def __init__(self, training_set: TrainingSet, recipe: FingerprintRecipe, *, queries: int = QUERIES) -> None:
        """`queries` is how many there are at least: whole batches are made."""
        shape = recipe.log_mel
        size = min(recipe.batch, len(training_set.music), queries)
        as_it_is = msgspec.structs.replace(recipe, content=Content())  # the catalog has no changed music
        batches = PairBatches(training_set, as_it_is, size=size, seed=SEED)
        made = [batches.pairs(number) for number in range(-(-queries // size))]
        self.queries = Places(
            np.concatenate([pairs.positives for pairs in made]),
            np.concatenate([pairs.tracks for pairs in made]),
            np.concatenate([pairs.places for pairs in made]) / shape.rate,
        )
        self.catalog = every_segment(training_set.music, shape)

    def hit_rate(self, encode: Callable[[Spectrogram], NDArray[np.float32]]) -> float:
        """Return the share of queries whose nearest segment is of their track and within half a second.

        `encode` returns vectors of length 1, (n, d), for segments, (n, bands, frames).
        """
        queries, catalog = self.queries, self.catalog
        found = (encode(queries.segments) @ encode(catalog.segments).T).argmax(axis=1)
        right = catalog.tracks[found] == queries.tracks
        right &= np.abs(catalog.seconds[found] - queries.seconds) <= NEAR_SECONDS
        return float(right.mean())


def every_segment(music: Sounds, shape: LogMel) -> Places:
    """Return the segments of whole recordings, one every half second, as a catalog has them."""
    hop = round(HOP_SECONDS * shape.rate)
    found, tracks, places = [], [], []
    for track in range(len(music)):
        starts = np.arange(0, max(int(music.lengths[track]) - shape.segment_samples, 1), hop)
        clips = np.stack([music.excerpt(track, int(start), shape.segment_samples) for start in starts])
        found.append(normalised(log_mel_segments(clips, shape), shape))
        tracks.append(np.full(len(starts), track, np.int64))
        places.append(starts / shape.rate)
    return Places(np.concatenate(found), np.concatenate(tracks), np.concatenate(places))
