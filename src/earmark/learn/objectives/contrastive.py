"""NT-Xent, the normalised temperature-scaled cross-entropy (Chen et al., ICML 2020), as NAFP uses it, with a memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

MEMORY_AFTER_STEPS = 500  # steps before anchors are kept: early ones differ too much from the next (Wang, 3.2)


class Contrastive:
    """NT-Xent whose negatives are the batch and the anchors of the last batches."""

    def __init__(self, *, temperature: float = 0.05, memory: int = 0, memory_alike: float = 0.7) -> None:
        """`memory` is how many anchors serve as negatives; with a cosine above `memory_alike` one of the same track
        is a repetition and none. The default temperature is NAFP's best.
        """
        if not temperature > 0:
            raise ValueError(f"temperature={temperature}; give a number above 0")
        if memory < 0:
            raise ValueError(f"memory={memory}; give 0 or more")
        self._temperature = float(temperature)
        self._memory = Memory(memory, alike=memory_alike)
        self._newest: tuple[Tensor, Tensor] | None = None  # anchors and tracks of the last batch

    def make_codes(self, dimensions: int) -> None:
        """Return nothing: no codes are learned."""

    def loss(self, anchors: Tensor, positives: Tensor, tracks: Tensor) -> Tensor:
        """Return a batch's loss."""
        self._newest = anchors.detach(), tracks
        others, allowed = self._memory.recall(anchors, tracks)
        return contrastive_loss(anchors, positives, temperature=self._temperature, others=others, allowed=allowed)

    def after_step(self, step: int) -> None:
        """Keep the last batch's anchors."""
        if step >= MEMORY_AFTER_STEPS and self._newest is not None:
            self._memory.remember(*self._newest)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps."""
        return self._memory.state()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        self._memory.restore(state)


def contrastive_loss(
    anchors: Tensor,
    positives: Tensor,
    *,
    temperature: float,
    others: Tensor | None = None,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return the mean cross entropy of finding each vector's partner among all other vectors.

    `anchors` and `positives`, shape (b, d), have length 1 and are paired row by row. Each anchor is compared with all
    positives and the other anchors, each positive with all anchors and the other positives (NAFP, section 2.2).
    `others`, shape (m, d), are more negatives, for the rows where `allowed`, shape (b, m), is true.
    """
    rows = torch.arange(len(anchors), device=anchors.device)
    own = torch.eye(len(anchors), dtype=torch.bool, device=anchors.device)
    across = anchors @ positives.T / temperature
    within = []
    for side in (anchors, positives):
        among = (side @ side.T / temperature).masked_fill(own, -torch.inf)
        if others is not None and allowed is not None:
            among = torch.cat([among, (side @ others.T / temperature).masked_fill(~allowed, -torch.inf)], dim=1)
        within.append(among)
    forth = functional.cross_entropy(torch.cat([across, within[0]], dim=1), rows)
    back = functional.cross_entropy(torch.cat([across.T, within[1]], dim=1), rows)
    return (forth + back) / 2


class Memory:
    """Anchors of the last batches: negatives that cost no network (Wang et al., CVPR 2020, "Cross-batch memory")."""

    def __init__(self, size: int, *, alike: float) -> None:
        self._size, self._alike = size, alike
        self._vectors: Tensor | None = None
        self._tracks: Tensor | None = None

    def recall(self, anchors: Tensor, tracks: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return (vectors (m, d), the rows of `anchors` for which each is a negative (b, m)), or None twice.

        A vector of the same track with a cosine above `alike` is a repetition or overlaps, and is no negative.
        """
        if self._vectors is None or self._tracks is None:
            return None, None
        same = tracks[:, None] == self._tracks[None]
        with torch.no_grad():
            near = anchors @ self._vectors.T > self._alike
        return self._vectors, ~(same & near)

    def remember(self, anchors: Tensor, tracks: Tensor) -> None:
        """Add a batch's anchors and forget the oldest."""
        if not self._size:
            return
        kept = anchors.detach()
        if self._vectors is not None and self._tracks is not None:
            kept, tracks = torch.cat([kept, self._vectors]), torch.cat([tracks, self._tracks])
        self._vectors, self._tracks = kept[: self._size], tracks[: self._size]

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps."""
        if self._vectors is None or self._tracks is None:
            return {}
        return {"vectors": self._vectors, "tracks": self._tracks}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        self._vectors, self._tracks = state.get("vectors"), state.get("tracks")
