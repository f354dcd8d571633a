"""`/v1/plays` and `/v1/events`: what was on air, filtered, decided on, heard again, and told as it happens."""

from __future__ import annotations

import csv
import io
import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from tests.apps.server.conftest import problem_of

from earmark.apps.monitor.clips import write_opus
from earmark.apps.server.settings import Limits
from earmark.catalog.plays import Play, PlayedTrack

NOON = 1_700_000_000.0
A, B = (PlayedTrack(id, id.upper(), "Artist", "Album", f"{id}.flac", 100.0) for id in "ab")


def play(track, start, end, station="One", **changes):
    made = Play(station, track, start, end, 0.0, 1.0, 2.0, 0.5, 0.99, "accepted", "foreground", False)
    return replace(made, **changes)


@pytest.fixture(scope="module")
def aired(serve, tmp_path_factory):
    """A service with five plays, of the second of which the sound is kept."""
    clips = tmp_path_factory.mktemp("clips")
    with serve(Limits(requests_a_minute=1_000_000, watchers_of_one=1), workers=1, keep_clips=clips) as one:
        for kept in (
            play(A, NOON, NOON + 60),
            play(B, NOON + 70, NOON + 100),
            play(A, NOON + 10, NOON + 40, "=Two", state="review"),
            play(B, NOON + 200, NOON + 210, state="rejected"),
            play(A, NOON + 300, NOON + 310, is_open=True),
        ):
            one.service.catalog.plays.save(kept)
        (clips / "One").mkdir()
        write_opus(clips / "One" / "20231114T221330Z-2.opus", np.zeros(16_000, np.float32))
        yield one


def numbers(aired, query):
    return [one["play"] for one in aired.client.get(f"/v1/plays?{query}").json()["plays"]]


def test_plays_are_filtered_by_station_time_track_and_state(aired):
    assert numbers(aired, "") == [1, 3, 2, 5]
    assert numbers(aired, "station=One") == [1, 2, 5]
    assert numbers(aired, "since=2023-11-14T22:14:30Z") == [2, 5]
    assert numbers(aired, "since=2023-11-14T23:14:30%2B01:00&until=2023-11-14T22:15:00") == [2]
    assert numbers(aired, "track=b") == [2]
    assert numbers(aired, "state=rejected") == [4]
    assert numbers(aired, "open=true") == [5]
    assert numbers(aired, "station=three") == []


def test_pages_follow_one_another(aired):
    first = aired.client.get("/v1/plays?limit=3").json()
    assert [one["play"] for one in first["plays"]] == [1, 3, 2]
    second = aired.client.get("/v1/plays", params={"limit": 3, "cursor": first["cursor"]}).json()
    assert ([one["play"] for one in second["plays"]], second["cursor"]) == ([5], "")


def test_a_table_has_the_same_plays_and_no_formula(aired):
    response = aired.client.get("/v1/plays?format=csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["title"] for row in rows] == ["A", "A", "B", "A"]
    assert rows[1]["station"] == "'=Two"


@pytest.mark.parametrize(
    "query", ["since=soon", "cursor=x", "cursor=nan_1", "limit=0", "state=odd", "since=99999-01-01"]
)
def test_what_makes_no_sense_is_refused(aired, query):
    assert problem_of(aired.client.get(f"/v1/plays?{query}")) in ("invalid", "cursor")


def test_what_is_kept_of_a_play_can_be_heard(aired):
    assert [one["clip"] for one in aired.client.get("/v1/plays").json()["plays"]] == [False, False, True, False]
    clip = aired.client.get("/v1/plays/2/clip")
    assert clip.headers["content-type"].startswith("audio/ogg")
    assert clip.content.startswith(b"OggS")
    assert problem_of(aired.client.get("/v1/plays/1/clip")) == "no_clip"
    assert problem_of(aired.client.get("/v1/plays/99")) == "play_not_found"


def test_who_may_only_ask_decides_nothing(serve):
    with serve(keys=[("phone", "identify"), ("me", "manage")], anyone="", workers=1) as guarded:
        guarded.service.catalog.plays.save(play(A, NOON, NOON + 60))
        key = (guarded.settings.keys.parent / "phone").read_text()
        own = (guarded.settings.keys.parent / "me").read_text()
        client, change = guarded.client, {"state": "rejected"}
        for path in ("/v1/plays", "/v1/events", "/v1/monitors", "/v1/plays/1/clip"):
            assert problem_of(client.get(path)) == "no_key"
        asking, managing = ({"Authorization": f"Bearer {one}"} for one in (key, own))
        assert len(client.get("/v1/plays", headers=asking).json()["plays"]) == 1
        assert problem_of(client.patch("/v1/plays/1", json=change, headers=asking)) == "scope"
        assert problem_of(client.patch("/v1/plays/1", json={"state": "odd"}, headers=managing)) == "document"
        assert client.patch("/v1/plays/1", json=change, headers=managing).json()["state"] == "rejected"
        assert client.get("/v1/plays", headers=asking).json()["plays"] == []


class Events:
    """Server-sent events, read in a thread."""

    def __init__(self, running, query=""):
        self._texts, self._running, self._query = iter(()), running, query

    def __enter__(self):
        self._stream = self._running.client.stream("GET", f"/v1/events{self._query}")
        response = self._stream.__enter__()
        assert response.headers["content-type"].startswith("text/event-stream")
        self._lines = response.iter_lines()
        return self

    def __exit__(self, *error):
        self._stream.__exit__(*error)

    def next(self):
        """Return the next event: (kind, document)."""
        kind = next(line for line in self._lines if line.startswith("event: ")).removeprefix("event: ")
        return kind, json.loads(next(self._lines).removeprefix("data: "))


def test_plays_are_told_as_they_begin_change_and_end_whoever_writes_them(aired):
    plays = aired.service.catalog.plays
    with Events(aired, "?station=One") as events:
        kind, now = events.next()
        assert (kind, [one["play"] for one in now["plays"]], now["monitors"]) == ("now", [5], [])
        new = plays.save(play(B, NOON + 400, NOON + 410, is_open=True))
        kind, told = events.next()
        assert (kind, told["play"], told["open"], told["track_seconds"]) == ("began", new.number, True, 100.0)
        plays.save(replace(new, end=NOON + 420))
        kind, told = events.next()
        assert (kind, told["seconds"]) == ("changed", 20.0)
        plays.save(replace(new, is_open=False))
        assert events.next()[0] == "ended"
        gone = plays.save(play(B, NOON + 500, NOON + 510, is_open=True))
        assert events.next()[0] == "began"
        plays.remove(gone.number)
        assert events.next()[0] == "removed"
        assert problem_of(aired.client.get("/v1/events")) == "too_many_streams"
        plays.remove(new.number)


def test_a_service_that_ends_ends_the_events_too(serve):
    with serve(workers=1) as one, Events(one) as events:
        assert events.next()[0] == "now"
        ended = threading.Thread(target=lambda: list(events._lines))
        ended.start()
        one.server.should_exit = True
        ended.join(timeout=20)
        assert not ended.is_alive()
