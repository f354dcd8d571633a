"""Text that comes from strangers, as it may be kept and shown."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.text import LONGEST, escaped, printable


def test_plain_names_stay_as_they_are():
    assert printable("Für Élise – 猫.flac") == "Für Élise – 猫.flac"


def test_nothing_reaches_the_terminal_as_a_command():
    assert printable("a\x1b[31mred\x07\n\x9bb") == "a[31mredb"


def test_a_name_cannot_turn_the_direction_of_the_line():
    assert printable("song\u202egpj.exe\u2066") == "songgpj.exe"


def test_bytes_that_are_no_text_are_seen():
    assert printable(os.fsdecode(b"caf\xe9.wav")) == r"caf\xe9.wav"


@given(st.text(st.characters(codec=None)))
def test_a_name_can_always_be_printed_and_is_made_so_once(name):
    printed = printable(name)
    assert printed.encode().decode() == printed == printable(printed)
    assert len(printed) <= LONGEST
    assert len(printed.splitlines()) <= 1
    assert "\x1b" not in printed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Für Elise", "Für Elise"),
        ("夜曲 🎵", "夜曲 🎵"),
        ("red\x1b[31m", r"red\x1b[31m"),
        ("two\nlines\ttab", r"two\x0alines\x09tab"),
        ("c1\x9b31m", r"c1\x9b31m"),
        ("evil\u202egpj.exe", r"evil\u202egpj.exe"),
        ("caf\udce9.wav", r"caf\xe9.wav"),
        ("half\ud83c", r"half\ud83c"),
        ("line\u2028separator", r"line\u2028separator"),
    ],
)
def test_text_is_shown_without_anything_a_terminal_would_obey(text, shown):
    assert escaped(text) == shown


@given(st.text(st.characters(codec=None)))
def test_whatever_the_text_it_stays_one_encodable_line(text):
    shown = escaped(text)
    assert shown.isprintable() or not any(character in shown for character in "\n\r\x1b\x9b\u202e")
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
