"""`/v1/plays`: what was on air, as pages of JSON or as a table, and the sound that is kept of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from earmark.apps.monitor.export import as_csv
from earmark.apps.monitor.records import play_record
from earmark.apps.server import documents
from earmark.apps.server.problems import Problem
from earmark.apps.server.requests import PROBLEMS, Identifying, Managing, decoded, service_of
from earmark.apps.server.service import Service
from earmark.apps.server.uploads import read_document
from earmark.catalog.plays import Play, State
from earmark.errors import CatalogReadOnly
from earmark.text import LONGEST

OPUS = "audio/ogg; codecs=opus"
CSV = "text/csv; charset=utf-8"
MOST_PLAYS = 1_000  # plays of a page
MOST_ROWS = 100_000  # rows of a table
LARGEST_NUMBER = (1 << 63) - 1  # largest number of a row that SQLite gives

router = APIRouter(prefix="/v1", tags=["monitoring"])
Number = Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="of the play")]
Time = Annotated[str, Query(max_length=40, description="a time as 2026-11-29T12:00:00Z")]


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody says of a play."""

    state: Literal["accepted", "rejected"]


@router.get(
    "/plays",
    summary="List what was on air, in pages or as a table",
    responses={
        200: {
            "model": documents.PlayPage,
            "description": "A page, or with `format=csv` all rows",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
        **PROBLEMS,
    },
)
async def list_plays(
    request: Request,
    caller: Identifying,
    station: Annotated[str, Query(max_length=LONGEST, description="of this station")] = "",
    track: Annotated[str, Query(max_length=LONGEST, description="id of a track, or of a copy of it")] = "",
    since: Time = "",
    until: Time = "",
    state: Annotated[State | None, Query(description="default: all but rejected ones")] = None,
    open: Annotated[bool | None, Query(description="that go on, or that are over")] = None,
    format: Literal["json", "csv"] = "json",
    cursor: Annotated[str, Query(max_length=60, description="that the page before had")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_PLAYS, description="of a page")] = 200,
) -> Response:
    """In order of their start: those that reach into the time from `since` to `until`."""
    service = service_of(request)
    wanted: dict[str, Any] = {
        "station": station or None,
        "track": track or None,
        "since": _moment("since", since),
        "until": _moment("until", until),
        "state": state,
        "is_open": open,
        "after": _place(cursor),
    }
    if format == "csv":
        rows = await service.call(_found, service, wanted, MOST_ROWS)
        headers = {"Content-Disposition": 'attachment; filename="plays.csv"'}
        return Response(await service.call(as_csv, rows), headers=headers, media_type=CSV)
    plays = await service.call(_found, service, wanted, limit + 1)
    more = f"{plays[limit - 1].start!r}_{plays[limit - 1].number}" if len(plays) > limit else ""
    kept = await service.call(kept_clips, service)
    return JSONResponse({"plays": [record_of(play, kept) for play in plays[:limit]], "cursor": more})


@router.get(
    "/plays/{number}",
    summary="Tell all that is known of a play",
    responses={200: {"model": documents.Play, "description": "The play"}, **PROBLEMS},
)
async def show_play(request: Request, caller: Identifying, number: Number) -> JSONResponse:
    """Its recording, its place in that, the evidence."""
    service = service_of(request)
    play = await service.call(service.catalog.plays.get, number)
    return JSONResponse(record_of(play, await service.call(kept_clips, service)))


@router.patch(
    "/plays/{number}",
    summary="Accept or reject a play",
    responses={200: {"model": documents.Play, "description": "The play"}, **PROBLEMS},
    openapi_extra=documents.body_of(documents.Decision),
)
async def decide(request: Request, caller: Managing, number: Number) -> JSONResponse:
    """A rejected play is not listed any more, unless it is asked for."""
    service = service_of(request)
    if service.settings.read_only:
        raise CatalogReadOnly("this service only reads; start it without --read-only to accept and reject plays")
    decision = decoded(await read_document(request, service.settings.limits), Decision)
    play = await service.call(_decided, service, number, decision.state)
    return JSONResponse(record_of(play, await service.call(kept_clips, service)))


@router.get(
    "/plays/{number}/clip",
    summary="Give the sound that is kept of a play",
    response_class=Response,
    responses={200: {"content": {"audio/ogg": {"schema": {"type": "string", "format": "binary"}}}}, **PROBLEMS},
)
async def clip(request: Request, caller: Identifying, number: Number) -> Response:
    """Fifteen seconds at most, as Opus in Ogg."""
    service = service_of(request)
    path = (await service.call(kept_clips, service)).get(number)
    try:
        content = None if path is None else await service.call(path.read_bytes)
    except FileNotFoundError:  # a newer one has taken its place
        content = None
    if content is None:
        raise Problem(404, "no_clip", "no sound is kept of this play; start the service with --keep-clips FOLDER")
    return Response(content, media_type=OPUS)


def record_of(play: Play, kept: Collection[int]) -> dict[str, Any]:
    """Return a play, given the numbers of those whose sound is kept."""
    return {**play_record(play), "track_seconds": play.track.seconds, "clip": play.number in kept}


def kept_clips(service: Service) -> dict[int, Any]:
    """Return the paths of clips by the numbers of their plays."""
    return {} if service.clips is None else service.clips.kept()


def _found(service: Service, wanted: dict[str, Any], most: int) -> list[Play]:
    found = service.catalog.plays.find(**wanted)
    return list(islice((one for one in found if wanted["state"] or one.state != "rejected"), most))


def _decided(service: Service, number: int, state: State) -> Play:
    plays = service.catalog.plays
    with plays.transaction():
        return plays.save(replace(plays.get(number), state=state))


def _moment(name: str, text: str) -> float | None:
    """Return a time as seconds since 1970, UTC where it says no zone; None for ''."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise Problem(422, "invalid", f"{name}={text!r} is no time; give one as 2026-11-29T12:00:00Z") from error


def _place(cursor: str) -> tuple[float, int] | None:
    if not cursor:
        return None
    start, _, number = cursor.partition("_")
    try:
        place = float(start), int(number)
    except ValueError as error:
        raise Problem(422, "cursor", "a cursor that no page had; begin with the first page") from error
    if not abs(place[1]) <= LARGEST_NUMBER or place[0] != place[0]:
        raise Problem(422, "cursor", "a cursor that no page had; begin with the first page")
    return place
