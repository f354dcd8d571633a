"""The application: routes, what answers errors, and the guard around them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp

from earmark import __version__
from earmark.apps.server import events, health, live_stream, monitors, peaks, plays, questions, tracks
from earmark.apps.server.addresses import no_such_method, no_such_path
from earmark.apps.server.guard import Guard, known_hosts
from earmark.apps.server.heads import Heads
from earmark.apps.server.page import page_router
from earmark.apps.server.problems import Problem, problem_of
from earmark.apps.server.service import Service
from earmark.errors import EarmarkError
from earmark.text import printable

DESCRIPTION = """Says which recording of a catalog a clip comes from. Every error is a problem document (RFC 9457)."""


def make_app(service: Service) -> ASGIApp:
    """Return the application of a service, which it closes at its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        warming = loop.run_in_executor(None, service.warm_up)
        yield
        await asyncio.wait({warming})
        await loop.run_in_executor(None, service.close)

    app = FastAPI(
        title="earmark",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.service = service
    for kind in (Problem, EarmarkError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _answered)
    app.include_router(health.router)  # with any parameters: what balances load adds its own
    for room in (questions, peaks, tracks, monitors, plays, events):
        app.include_router(room.router)
    app.include_router(live_stream.router)
    app.include_router(page_router())
    _describe(app)
    settings = service.settings
    hosts = known_hosts(settings.names, settings.host, socket.gethostname())
    return Guard(Heads(app), is_known_host=hosts, figures=service.figures)


async def _answered(connection: HTTPConnection, error: Exception) -> Response:
    if not isinstance(connection, Request):
        raise error  # a WebSocket: the guard closes it
    problem = _problem_of(connection, error)
    connection.scope["state"]["problem"] = problem
    return problem.response(connection.scope["state"]["request_id"])


def _problem_of(request: Request, error: Exception) -> Problem:
    if isinstance(error, RequestValidationError):
        wrong = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
        return Problem(422, "invalid", printable("; ".join(wrong)))
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return no_such_path(request)
        if error.status_code == 405:
            return no_such_method(request, (error.headers or {}).get("Allow", ""))
        return Problem(error.status_code, "http", str(error.detail), headers=error.headers)
    return problem_of(error)


def _describe(app: FastAPI) -> None:
    """Have the description say how keys are shown, and no shapes of errors that are not ours."""
    described: dict[str, Any] = app.openapi()
    schemas = described["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path in described["paths"].values():
        for operation in path.values():
            if operation["responses"].get("422", {}).get("description") == "Validation Error":
                del operation["responses"]["422"]
    described["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    described["security"] = [{"key": []}, {}]
    described["servers"] = [{"url": "/"}]
