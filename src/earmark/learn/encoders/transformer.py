"""A transformer over short stretches of a segment, each with all its bands.

Singh, Demuynck, Arora: "Simultaneously Learning Robust Audio Embeddings and Balanced Hash Codes for Query-by-Example",
ICASSP 2023 (arXiv 2211.11060). Their code mixes channels and time where it flattens the patches; here it does not.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from earmark.learn.encoders import Encoder
from earmark.learn.encoders.head import make_head

LONGEST_PERIOD = 10_000.0  # base of the positions' wavelengths (Vaswani et al., "Attention is all you need", 2017)


class Transformer(Encoder):
    """Segments (b, 1, bands, frames) to vectors of length 1, (b, dimensions).

    A token stands for `patch_frames` frames; what is left over at the end is filled with zeros. The tokens that come
    out of the last layer are joined. The paper's network for 64 x 100 has patches of 10 frames, width 128, 8 layers,
    8 heads, 2,048 inner features and 2,048 hidden ones.
    """

    def __init__(
        self,
        *,
        bands: int,
        frames: int,
        patch_frames: int = 2,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        inner: int = 512,
        hidden: int = 512,
        dimensions: int = 128,
        divided: bool = False,
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        if width % (2 * heads):
            raise ValueError(f"width={width}, heads={heads}; give a width that twice the heads divide")
        tokens = -(-frames // patch_frames)
        self._padding = tokens * patch_frames - frames
        self.patches = nn.Conv2d(1, width, (bands, patch_frames), stride=(bands, patch_frames))
        self.register_buffer("positions", sinusoids(tokens, width), persistent=False)
        self.layers = nn.Sequential(*(TransformerLayer(width, heads=heads, inner=inner) for _ in range(layers)))
        self.head = make_head(tokens * width, dimensions, hidden=hidden, divided=divided)

    def forward(self, segments: Tensor) -> Tensor:
        """Return the segments' vectors."""
        patches = self.patches(functional.pad(segments, (0, self._padding)))  # (b, width, 1, tokens)
        tokens = self.layers(patches[:, :, 0].transpose(1, 2) + self.positions)
        return functional.normalize(self.head(tokens.flatten(1)).float(), dim=1)


class TransformerLayer(nn.Module):
    """Self-attention and two linear layers, each added to its input and then normalised; tokens (b, t, width)."""

    def __init__(self, width: int, *, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.projection = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens of the same shape."""
        split = self.projection(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, b, h, t, w / h)
        attended = functional.scaled_dot_product_attention(split[0], split[1], split[2])
        tokens = self.attention_norm(tokens + self.output(attended.transpose(1, 2).flatten(2)))
        return self.norm(tokens + self.feed_forward(tokens))  # type: ignore[no-any-return]


def sinusoids(tokens: int, width: int) -> Tensor:
    """Return what is added to tokens to tell their positions, (tokens, width)."""
    periods = torch.exp(torch.arange(0, width, 2) * (-math.log(LONGEST_PERIOD) / width))
    angles = torch.arange(tokens)[:, None] * periods
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
