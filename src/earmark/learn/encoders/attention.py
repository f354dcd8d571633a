"""The encoder of the talk: residual blocks with channel-wise spectro-temporal attention.

Singh, Demuynck, Arora: "Attention-based Audio Embeddings for Query-by-Example", ISMIR 2022 (arXiv 2210.08624).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from earmark.learn.encoders import Encoder
from earmark.learn.encoders.head import make_head

SCALE = 100.0  # factor of attention weights, the paper's s; softmax weights of large maps are small


class Attention(Encoder):
    """Segments (b, 1, bands, frames) to vectors of length 1, (b, dimensions).

    The talk's table for segments of 64 x 96: maps of 32 x 64 x 96 after the front end and the first block, then 64 x
    32 x 48 and so on to 1024 x 2 x 3, 6,144 features, divide-and-encode to 128. With `stride` 2 the front end halves
    bands and frames, which makes it a quarter of the work.
    """

    def __init__(
        self,
        *,
        bands: int,
        frames: int,
        widths: Sequence[int] = (32, 64, 128, 256, 512, 1024),
        stride: int = 1,
        hidden: int = 512,
        dimensions: int = 128,
        divided: bool = True,
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.front = nn.Sequential(
            nn.Conv2d(1, widths[0], 3, stride=stride, padding=1), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        blocks, channels, size = [], widths[0], (-(-bands // stride), -(-frames // stride))
        for stage, width in enumerate(widths):
            step = 2 if stage else 1
            size = (-(-size[0] // step), -(-size[1] // step))
            blocks.append(AttentiveBlock(channels, width, size, stride=step))
            channels = width
        self.blocks = nn.Sequential(*blocks)
        self.head = make_head(channels * size[0] * size[1], dimensions, hidden=hidden, divided=divided)

    def forward(self, segments: Tensor) -> Tensor:
        """Return the segments' vectors."""
        return functional.normalize(self.head(self.blocks(self.front(segments)).flatten(1)).float(), dim=1)


class AttentiveBlock(nn.Module):
    """A residual block with attention after its first convolution and after the sum (section 2.2 of the paper)."""

    def __init__(self, channels: int, width: int, size: tuple[int, int], *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, stride=stride, padding=1)
        self.first_norm = nn.BatchNorm2d(width)
        self.first_attention = SpectroTemporalAttention(width, size)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.second_norm = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity() if stride == 1 else nn.Conv2d(channels, width, 1, stride=stride)
        self.last_attention = SpectroTemporalAttention(width, size)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the block's maps."""
        inner = self.first_attention(functional.relu(self.first_norm(self.first(maps))))
        summed = functional.relu(self.second_norm(self.second(inner)) + self.shortcut(maps))
        return self.last_attention(summed)  # type: ignore[no-any-return]


class SpectroTemporalAttention(nn.Module):
    """Multiply each place of each channel's map by an attention weight of its band and one of its frame.

    For a map X (F, T) with learned w_spect (T,) and w_temp (F,): a_spect = softmax(tanh(X w_spect)), a_temp =
    softmax(tanh(X' w_temp)), and the result is X times s a_spect a_temp'.
    """

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        bands, frames = size
        self.spectral = nn.Parameter(torch.randn(channels, frames))
        self.temporal = nn.Parameter(torch.randn(channels, bands))

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape, (b, channels, F, T)."""
        spectral = torch.softmax(torch.tanh(torch.einsum("bcft,ct->bcf", maps, self.spectral)), dim=2)
        temporal = torch.softmax(torch.tanh(torch.einsum("bcft,cf->bct", maps, self.temporal)), dim=2)
        return maps * (SCALE * spectral[:, :, :, None] * temporal[:, :, None, :])
