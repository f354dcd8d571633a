"""`/v1/monitors`: stations are followed, told of, and stopped."""

from __future__ import annotations

import time

import pytest
from tests.apps.server.conftest import problem_of
from tests.streams.servers import encoded, icy, serving

from earmark.apps.server.settings import Limits
from earmark.audio.decode import load


@pytest.fixture(scope="module")
def radio(music):
    """A station that plays 20 s of a recording that the catalog knows, then hangs up."""
    (known,) = [one for one in music if one.stem == "castle"]
    with serving() as server:
        sound = encoded(load(known, rate=44_100)[0][: 20 * 44_100])
        server.answers["/live"] = icy(sound, interval=16_000, titles=[b"They say"])
        yield f"{server.url}/live"


def until(condition):
    """Return what becomes true; the test fails by its own limit of time where it does not."""
    for _ in range(6_000):
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not become true")


def test_a_station_is_followed_told_of_and_stopped_and_its_plays_stay(serve, radio, tmp_path):
    with serve(private_streams=True, keep_clips=tmp_path / "clips") as own:
        made = own.client.post("/v1/monitors", json={"source": radio, "name": "a/b", "zone": "Europe/Berlin"})
        assert (made.status_code, made.headers["location"]) == (201, "/v1/monitors/a%2Fb")
        assert problem_of(own.client.post("/v1/monitors", json={"source": radio, "name": "a/b"})) == "station_exists"
        (play,) = until(lambda: own.client.get("/v1/plays").json()["plays"])
        assert (play["station"], play["track"]["title"]) == ("a/b", "Castle")
        status = until(lambda: [one for one in [own.client.get("/v1/monitors/a%2Fb").json()] if one["gaps"]])[0]
        assert (status["title"], status["zone"], status["source"]) == ("They say", "Europe/Berlin", radio)
        until(lambda: own.client.get(f"/v1/plays/{play['play']}").json()["clip"])
        assert own.client.get(f"/v1/plays/{play['play']}/clip").content.startswith(b"OggS")
        assert own.client.delete("/v1/monitors/a%2Fb").status_code == 204
        assert problem_of(own.client.delete("/v1/monitors/a%2Fb")) == "station_not_found"
        listed = own.client.get("/v1/monitors").json()
        assert listed == {"monitors": [], "stations": ["a/b"]}
        assert own.client.get("/v1/plays?open=true").json()["plays"] == []


def test_a_service_goes_on_with_its_stations_after_a_restart(serve, radio):
    from tests.apps.server.conftest import running

    with serve(private_streams=True) as own:
        own.client.post("/v1/monitors", json={"source": radio.replace("http://", "http://me:secret@"), "name": "One"})
        settings = own.settings
    kept = settings.catalog / "stations.json"
    assert kept.stat().st_mode & 0o077 == 0
    with running(settings) as again:
        (one,) = again.client.get("/v1/monitors").json()["monitors"]
        assert (one["name"], one["source"]) == ("One", radio)


@pytest.mark.parametrize(
    ("source", "code"),
    [("/etc/passwd", "invalid"), ("file:///etc/passwd", "invalid"), ("mic", "invalid"), ("-", "invalid")],
)
def test_nothing_but_urls_is_followed(service, source, code):
    assert problem_of(service.client.post("/v1/monitors", json={"source": source})) == code


def test_a_url_that_leads_inside_is_not_connected_to(serve, music):
    """Row S12: the refusal is told as the station's state."""
    with serving() as server, serve(Limits(requests_a_minute=1_000_000, stations=1)) as own:
        for body in ({"source": server.url}, {"source": server.url, "zone": "Nowhere"}, {"name": "x"}, []):
            answer = own.client.post("/v1/monitors", json=body)
            assert answer.status_code == (201 if body == {"source": server.url} else 409 if "zone" in body else 422)
        (status,) = until(lambda: [one for one in own.client.get("/v1/monitors").json()["monitors"] if one["reason"]])
        assert "no public address" in status["reason"]
        assert server.requested == []


def test_a_service_that_only_reads_follows_nothing(serve, radio):
    with serve(read_only=True) as own:
        assert problem_of(own.client.post("/v1/monitors", json={"source": radio})) == "read_only"
        assert problem_of(own.client.delete("/v1/monitors/x")) == "read_only"
