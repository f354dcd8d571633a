"""A recipe of seconds, and what it learns from: the bundled music, with rooms and microphones made by code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from earmark.distort import clip_generators, microphone_response, room_response
from earmark.learn.pairs import TrainingSet
from earmark.learn.pcm import Sounds, prepare
from earmark.learn.recipe import FingerprintRecipe, read_fingerprint_recipe

RATE = 8_000
TINY = """\
name = "tiny"
batch = 8
steps = 20
warm_up_steps = 5
learning_rate = 5e-3

[objective_options]
temperature = 0.1

[encoder_options]
widths = [4, 8]
blocks = [1, 1]
hidden = 16
dimensions = 16

[ranges]
snr_decibels = [0.0, 20.0]
noise_share = 0.9
room_share = 0.6
microphone_share = 0.5

[playing]
speed_share = 0.3
speed = 0.03
overdriven_share = 0.3
cut_share = 0.3
cut = 0.3
alone_share = 0.3
masked_share = 0.3

[rooms]
count = 3
t60_seconds = [0.1, 0.3]
"""


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Sums in one order, so that two runs can be compared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def recipe(recipe_file: Path) -> FingerprintRecipe:
    return read_fingerprint_recipe(recipe_file)


@pytest.fixture(scope="session")
def sounds(music: Sequence[Path], tmp_path_factory: pytest.TempPathFactory) -> Sounds:
    """The bundled music, decoded."""
    return prepare(music, rate=RATE, folder=tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="session")
def training_set(sounds: Sounds, music: Sequence[Path]) -> TrainingSet:
    """All but three excerpts; two of those three are the ambience, one is the voices."""
    rooms = [room_response(t60, rate=RATE, generator=np.random.default_rng(1)) for t60 in (0.1, 0.3, 0.8)]
    return TrainingSet(
        music=sounds.only([str(path) for path in music[3:]]),
        ambience=sounds.only([str(path) for path in music[:2]]),
        voices=sounds.only([str(music[2])]),
        rooms=tuple(rooms),
        microphones=tuple(microphone_response(rate=RATE, generator=one) for one in clip_generators(3, range(3))),
    )
