"""Names that come from outside, as they may be printed."""

import os

from hypothesis import given
from hypothesis import strategies as st

from earmark.text import shown


def test_plain_names_stay_as_they_are():
    assert shown("Für Élise – 猫.flac") == "Für Élise – 猫.flac"


def test_nothing_reaches_the_terminal_as_a_command():
    assert shown("a\x1b[31mred\x07\n\x9bb") == "a[31mredb"


def test_a_name_cannot_turn_the_direction_of_the_line():
    assert shown("song\u202egpj.exe\u2066") == "songgpj.exe"


def test_bytes_that_are_no_text_are_seen():
    assert shown(os.fsdecode(b"caf\xe9.wav")) == "caf\\udce9.wav"


@given(st.text(st.characters()))
def test_what_is_shown_can_always_be_printed(name):
    printed = shown(name)
    assert printed.encode().decode() == printed
    assert len(printed) <= 1024
    assert "\x1b" not in printed
