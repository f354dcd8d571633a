from rich.cells import cell_len

from earmark.apps.text import amount, clock, cut, percent, size, wrap


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
    assert [percent(share) for share in (0, 0.0091, 0.009, 0.012, 0.12)] == ["0 %", "0.91 %", "0.90 %", "1.2 %", "12 %"]
    assert [size(count) for count in (0, 999, 1234567, 5.2e10)] == ["0 bytes", "999 bytes", "1.2 MB", "52.0 GB"]


def test_lines_are_parted_behind_words_and_paths_longer_than_a_line_behind_slashes_and_wide_letters_count_twice():
    assert wrap("the same sound is in two others", 12, indent="  ") == [
        "the same",
        "  sound is",
        "  in two",
        "  others",
    ]
    assert wrap("/home/x/My Music/one.mp3", 12) == ["/home/x/My", "Music/", "one.mp3"]
    assert wrap("one is at /home/x/1.mp3 now", 20) == ["one is at", "/home/x/1.mp3 now"]
    assert wrap("x" * 25, 10, indent="  ") == ["x" * 10, "  " + "x" * 8, "  " + "x" * 7]
    title = "東京事変の音楽大全集 第二巻"
    assert max(map(cell_len, wrap(title, 9))) <= 9
    assert "".join(wrap(title, 9)) == title.replace(" ", "")
    assert (cut(title, 7), cut("plain", 7)) == ("東京事…", "plain")
    assert wrap("", 10) == []


def test_text_of_many_spaces_and_narrow_lines_are_wrapped_too():
    for cells in (1, 2, 5, 80):
        for text in (" " * 200, f"a{' ' * 200}b", f"{' ' * 100}/x", "日本"):
            lines = wrap(text, cells, indent="  ")
            assert "".join(lines).replace(" ", "") == text.replace(" ", "")
