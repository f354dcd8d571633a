"""What recurs in recordings is found, with its borders."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import soundfile

import earmark
from earmark.audio.decode import load
from earmark.catalog.repeats import Estimate, items_of

RATE = 16_000
OPENING, JINGLE = 8.0, 4.0  # seconds of what recurs


@pytest.fixture(scope="session")
def episodes(music, tmp_path_factory):
    """Three files of music that differs, each with an opening and, twice in the last, a jingle; where the jingle is."""
    folder = tmp_path_factory.mktemp("episodes")
    opening, jingle, *talk = (load(path, rate=RATE)[0] for path in music[:5])
    opening, jingle = opening[: round(OPENING * RATE)], jingle[5 * RATE :][: round(JINGLE * RATE)]
    paths, places = [], []
    for number, own in enumerate(talk):
        parts = [own[: 7 * RATE], opening, own[7 * RATE : (14 + number) * RATE], jingle, own[17 * RATE : 24 * RATE]]
        if number == 2:
            parts += [jingle, own[24 * RATE : 27 * RATE]]
        borders = np.cumsum([0, *map(len, parts)]) / RATE
        paths.append(folder / f"{number}.wav")
        soundfile.write(paths[-1], np.concatenate(parts), RATE, subtype="PCM_16")
        places += [
            (str(paths[-1]), start, end)
            for part, (start, end) in zip(parts, pairwise(borders), strict=True)
            if part is jingle
        ]
    return paths, places


def test_what_recurs_is_told_with_its_borders_in_every_place(episodes):
    paths, places = episodes
    report = earmark.repeats(paths)
    jingle, opening, *_ = report.items  # what the music between them repeats has fewer places
    told = sorted((place.track.path, place.start, place.end) for place in jingle.places)
    assert [path for path, _, _ in told] == [path for path, _, _ in places]
    for (_, *borders), (_, *truth) in zip(told, places, strict=True):
        assert borders == pytest.approx(truth, abs=0.5)
    assert [(place.start, place.end) for place in opening.places] == [pytest.approx((7, 15), abs=0.5)] * 3
    assert report.failed == ()


def test_what_is_shorter_than_asked_is_not_told(episodes):
    (opening,) = earmark.repeats(episodes[0], shortest=6).items  # the music between repeats itself for five
    assert opening.seconds == pytest.approx(OPENING, abs=0.5)


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_compared(episodes, tmp_path):
    noise = tmp_path / "noise.txt"
    noise.write_text("no sound")
    report = earmark.repeats([*episodes[0][:2], noise])
    assert [path for path, _ in report.failed] == [str(noise)]
    assert len(report.items) == 2


def test_without_files_nothing_is_compared(tmp_path):
    with pytest.raises(earmark.OptionError, match="give the files"):
        earmark.repeats([])
    with pytest.raises(earmark.OptionError, match="is a folder"):
        earmark.repeats([tmp_path])


def place(track, start, end):
    return Estimate(track, start, end)


def test_borders_are_the_medians_of_what_comparisons_say():
    pairs = [
        (place(1, 10.0, 20.0), place(2, 30.0, 40.0)),
        (place(1, 10.2, 20.1), place(3, 50.0, 60.0)),
        (place(1, 9.0, 20.2), place(4, 70.0, 80.0)),
    ]
    (item,) = items_of(pairs)
    assert item == [place(1, 10.0, 20.1), place(2, 30, 40), place(3, 50, 60), place(4, 70, 80)]


def test_a_part_of_an_item_is_no_item_of_its_own_unless_it_recurs_elsewhere():
    whole, part = (place(1, 0, 20), place(2, 0, 20)), (place(1, 12, 20), place(2, 12, 20))
    assert items_of([whole, part]) == [list(whole)]
    elsewhere = (place(1, 12, 20), place(3, 40, 48))
    assert len(items_of([whole, part, elsewhere])) == 2
