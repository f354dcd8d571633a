"""From a folder of music to a model, by the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest
from tests.apps.cli.test_main import EARMARK

from earmark.apps.cli.commands import train

TINY = """\
name = "tiny"
batch = 6
steps = 8
warm_up_steps = 2
validation_share = 0.3
[encoder_options]
widths = [4, 8]
blocks = [1, 1]
hidden = 16
dimensions = 16
[rooms]
count = 2
t60_seconds = [0.1, 0.2]
"""
SALIENCE = """\
name = "own"
task = "salience"
clip_frames = 16
widths = [4, 4, 4]
batch = 4
other_windows = 8
steps = 4
validation_share = 0.3
[rooms]
count = 2
t60_seconds = [0.1, 0.2]
"""


@pytest.fixture(scope="module")
def data(music, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for path in music[:10]:
        (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture
def recipe(tmp_path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_a_folder_of_music_becomes_a_model(earmark, data, recipe, tmp_path):
    out = tmp_path / "run"
    command = ["train", "--config", recipe, "--data", data, "--out", out, "--device", "cpu"]
    done = earmark(*command, "--json", "--licence", "CC0-1.0", "--validate", 4)
    assert done.status == 0, done.err
    *learning, last = done.records
    assert learning[-1]["step"] == learning[-1]["steps"] == last["steps"] == 8
    assert learning[-1]["loss"] > 0
    assert 0 <= last["hit_rate"] <= 1
    assert last["models"] == [str(out / "model.onnx"), str(out / "model-int8.onnx")]
    for model in last["models"]:
        session = onnxruntime.InferenceSession(model)
        assert session.get_outputs()[0].shape == ["n", 16]
        said = session.get_modelmeta().custom_metadata_map
        assert (said["recipe"], said["licence"]) == ("tiny", "CC0-1.0")

    again = earmark(*command)
    assert again.status == 2
    assert "holds a run that came to step 8; give --resume to go on with it, or another folder" in again.err

    longer = earmark(*command, "--resume", "--steps", 10)
    assert longer.status == 0
    assert longer.lines[0].startswith("10 steps; ")
    assert longer.lines[1].startswith(f"Wrote {out / 'model.onnx'} (")

    recipe.write_text(TINY.replace("batch = 6", "batch = 5"))
    other = earmark(*command, "--resume")
    assert other.status == 2
    assert "was made by another recipe than tiny" in other.err


def test_a_folder_of_music_becomes_a_salience_network(earmark, data, tmp_path):
    recipe, out = tmp_path / "own.toml", tmp_path / "run"
    recipe.write_text(SALIENCE)
    command = ["train", "--config", recipe, "--data", data, "--out", out, "--device", "cpu"]
    done = earmark(*command, "--json", "--licence", "CC0-1.0", "--validate", 3)
    assert done.status == 0, done.err
    *learning, last = done.records
    assert learning[-1]["step"] == learning[-1]["steps"] == last["steps"] == 4
    assert 0 <= last["hit_rate"] <= 1
    assert last["models"] == [str(out / "relief.onnx")]
    said = onnxruntime.InferenceSession(out / "relief.onnx").get_modelmeta().custom_metadata_map
    assert (said["recipe"], said["step"], said["licence"]) == ("own", "4", "CC0-1.0")

    longer = earmark(*command, "--resume", "--steps", 5)
    assert longer.status == 0, longer.err
    assert longer.lines[0].startswith("5 steps; ")

    other = earmark("train", "--data", data, "--out", out, "--resume")
    assert other.status == 2
    assert "was made by another recipe than laptop" in other.err


def test_the_salience_recipe_answers_to_its_former_name(earmark, data, tmp_path):
    command = ["train", "--data", data, "--out", tmp_path / "run", "--device", "abacus", "--rooms", "absent.npz"]
    refused = [earmark(*command, "--config", name) for name in ("relief", "salience")]
    assert [done.status for done in refused] == [2, 2]
    assert "is not known" not in refused[0].err
    assert refused[0].err == refused[1].err


def test_ctrl_c_keeps_what_was_learned_and_says_how_to_go_on(data, recipe, tmp_path, earmark):
    recipe.write_text(TINY.replace("steps = 8", "steps = 100000"))
    arguments = ["train", "--recipe", recipe, "--data", data, "--out", tmp_path / "run", "--verbose"]
    running = subprocess.Popen(
        [*EARMARK, *map(str, arguments)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("learning"):
                break
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers too
        rest = running.stderr.read()
    assert running.returncode == 130, rest
    assert "100,000 steps; what was learned is kept: run the same command with --resume to go on" in rest
    assert "Traceback" not in rest
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    assert "came to step" in earmark(*arguments).err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--config", "desktop"], "recipe 'desktop' is not known: choose one of laptop, salience, small, talk"),
        (["--steps", "0"], "'0' is not a whole number of at least 1"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
    ],
)
def test_options_that_make_no_sense_are_refused(earmark, data, recipe, tmp_path, change, message):
    done = earmark("train", "--config", recipe, "--data", data, "--out", tmp_path / "run", *change)
    assert done.status == 2
    assert message in done.err


def test_too_few_recordings_for_a_batch_are_said(earmark, data, recipe, tmp_path):
    recipe.write_text(TINY.replace("batch = 6", "batch = 60"))
    done = earmark("train", "--config", recipe, "--data", data, "--out", tmp_path / "run")
    assert done.status == 2
    assert "give more music or a smaller batch" in done.err


def test_files_that_cannot_be_learned_from_are_counted_or_listed(capsys):
    failed = [("a.mp3", "unsupported"), ("b.mp3", "0.1 s: too short")]
    train.mention_failed(train.Output(), failed)
    assert capsys.readouterr().err == "left out: 2 files, as a.mp3 (unsupported)\n"
    train.mention_failed(train.Output(verbose=True), failed)
    assert capsys.readouterr().err.splitlines()[1] == "left out: b.mp3: 0.1 s: too short"


def test_without_torch_it_says_what_to_install(recipe, data, tmp_path):
    program = "import sys; sys.modules['torch'] = None\nfrom earmark.apps.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["train", "--config", recipe, "--data", data, "--out", tmp_path / "run"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "earmark: torch not installed; pip install 'earmark[train]'\n"
    assert not (tmp_path / "run").exists()


def test_a_line_of_progress_is_short_and_whole():
    from earmark.learn.trainer import Progress

    progress = Progress(step=40, steps=8_000, loss=1.23456, hit_rate=None, pairs_a_second=456.7, seconds_left=3_700.0)
    assert train.line(progress) == "loss 1.235, 457 pairs/s, 62 min left"
    later = Progress(40, 8_000, 1.0, 0.5, 1_456.7, 0.0)
    assert train.line(later) == "loss 1.000, hit rate 50.0%, 1,457 pairs/s, 0 s left"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--device", "quantum"), "device 'quantum' cannot be used"),
        (("--rooms", "nowhere.npz"), "nowhere.npz is no file"),
        (("--batch", "1"), "batch=1"),
        (("--steps", "1"), "steps=1"),
        (("--recipe", "nonsense"), "nonsense"),
    ],
)
def test_what_can_be_checked_is_checked_before_the_work(earmark, album, tmp_path, options, message):
    done = earmark("train", "--data", album, "--out", tmp_path / "run", *options)
    assert done.status == 2
    assert message in done.err
    assert not (tmp_path / "run").exists()
