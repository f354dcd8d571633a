"""Validation while training: how often a distorted segment's nearest neighbour is the segment it was made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.fingerprints.mel import LogMel, Spectrogram, log_mel_segments, normalised
from earmark.learn.pairs import Batches, Material
from earmark.learn.pcm import Sounds
from earmark.learn.recipe import Content, Recipe

HOP_SECONDS = 0.5  # of the catalog's segments
QUERIES = 512
NEAR_SECONDS = 0.5  # a neighbour no farther off is right
SEED = 20_000  # far from training's


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Segments of recordings."""

    segments: Spectrogram  # (n, bands, frames), normalised
    tracks: NDArray[np.int64]  # (n,)
    seconds: NDArray[np.float64]  # (n,) where they begin


class Validation:
    """Queries and a small catalog of recordings that are never learned from; `material.music` are those."""

    def __init__(self, material: Material, recipe: Recipe, *, queries: int = QUERIES) -> None:
        """`queries` is how many there are at least: whole batches are made."""
        shape = recipe.log_mel
        size = min(recipe.batch, len(material.music), queries)
        as_it_is = msgspec.structs.replace(recipe, content=Content())  # music that does not exist is in no catalog
        batches = Batches(material, as_it_is, size=size, seed=SEED)
        made = [batches.pairs(number) for number in range(-(-queries // size))]
        self.queries = Places(
            np.concatenate([pairs.positives for pairs in made]),
            np.concatenate([pairs.tracks for pairs in made]),
            np.concatenate([pairs.places for pairs in made]) / shape.rate,
        )
        self.catalog = every_segment(material.music, shape)

    def hit_rate(self, encode: Callable[[Spectrogram], NDArray[np.float32]]) -> float:
        """Return the share of queries whose nearest segment is of their track and within half a second.

        `encode` makes vectors of length 1, shape (n, d), of segments, shape (n, bands, frames).
        """
        queries, catalog = self.queries, self.catalog
        found = (encode(queries.segments) @ encode(catalog.segments).T).argmax(axis=1)
        right = catalog.tracks[found] == queries.tracks
        right &= np.abs(catalog.seconds[found] - queries.seconds) <= NEAR_SECONDS
        return float(right.mean())


def every_segment(music: Sounds, shape: LogMel) -> Places:
    """Return the segments of whole recordings, as a catalog would have them."""
    hop = round(HOP_SECONDS * shape.rate)
    found, tracks, places = [], [], []
    for track in range(len(music)):
        starts = np.arange(0, max(int(music.lengths[track]) - shape.segment_samples, 1), hop)
        pieces = np.stack([music.piece(track, int(start), shape.segment_samples) for start in starts])
        found.append(normalised(log_mel_segments(pieces, shape), shape))
        tracks.append(np.full(len(starts), track, np.int64))
        places.append(starts / shape.rate)
    return Places(np.concatenate(found), np.concatenate(tracks), np.concatenate(places))
