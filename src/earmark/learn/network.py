"""What a recipe learns: an encoder, with codes if its objective learns them, and the objective."""

from __future__ import annotations

from earmark.learn.codes import Coded
from earmark.learn.encoders import Encoder, make_encoder
from earmark.learn.objectives import Objective, make_objective
from earmark.learn.recipe import FingerprintRecipe


def make_network(recipe: FingerprintRecipe) -> tuple[Encoder, Objective]:
    """Return an untrained network and the objective that it is trained for; raises OptionError."""
    shape = recipe.log_mel
    encoder = make_encoder(recipe.encoder, bands=shape.bands, frames=shape.segment_frames, **recipe.encoder_options)
    objective = make_objective(recipe.objective, **recipe.objective_options)
    codes = objective.make_codes(encoder.dimensions)
    return encoder if codes is None else Coded(encoder, codes), objective
