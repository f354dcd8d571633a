from earmark.apps.text import amount, clock, size


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
