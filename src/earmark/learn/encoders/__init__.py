"""Encoders by name: networks from log-mel segments (b, 1, bands, frames) to vectors of length 1, (b, dimensions)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from torch import Tensor, nn

from earmark.errors import OptionError

ENCODERS: Mapping[str, str] = {  # class by name; the name is its module's too
    "convolutional": "Convolutional",
    "attention": "Attention",
    "separable": "Separable",
    "transformer": "Transformer",
    "recurrent": "Recurrent",
}
NAMES = tuple(ENCODERS)


class Encoder(nn.Module):
    """A network that `make_encoder` returns."""

    outputs: ClassVar[tuple[str, ...]] = ("vectors",)  # names of what `forward` returns, as an exported file has them
    dimensions: int  # components of a vector

    def vectors(self, segments: Tensor) -> Tensor:
        """Return the segments' vectors, whatever else `forward` returns."""
        vectors: Tensor = self(segments)
        return vectors


def make_encoder(name: str, *, bands: int, frames: int, **options: Any) -> Encoder:
    """Return an untrained encoder; raises OptionError for a name or an option that is not known."""
    if name not in ENCODERS:
        raise OptionError(f"encoder {name!r} is not known: choose one of {', '.join(NAMES)}")
    kind: type[Encoder] = getattr(import_module(f"{__name__}.{name}"), ENCODERS[name])
    try:
        return kind(bands=bands, frames=frames, **options)
    except (TypeError, ValueError) as error:  # an unknown option; other numbers of widths and blocks
        raise OptionError(f"encoder {name}: {error}; correct the recipe's [encoder_options]") from error
