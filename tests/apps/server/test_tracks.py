"""`/v1/tracks`."""

from __future__ import annotations

import shutil
from urllib.parse import quote

import pytest
from tests.apps.server.conftest import problem_of

import earmark


@pytest.fixture(scope="module")
def own(serve):
    """A service whose catalog these tests change."""
    with serve() as one:
        yield one


def tracks_of(own, **query):
    return own.client.get("/v1/tracks", params=query).json()["tracks"]


def test_the_catalog_comes_in_pages(service):
    first = service.client.get("/v1/tracks?limit=3").json()
    second = service.client.get("/v1/tracks", params={"limit": 3, "cursor": first["cursor"]}).json()
    assert [len(first["tracks"]), len(second["tracks"]), second["cursor"]] == [3, 1, ""]
    ids = [track["id"] for track in first["tracks"] + second["tracks"]]
    assert len(set(ids)) == 4
    assert service.client.get(f"/v1/tracks/{ids[0]}").json() == first["tracks"][0]


def test_it_is_searched(service):
    assert [track["title"] for track in tracks_of(service, q="CASTLE")] == ["Castle"]
    assert tracks_of(service, q="castle nothing") == []


@pytest.mark.parametrize("query", ["cursor=x", "cursor=-1", "limit=0", "limit=9999", f"cursor={'9' * 19}"])
def test_pages_that_there_are_not_are_refused(service, query):
    assert problem_of(service.client.get(f"/v1/tracks?{query}")) == "invalid"


def test_a_recording_is_added_changed_and_forgotten(own, clips):
    response = own.client.post("/v1/tracks", files={"file": ("../../Forest Song.wav", clips("forest", 0, 20))})
    track = response.json()
    assert (response.status_code, track["title"], track["path"]) == (201, "Forest Song", "upload:Forest Song.wav")
    assert response.headers["location"] == f"/v1/tracks/{track['id']}"
    found = own.client.post("/v1/identify", content=clips("forest")).json()["matches"]
    assert [match["track"]["id"] for match in found] == [track["id"]]

    assert own.service.catalog.missing() == ()  # `earmark prune` does not forget what was sent

    again = own.client.post("/v1/tracks", content=clips("forest", 0, 20))
    assert (again.status_code, again.json()["id"]) == (200, track["id"])

    changed = own.client.patch(f"/v1/tracks/{track['id']}", json={"title": "Wood", "tags": {"mood": "calm"}}).json()
    assert (changed["title"], changed["artist"], changed["tags"]) == ("Wood", track["artist"], {"mood": "calm"})
    assert own.client.get(f"/v1/tracks/{track['id']}").json() == changed

    assert own.client.delete(f"/v1/tracks/{track['id']}").status_code == 204
    assert problem_of(own.client.get(f"/v1/tracks/{track['id']}")) == "track_not_found"
    assert own.client.post("/v1/identify", content=clips("forest")).json()["matches"] == []


def test_what_cannot_be_added_says_why(own):
    response = own.client.post("/v1/tracks", content=b"nothing" * 999)
    assert (response.status_code, problem_of(response)) == (422, "unreadable")
    assert "earmark-upload" not in response.text


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"title": 3}', b'{"nonsense": "x"}', b"[" * 100_000])
def test_a_change_that_is_none_is_refused(own, body):
    (id,) = (track["id"] for track in tracks_of(own, q="castle"))
    response = own.client.patch(f"/v1/tracks/{id}", content=body)
    assert (response.status_code, problem_of(response)) == (422, "document")


def test_time_ranges_are_kept_with_their_track(own):
    (id,) = (track["id"] for track in tracks_of(own, q="castle"))
    ranges = [{"start": 5, "end": 6, "payload": {"text": "two"}}, {"start": 1, "end": 2.5, "payload": "one"}]
    written = own.client.put(f"/v1/tracks/{id}/ranges", json={"ranges": ranges})
    assert written.json() == {"ranges": [ranges[1], ranges[0]]}
    assert own.client.get(f"/v1/tracks/{id}/ranges").json() == written.json()
    refused = own.client.put(f"/v1/tracks/{id}/ranges", json={"ranges": [{"start": 5, "end": 1, "payload": 0}]})
    assert (refused.status_code, problem_of(refused)) == (422, "invalid")
    assert problem_of(own.client.get("/v1/tracks/nobody/ranges")) == "track_not_found"


def test_it_follows_another_writer_and_waits_for_one(own, music, tmp_path, clips):
    own.service.writer.close()
    with earmark.open(own.settings.catalog) as catalog:
        shutil.copy(next(one for one in music if one.stem == "azum"), tmp_path / "new.opus")
        (added,) = catalog.add([tmp_path / "new.opus"], ids={str(tmp_path / "new.opus"): "a/b c?"}).added
        found = own.client.post("/v1/identify", content=clips("azum")).json()["matches"]
        assert [match["track"]["id"] for match in found] == ["a/b c?"]
        refused = own.client.patch(f"/v1/tracks/{quote(added.id, safe='')}", json={"title": "Mine"})
        assert (refused.status_code, problem_of(refused), refused.headers["retry-after"]) == (503, "locked", "5")
    changed = own.client.patch(f"/v1/tracks/{quote(added.id, safe='')}", json={"title": "Mine"})
    assert changed.json()["title"] == "Mine"


def test_peaks_of_a_clip_lie_on_those_of_its_recording(service, clips):
    (track,) = tracks_of(service, q="castle")
    stored = service.client.get(f"/v1/tracks/{track['id']}/peaks?start=5&end=10").json()
    own = service.client.post("/v1/peaks?start=0&end=5", content=clips("castle", 5, 5)).json()
    kept = {(round(at - 5, 2), hertz) for at, hertz in zip(stored["seconds"], stored["hertz"], strict=True)}
    heard = {(round(at, 2), hertz) for at, hertz in zip(own["seconds"], own["hertz"], strict=True)}
    assert len(kept) > 50
    assert len(kept & heard) > 0.6 * len(kept)


def test_a_service_that_only_reads_changes_nothing(serve):
    with serve(read_only=True) as reader:
        (id,) = (track["id"] for track in tracks_of(reader, q="castle"))
        response = reader.client.delete(f"/v1/tracks/{id}")
        assert (response.status_code, problem_of(response)) == (403, "read_only")
        assert reader.client.get("/v1/about").json()["read_only"] is True
