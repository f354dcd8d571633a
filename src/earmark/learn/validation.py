"""Validation while training: how often a distorted segment's nearest neighbour is the segment it was made of."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from earmark.fingerprint.logmel import LogMel, Spectrogram, log_mel_segments, normalised
from earmark.learn.batches import Batches, Material
from earmark.learn.recipe import Recipe
from earmark.learn.sounds import Sounds

HOP_SECONDS = 0.5  # of the catalog's segments
QUERIES = 512
SEGMENTS_AT_ONCE = 256
NEAR_SECONDS = 0.5  # a neighbour no farther off is right
SEED = 20_000  # far from training's


class Validation:
    """Queries and a small catalog of recordings that are never learned from; `material.music` are those."""

    def __init__(self, material: Material, recipe: Recipe) -> None:
        self._shape = recipe.log_mel
        size = min(recipe.batch, len(material.music), QUERIES)
        batches = Batches(material, recipe, size=size, seed=SEED)
        made = [batches.pairs(number) for number in range(-(-QUERIES // size))]
        self._queries = np.concatenate([pairs.positives for pairs in made])
        self._tracks = np.concatenate([pairs.tracks for pairs in made])
        self._seconds = np.concatenate([pairs.places for pairs in made]) / self._shape.rate
        self._catalog = _every_segment(material.music, self._shape)

    def hit_rate(self, encoder: nn.Module, device: torch.device) -> float:
        """Return the share of queries whose nearest segment is of their track and within half a second."""
        segments, tracks, seconds = self._catalog
        nearest = (_encoded(encoder, self._queries, device) @ _encoded(encoder, segments, device).T).argmax(dim=1)
        found = nearest.cpu().numpy()
        right = (tracks[found] == self._tracks) & (np.abs(seconds[found] - self._seconds) <= NEAR_SECONDS)
        return float(right.mean())


def _every_segment(music: Sounds, shape: LogMel) -> tuple[Spectrogram, np.ndarray, np.ndarray]:
    hop = round(HOP_SECONDS * shape.rate)
    found, tracks, places = [], [], []
    for track in range(len(music)):
        starts = np.arange(0, max(int(music.lengths[track]) - shape.segment_samples, 1), hop)
        pieces = np.stack([music.piece(track, int(start), shape.segment_samples) for start in starts])
        found.append(normalised(log_mel_segments(pieces, shape), shape))
        tracks.append(np.full(len(starts), track))
        places.append(starts / shape.rate)
    return np.concatenate(found), np.concatenate(tracks), np.concatenate(places)


def _encoded(encoder: nn.Module, segments: Spectrogram, device: torch.device) -> Tensor:
    encoder.eval()
    vectors = []
    with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16):
        for first in range(0, len(segments), SEGMENTS_AT_ONCE):
            part = torch.from_numpy(segments[first : first + SEGMENTS_AT_ONCE, None]).to(device)
            vectors.append(encoder(part.contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(vectors)
