"""Peaks of clips and recordings, by which the page shows why a match is one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from earmark.apps.server import documents
from earmark.apps.server.questions import BODY
from earmark.apps.server.requests import PROBLEMS, Identifying, Job, service_of
from earmark.apps.server.tracks import Id
from earmark.apps.server.uploads import received
from earmark.types import Fingerprint

LAYER = "peaks"
LONGEST_SECONDS = 60.0  # seconds of peaks in one answer, some 100 kB

router = APIRouter(prefix="/v1", tags=["peaks"])
Start = Annotated[float, Query(ge=0, le=1e7, description="seconds")]
End = Annotated[float, Query(ge=0, le=1e7, description=f"seconds, at most {LONGEST_SECONDS:g} after the start")]
RESPONSES: dict[int | str, dict[str, Any]] = {200: {"model": documents.Peaks, "description": "The peaks"}, **PROBLEMS}


@router.post("/peaks", summary="Tell the peaks of a clip", responses=RESPONSES, openapi_extra=BODY)
async def clip_peaks(request: Request, caller: Identifying, start: Start = 0.0, end: End = 10.0) -> JSONResponse:
    """Strong points of its spectrogram; none where the catalog's fingerprints have none."""
    service, job = service_of(request), Job(request, caller)
    async with received(request, service.settings.limits, service.budget, caller.name) as upload:
        fingerprint = await job.run(lambda: service.call(service.extracted, upload.path, job.cancellation))
    return _answer(fingerprint, service.extractor.fingerprinter.hertz_per_bin, start, end)


@router.get("/tracks/{id:path}/peaks", summary="Tell the peaks of a track", responses=RESPONSES)
async def track_peaks(
    request: Request, caller: Identifying, id: Id, start: Start = 0.0, end: End = 10.0
) -> JSONResponse:
    """Those that are stored of it."""
    service = service_of(request)
    fingerprint = await service.call(service.catalog.fingerprint, id)
    return _answer(fingerprint, service.extractor.fingerprinter.hertz_per_bin, start, end)


def _answer(fingerprint: Fingerprint, hertz: float, start: float, end: float) -> JSONResponse:
    layer = fingerprint.layers.get(LAYER)
    if layer is None or not hertz:
        return JSONResponse({"seconds": [], "hertz": []})
    part = layer.between(start, max(start, min(end, start + LONGEST_SECONDS)))
    seconds = start + part.frames * layer.frame_seconds
    return JSONResponse({"seconds": seconds.round(4).tolist(), "hertz": (part.values * hertz).round(1).tolist()})
