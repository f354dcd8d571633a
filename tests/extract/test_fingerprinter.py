"""A fingerprinter is made once for its name and settings."""

from __future__ import annotations

import pytest

from earmark.errors import OptionError
from earmark.extract.fingerprinter import make_fingerprinter


def test_the_same_settings_give_the_same_one_in_any_order() -> None:
    assert make_fingerprinter("shazam", {}) is make_fingerprinter("shazam", {})
    assert make_fingerprinter("shazam", {"density": "lean"}) is not make_fingerprinter("shazam", {})
    one = make_fingerprinter("neural", {"model": "default", "peaks": False})
    assert one is make_fingerprinter("neural", {"peaks": False, "model": "default"})


def test_what_there_is_not_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(OptionError, match="'nothing' is not known"):
            make_fingerprinter("nothing", {})
