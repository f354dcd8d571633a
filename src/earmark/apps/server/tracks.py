"""`/v1/tracks`: the catalog in pages, its tracks read, added, changed and forgotten, and their time ranges."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from earmark.apps.records import track_record
from earmark.apps.server import documents
from earmark.apps.server.problems import MEDIA_STATUSES, Problem
from earmark.apps.server.questions import BODY
from earmark.apps.server.requests import PROBLEMS, Identifying, Job, Managing, decoded, service_of
from earmark.apps.server.uploads import Upload, read_document, received
from earmark.catalog.backend import MOST_RANGES_BYTES
from earmark.text import LONGEST
from earmark.types import TimeRange, Track

if TYPE_CHECKING:
    from earmark import Catalog, Progress

MOST_TRACKS = 200  # of a page
MOST_TEXT = 200  # characters of a search

router = APIRouter(prefix="/v1", tags=["tracks"])
Id = Annotated[str, Path(min_length=1, max_length=LONGEST, description="of the track")]
Text = Annotated[str | None, Query(max_length=LONGEST)]


class ChangeDocument(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be said of a track from now on."""

    title: Annotated[str, msgspec.Meta(max_length=LONGEST)] | None = None
    artist: Annotated[str, msgspec.Meta(max_length=LONGEST)] | None = None
    album: Annotated[str, msgspec.Meta(max_length=LONGEST)] | None = None
    tags: dict[str, str] | None = None


class RangesDocument(msgspec.Struct, forbid_unknown_fields=True):
    """The time ranges of a track."""

    ranges: tuple[TimeRange, ...]


@router.get(
    "/tracks",
    summary="List the catalog, or search it, in pages",
    responses={200: {"model": documents.TrackPage, "description": "A page"}, **PROBLEMS},
)
async def list_tracks(
    request: Request,
    caller: Identifying,
    q: Annotated[str, Query(max_length=MOST_TEXT, description="words of id, title, artist, album or path")] = "",
    cursor: Annotated[str, Query(max_length=20, description="that the page before had")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_TRACKS)] = 50,
) -> JSONResponse:
    """A page of a search may hold fewer tracks than asked for and still have a cursor: go on with that."""
    service = service_of(request)
    page = await service.call(service.catalog.page, cursor, limit=limit, text=q)
    return JSONResponse({"tracks": [track_record(track) for track in page.tracks], "cursor": page.cursor})


@router.post(
    "/tracks",
    summary="Add a recording",
    status_code=201,
    responses={
        200: {"model": documents.Track, "description": "It was known already"},
        201: {"model": documents.Track, "description": "It was added"},
        **PROBLEMS,
    },
    openapi_extra=BODY,
)
async def add_track(
    request: Request, caller: Managing, title: Text = None, artist: Text = None, album: Text = None
) -> JSONResponse:
    """Tags of the file say what it is, unless `title`, `artist` or `album` do."""
    service, job = service_of(request), Job(request, caller)
    if refusal := service.line.refusal(caller.name):
        raise refusal
    words = {"title": title, "artist": artist, "album": album}
    async with received(request, service.settings.limits, service.budget, caller.name) as upload:
        track, is_new = await job.run(
            lambda: service.call(service.writer.change, lambda catalog: _added(catalog, upload, words))
        )
    headers = {"Location": f"/v1/tracks/{quote(track.id, safe='')}"}
    return JSONResponse(track_record(track), 201 if is_new else 200, headers)


@router.get(
    "/tracks/{id:path}/ranges",
    summary="List a track's time ranges",
    responses={200: {"model": documents.TimeRanges, "description": "The ranges"}, **PROBLEMS},
)
async def list_ranges(request: Request, caller: Identifying, id: Id) -> JSONResponse:
    """In order of their start."""
    service = service_of(request)
    return _ranges(await service.call(service.catalog.ranges, id))


@router.put(
    "/tracks/{id:path}/ranges",
    summary="Give a track time ranges, in place of those it has",
    responses={200: {"model": documents.TimeRanges, "description": "The ranges"}, **PROBLEMS},
    openapi_extra=documents.body_of(documents.TimeRanges),
)
async def write_ranges(request: Request, caller: Managing, id: Id) -> JSONResponse:
    """Each has a payload of JSON, which listeners get when the recording comes to it."""
    service = service_of(request)
    body = await read_document(request, service.settings.limits, MOST_RANGES_BYTES)
    ranges = decoded(body, RangesDocument).ranges
    return _ranges(await service.call(service.writer.change, lambda catalog: catalog.write_ranges(id, ranges)))


@router.get(
    "/tracks/{id:path}",
    summary="Tell all that is known of a track",
    responses={200: {"model": documents.Track, "description": "The track"}, **PROBLEMS},
)
async def show_track(request: Request, caller: Identifying, id: Id) -> JSONResponse:
    """Its words, its tags, how long it is."""
    service = service_of(request)
    return JSONResponse(track_record(await service.call(service.catalog.get, id)))


@router.patch(
    "/tracks/{id:path}",
    summary="Change what is said of a track",
    responses={200: {"model": documents.Track, "description": "The track"}, **PROBLEMS},
    openapi_extra=documents.body_of(documents.Change),
)
async def change_track(request: Request, caller: Managing, id: Id) -> JSONResponse:
    """What is left out, or null, stays; `tags` replaces all."""
    service = service_of(request)
    change = decoded(await read_document(request, service.settings.limits), ChangeDocument)
    words = msgspec.structs.asdict(change)
    track = await service.call(service.writer.change, lambda catalog: catalog.update(id, **words))
    return JSONResponse(track_record(track))


@router.delete(
    "/tracks/{id:path}", summary="Forget a track", status_code=204, responses={204: {}, **PROBLEMS},
    response_class=Response,
)  # fmt: skip
async def delete_track(request: Request, caller: Managing, id: Id) -> Response:
    """The recording is not found any more; its file stays where it is."""
    service = service_of(request)
    await service.call(service.writer.change, lambda catalog: catalog.remove(id))
    return Response(status_code=204)


def _added(catalog: Catalog, upload: Upload, words: dict[str, str | None]) -> tuple[Track, bool]:
    """Add an upload, and return its track and whether it is new; its file has a name of chance, which nobody sees."""
    told: list[Progress] = []
    catalog.add([upload.path], workers=1, progress=told.append)
    (kept,) = told
    if kept.track is None:
        code, _, detail = kept.reason.partition(": ")
        raise Problem(MEDIA_STATUSES.get(code, 422), code, detail.replace(upload.path, "the file"))
    track, shown = kept.track, f"upload:{upload.name}"
    if kept.outcome == "unchanged":
        return (catalog.update(track.id, path=shown) if track.path == upload.path else track), False
    if track.title == PurePath(upload.path).stem:  # no tag told one
        words = {**words, "title": words["title"] or PurePath(upload.name).stem or track.id}
    return catalog.update(
        track.id, title=words["title"], artist=words["artist"], album=words["album"], path=shown
    ), True


def _ranges(ranges: tuple[TimeRange, ...]) -> JSONResponse:
    return JSONResponse({"ranges": [{"start": one.start, "end": one.end, "payload": one.payload} for one in ranges]})
