"""`/v1/events`: what happens to plays and stations, as server-sent events (HTML, section 9.2).

The store is looked at while somebody is there, so plays that another process writes are told too.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from earmark.apps.server.callers import Caller
from earmark.apps.server.monitors import monitors_record
from earmark.apps.server.plays import kept_clips, record_of
from earmark.apps.server.requests import PROBLEMS, Identifying, service_of
from earmark.apps.server.service import Service
from earmark.catalog.plays import Play, PlayStore
from earmark.errors import PlayNotFound
from earmark.text import LONGEST

LOOK_SECONDS = 1.0  # seconds from one look at the store to the next
QUIET_SECONDS = 15.0  # seconds after which something is sent, so that proxies keep the connection
RECENT_SECONDS = 120.0  # seconds in which a play may end that had not been seen before
CHANGING = ("name", "state", "reason", "title", "level", "gaps")  # fields of a station that are told when they change

Change = Literal["began", "changed", "ended", "removed"]
router = APIRouter(prefix="/v1", tags=["monitoring"])


@router.get(
    "/events",
    summary="Tell what happens to plays and stations, as it happens",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}, **PROBLEMS},
)
async def events(
    request: Request,
    caller: Identifying,
    station: Annotated[str, Query(max_length=LONGEST, description="plays of this station alone")] = "",
) -> StreamingResponse:
    """First `now`, what is on air; then `began`, `changed`, `ended` and `removed` of plays, and `stations`."""
    return EventStream(service_of(request), caller, station or None)


class PlayChanges:
    """What happens to the plays in a store, look by look."""

    def __init__(self, store: PlayStore, station: str | None, now: float) -> None:
        self._store, self._station = store, station
        self._known = self._found(now)

    @property
    def on_air(self) -> list[Play]:
        """The plays that go on."""
        return [play for play in self._known.values() if play.is_open and play.state != "rejected"]

    def look(self, now: float) -> list[tuple[Change, Play]]:
        """Return what has changed since the last look."""
        before, found = self._known, self._found(now)
        changes = list[tuple[Change, Play]]()
        for number, play in before.items():
            if number not in found and play.is_open:
                try:
                    found[number] = self._store.get(number)
                except PlayNotFound:
                    changes.append(("removed", play))
        for number, play in found.items():
            if before.get(number) != play:
                changes.append((_kind(before.get(number), play), play))
        self._known = found
        return changes

    def _found(self, now: float) -> dict[int, Play]:
        plays = chain(
            self._store.find(station=self._station, is_open=True),
            self._store.find(station=self._station, since=now - RECENT_SECONDS),
        )
        return {play.number: play for play in plays}


def _kind(before: Play | None, play: Play) -> Change:
    if before is None:
        return "began" if play.is_open else "ended"
    return "ended" if before.is_open and not play.is_open else "changed"


class EventStream(StreamingResponse):
    """Sends events until the client goes or the service ends."""

    def __init__(self, service: Service, caller: Caller, station: str | None) -> None:
        self._service, self._caller, self._station = service, caller, station
        super().__init__(self._texts(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, if the caller may have one more stream; raises Problem."""
        with self._service.watchers.take(self._caller.name):
            await super().__call__(scope, receive, send)

    async def _texts(self) -> AsyncIterator[str]:
        service = self._service
        store = service.catalog.plays
        changes = await service.call(PlayChanges, store, self._station, time.time())
        stations = await service.call(monitors_record, service)
        yield text_of("now", {"plays": await self._records(changes.on_air), **stations})
        told, sent = _changing(stations), time.monotonic()
        while not await self._is_ending():
            parts = list[str]()
            for kind, play in await service.call(changes.look, time.time()):
                parts += [text_of(kind, record) for record in await self._records([play])]
            stations = await service.call(monitors_record, service)
            if _changing(stations) != told:
                told = _changing(stations)
                parts.append(text_of("stations", stations))
            if not parts and time.monotonic() - sent >= QUIET_SECONDS:
                parts = [":\n\n"]
            if parts:
                sent = time.monotonic()
                yield "".join(parts)

    async def _records(self, plays: list[Play]) -> list[dict[str, Any]]:
        kept = await self._service.call(kept_clips, self._service) if plays else {}
        return [record_of(play, kept) for play in plays]

    async def _is_ending(self) -> bool:
        try:
            await asyncio.wait_for(self._service.is_ending.wait(), LOOK_SECONDS)
        except TimeoutError:
            return False
        return True


def text_of(kind: str, document: dict[str, Any]) -> str:
    """Return an event as it is sent; JSON has no line breaks."""
    return f"event: {kind}\ndata: {json.dumps(document)}\n\n"


def _changing(stations: dict[str, Any]) -> list[Any]:
    return [stations["stations"], *([one[name] for name in CHANGING] for one in stations["monitors"])]
