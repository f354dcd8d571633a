"""Vectors and a balanced codebook, learned together: each vector's code is the nearest of some thousand codewords.

The robust, balanced loss of BEST-STD 2.0 (Singh et al., ICASSP 2026): each view predicts the other view's codeword in
an assignment that fills all codewords equally.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from earmark.learn.codes import Codewords
from earmark.learn.objectives.contrastive import Contrastive
from earmark.learn.objectives.transport import Recent, balanced_targets


class Codebook:
    """NT-Xent, and the cross entropy of each view's codewords with the balanced codewords of the other view."""

    def __init__(
        self,
        *,
        codewords: int = 1_024,
        weight: float = 1.0,
        code_temperature: float = 0.1,
        recent: int = 3_072,
        **contrastive: Any,
    ) -> None:
        """`recent` is how many earlier pairs are balanced with a batch: with it, three or more for each codeword.

        `weight` is that of the codes' loss. `contrastive` are options of NT-Xent.
        """
        if codewords < 2 or not code_temperature > 0 or recent < 0:
            raise ValueError(
                f"codewords={codewords}, code_temperature={code_temperature}, recent={recent}; "
                "give 2 codewords or more, a temperature above 0, and 0 or more"
            )
        self._contrastive = Contrastive(**contrastive)
        self._codewords, self._temperature, self._weight = codewords, float(code_temperature), weight
        self._recent = Recent(recent)
        self._newest: tuple[Tensor, Tensor] | None = None

    def make_codes(self, dimensions: int) -> Codewords:
        """Return the codes that are learned."""
        self._codes = Codewords(dimensions, self._codewords, temperature=self._temperature)
        return self._codes

    def loss(self, anchors: Tensor, positives: Tensor, tracks: Tensor) -> Tensor:
        """Return a batch's loss."""
        self._newest = anchors.detach(), positives.detach()
        forth = self._entropy(anchors, self._targets(1, positives))
        back = self._entropy(positives, self._targets(0, anchors))
        return self._contrastive.loss(anchors, positives, tracks) + self._weight * (forth + back) / 2

    def _targets(self, side: int, vectors: Tensor) -> Tensor:
        """Return the balanced assignments of one side of a batch, (b, codewords)."""
        with torch.no_grad():
            cosines = self._codes.products(self._recent.behind(side, vectors))
        return balanced_targets(cosines)[: len(vectors)]

    def _entropy(self, vectors: Tensor, targets: Tensor) -> Tensor:
        return -(targets * torch.log_softmax(self._codes.logits(vectors), dim=1)).sum(dim=1).mean()

    def after_step(self, step: int) -> None:
        """Keep the last batch."""
        self._contrastive.after_step(step)
        if self._newest is not None:
            self._recent.remember(*self._newest)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps."""
        return {**self._contrastive.state(), **self._recent.state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        self._contrastive.restore(state)
        self._recent.restore(state)
