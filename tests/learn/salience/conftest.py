"""A salience recipe of seconds; what it learns from is that of fingerprints."""

from __future__ import annotations

from pathlib import Path

import pytest

from earmark.learn.pairs import TrainingSet
from earmark.learn.salience.recipe import SalienceRecipe, read_salience_recipe
from earmark.learn.salience.references import References, find_references

TINY = """\
name = "tiny"
task = "salience"
clip_frames = 32
widths = [4, 6, 8]
batch = 6
other_windows = 60
steps = 20
warm_up_steps = 5
learning_rate = 1e-2

[ranges]
offset_seconds = 0.0
snr_decibels = [3.0, 12.0]
noise_share = 0.9
room_share = 0.3
microphone_share = 0.3

[playing]
overdriven_share = 0.25
"""


@pytest.fixture(scope="session")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def recipe(recipe_file: Path) -> SalienceRecipe:
    return read_salience_recipe(recipe_file)


@pytest.fixture(scope="session")
def references(
    training_set: TrainingSet, recipe: SalienceRecipe, tmp_path_factory: pytest.TempPathFactory
) -> References:
    return find_references(training_set.music, recipe, folder=tmp_path_factory.mktemp("peaks"))
