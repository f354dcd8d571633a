"""Encoders by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from earmark.errors import OptionError

NAMES = ("convolutional", "attention")


def make_encoder(name: str, *, bands: int, frames: int, **options: Any) -> nn.Module:
    """Return an untrained encoder of segments (b, 1, bands, frames) into vectors of length 1, (b, dimensions).

    Raises OptionError for a name or an option that is not known.
    """
    kinds: Mapping[str, type[nn.Module]] = _kinds()
    if name not in kinds:
        raise OptionError(f"encoder {name!r} is not known: choose one of {', '.join(NAMES)}")
    try:
        return kinds[name](bands=bands, frames=frames, **options)
    except (TypeError, ValueError) as error:  # an option that it does not have; as many widths as blocks
        raise OptionError(f"encoder {name}: {error}; correct the recipe's [encoder_options]") from error


def _kinds() -> dict[str, type[nn.Module]]:
    from earmark.learn.encoders.attention import Attention
    from earmark.learn.encoders.convolutional import Convolutional

    return {"convolutional": Convolutional, "attention": Attention}
