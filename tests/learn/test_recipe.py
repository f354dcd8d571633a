from __future__ import annotations

import hashlib
import json

import pytest
from msgspec.structs import replace

from earmark.errors import OptionError
from earmark.fingerprints.mel import LogMel
from earmark.fingerprints.neural import WEIGHTS
from earmark.learn.export import metadata
from earmark.learn.recipe import Noises, Recipe, Rooms, learns, names, read_recipe

DEFAULT_DIGEST = "c3c520214112"


@pytest.mark.parametrize("name", [name for name in names() if learns(name) == "vectors"])
def test_the_recipes_that_come_with_it_can_be_read(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.log_mel.segment_seconds >= 0.9


def test_the_talks_recipe_has_the_talks_numbers():
    recipe = read_recipe("talk")
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
        ("batch = 8", "`name`"),
        ('name = "x"\nlearning_speed = 1.0', "learning_speed"),
        ('name = "x"\nbatch = "many"', "Expected `int`"),
        ('name = "x"\nbatch = 1', "give 2 or more of each"),
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
        read_recipe(path)


def test_a_recipe_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(OptionError, match="choose one of laptop, relief, talk"):
        read_recipe("desktop")
    with pytest.raises(OptionError, match=r"No such file.*laptop, relief, talk"):
        read_recipe(tmp_path / "own.toml")


def test_bytes_that_are_no_text_are_no_recipe(tmp_path):
    path = tmp_path / "own.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(OptionError, match="is no recipe"):
        read_recipe(path)


def test_the_digest_tells_recipes_apart_but_not_how_long_they_go_on(recipe):
    for alike in ({"steps": 9_000}, {"name": "other"}, {"decay_share": 0.1}, {"rooms": Rooms(count=5)}):
        assert replace(recipe, **alike).digest == recipe.digest
    for other in ({"learning_rate": 1e-3}, {"batch": 9}, {"ranges": {}}, {"seed": 2}, {"encoder": "attention"}):
        assert replace(recipe, **other).digest != recipe.digest


def test_the_digest_stays_or_checkpoints_would_be_refused():
    assert Recipe(name="any").digest == DEFAULT_DIGEST


def test_the_laptops_recipe_listens_as_the_network_that_comes_with_it():
    assert read_recipe("laptop").log_mel == LogMel(**json.loads(metadata(WEIGHTS / "default.onnx")["front_end"]))


@pytest.mark.parametrize("name", ["default", "relief/default"])
def test_a_card_names_the_file_and_the_weights_beside_it(name):
    card, network = (WEIGHTS / f"{name}.md").read_text(), WEIGHTS / f"{name}.onnx"
    said = metadata(network)
    for one in (hashlib.sha256(network.read_bytes()).hexdigest(), said["sha256"], said["digest"]):
        assert one in card
