"""NT-Xent, the normalised temperature-scaled cross-entropy (Chen et al., ICML 2020), as NAFP uses it, with a memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def contrastive_loss(
    anchors: Tensor,
    positives: Tensor,
    *,
    temperature: float,
    others: Tensor | None = None,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return the mean loss of telling each vector's partner from all other vectors.

    `anchors` and `positives`, shape (b, d), are of length 1 and belong together row by row. Each anchor meets all
    positives and the other anchors, each positive all anchors and the other positives (NAFP, section 2.2). `others`,
    shape (m, d), are more vectors that belong to no row, as far as `allowed`, shape (b, m), says so.
    """
    rows = torch.arange(len(anchors), device=anchors.device)
    own = torch.eye(len(anchors), dtype=torch.bool, device=anchors.device)
    across = anchors @ positives.T / temperature
    beyond = []
    for side in (anchors, positives):
        among = (side @ side.T / temperature).masked_fill(own, -torch.inf)
        if others is not None and allowed is not None:
            among = torch.cat([among, (side @ others.T / temperature).masked_fill(~allowed, -torch.inf)], dim=1)
        beyond.append(among)
    forth = functional.cross_entropy(torch.cat([across, beyond[0]], dim=1), rows)
    back = functional.cross_entropy(torch.cat([across.T, beyond[1]], dim=1), rows)
    return (forth + back) / 2


class Memory:
    """Anchors of the last batches: negatives that cost no network (Wang et al., CVPR 2020, "Cross-batch memory")."""

    def __init__(self, size: int, *, alike: float) -> None:
        self._size, self._alike = size, alike
        self._vectors: Tensor | None = None
        self._tracks: Tensor | None = None

    def recall(self, anchors: Tensor, tracks: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return (vectors, which rows of `anchors` each may count against).

        What is of the same track and more alike than `alike` is a repetition, or overlaps: no negative.
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
