"""Triplet loss on squared distances, with semi-hard or hardest negatives of the batch.

Schroff, Kalenichenko, Philbin: "FaceNet", CVPR 2015; margin and rule are those that did best in NMFP (Araz et al.,
ISMIR 2025, arXiv 2506.22661).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MININGS = ("semi-hard", "hardest")


class Triplet:
    """Each vector must be nearer to its partner than to a negative, by a margin."""

    def __init__(self, *, margin: float = 0.5, mining: str = "semi-hard") -> None:
        """`mining` says which negative is taken: `semi-hard` or `hardest`."""
        if not margin > 0:
            raise ValueError(f"margin={margin}; give a number above 0")
        if mining not in MININGS:
            raise ValueError(f"mining={mining!r}; give one of {', '.join(MININGS)}")
        self._margin, self._mining = float(margin), mining

    def make_codes(self, dimensions: int) -> None:
        """Return nothing: no codes are learned."""

    def loss(self, anchors: Tensor, positives: Tensor, tracks: Tensor) -> Tensor:
        """Return a batch's loss."""
        return triplet_loss(anchors, positives, margin=self._margin, semi_hard=self._mining == "semi-hard")

    def after_step(self, step: int) -> None:
        """Keep nothing."""

    def state(self) -> dict[str, Tensor]:
        """Return nothing: every batch stands for itself."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up nothing."""


def triplet_loss(anchors: Tensor, positives: Tensor, *, margin: float, semi_hard: bool) -> Tensor:
    """Return the mean of max(0, d_p - d_n + margin) over the triplets in which it is not 0.

    `anchors` and `positives`, shape (b, d), have length 1 and are paired row by row; d are squared distances. Each of
    the 2 b vectors has one triplet: its partner and the nearest of all other vectors, or with `semi_hard` the nearest
    that is farther than the partner and by less than the margin, if there is one.
    """
    vectors = torch.cat([anchors, positives])
    distances = 2 - 2 * vectors @ vectors.T
    rows = torch.arange(len(vectors), device=vectors.device)
    partners = rows.roll(len(anchors))
    near = distances[rows, partners]
    own = (rows[:, None] == rows) | (partners[:, None] == rows)
    with torch.no_grad():
        negatives = distances.masked_fill(own, torch.inf)
        chosen = negatives.argmin(dim=1)
        if semi_hard:
            within = (negatives > near[:, None]) & (negatives < near[:, None] + margin)
            fitting = negatives.masked_fill(~within, torch.inf).argmin(dim=1)
            chosen = torch.where(within.any(dim=1), fitting, chosen)
    losses = functional.relu(near - distances[rows, chosen] + margin)
    return losses.sum() / (losses > 0).sum().clamp_min(1)
