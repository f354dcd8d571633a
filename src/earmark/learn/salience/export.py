"""A trained relief as ONNX, as `fingerprint.relief.LearnedRelief` reads it.

Input `contrasts`, float32 of shape (n, 2, frames, bins), `frames` a multiple of 8, as `fingerprint.relief.contrasts`
makes them; output `relief`, float32 of shape (n, frames, bins), in nepers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import onnx
import torch
from torch import Tensor, nn

from earmark.fingerprints.salience import STRIDE
from earmark.learn.checkpoint import averaged_weights, read_checkpoint
from earmark.learn.export import OPSET, bare, quiet, recipe_of, weights_checksum, write_onnx
from earmark.learn.salience.network import CHANNELS, ReliefNetwork
from earmark.learn.salience.recipe import ReliefRecipe

LARGEST = 20.0  # nepers: what is above says no more
EXAMPLE = (2, 3)  # clips, and strides of frames: neither is 1, which the exporter would take for fixed


class Relief(nn.Module):
    """What ships: contrasts (n, 2, frames, bins) to nepers (n, frames, bins), near 0 where no peak is likely."""

    def __init__(self, network: nn.Module, offset: float) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("offset", torch.tensor(offset))

    def forward(self, contrasts: Tensor) -> Tensor:
        """Return softplus(logit + offset), by operators that ONNX Runtime is quick at; its own of the name is not."""
        nepers: Tensor = torch.log(1 + torch.exp((self.network(contrasts) + self.offset).clamp(max=LARGEST)))
        return nepers


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRelief:
    """A relief as a checkpoint holds it."""

    relief: Relief
    recipe: ReliefRecipe
    digest: str  # of the recipe it was made by
    step: int


def read_trained_relief(path: Path) -> TrainedRelief:
    """Return the relief of a checkpoint, its weights averaged over the last steps.

    Raises OptionError when the file is no checkpoint.
    """
    state = read_checkpoint(path)
    recipe = recipe_of(state, ReliefRecipe, path)
    network = ReliefNetwork(recipe.widths)
    network.load_state_dict(averaged_weights(state))
    return TrainedRelief(
        Relief(network, float(state["objective"]["offset"])).eval(), recipe, state["digest"], state["step"]
    )


def export_relief(trained: TrainedRelief, target: Path, *, licence: str = "") -> None:
    """Write a relief as ONNX in float32; `licence` is the weights', an SPDX expression."""
    front_end = trained.recipe.spectrum
    clips, strides = EXAMPLE
    example = torch.zeros(clips, CHANNELS, strides * STRIDE, front_end.high_bin - front_end.low_bin)
    frames = STRIDE * torch.export.Dim("strides", min=1)
    with quiet():
        program = torch.onnx.export(
            trained.relief,
            (example,),
            input_names=["contrasts"],
            output_names=["relief"],
            dynamic_shapes=({0: torch.export.Dim("n", min=1), 2: frames},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # dynamo=True returns one
    model = program.model_proto
    bare(model)
    said = {
        "front_end": msgspec.json.encode(asdict(front_end)).decode(),
        "recipe": trained.recipe.name,
        "digest": trained.digest,
        "step": str(trained.step),
        "sha256": weights_checksum(trained.relief.state_dict()),
        "licence": licence,
        "precision": "float32",
    }
    onnx.helper.set_model_props(model, said)
    write_onnx(model, target)
