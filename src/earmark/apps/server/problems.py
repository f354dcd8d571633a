"""Problem documents (RFC 9457): what every error of the service answers with, and which status stands for which."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from earmark.errors import (
    CatalogDamaged,
    CatalogError,
    CatalogLocked,
    CatalogReadOnly,
    EarmarkError,
    MediaError,
    OptionError,
    PlayNotFound,
    SpecMismatch,
    TrackExists,
    TrackNotFound,
)
from earmark.text import printable

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "The request makes no sense",
    401: "A key is needed",
    403: "This may not be done",
    404: "There is no such thing",
    405: "The method is not allowed here",
    406: "There is no such form",
    408: "The request came too slowly",
    409: "It conflicts with what there is",
    411: "A length is needed",
    413: "It is too large",
    415: "The kind of content is not known",
    421: "The request is meant for another host",
    422: "It cannot be used",
    426: "It is a WebSocket",
    429: "Too many requests",
    431: "The head of the request is too large",
    499: "The client went away",
    500: "Something failed here",
    503: "It cannot be done now",
}
STATUSES: Mapping[type[EarmarkError], tuple[int, str]] = {
    TrackNotFound: (404, "track_not_found"),
    PlayNotFound: (404, "play_not_found"),
    TrackExists: (409, "track_exists"),
    CatalogReadOnly: (403, "read_only"),
    CatalogLocked: (503, "locked"),
    CatalogDamaged: (500, "damaged"),
    CatalogError: (503, "catalog"),
    SpecMismatch: (422, "other_fingerprint"),
    OptionError: (422, "invalid"),
}
MEDIA_STATUSES = {"too_large": 413, "decoder_crashed": 500}  # any other code of a MediaError: 422
LOCKED_SECONDS = 5  # seconds after which to try again while another process writes


class Problem(Exception):  # noqa: N818 - RFC 9457's name
    """An error that is answered with a document."""

    def __init__(
        self, status: int, code: str, detail: str, *, retry_after: float = 0.0, headers: Mapping[str, str] | None = None
    ) -> None:
        """`code`: what programs tell it by; `retry_after`: seconds after which it may be tried again."""
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers = dict(headers or {})
        if retry_after:
            self.headers["Retry-After"] = str(max(1, round(retry_after)))

    def document(self, request_id: str) -> dict[str, Any]:
        """Return the document."""
        return {
            "type": f"urn:earmark:problem:{self.code}",
            "title": TITLES.get(self.status, "It failed"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "instance": f"urn:uuid:{request_id}",
        }

    def response(self, request_id: str) -> Response:
        """Return the answer."""
        content = json.dumps(self.document(request_id))
        return Response(content, self.status, self.headers, media_type=MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """Return what an error is answered with; what was not foreseen says nothing of the inside."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, MediaError):
        return Problem(MEDIA_STATUSES.get(error.code, 422), error.code, printable(error.detail))
    for kind, (status, code) in STATUSES.items():
        if isinstance(error, kind):
            wait = LOCKED_SECONDS if code == "locked" else 0
            return Problem(status, code, printable(str(error)), retry_after=wait)
    return Problem(500, "internal", "an error that was not foreseen; its number is in the service's log")
