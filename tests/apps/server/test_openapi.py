"""The service against its own description, by requests that schemathesis makes of it."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis

EXAMPLES = 12  # requests an operation
LEFT_OUT = (  # checks that ask for what was decided otherwise
    "ignored_auth",  # of a service that anyone may call
    "missing_required_header",
    "negative_data_rejection",  # bodies are sound of any form: what is none is refused as 422 or answered "too short"
    "positive_data_acceptance",
    "unsupported_method",
)


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
        "/v1/peaks",
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
    left_out = [check for name, check in schemathesis.checks.CHECKS.get_all_with_names()] if False else []
    chosen = schemathesis.checks.CHECKS.get_by_names(["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance", "response_headers_conformance"])
    with serve() as own:
        for result in schema.get_all_operations():
            operation = result.ok()

            @hypothesis.settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck))
            @hypothesis.given(case=operation.as_strategy())
            def ask(case):
                case.call_and_validate(base_url=own.url, checks=chosen)

            ask()
        assert own.client.get("/readyz").status_code == 200
