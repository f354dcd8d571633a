from __future__ import annotations

import hashlib
import inspect
import json

import pytest
from msgspec.structs import replace

from earmark.errors import OptionError
from earmark.fingerprints.mel import LogMel
from earmark.fingerprints.neural import WEIGHTS
from earmark.learn.export import read_metadata
from earmark.learn.objectives.contrastive import Contrastive
from earmark.learn.recipe import (
    CONTRASTIVE,
    SAME_LEARNING,
    FingerprintRecipe,
    Noises,
    Rooms,
    names,
    read_fingerprint_recipe,
    recipe_in,
    task_name,
)  # fmt: skip

DEFAULT_DIGEST = "c3c520214112"


@pytest.mark.parametrize("name", [name for name in names() if task_name(name) == "vectors"])
def test_the_recipes_that_come_with_it_can_be_read(name):
    recipe = read_fingerprint_recipe(name)
    assert recipe.name == name
    assert recipe.log_mel.segment_seconds >= 0.9


def test_the_talks_recipe_has_the_talks_numbers():
    recipe = read_fingerprint_recipe("talk")
    shape, ranges = recipe.log_mel, recipe.distortions
    assert (shape.bands, shape.segment_frames, shape.frame_seconds) == (64, 96, 0.01)
    assert (ranges.snr_decibels, ranges.offset_seconds) == ((0.0, 25.0), 0.05)
    assert recipe.rooms.t60_seconds == (0.1, 0.8)
    assert recipe.encoder == "attention"


def test_what_a_recipe_leaves_out_keeps_its_default(recipe):
    assert recipe.log_mel.rate == 8_000
    assert recipe.distortions.gain_decibels == (-20.0, 0.0)
    assert recipe.noises == Noises()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "is no recipe"),
        ('name = "x"\nlearning_speed = 1.0', "learning_speed"),
        ('name = "x"\nbatch = "many"', "Expected `int`"),
        ('name = "x"\nbatch = 1', "give 2 or more of each"),
        ('name = "x"\nobjective = "quartet"', "objective 'quartet' is not known: choose one of contrastive"),
        ('name = "x"\n[objective_options]\nmargin = 1', "correct the recipe's .objective_options."),
        ('name = "x"\n[objective_options]\ntemperature = "low"', "correct the recipe's .objective_options."),
        ('name = "x"\n[objective_options]\ntemperature = 0.0', "give a number above 0"),
        ('name = "x"\n[front_end]\nmels = 64', r"\[front_end\] of the recipe has no mels"),
        ('name = "x"\n[front_end]\nrate = "high"', r"\[front_end\] of the recipe: Expected `int`"),
        ('name = "x"\n[ranges]\nsnr_decibels = [0.0]', r"\[ranges\] of the recipe: Expected `array` of length 2"),
        ('name = "x"\n[playing]\nfaster = true', "faster"),
        ('name = "x"\n[rooms]\nt60 = 0.5', "t60"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=message):
        read_fingerprint_recipe(path)


def test_a_recipe_without_a_name_has_its_files(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("batch = 8")
    assert read_fingerprint_recipe(path).name == "own"


def test_a_recipe_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(OptionError, match="choose one of laptop, salience, small, talk"):
        read_fingerprint_recipe("desktop")
    with pytest.raises(OptionError, match=r"No such file.*laptop, salience, small, talk"):
        read_fingerprint_recipe(tmp_path / "own.toml")


def test_bytes_that_are_no_text_are_no_recipe(tmp_path):
    path = tmp_path / "own.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(OptionError, match="is no recipe"):
        read_fingerprint_recipe(path)


def test_the_digest_tells_recipes_apart_but_not_how_long_they_go_on(recipe):
    for alike in ({"steps": 9_000}, {"name": "other"}, {"decay_share": 0.1}, {"rooms": Rooms(count=5)}):
        assert replace(recipe, **alike).digest == recipe.digest
    for other in ({"learning_rate": 1e-3}, {"batch": 9}, {"ranges": {}}, {"seed": 2}, {"encoder": "attention"}):
        assert replace(recipe, **other).digest != recipe.digest


def test_the_digest_stays_or_checkpoints_would_be_refused():
    assert FingerprintRecipe(name="any").digest == DEFAULT_DIGEST


def test_a_recipe_of_an_earlier_release_is_the_same_run(tmp_path):
    former, today = tmp_path / "former.toml", tmp_path / "today.toml"
    former.write_text('name = "own"\ntemperature = 1\nmemory = 64\nmemory_alike = 0.8\n')
    today.write_text('name = "own"\n[objective_options]\ntemperature = 1.0\nmemory = 64\nmemory_alike = 0.8\n')
    assert read_fingerprint_recipe(former).objective_options["memory"] == 64
    assert read_fingerprint_recipe(former).digest == read_fingerprint_recipe(today).digest == "11939dd9b85a"
    assert read_fingerprint_recipe("laptop").digest == "a31ffdd955ca"
    assert read_fingerprint_recipe("talk").digest == "45e8516e87e5"


def test_the_recipe_in_a_checkpoint_of_an_earlier_release_is_read(tmp_path):
    state = {"recipe": json.dumps({"name": "own", "temperature": 0.2, "memory": 7, "steps": 30})}
    recipe = recipe_in(state, FingerprintRecipe, tmp_path)
    assert recipe.steps == 30
    assert recipe.objective_options == {"temperature": 0.2, "memory": 7}


def test_another_objective_has_another_digest_and_its_options_count():
    one, other = (FingerprintRecipe(name="x", objective="o", objective_options={"margin": m}) for m in (1, 2))
    assert len({one.digest, other.digest, FingerprintRecipe(name="x").digest}) == 3


def test_the_digest_covers_every_number_but_those_of_a_runs_length_and_rooms():
    others = {"name", "task", "steps", "decay_share", "rooms", "objective", "objective_options"}
    assert set(SAME_LEARNING) == set(FingerprintRecipe.__struct_fields__) - others | set(CONTRASTIVE)


def test_an_objectives_defaults_are_those_that_digests_assume():
    defaults = inspect.signature(Contrastive).parameters
    assert {name: one.default for name, one in defaults.items()} == CONTRASTIVE


def test_the_laptops_recipe_listens_as_the_network_that_comes_with_it():
    assert read_fingerprint_recipe("laptop").log_mel == LogMel(
        **json.loads(read_metadata(WEIGHTS / "default.onnx")["front_end"])
    )


@pytest.mark.parametrize("name", ["default", "salience/default"])
def test_a_card_names_the_file_and_the_weights_beside_it(name):
    card, network = (WEIGHTS / f"{name}.md").read_text(), WEIGHTS / f"{name}.onnx"
    said = read_metadata(network)
    for one in (hashlib.sha256(network.read_bytes()).hexdigest(), said["sha256"], said["digest"]):
        assert one in card
