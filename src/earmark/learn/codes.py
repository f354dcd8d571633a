"""Codes of vectors, learned with them: the bucket of a vector in an index, and how likely each other one is.

A code is one of 2^K sets of signs, or one of M codewords; both are products with a vector, by which an index can find
the codes of the vectors that it holds.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from earmark.learn.encoders import Encoder


class Codes(nn.Module):
    """Codes of vectors of length 1: vectors (n, d) to codes, (n,) int32, and their uncertainty."""

    kind: ClassVar[str]
    offsets: Tensor  # (k,)

    def __init__(self, dimensions: int, directions: int) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.randn(directions, dimensions))

    @property
    def planes(self) -> Tensor:
        """The directions, (k, d) of length 1."""
        return functional.normalize(self.directions, dim=1)

    def products(self, vectors: Tensor) -> Tensor:
        """Return the products of vectors with the planes, less the offsets: (n, k)."""
        return vectors @ self.planes.T - self.offsets


class SignCodes(Codes):
    """K bits: the sides of K hyperplanes.

    `uncertainty`, (n, K), is the probability of each bit that it is the other in another copy of the same sound.
    """

    kind = "signs"

    def __init__(self, dimensions: int, bits: int, *, sharpness: float) -> None:
        """`sharpness` is the log-odds of a bit whose distance from its plane is the root mean square of all bits."""
        super().__init__(dimensions, bits)
        self.offsets = nn.Parameter(torch.zeros(bits))
        self._sharpness = sharpness

    def distances(self, vectors: Tensor) -> Tensor:
        """Return the distances from the planes, (n, K), in units of their root mean square of each vector."""
        products = self.products(vectors)
        return products / products.square().mean(dim=1, keepdim=True).add(1e-12).sqrt()

    def log_odds(self, vectors: Tensor) -> Tensor:
        """Return the log-odds of each bit being 1, (n, K)."""
        return self._sharpness * self.distances(vectors)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return (codes, uncertainty); bit k of a code is that of plane k."""
        odds = self.log_odds(vectors)
        places = 2 ** torch.arange(odds.shape[1], dtype=torch.int32, device=odds.device)
        codes = ((odds > 0).to(torch.int32) * places).sum(dim=1, dtype=torch.int32)
        return codes, torch.sigmoid(-odds.abs())


class Codewords(Codes):
    """The nearest of M codewords, by cosine; `uncertainty`, (n, M), is the probability of each codeword."""

    kind = "codewords"

    def __init__(self, dimensions: int, codewords: int, *, temperature: float) -> None:
        super().__init__(dimensions, codewords)
        self.register_buffer("offsets", torch.zeros(codewords), persistent=False)
        self._temperature = temperature

    def logits(self, vectors: Tensor) -> Tensor:
        """Return the logits of the codewords, (n, M)."""
        return self.products(vectors) / self._temperature

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return (codes, uncertainty)."""
        logits = self.logits(vectors)
        return logits.argmax(dim=1).to(torch.int32), torch.softmax(logits, dim=1)


class Coded(Encoder):
    """An encoder whose vectors have codes."""

    outputs = ("vectors", "codes", "uncertainty")

    def __init__(self, encoder: Encoder, codes: Codes) -> None:
        super().__init__()
        self.dimensions = encoder.dimensions
        self.encoder, self.codes = encoder, codes

    def vectors(self, segments: Tensor) -> Tensor:
        """Return the segments' vectors."""
        return self.encoder.vectors(segments)

    def forward(self, segments: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the segments' (vectors, codes, uncertainty)."""
        vectors = self.vectors(segments)
        codes, uncertainty = self.codes(vectors)
        return vectors, codes, uncertainty
