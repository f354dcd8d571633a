"""Vectors and balanced hash codes of K bits, learned together.

Singh, Demuynck, Arora: "Simultaneously Learning Robust Audio Embeddings and Balanced Hash Codes for Query-by-Example",
ICASSP 2023 (arXiv 2211.11060): codes as clusters that are equally full. A batch cannot fill 2^16 of them; a few bits,
drawn anew in every step, have few clusters, and when all sets of bits are balanced, so are the codes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from earmark.learn.codes import SignCodes
from earmark.learn.objectives.contrastive import Contrastive
from earmark.learn.objectives.transport import Recent, balanced_targets

SEED = 16  # seed of the groups of bits


class Balanced:
    """NT-Xent, and the cross entropy of each view's bits with the balanced bits of the other view."""

    def __init__(
        self,
        *,
        bits: int = 16,
        group_bits: int = 8,
        weight: float = 1.0,
        code_temperature: float = 0.1,
        recent: int = 1_024,
        **contrastive: Any,
    ) -> None:
        """`group_bits` bits have their clusters balanced in a step, among a batch and the last `recent` pairs.

        `weight` is that of the codes' loss. `contrastive` are options of NT-Xent.
        """
        if not 1 <= group_bits <= bits <= 24 or bits % group_bits:
            raise ValueError(f"bits={bits}, group_bits={group_bits}; give up to 24 bits in groups of equal size")
        if not code_temperature > 0 or recent < 0:
            raise ValueError(
                f"code_temperature={code_temperature}, recent={recent}; give a temperature above 0, and 0 or more"
            )
        self._contrastive = Contrastive(**contrastive)
        self._bits, self._group_bits, self._weight = bits, group_bits, weight
        self._sharpness = 2 / (group_bits * code_temperature)  # log-odds of a bit in a softmax over a group's clusters
        self._recent = Recent(recent)
        self._newest: tuple[Tensor, Tensor] | None = None
        self._generator = torch.Generator().manual_seed(SEED)
        self._patterns = _patterns(group_bits)

    def make_codes(self, dimensions: int) -> SignCodes:
        """Return the codes that are learned."""
        self._codes = SignCodes(dimensions, self._bits, sharpness=self._sharpness)
        return self._codes

    def loss(self, anchors: Tensor, positives: Tensor, tracks: Tensor) -> Tensor:
        """Return a batch's loss."""
        self._newest = anchors.detach(), positives.detach()
        order = torch.randperm(self._bits, generator=self._generator)
        groups = order.reshape(-1, self._group_bits)
        forth = self._entropy(anchors, self._targets(1, positives, groups), groups)
        back = self._entropy(positives, self._targets(0, anchors, groups), groups)
        return self._contrastive.loss(anchors, positives, tracks) + self._weight * (forth + back) / 2

    def _targets(self, side: int, vectors: Tensor, groups: Tensor) -> Tensor:
        """Return the probabilities of bits being 1 in balanced assignments, (b, groups, bits of a group)."""
        patterns = self._patterns.to(vectors.device)
        with torch.no_grad():
            distances = self._codes.distances(self._recent.behind(side, vectors))
            scores = distances[:, groups] @ patterns.T / self._group_bits  # (n, groups, clusters)
        ones = (patterns > 0).float()
        return torch.stack([balanced_targets(one)[: len(vectors)] @ ones for one in scores.unbind(1)], dim=1)

    def _entropy(self, vectors: Tensor, targets: Tensor, groups: Tensor) -> Tensor:
        """Return the mean cross entropy of a group's clusters, which is the sum of those of its bits."""
        odds = self._codes.log_odds(vectors)[:, groups]
        summed = functional.binary_cross_entropy_with_logits(odds, targets, reduction="sum")
        return summed / (len(vectors) * len(groups))

    def after_step(self, step: int) -> None:
        """Keep the last batch."""
        self._contrastive.after_step(step)
        if self._newest is not None:
            self._recent.remember(*self._newest)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps."""
        return {**self._contrastive.state(), **self._recent.state(), "generator": self._generator.get_state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        self._contrastive.restore(state)
        self._recent.restore(state)
        self._generator.set_state(state["generator"].cpu())


def _patterns(bits: int) -> Tensor:
    """Return all sets of signs, (2^bits, bits) of -1 and 1."""
    numbers = torch.arange(1 << bits)
    return ((numbers[:, None] >> torch.arange(bits)) & 1).float() * 2 - 1
