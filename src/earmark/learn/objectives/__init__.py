"""Objectives by name: losses that pull a segment and its distorted copy together and others apart."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from earmark.errors import OptionError

if TYPE_CHECKING:
    from earmark.learn.codes import Codes

OBJECTIVES: Mapping[str, str] = {  # class by name; the name is its module's too
    "contrastive": "Contrastive",
    "triplet": "Triplet",
    "balanced": "Balanced",
    "codebook": "Codebook",
}
NAMES = tuple(OBJECTIVES)


class Objective(Protocol):
    """A loss of vectors, with the state that it keeps from step to step."""

    def make_codes(self, dimensions: int) -> Codes | None:
        """Return the untrained codes of vectors that are learned with them, if any; called once, before `loss`."""

    def loss(self, anchors: Tensor, positives: Tensor, tracks: Tensor) -> Tensor:
        """Return the loss of a batch: vectors of length 1, (b, d), paired row by row; `tracks`, (b,), differ."""

    def after_step(self, step: int) -> None:
        """Update the state once the network has made step number `step` with the last batch."""

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""


def make_objective(name: str, **options: Any) -> Objective:
    """Return an objective; raises OptionError for a name or an option that is not known."""
    if name not in OBJECTIVES:
        raise OptionError(f"objective {name!r} is not known: choose one of {', '.join(NAMES)}")
    try:
        made: Objective = getattr(import_module(f"{__name__}.{name}"), OBJECTIVES[name])(**options)
    except (TypeError, ValueError) as error:  # an unknown option, or a value of the wrong type or size
        raise OptionError(f"objective {name}: {error}; correct the recipe's [objective_options]") from error
    return made
