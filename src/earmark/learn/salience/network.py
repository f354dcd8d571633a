"""The salience network: a small U-Net (Ronneberger et al., MICCAI 2015) from contrasts to logits.

Its finest grid has a place for 2 frames x 4 bins, the other two are coarser; one convolution in full resolution decides
between the eight cells of a place.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from earmark.learn.encoders.convolutional import ResidualBlock

CHANNELS = 2  # channels of `fingerprints.salience.contrast_features`
GRID = (2, 4)  # frames and bins of one place of the finest grid
STEM_KERNEL, STEM_PADDING = (4, 8), (1, 2)  # frames and bins: neighbouring places overlap by half
FINE_KERNEL = (6, 12)  # frames and bins: a place and its neighbours
FIRST_BIAS = -6.0  # logit at the start: one cell in 400 has a peak


class SalienceNetwork(nn.Module):
    """Contrasts (b, 2, frames, bins) to logits (b, frames, bins) of a peak of the recording.

    `frames` is a multiple of 8, `bins` of 16. `widths` are the channels of the fine, middle and coarse grid, each of
    half the frames and bins of the one before.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 48)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        places = GRID[0] * GRID[1]
        self.stem = nn.Sequential(*_convolved(CHANNELS, fine, STEM_KERNEL, stride=GRID, padding=STEM_PADDING))
        self.down_fine = nn.Sequential(*_convolved(fine, fine))
        self.halve_fine = nn.Sequential(*_convolved(fine, middle, stride=2))
        self.down_middle = ResidualBlock(middle, middle, stride=1)
        self.halve_middle = nn.Sequential(*_convolved(middle, coarse, stride=2))
        self.bottom = ResidualBlock(coarse, coarse, stride=1)
        self.widen_middle = nn.Conv2d(coarse, middle, 1)
        self.up_middle = ResidualBlock(middle, middle, stride=1)
        self.widen_fine = nn.Conv2d(middle, fine, 1)
        self.up_fine = nn.Sequential(*_convolved(fine, fine))
        self.head = nn.Conv2d(fine, places, 3, padding=1)
        self.fine = nn.Conv2d(CHANNELS, places, FINE_KERNEL, stride=GRID, padding=GRID)
        nn.init.constant_(self.head.bias, FIRST_BIAS)  # type: ignore[arg-type]

    def forward(self, contrasts: Tensor) -> Tensor:
        """Return the logits."""
        fine = self.down_fine(self.stem(contrasts))
        middle = self.down_middle(self.halve_fine(fine))
        coarse = self.bottom(self.halve_middle(middle))
        middle = self.up_middle(functional.relu(middle + _doubled(self.widen_middle(coarse))))
        fine = self.up_fine(functional.relu(fine + _doubled(self.widen_fine(middle))))
        return _unfolded(self.head(fine) + self.fine(contrasts))


def _convolved(
    channels: int, width: int, kernel: int | tuple[int, int] = 3, *, stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 1,
) -> tuple[nn.Module, ...]:  # fmt: skip
    return (
        nn.Conv2d(channels, width, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def _doubled(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2.0, mode="nearest")


def _unfolded(logits: Tensor) -> Tensor:
    """Return (b, 8, frames / 2, bins / 4) as (b, frames, bins)."""
    batch, _, frames, bins = logits.shape
    tall, wide = GRID
    places = logits.reshape(batch, tall, wide, frames, bins).permute(0, 3, 1, 4, 2)
    return places.reshape(batch, frames * tall, bins * wide)
