"""What every route does first: who calls, may they, and is somebody still there for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from earmark.apps.server import documents
from earmark.apps.server.addresses import known_parameters
from earmark.apps.server.callers import Caller
from earmark.apps.server.problems import Problem
from earmark.apps.server.service import Service
from earmark.apps.server.settings import IDENTIFY, MANAGE
from earmark.extract.protocol import Cancellation
from earmark.schema import prepared

Result = TypeVar("Result")
Document = TypeVar("Document")

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem document (RFC 9457)",
        "content": {"application/problem+json": {"schema": documents.Problem.model_json_schema()}},
    }
}


def service_of(connection: HTTPConnection) -> Service:
    """Return the service that a request came to."""
    service: Service = connection.app.state.service
    return service


def caller_of(connection: HTTPConnection, scope: str | None = None) -> Caller:
    """Return who calls; raises Problem unless they may do what has that scope, if any."""
    address = connection.client.host if connection.client else ""
    caller = service_of(connection).callers.caller(connection.headers, address)
    connection.scope["state"]["caller"] = caller.name
    if scope is not None:
        caller.check(scope)
    return caller


async def _called(request: Request, scope: str) -> Caller:
    """Return who calls, of whom nothing is asked before they have shown their key: not even the query's parameters."""
    caller = caller_of(request, scope)
    await known_parameters(request)
    return caller


async def _identifying(request: Request) -> Caller:
    return await _called(request, IDENTIFY)


async def _managing(request: Request) -> Caller:
    return await _called(request, MANAGE)


Identifying = Annotated[Caller, Depends(_identifying)]
Managing = Annotated[Caller, Depends(_managing)]


class Job:
    """Work for one caller: it waits in line, and ends when the client goes away."""

    def __init__(self, request: Request, caller: Caller) -> None:
        self._request, self._caller, self._service = request, caller, service_of(request)
        self.cancellation = Cancellation()
        self._is_at_work = False

    async def run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Return what `work` makes once it is its turn; raises ClientDisconnect."""
        task = asyncio.ensure_future(self._in_line(work))
        gone = asyncio.ensure_future(_gone(self._request))
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            self.cancellation.cancel()
            if not self._is_at_work:
                task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # nobody is there to be told
            raise ClientDisconnect
        finally:
            gone.cancel()
            self.cancellation.cancel()

    async def _in_line(self, work: Callable[[], Awaitable[Result]]) -> Result:
        async with self._service.line.place(self._caller.name):
            self._is_at_work = True
            return await work()


def decoded(body: bytes, kind: type[Document]) -> Document:
    """Return a body as the document it has to be; raises Problem."""
    try:
        return msgspec.json.decode(body, type=prepared(kind))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Problem(422, "document", f"the body is not the document it has to be ({error})") from error


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
