import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.apps.text import amount, clock, printable, size


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Für Elise", "Für Elise"),
        ("夜曲 🎵", "夜曲 🎵"),
        ("red\x1b[31m", r"red\x1b[31m"),
        ("two\nlines\ttab", r"two\x0alines\x09tab"),
        ("c1\x9b31m", r"c1\x9b31m"),
        ("evil\u202egpj.exe", r"evil\u202egpj.exe"),
        ("caf\udce9.wav", r"caf\udce9.wav"),
        ("line\u2028separator", r"line\u2028separator"),
    ],
)
def test_text_is_shown_without_anything_a_terminal_would_obey(text, shown):
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_whatever_the_text_it_stays_one_encodable_line(text):
    shown = printable(text)
    assert shown.isprintable() or not any(character in shown for character in "\n\r\x1b\x9b\u202e")
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


def test_seconds_are_shown_as_a_clock():
    assert [clock(seconds) for seconds in (0, 5.004, 59.999, 61.5, 3725.5)] == [
        "0:00.00",
        "0:05.00",
        "1:00.00",
        "1:01.50",
        "1:02:05.50",
    ]


def test_amounts_and_sizes_are_shown_for_people():
    assert [amount(count, "track") for count in (0, 1, 1234)] == ["0 tracks", "1 track", "1,234 tracks"]
    assert [size(count) for count in (0, 999, 1234567, 5.2e10)] == ["0 bytes", "999 bytes", "1.2 MB", "52.0 GB"]
