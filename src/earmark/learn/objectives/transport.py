"""Balanced assignments as optimal transport, and the vectors of earlier batches that are balanced with a batch.

Cuturi, NIPS 2013; as targets of self-supervised learning: Caron et al., "SwAV", NeurIPS 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 0.05  # weight of the entropy; scores lie in -1 to 1 (SwAV)
ROUNDS = 3  # rounds of Sinkhorn and Knopp (SwAV)


def balanced_targets(scores: Tensor, *, epsilon: float = EPSILON, rounds: int = ROUNDS) -> Tensor:
    """Return assignments of n rows to m clusters by their scores, (n, m), without a gradient.

    Rows sum to 1, and columns to about n / m: more exactly with more rounds.
    """
    with torch.no_grad():
        assigned = torch.exp((scores - scores.amax(dim=1, keepdim=True)) / epsilon)
        for _ in range(rounds):
            assigned = assigned / assigned.sum(dim=0, keepdim=True).clamp_min(1e-30)
            assigned = assigned / assigned.sum(dim=1, keepdim=True)
    return assigned


class Recent:
    """The pairs of vectors of the last batches, newest first: a batch is too small to fill all clusters."""

    def __init__(self, size: int) -> None:
        """`size` is how many pairs are kept."""
        self._size = size
        self._pairs: Tensor | None = None  # (m, 2, d)

    def behind(self, side: int, vectors: Tensor) -> Tensor:
        """Return one side of a batch, then that side of the pairs that are kept."""
        return vectors if self._pairs is None else torch.cat([vectors, self._pairs[:, side]])

    def remember(self, anchors: Tensor, positives: Tensor) -> None:
        """Add a batch and forget the oldest."""
        if not self._size:
            return
        newest = torch.stack([anchors, positives], dim=1).detach()
        kept = newest if self._pairs is None else torch.cat([newest, self._pairs])
        self._pairs = kept[: self._size]

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps."""
        return {} if self._pairs is None else {"recent": self._pairs}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        self._pairs = state.get("recent")
