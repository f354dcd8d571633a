from __future__ import annotations

from dataclasses import asdict

import pytest
from msgspec.structs import replace

from earmark.audio.stft import FrontEnd
from earmark.errors import OptionError
from earmark.fingerprints.neural import Neural
from earmark.learn.recipe import FORMER_NAMES, Rooms, read_fingerprint_recipe, recipe_in, task_name
from earmark.learn.salience.recipe import SAME_LEARNING, SalienceRecipe, read_salience_recipe

DEFAULT_DIGEST = "29606f657b0f"  # recipe that made the network that ships


def test_the_recipe_that_comes_with_it_is_for_the_peaks_that_come_with_it():
    recipe = read_salience_recipe("salience")
    peaks = Neural().companion
    assert peaks is not None
    assert recipe.spectrum == peaks.front_end
    assert recipe.clips.distortions.snr_decibels == (-6.0, 11.0)
    assert recipe.clips.log_mel.segment_seconds == 1.0
    assert recipe.heard_frames == 63


def test_it_meets_the_rooms_and_noises_that_fingerprints_learn_with():
    recipe, laptop = read_salience_recipe("salience"), read_fingerprint_recipe("laptop")
    for name in ("noises", "rooms", "history_seconds", "validation_share", "seed"):
        assert getattr(recipe, name) == getattr(laptop, name), name
    for name in ("microphone_share", "equaliser_decibels", "low_pass_hertz", "gain_decibels"):
        assert recipe.ranges[name] == laptop.ranges[name], name


def test_what_a_recipe_is_for_can_be_asked(recipe_file):
    assert task_name(recipe_file) == task_name("salience") == "salience"
    assert task_name("laptop") == "vectors"
    with pytest.raises(OptionError, match="task"):
        read_fingerprint_recipe("salience")
    with pytest.raises(OptionError, match="is no recipe"):
        read_salience_recipe("laptop")


def test_the_names_and_files_of_earlier_releases_are_read(tmp_path):
    assert FORMER_NAMES == {"relief": "salience"}
    assert read_salience_recipe("relief") == read_salience_recipe("salience")
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\nlearns = "relief"\n')
    assert task_name(path) == "salience"
    assert read_salience_recipe(path).steps == 3_000
    state = {"recipe": '{"name": "own", "learns": "relief", "steps": 7}'}
    assert recipe_in(state, SalienceRecipe, path).steps == 7


def test_the_digest_covers_every_number_but_those_of_a_runs_length_and_rooms():
    others = {"name", "task", "steps", "decay_share", "rooms"}
    assert set(SAME_LEARNING) == set(SalienceRecipe.__struct_fields__) - others


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("batch = 1", "batch=1.*give 2 or more of each"),
        ("clip_frames = 20", "clip_frames=20.*give a multiple of 8"),
        ("clip_frames = 0", "clip_frames=0.*give a multiple of 8"),
        ("widths = [4, 8]", r"widths=\[4, 8\].*give 3"),
        ("[front_end]\nlow_bin = 5", "495 bins.*a multiple of 16"),
        ("[front_end]\nbands = 64", r"\[front_end\] of the recipe has no bands"),
        ("[ranges]\nsnr = 3", r"\[ranges\] of the recipe has no snr"),
        ("[ranges]\noffset_seconds = 0.1", "offset_seconds=0.1.*leave it 0"),
        ("[playing]\nspeed_share = 0.5\nspeed = 0.03", "speed_share=0.5.*leave it 0"),
        ("[playing]\ncut_share = 0.2\ncut = 0.3", "cut_share=0.2.*leave it 0"),
        ("speed = 3", "unknown field `speed`"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(tmp_path, change, message):
    path = tmp_path / "own.toml"
    path.write_text(f'name = "own"\ntask = "salience"\n{change}\n')
    with pytest.raises(OptionError, match=message):
        read_salience_recipe(path)


def test_the_digest_tells_recipes_apart_but_not_how_long_they_go_on(recipe):
    for alike in ({"steps": 9_000}, {"name": "other"}, {"decay_share": 0.1}, {"rooms": Rooms(count=5)}):
        assert replace(recipe, **alike).digest == recipe.digest
    for other in ({"learning_rate": 1e-3}, {"batch": 9}, {"ranges": {}}, {"seed": 2}, {"widths": (4, 4, 4)}):
        assert replace(recipe, **other).digest != recipe.digest


def test_the_digest_is_of_the_whole_front_end_said_or_not(recipe, monkeypatch):
    said = replace(recipe, front_end=asdict(recipe.spectrum))
    assert said.digest == recipe.digest
    monkeypatch.setattr("earmark.learn.salience.recipe.COMPANION_FRONT_END", FrontEnd(8_000, 1_024, 125, 16, 512))
    assert recipe.digest != said.digest


def test_the_digest_stays_or_checkpoints_would_be_refused():
    assert read_salience_recipe("salience").digest == DEFAULT_DIGEST
    assert SalienceRecipe(name="any").steps == 3_000
