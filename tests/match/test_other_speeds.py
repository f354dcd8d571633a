"""What longer sound corrects of the passages of windows, which are bent to the speeds that they try."""

from __future__ import annotations

from dataclasses import replace

import pytest

from earmark.match.other_speeds import unbent
from earmark.match.passages import Passage

WHOLE = Passage(1, 12.0, 0.0, 10.0, 30.0, 39.2, 0.92, 1.0, 0.001, {"z": 80.0})
WINDOW = Passage(1, 30.0, 6.0, 8.0, 36.3, 38.2, 0.928, 1.0, 0.001, {"z": 34.0})


def test_a_window_that_follows_the_speed_less_well_gives_way_and_leaves_its_odds() -> None:
    assert unbent([WINDOW], [WHOLE]) == [replace(WHOLE, log_odds=30.0)]


def test_so_do_all_that_lie_within_at_whatever_place_of_the_track() -> None:
    repeated = replace(WINDOW, query_start=1.0, query_end=3.0, reference_start=3.2)
    assert unbent([repeated, WINDOW], [WHOLE]) == [replace(WHOLE, log_odds=30.0)]


@pytest.mark.parametrize(
    "kept",
    [
        replace(WINDOW, track=2),
        replace(WINDOW, query_start=20.0, query_end=22.0),
        replace(WINDOW, evidence={"z": 90.0}),
        replace(WINDOW, speed=0.9201),
    ],
    ids=["another track", "elsewhere", "clearer", "the same speed"],
)
def test_another_passage_stays_as_it_is(kept: Passage) -> None:
    assert unbent([kept], [WHOLE]) == [kept]


def test_a_speed_that_is_not_measured_corrects_none() -> None:
    assert unbent([WINDOW], [replace(WHOLE, is_measured=False)]) == [WINDOW]


def test_a_window_at_the_place_that_does_not_know_its_speed_gives_way() -> None:
    unsure = replace(WINDOW, reference_start=35.52, speed=0.9201, is_measured=False)
    assert unbent([unsure], [WHOLE]) == [replace(WHOLE, log_odds=30.0)]
