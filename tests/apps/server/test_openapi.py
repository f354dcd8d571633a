"""The service against its own description, by requests that schemathesis makes of it."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis

EXAMPLES = 8  # requests an operation
# Not the checks of what is refused: a body may be sound of any form, and what is none has an answer too.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
]


@pytest.fixture(scope="module")
def description(service):
    return service.client.get("/openapi.json").json()


def test_every_route_is_described_with_what_it_answers(description):
    assert set(description["paths"]) == {
        "/livez",
        "/readyz",
        "/metrics",
        "/v1/about",
        "/v1/identify",
        "/v1/events",
        "/v1/monitors",
        "/v1/monitors/test",
        "/v1/monitors/{name}",
        "/v1/peaks",
        "/v1/plays",
        "/v1/plays/{number}",
        "/v1/plays/{number}/clip",
        "/v1/tracks",
        "/v1/tracks/{id}",
        "/v1/tracks/{id}/peaks",
        "/v1/tracks/{id}/ranges",
    }
    for path in description["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert operation["summary"]


@pytest.fixture(scope="module")
def schema(description):
    return schemathesis.openapi.from_dict(description)


def test_what_it_answers_is_what_it_describes(schema, serve):
    checks = schemathesis.checks.CHECKS.get_by_names(CHECKS)
    with serve() as own:
        for result in schema.exclude(path="/v1/events").get_all_operations():  # which goes on for ever
            operation = result.ok()

            @hypothesis.settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
            @hypothesis.given(case=operation.as_strategy())
            def ask(case):
                case.call_and_validate(base_url=own.url, checks=checks)

            ask()
        assert own.client.get("/readyz").status_code == 200
