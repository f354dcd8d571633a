"""What a stream plays, look by look."""

from __future__ import annotations

import pytest

from earmark.apps.server.cues import Cues
from earmark.apps.server.follow import Follower, StreamClock
from earmark.types import Answer, Match, TimeRange, Track


def heard(*places, seconds):
    """Return an answer: (id, second of the track now, second until which it is heard)."""
    matches = tuple(
        Match(Track(id, id, "", "", "", 200.0), 0.99, until - 4, until, at - 4, at, 0.01, 1.0, 1.0, {})
        for id, at, until in places
    )
    return Answer(matches, 0.9, "" if matches else "unknown", "stream", seconds, 0.0)


def kinds(events):
    return [event["type"] for event in events]


def test_it_is_found_then_locked_and_quiet_as_long_as_it_goes_on():
    follower = Follower()
    assert kinds(follower.look(None, 1.0)) == ["listening"]
    (found,) = follower.look(heard(("a", 50.0, 2.0), seconds=2.0), 2.0)
    assert (found["type"], found["position"], found["locked"], found["track"]["id"]) == ("found", 50.0, False, "a")
    (moved,) = follower.look(heard(("a", 51.01, 3.0), seconds=3.0), 3.0)
    assert (moved["type"], moved["locked"]) == ("moved", True)
    assert follower.look(heard(("a", 52.015, 4.0), seconds=4.0), 4.0) == []


def test_drift_is_corrected():
    follower = Follower()
    for second in (1.0, 2.0):
        follower.look(heard(("a", 50 + second, second), seconds=second), second)
    (moved,) = follower.look(heard(("a", 53.05, 3.0), seconds=3.0), 3.0)
    assert (moved["at"], moved["position"]) == (3.0, pytest.approx(53.05))


def test_another_place_is_believed_at_the_second_look():
    follower = Follower()
    for second in (1.0, 2.0):
        follower.look(heard(("a", 50 + second, second), seconds=second), second)
    assert follower.look(heard(("a", 120.0, 3.0), seconds=3.0), 3.0) == []
    (moved,) = follower.look(heard(("a", 121.0, 4.0), seconds=4.0), 4.0)
    assert moved["position"] == 121.0


def test_the_next_recording_takes_its_place_when_it_alone_is_heard():
    follower = Follower()
    for second in (1.0, 2.0, 3.0):
        follower.look(heard(("a", 50 + second, second), seconds=second), second)
    assert follower.look(heard(("a", 53.0, 3.0), ("b", 1.0, 4.0), seconds=4.0), 4.0) == []
    events = follower.look(heard(("a", 53.0, 3.0), ("b", 3.0, 6.0), seconds=6.0), 6.0)
    assert kinds(events) == ["lost", "found"]
    assert (events[0]["id"], events[1]["id"]) == ("a", "b")


def test_it_is_lost_after_a_while_and_not_at_once():
    follower = Follower()
    follower.look(heard(("a", 50.0, 2.0), seconds=2.0), 2.0)
    assert follower.look(None, 5.0) == []
    (lost,) = follower.look(None, 9.0)
    assert (lost["type"], lost["position"]) == ("lost", pytest.approx(57.0))
    assert follower.playing is None


def test_the_quickest_piece_tells_when_a_stream_began():
    clock = StreamClock()
    for seconds, late in ((0.1, 0.3), (0.2, 0.05), (0.3, 0.2)):
        clock.note(seconds, 1000.0 + seconds + late)
    assert clock.moment(2.0) == pytest.approx(1002.05)
    assert clock.seconds(1003.05) == pytest.approx(3.0)
    for n in range(100):  # a pause of ten seconds: what was quick before it says nothing any more
        clock.note(0.4 + n / 10, 1010.4 + n / 10)
    assert clock.moment(0.0) == pytest.approx(1010.0)


def test_ranges_begin_and_end_at_their_time():
    cues = Cues()
    assert cues.load([TimeRange(1, 3, "a"), TimeRange(2, 4, {"b": 1})]) == []
    assert cues.at(0.5) == []
    assert cues.wait(0.5, 1.0) == 0.5
    assert cues.wait(1.0, 2.0) == 0.5
    assert [(one["type"], one["range"]["payload"]) for one in cues.at(2.0)] == [("enter", "a"), ("enter", {"b": 1})]
    assert [(one["type"], one["range"]["payload"]) for one in cues.at(3.0)] == [("exit", "a")]
    assert kinds(cues.load([])) == ["exit"]
