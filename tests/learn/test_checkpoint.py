from __future__ import annotations

import zipfile

import pytest
import torch
from msgspec.structs import replace

from earmark.errors import OptionError
from earmark.learn.checkpoint import KEYS, read_checkpoint, write_checkpoint


@pytest.fixture
def state(recipe):
    weights = {"layer": torch.arange(3.0)}
    return dict.fromkeys(KEYS, 0) | {"digest": recipe.digest, "encoder": weights}


def test_a_state_is_read_as_it_was_written(state, tmp_path):
    write_checkpoint(tmp_path / "state.pt", state)
    found = read_checkpoint(tmp_path / "state.pt")
    assert found.keys() == state.keys()
    assert torch.equal(found["encoder"]["layer"], torch.arange(3.0))


def test_a_write_that_fails_leaves_the_old_state(state, tmp_path):
    path = tmp_path / "state.pt"
    write_checkpoint(path, state)
    before = path.read_bytes()
    with pytest.raises((AttributeError, RuntimeError, TypeError)):
        write_checkpoint(path, state | {"step": (number for number in range(3))})
    assert path.read_bytes() == before
    assert read_checkpoint(path)["digest"] == state["digest"]


def test_a_state_of_another_recipe_is_refused(state, recipe, tmp_path):
    write_checkpoint(tmp_path / "state.pt", state)
    assert read_checkpoint(tmp_path / "state.pt", recipe=recipe)
    with pytest.raises(OptionError, match=r"another recipe than tiny; give that one, or another folder"):
        read_checkpoint(tmp_path / "state.pt", recipe=replace(recipe, batch=9))


def test_what_is_no_checkpoint_is_refused(state, tmp_path):
    text, other, cut = tmp_path / "text.pt", tmp_path / "other.pt", tmp_path / "cut.pt"
    text.write_text("weights")
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("weights", "none")
    write_checkpoint(cut, state)
    cut.write_bytes(cut.read_bytes()[:-40])
    for path in (text, other, cut):
        with pytest.raises(OptionError, match="is no checkpoint"):
            read_checkpoint(path)
    with pytest.raises(OptionError, match="is not there; train first"):
        read_checkpoint(tmp_path / "absent.pt")
    write_checkpoint(tmp_path / "less.pt", {name: value for name, value in state.items() if name != "optimiser"})
    with pytest.raises(OptionError, match="has no optimiser"):
        read_checkpoint(tmp_path / "less.pt")


def test_a_checkpoint_that_would_run_code_does_not(state, tmp_path):
    class Harm:
        def __reduce__(self):
            return print, ("harm",)

    torch.save(state | {"step": Harm()}, tmp_path / "harm.pt")
    with pytest.raises(OptionError, match="is no checkpoint"):
        read_checkpoint(tmp_path / "harm.pt")
