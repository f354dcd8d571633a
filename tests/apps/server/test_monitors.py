"""`/v1/monitors`: stations are followed, told of, and stopped."""

from __future__ import annotations

import shutil
import time

import pytest
from tests.apps.server.conftest import problem_of
from tests.streams.servers import body, encoded, icy, serving

import earmark
from earmark.apps.server.problems import Problem
from earmark.apps.server.settings import Limits, ServerSettings
from earmark.apps.server.stations import Stations
from earmark.audio.decode import load
from earmark.errors import CatalogReadOnly


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
    with serve(private_streams=True, workers=1, keep_clips=tmp_path / "clips") as own:
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

    with serve(private_streams=True, workers=1) as own:
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


def test_a_url_that_leads_inside_is_not_connected_to(service):
    """Row S12: the refusal is told as the station's state."""
    with serving() as server:
        for body in ({"source": server.url, "zone": "Nowhere"}, {"name": "x"}, []):
            assert service.client.post("/v1/monitors", json=body).status_code == 422
        made = service.client.post("/v1/monitors", json={"source": server.url})
        (status,) = until(
            lambda: [one for one in service.client.get("/v1/monitors").json()["monitors"] if one["reason"]]
        )
        assert "no public address" in status["reason"]
        assert service.client.delete(made.headers["location"]).status_code == 204
        assert server.requested == []


def test_so_many_stations_and_none_where_nothing_is_changed(known, tmp_path):
    folder = shutil.copytree(known, tmp_path / "known.earmark")
    with earmark.open(folder, read_only=True) as catalog:
        few = Stations(catalog, ServerSettings(folder, tmp_path / "keys.json", limits=Limits(stations=1)))
        few.add("http://127.0.0.1:9/", name="one")
        with pytest.raises(Problem, match="stop one first"):
            few.add("http://127.0.0.1:9/", name="two")
        few.close()
        none = Stations(catalog, ServerSettings(folder, tmp_path / "keys.json", read_only=True))
        none.start()
        assert none.status() == []
        for change in (lambda: none.add("http://127.0.0.1:9/"), lambda: none.remove("one")):
            with pytest.raises(CatalogReadOnly):
                change()


def test_a_station_is_heard_before_it_is_followed(serve, radio):
    with serve(private_streams=True, workers=1) as own:
        told = own.client.post("/v1/monitors/test", json={"source": radio}).json()
        assert told["works"]
        assert told["seconds"] == pytest.approx(5.0, abs=1.5)
        assert (told["title"], told["format"], told["reason"]) == ("They say", "", "")  # of which this server is silent
        assert -40 < told["level"] < 0
        assert [one["track"]["title"] for one in told["matches"]] == ["Castle"]
        assert own.client.get("/v1/monitors").json() == {"monitors": [], "stations": []}


def test_a_station_that_cannot_be_heard_says_why(serve):
    with serve(private_streams=True, workers=1) as own, serving() as server:
        for source, reason in ((f"{server.url}/none", "answers 404"), ("http://127.0.0.1:9/", "Connection refused")):
            server.answers["/none"] = body(b"", status=404)
            told = own.client.post("/v1/monitors/test", json={"source": source}).json()
            assert (told["works"], told["matches"]) == (False, [])
            assert reason in told["reason"]
        assert problem_of(own.client.post("/v1/monitors/test", json={"source": "/etc/passwd"})) == "invalid"


def test_a_trial_does_not_lead_inside(service):
    with serving() as server:
        told = service.client.post("/v1/monitors/test", json={"source": server.url}).json()
        assert not told["works"]
        assert "no public address" in told["reason"]
        assert server.requested == []
