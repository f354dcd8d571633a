"""Passages of both searches come together, one a track."""

from __future__ import annotations

from earmark.match.passages import Passage
from earmark.match.warped import merged


def passage(track: int, *, odds: float, z: float, speed: float = 1.0) -> Passage:
    return Passage(track, odds, 0.0, 5.0, 30.0, 30.0 + 5 * speed, speed, speed, 0.01, {"z": z})


def test_the_surest_comes_first_whichever_search_found_it() -> None:
    found = merged([passage(1, odds=2.0, z=9.0)], [passage(2, odds=8.0, z=30.0, speed=1.2)])
    assert [(one.track, one.speed) for one in found] == [(2, 1.2), (1, 1.0)]


def test_of_a_track_that_both_found_the_passage_counts_on_which_more_peaks_agree() -> None:
    usual, warped = passage(1, odds=9.0, z=13.0), passage(1, odds=6.0, z=46.0, speed=0.75)
    (one,) = merged([usual], [warped])
    assert (one.speed, one.log_odds) == (0.75, 9.0)
    (one,) = merged([passage(1, odds=9.0, z=46.0)], [passage(1, odds=6.0, z=13.0, speed=0.75)])
    assert one.speed == 1.0


def test_what_is_unlikely_at_another_speed_replaces_nothing() -> None:
    (one,) = merged([passage(1, odds=3.0, z=4.0)], [passage(1, odds=-2.0, z=7.0, speed=0.9)])
    assert one.speed == 1.0


def test_the_usual_speed_is_measured_only_where_peaks_agree() -> None:
    weak, strong = merged([passage(1, odds=3.0, z=4.0)], []), merged([passage(1, odds=3.0, z=14.0)], [])
    assert not weak[0].is_measured
    assert strong[0].is_measured
