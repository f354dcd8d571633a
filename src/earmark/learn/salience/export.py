"""A trained salience network as ONNX, as `fingerprints.salience` reads it.

Input `contrasts`, float32 (n, 2, frames, bins), `frames` a multiple of 8, of `fingerprints.salience.contrast_features`;
output `relief` (the name in all files), the salience map, float32 (n, frames, bins), in nepers.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from earmark.fingerprints.salience import STRIDE
from earmark.learn.checkpoint import averaged_weights, read_checkpoint
from earmark.learn.export import Trained, encoded, origin, to_onnx, write_onnx
from earmark.learn.recipe import recipe_in
from earmark.learn.salience.network import CHANNELS, SalienceNetwork
from earmark.learn.salience.recipe import SalienceRecipe

LARGEST_LOGIT = 20.0  # nepers; larger ones add nothing, and their exponential would overflow
EXAMPLE = (2, 3)  # clips and strides of frames, neither of them 1


class SalienceModel(nn.Module):
    """What ships: contrasts (n, 2, frames, bins) to nepers (n, frames, bins), near 0 where no peak is likely."""

    def __init__(self, network: nn.Module, offset: float) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("offset", torch.tensor(offset))

    def forward(self, contrasts: Tensor) -> Tensor:
        """Return softplus(logit + offset), by operators that ONNX Runtime is faster at than at its own softplus."""
        logits = (self.network(contrasts) + self.offset).clamp(max=LARGEST_LOGIT)
        nepers: Tensor = torch.log(1 + torch.exp(logits))
        return nepers


def read_trained_salience(path: Path) -> Trained[SalienceModel, SalienceRecipe]:
    """Return the salience model of a checkpoint, its weights averaged over the last steps.

    Raises OptionError when the file is no checkpoint of such a run.
    """
    state = read_checkpoint(path)
    recipe = recipe_in(state, SalienceRecipe, path)
    network = SalienceNetwork(recipe.widths)
    network.load_state_dict(averaged_weights(state))
    model = SalienceModel(network, float(state["objective"]["offset"])).eval()
    return Trained(model, recipe, state["digest"], state["step"])


def export_salience(trained: Trained[SalienceModel, SalienceRecipe], target: Path, *, licence: str = "") -> None:
    """Write a salience model as ONNX in float32; `licence` is the weights', an SPDX expression."""
    front_end = trained.recipe.spectrum
    clips, strides = EXAMPLE
    example = torch.zeros(clips, CHANNELS, strides * STRIDE, front_end.high_bin - front_end.low_bin)
    free = {0: torch.export.Dim("n", min=1), 2: STRIDE * torch.export.Dim("strides", min=1)}
    model = to_onnx(trained.network, example, name="contrasts", outputs=("relief",), free=free)
    write_onnx(model, {"front_end": encoded(front_end)} | origin(trained, licence), target)
