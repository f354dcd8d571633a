"""The projection heads that all encoders share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

SLICE_HIDDEN = 32  # hidden units of each slice, as in NAFP and the attention encoder


def make_head(features: int, dimensions: int, *, hidden: int, divided: bool) -> nn.Module:
    """Return a head from features (b, n) to (b, dimensions).

    It is divide-and-encode if `divided`, else two linear layers with `hidden` features between them. Raises ValueError
    when features cannot be divided by dimensions.
    """
    if divided:
        return DivideAndEncode(features, dimensions)
    return nn.Sequential(
        nn.Linear(features, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, dimensions),
    )


class DivideAndEncode(nn.Module):
    """Features (b, n) cut into `dimensions` slices, each mapped to one number by a small network of its own.

    Lai et al., CVPR 2015; as two grouped convolutions of kernel 1 over a sequence of length 1.
    """

    def __init__(self, features: int, dimensions: int) -> None:
        super().__init__()
        self.inner = nn.Conv1d(features, dimensions * SLICE_HIDDEN, 1, groups=dimensions)
        self.outer = nn.Conv1d(dimensions * SLICE_HIDDEN, dimensions, 1, groups=dimensions)

    def forward(self, features: Tensor) -> Tensor:
        """Return (b, dimensions)."""
        return self.outer(functional.elu(self.inner(features[:, :, None])))[:, :, 0]  # type: ignore[no-any-return]
