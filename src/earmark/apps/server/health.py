"""Whether the service lives and is ready, its figures, and what the page needs to know of it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from earmark import __version__
from earmark.apps.server import documents
from earmark.apps.server.problems import Problem
from earmark.apps.server.requests import PROBLEMS, caller_of, service_of
from earmark.apps.server.settings import MANAGE, SCOPES, is_loopback

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Say whether the process lives", responses={200: {"model": documents.State}, **PROBLEMS})
async def livez() -> JSONResponse:
    """It does whenever it answers; restart it when it does not."""
    return JSONResponse({"state": "alive"})


@router.get(
    "/readyz", summary="Say whether questions can be asked", responses={200: {"model": documents.State}, **PROBLEMS}
)
async def readyz(request: Request) -> JSONResponse:
    """Not yet while it starts, and not any more while it ends."""
    service = service_of(request)
    if not service.is_ready:
        raise Problem(503, "not_ready", "it starts or ends; try again later", retry_after=2)
    await service.call(service.catalog.refresh)
    return JSONResponse({"state": "ready"})


@router.get(
    "/metrics",
    summary="Tell figures in Prometheus's text format",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **PROBLEMS},
)
async def metrics(request: Request) -> Response:
    """Requests, their times, the line, the catalog."""
    caller_of(request, MANAGE)
    service = service_of(request)
    return Response(await service.call(service.figures.text), media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/v1/about", summary="Tell what the page needs to know", responses={200: {"model": documents.About}, **PROBLEMS}
)
async def about(request: Request) -> JSONResponse:
    """How large the catalog is, and what this caller may do; figures only for those who may ask."""
    service = service_of(request)
    caller = caller_of(request)
    scopes = [scope for scope in SCOPES if scope in caller.scopes or "manage" in caller.scopes]
    tracks, seconds = await service.call(service.catalog.size) if scopes else (0, 0.0)
    host = request.url.hostname or ""
    return JSONResponse(
        {
            "name": "earmark",
            "version": __version__,
            "tracks": tracks,
            "seconds": seconds,
            "scopes": scopes,
            "read_only": service.settings.read_only,
            "can_listen": request.url.scheme == "https" or host == "localhost" or is_loopback(host),
        }
    )
