"""Spatially separable convolutions: along time, then along frequency, then divide-and-encode.

Gfeller et al.: "Now Playing: Continuous low-power music recognition", 2017 (arXiv 1711.10958); the layout is that of
NAFP (Chang et al., ICASSP 2021), with batch normalisation, which costs nothing once trained.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from earmark.learn.encoders import Encoder
from earmark.learn.encoders.head import make_head


class Separable(Encoder):
    """Segments (b, 1, bands, frames) to vectors of length 1, (b, dimensions).

    `widths` are the channels of the blocks, each of which halves bands and frames as long as there is more than one of
    them. NAFP's eight blocks for 256 x 32 have widths 128, 128, 256, 256, 512, 512, 1024, 1024.
    """

    def __init__(
        self,
        *,
        bands: int,
        frames: int,
        widths: Sequence[int] = (32, 64, 128, 256, 512),
        hidden: int = 512,
        dimensions: int = 128,
        divided: bool = True,
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        blocks, channels, size = [], 1, (bands, frames)
        for width in widths:
            stride = (2 if size[0] > 1 else 1, 2 if size[1] > 1 else 1)
            blocks.append(SeparableBlock(channels, width, stride=stride))
            channels, size = width, (-(-size[0] // stride[0]), -(-size[1] // stride[1]))
        self.blocks = nn.Sequential(*blocks)
        self.head = make_head(channels * size[0] * size[1], dimensions, hidden=hidden, divided=divided)

    def forward(self, segments: Tensor) -> Tensor:
        """Return the segments' vectors."""
        return functional.normalize(self.head(self.blocks(segments).flatten(1)).float(), dim=1)


class SeparableBlock(nn.Sequential):
    """A convolution of 1 x 3 along time and one of 3 x 1 along frequency, each normalised and with an ELU."""

    def __init__(self, channels: int, width: int, *, stride: tuple[int, int]) -> None:
        super().__init__(
            nn.Conv2d(channels, width, (1, 3), stride=(1, stride[1]), padding=(0, 1), bias=False),
            nn.BatchNorm2d(width),
            nn.ELU(inplace=True),
            nn.Conv2d(width, width, (3, 1), stride=(stride[0], 1), padding=(1, 0), bias=False),
            nn.BatchNorm2d(width),
            nn.ELU(inplace=True),
        )
