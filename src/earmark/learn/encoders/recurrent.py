"""A bidirectional recurrent network over the frames of a segment.

Gated recurrent units (Cho et al., EMNLP 2014) as in the talk's RNN encoders. Their state begins at zero in every
segment, since a fingerprint must not depend on where a recording was cut.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from earmark.learn.encoders import Encoder
from earmark.learn.encoders.head import make_head


class Recurrent(Encoder):
    """Segments (b, 1, bands, frames) to vectors of length 1, (b, dimensions).

    `width` is the state of each direction. The states of each `pooled` neighbouring frames are averaged, and the means
    joined.
    """

    def __init__(
        self,
        *,
        bands: int,
        frames: int,
        width: int = 128,
        layers: int = 2,
        pooled: int = 4,
        hidden: int = 512,
        dimensions: int = 128,
        divided: bool = False,
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.units = nn.GRU(bands, width, num_layers=layers, batch_first=True, bidirectional=True)
        self.pooling = nn.AvgPool1d(pooled, ceil_mode=True)
        self.head = make_head(2 * width * -(-frames // pooled), dimensions, hidden=hidden, divided=divided)

    def forward(self, segments: Tensor) -> Tensor:
        """Return the segments' vectors."""
        states, _ = self.units(segments[:, 0].transpose(1, 2))  # (b, frames, 2 width)
        pooled = self.pooling(states.transpose(1, 2))
        return functional.normalize(self.head(pooled.flatten(1)).float(), dim=1)
