"""What plays, look by look."""

from __future__ import annotations

import pytest

from earmark.apps.follower import Follower
from earmark.types import Match, Track


def heard(*places, begun=0.0, now, confidence=0.9999):
    """Return matches of a look at second `now`: (id, second of the track now, second until which it is heard)."""
    return [
        Match(
            Track(id, id, "", "", "", 200.0),
            confidence,
            begun,
            until,
            at - now + begun,
            at - now + until,
            0.01,
            1.0,
            1.0,
            {},
        )
        for id, at, until in places
    ]


def kinds(changes):
    return [kind for kind, _ in changes]


def following(follower, *, looks=3):
    """Return a follower that has heard `a` from its second 50 on."""
    for second in range(1, looks + 1):
        follower.look(heard(("a", 50 + second, second), now=second), second)
    return follower


def test_it_is_found_then_locked_and_quiet_as_long_as_it_goes_on():
    follower = Follower()
    assert follower.look([], 1.0) == []
    ((kind, found),) = follower.look(heard(("a", 50.0, 2.0), now=2.0), 2.0)
    assert (kind, found.position, found.is_locked, found.match.track.id) == ("found", 50.0, False, "a")
    ((kind, locked),) = follower.look(heard(("a", 51.01, 3.0), now=3.0), 3.0)
    assert (kind, locked.is_locked) == ("corrected", True)
    assert follower.look(heard(("a", 52.015, 4.0), now=4.0), 4.0) == []


def test_what_is_in_doubt_is_found_when_more_sound_bears_it_out():
    follower = Follower()
    assert follower.look(heard(("a", 50.0, 2.0), now=2.0, confidence=0.95), 2.0) == []
    assert follower.playing is None
    assert kinds(follower.look(heard(("a", 51.0, 3.0), now=3.0, confidence=0.97), 3.0)) == ["found"]


@pytest.mark.parametrize(
    ("place", "confidence"),
    [(("a", 51.0, 2.1), 0.97), (("a", 51.0, 3.0), 0.93), (("a", 90.0, 3.0), 0.97), (("b", 51.0, 3.0), 0.97)],
    ids=["nothing new", "less sure", "another place", "another track"],
)
def test_what_is_in_doubt_is_not_found_otherwise(place, confidence):
    follower = Follower()
    follower.look(heard(("a", 50.0, 2.0), now=2.0, confidence=0.95), 2.0)
    assert follower.look(heard(place, now=3.0, confidence=confidence), 3.0) == []
    assert follower.playing is None


def test_a_break_ends_a_doubt_too():
    follower = Follower()
    follower.look(heard(("a", 50.0, 2.0), now=2.0, confidence=0.95), 2.0)
    assert follower.lose() == []
    assert follower.look(heard(("a", 51.0, 3.0), now=3.0, confidence=0.97), 3.0) == []


def test_what_is_in_doubt_does_not_end_what_plays():
    follower = following(Follower())
    assert follower.look(heard(("b", 9.0, 8.0), now=8.0, confidence=0.95), 8.0) == []
    assert follower.playing.match.track.id == "a"


def test_drift_is_corrected():
    follower = following(Follower(), looks=2)
    ((kind, now),) = follower.look(heard(("a", 53.05, 3.0), now=3.0), 3.0)
    assert (kind, now.at, now.position) == ("corrected", 3.0, pytest.approx(53.05))
    assert now.position_at(4.0) == pytest.approx(54.05)


def test_another_place_in_the_stead_of_the_one_before_is_believed_at_the_second_look():
    follower = following(Follower())
    assert follower.look(heard(("a", 120.0, 4.0), now=4.0), 4.0) == []
    assert kinds(follower.look(heard(("a", 121.0, 5.0), now=5.0), 5.0)) == ["moved"]
    assert follower.playing.position == 121.0
    assert follower.playing.is_locked


def test_one_look_astray_changes_nothing():
    follower = following(Follower())
    assert follower.look(heard(("a", 120.0, 4.0), now=4.0), 4.0) == []
    assert follower.look(heard(("a", 55.0, 5.0), now=5.0), 5.0) == []
    assert follower.look(heard(("a", 122.0, 6.0), now=6.0), 6.0) == []
    assert follower.playing.position_at(6.0) == pytest.approx(56.0)


def test_a_place_that_begins_where_the_one_before_ends_is_a_jump():
    follower = following(Follower())
    changes = follower.look(heard(("a", 120.0, 6.0), begun=3.0, now=6.0), 6.0)
    assert kinds(changes) == ["moved"]


def test_the_next_recording_takes_its_place_when_it_alone_is_heard():
    follower = following(Follower())
    assert follower.look(heard(("a", 53.0, 3.0), ("b", 1.0, 4.0), now=4.0), 4.0) == []
    changes = follower.look(heard(("a", 53.0, 3.0), ("b", 3.0, 6.0), now=6.0), 6.0)
    assert [(kind, one.match.track.id) for kind, one in changes] == [("lost", "a"), ("found", "b")]


def test_it_is_lost_after_a_while_not_at_once_and_not_found_again_by_what_is_over():
    follower = Follower()
    follower.look(heard(("a", 50.0, 2.0), now=2.0), 2.0)
    assert follower.look([], 5.0) == []
    ((kind, lost),) = follower.look([], 9.0)
    assert (kind, lost.position_at(9.0)) == ("lost", pytest.approx(57.0))
    assert follower.playing is None
    assert follower.look(heard(("a", 58.0, 2.0), now=10.0), 10.0) == []


def test_a_break_loses_what_plays():
    follower = following(Follower())
    assert kinds(follower.lose()) == ["lost"]
    assert follower.lose() == []
