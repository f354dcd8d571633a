"""`POST /v1/identify`: which known recording a clip comes from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from earmark.apps.server import documents
from earmark.apps.server.requests import PROBLEMS, Identifying, Job, service_of
from earmark.apps.server.uploads import read_document, received
from earmark.apps.server.worker import Question

LARGEST_LIMIT = 10_000  # matches that may be asked for: a jingle every second of three hours
FINGERPRINT = "application/vnd.earmark.fingerprint"  # what earmark.packed_fingerprint returns

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The sound as a file of any format, alone or as a file of a form; or a fingerprint of it.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
            FINGERPRINT: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
router = APIRouter(prefix="/v1", tags=["questions"])


@router.post(
    "/identify",
    summary="Say which known recording a clip comes from",
    responses={200: {"model": documents.Answer, "description": "The answer"}, **PROBLEMS},
    openapi_extra=BODY,
)
async def identify(
    request: Request,
    caller: Identifying,
    several: Annotated[bool, Query(description="tell recordings that follow one another")] = False,
    places: Annotated[bool, Query(description="tell every place of a recording that fits")] = False,
    speed: Annotated[bool, Query(description="look for other playing speeds too")] = False,
    limit: Annotated[
        int | None, Query(ge=1, le=LARGEST_LIMIT, description="most matches (default: 5; all with several)")
    ] = None,
    threshold: Annotated[float | None, Query(ge=0, le=1, description="least confidence that counts")] = None,
) -> Response:
    """Answer with the matches, surest first, or without any and with the reason."""
    service, job = service_of(request), Job(request, caller)
    options = {"several": several, "places": places, "speed": speed, "limit": limit, "threshold": threshold}
    if refusal := service.line.refusal(caller.name):
        raise refusal  # before anything is read
    limits = service.settings.limits
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FINGERPRINT:
        question = Question("fingerprint", options, packed=await read_document(request, limits))
        told = await job.run(lambda: service.told(question, job.cancellation))
    else:
        async with received(request, limits, service.budget, caller.name) as upload:
            question = Question(upload.name or f"{upload.bytes} bytes", options, path=upload.path)
            told = await job.run(lambda: service.told(question, job.cancellation))
    service.figures.identified.labels(told.outcome).inc()
    return Response(told.content, media_type="application/json")
