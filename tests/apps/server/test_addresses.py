"""What is asked for and is not there is named, with what there is: paths, methods, parameters of a query."""

from __future__ import annotations

import pytest
from tests.apps.server.conftest import problem_of
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from earmark.apps.server.addresses import WEB_SOCKETS


def detail_of(response) -> str:
    problem_of(response)
    return response.json()["detail"]


def test_a_path_that_is_not_there_is_named_with_what_may_have_been_meant(service):
    response = service.client.get("/v1/trakcs")
    assert (response.status_code, problem_of(response)) == (404, "no_such_path")
    assert detail_of(response) == "there is nothing at /v1/trakcs; did you mean /v1/tracks?"
    assert detail_of(service.client.get("/nothing")) == "there is nothing at /nothing; /openapi.json says what there is"
    assert len(detail_of(service.client.get("/" + 500 * "x"))) < 200


@pytest.mark.parametrize("path", WEB_SOCKETS)
def test_a_plain_request_for_a_web_socket_says_that_it_is_one(service, path):
    assert "is a WebSocket" in detail_of(service.client.get(path))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/tracks", "GET, HEAD, POST"),
        ("POST", "/v1/tracks/some/id", "DELETE, GET, HEAD, PATCH"),
        ("GET", "/v1/identify", "POST"),
        ("POST", "/", "GET, HEAD"),
        ("PUT", "/v1/plays", "GET, HEAD"),
    ],
)
def test_a_method_that_a_path_does_not_take_is_told_with_all_that_it_takes(service, method, path, allowed):
    response = service.client.request(method, path)
    assert (response.status_code, problem_of(response)) == (405, "method")
    assert response.headers["allow"] == allowed
    assert detail_of(response) == f"{path} does not take {method}; it takes {allowed}"


def test_an_unknown_parameter_is_refused_with_the_nearest_known_one(service):
    response = service.client.get("/v1/tracks?limmit=3")
    assert (response.status_code, problem_of(response)) == (422, "invalid")
    assert detail_of(response) == "there is no parameter 'limmit'; did you mean 'limit'?"
    response = service.client.get("/v1/tracks?colour=blue")
    assert detail_of(response) == "there is no parameter 'colour'; there are cursor, limit, q"
    response = service.client.get("/v1/tracks/some/id?limit=3")
    assert detail_of(response) == "there is no parameter 'limit'; there are none here"


def test_a_parameter_that_comes_twice_is_refused(service):
    response = service.client.get("/v1/tracks?limit=3&limit=4")
    assert detail_of(response) == "the parameter 'limit' is given 2 times; give it once"


def test_no_operation_takes_a_parameter_that_it_does_not_describe(service):
    description = service.client.get("/openapi.json").json()["paths"]
    for path, operations in description.items():
        for method in operations:
            address = path.replace("{number}", "1").replace("{id}", "x").replace("{name}", "x")
            response = service.client.request(method, f"{address}?no_such_parameter=1", timeout=10)
            if address in ("/livez", "/readyz", "/metrics", "/v1/about"):
                assert response.status_code == 200
            else:
                assert problem_of(response) == "invalid", (method, path)


def test_a_web_socket_refuses_an_unknown_parameter_too(service):
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{service.port}/v1/listen?fromat=s16").__enter__()
    assert refused.value.response.status_code == 422
    assert b"did you mean 'format'?" in refused.value.response.body


def test_the_page_and_probes_take_what_others_add_to_their_addresses(service):
    for path in ("/?from=mail", "/page/main.js?v=2", "/livez?by=balancer"):
        assert service.client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/openapi.json", "/v1/about", "/v1/tracks?limit=1"])
def test_head_is_answered_as_get_without_the_body(service, path):
    asked, heads = service.client.get(path), service.client.head(path)
    assert (heads.status_code, heads.content) == (asked.status_code, b"")
    alike = ("content-type", "content-length", "content-security-policy")
    assert [heads.headers.get(name) for name in alike] == [asked.headers.get(name) for name in alike]


def test_head_of_a_stream_without_end_ends_and_refusals_have_no_body_either(service):
    events = service.client.head("/v1/events")
    assert (events.status_code, events.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert service.client.head("/v1/trucks").status_code == 404
    refused = service.client.head("/v1/identify")
    assert (refused.status_code, refused.headers["allow"], refused.content) == (405, "POST", b"")
    assert service.client.get("/v1/about").status_code == 200  # on the same connection
