"""Encoders by name: networks from log-mel segments (b, 1, bands, frames) to vectors of length 1, (b, dimensions)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from earmark.errors import OptionError

NAMES = ("convolutional", "attention")


class Encoder(nn.Module):
    """A network that `make_encoder` returns."""

    outputs: ClassVar[tuple[str, ...]] = ("vectors",)  # names of what `forward` returns, as an exported file has them


def make_encoder(name: str, *, bands: int, frames: int, **options: Any) -> Encoder:
    """Return an untrained encoder; raises OptionError for a name or an option that is not known."""
    kinds: Mapping[str, type[Encoder]] = _kinds()
    if name not in kinds:
        raise OptionError(f"encoder {name!r} is not known: choose one of {', '.join(NAMES)}")
    try:
        return kinds[name](bands=bands, frames=frames, **options)
    except (TypeError, ValueError) as error:  # an unknown option; other numbers of widths and blocks
        raise OptionError(f"encoder {name}: {error}; correct the recipe's [encoder_options]") from error


def _kinds() -> dict[str, type[Encoder]]:
    from earmark.learn.encoders.attention import Attention
    from earmark.learn.encoders.convolutional import Convolutional

    return {"convolutional": Convolutional, "attention": Attention}
