"""`/v1/monitors`: the stations that are followed."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from earmark.apps.monitor.monitor import StationStatus
from earmark.apps.monitor.trial import Trial
from earmark.apps.records import match_record
from earmark.apps.server import documents
from earmark.apps.server.requests import PROBLEMS, Identifying, Managing, decoded, service_of
from earmark.apps.server.service import Service
from earmark.apps.server.uploads import read_document

router = APIRouter(prefix="/v1", tags=["monitoring"])
Name = Annotated[str, Path(min_length=1, max_length=200, description="of the station")]


class NewMonitor(msgspec.Struct, forbid_unknown_fields=True):
    """A station to follow."""

    source: Annotated[str, msgspec.Meta(max_length=2_048)]
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    zone: Annotated[str, msgspec.Meta(max_length=64)] = ""


@router.get(
    "/monitors",
    summary="List the stations that are followed, and how they do",
    responses={200: {"model": documents.Monitors, "description": "The stations"}, **PROBLEMS},
)
async def list_monitors(request: Request, caller: Identifying) -> JSONResponse:
    """Also the names of stations that were followed earlier, or by another process, and have plays."""
    service = service_of(request)
    return JSONResponse(await service.call(monitors_record, service))


@router.post(
    "/monitors",
    summary="Follow a station",
    status_code=201,
    responses={201: {"model": documents.Monitor, "description": "It is followed"}, **PROBLEMS},
    openapi_extra=documents.body_of(documents.NewMonitor),
)
async def add_monitor(request: Request, caller: Managing) -> JSONResponse:
    """Its plays are kept in the catalog; it is followed until it is stopped, after a restart of the service too."""
    service = service_of(request)
    new = decoded(await read_document(request, service.settings.limits), NewMonitor)
    status = await service.call(service.stations.add, new.source, name=new.name, zone=new.zone)
    headers = {"Location": f"/v1/monitors/{quote(status.name, safe='')}"}
    return JSONResponse(monitor_record(status, service), 201, headers)


@router.post(
    "/monitors/test",
    summary="Listen to a station for some seconds before it is followed",
    responses={200: {"model": documents.TriedMonitor, "description": "What was heard, or why nothing"}, **PROBLEMS},
    openapi_extra=documents.body_of(documents.NewMonitor),
)
async def test_monitor(request: Request, caller: Managing) -> JSONResponse:
    """One attempt, 20 s at most; nothing is kept."""
    service = service_of(request)
    new = decoded(await read_document(request, service.settings.limits), NewMonitor)
    with service.trials.take(caller.name):
        trial = await service.call(service.stations.tried, new.source)
    return JSONResponse(trial_record(trial))


@router.get(
    "/monitors/{name:path}",
    summary="Tell how a station does",
    responses={200: {"model": documents.Monitor, "description": "The station"}, **PROBLEMS},
)
async def show_monitor(request: Request, caller: Identifying, name: Name) -> JSONResponse:
    """Its connection, its level, what it says of itself."""
    service = service_of(request)
    return JSONResponse(monitor_record(service.stations.status_of(name), service))


@router.delete(
    "/monitors/{name:path}", summary="Follow a station no longer", status_code=204, responses={204: {}, **PROBLEMS},
    response_class=Response,
)  # fmt: skip
async def remove_monitor(request: Request, caller: Managing, name: Name) -> Response:
    """What plays is closed; its plays stay."""
    service = service_of(request)
    await service.call(service.stations.remove, name)
    return Response(status_code=204)


def monitors_record(service: Service) -> dict[str, Any]:
    """Return all stations."""
    followed = [monitor_record(one, service) for one in service.stations.status()]
    return {"monitors": followed, "stations": service.catalog.plays.stations()}


def monitor_record(status: StationStatus, service: Service) -> dict[str, Any]:
    """Return how a station does."""
    return {
        "name": status.name,
        "source": _without_password(status.source),
        "zone": service.stations.zone(status.name),
        "state": status.state,
        "reason": status.reason,
        "title": status.title,
        "level": round(status.level, 1),
        "seconds": round(status.seconds, 1),
        "dropped_seconds": round(status.dropped_seconds, 1),
        "drift_seconds": round(status.drift_seconds, 3),
        "gaps": status.gaps,
    }


def trial_record(trial: Trial) -> dict[str, Any]:
    """Return what a trial heard."""
    return {
        "works": trial.works,
        "reason": trial.reason,
        "seconds": round(trial.seconds, 1),
        "level": round(trial.level, 1),
        "title": trial.title,
        **{name: trial.facts.get(name, "") for name in ("format", "bitrate", "name")},
        "matches": [match_record(one) for one in trial.matches],
    }


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
