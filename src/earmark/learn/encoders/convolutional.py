"""A residual network (He et al., CVPR 2016) on log-mel segments, small enough for a CPU.

It is trained as in NAFP (Chang et al., ICASSP 2021), whose own network has 19 million parameters and takes about 100
times as long as decoding; this one takes as long as decoding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from earmark.learn.encoders import Encoder
from earmark.learn.encoders.head import make_head

STEM_KERNEL = 5  # bands and frames of the first convolution, which also halves both axes


class Convolutional(Encoder):
    """Segments (b, 1, bands, frames) to vectors of length 1, (b, dimensions).

    `widths` are the channels of the stages, each of half the bands and frames of the one before; `blocks` is how many
    residual blocks each has. With `divided` the head is divide-and-encode, else two linear layers with `hidden`
    features between them.
    """

    def __init__(
        self,
        *,
        bands: int,
        frames: int,
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: Sequence[int] = (1, 1, 1, 1),
        hidden: int = 512,
        dimensions: int = 128,
        divided: bool = False,
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        layers: list[nn.Module] = [
            nn.Conv2d(1, widths[0], STEM_KERNEL, stride=2, padding=STEM_KERNEL // 2, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        ]
        channels = widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for number in range(count):
                layers.append(ResidualBlock(channels, width, stride=2 if stage and not number else 1))
                channels = width
        self.body = nn.Sequential(*layers)
        with torch.no_grad():
            features = self.body(torch.zeros(2, 1, bands, frames)).flatten(1).shape[1]
        self.head = make_head(features, dimensions, hidden=hidden, divided=divided)

    def forward(self, segments: Tensor) -> Tensor:
        """Return the segments' vectors."""
        return functional.normalize(self.head(self.body(segments).flatten(1)).float(), dim=1)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut (He et al., CVPR 2016, figure 5 left)."""

    def __init__(self, channels: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the block's maps."""
        inner = functional.relu(self.first_norm(self.first(maps)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(maps))
