"""Around everything the service does: hosts and origins, headers of safety, the log, figures, errors as documents."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from earmark.apps.server.figures import Figures
from earmark.apps.server.problems import Problem, problem_of

SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
CLIENT_GONE = 499  # as nginx writes it down: nobody was there to answer
log = logging.getLogger("earmark.server")


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, is_known_host: Callable[[str], bool], figures: Figures) -> None:
        self._app, self._is_known_host, self._figures = app, is_known_host, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one WebSocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        began, request_id = time.monotonic(), str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        seen = _Seen(send, request_id)
        headers = Headers(scope=scope)
        error: Exception | None = None
        with self._figures.in_flight(scope["type"]):
            try:
                self._check(scope, headers)
                await self._app(scope, receive, seen)
            except ClientDisconnect:
                seen.status = seen.status or CLIENT_GONE
            except Exception as problem:
                error = problem
                await self._refuse(scope, receive, seen, problem)
        self._note(scope, seen, time.monotonic() - began, error or scope["state"].get("problem"))

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Raise Problem for a host that is not ours (DNS rebinding), or a page of another origin."""
        host = headers.get("host", "")
        if not self._is_known_host(host):
            raise Problem(421, "host", "this service does not go by that host name; start it with --name for others")
        origin = headers.get("origin")
        if origin is not None:
            scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
            if _origin_of(origin) != (scheme, host.lower()):
                raise Problem(403, "origin", "pages of other origins may not call this service")
        elif headers.get("sec-fetch-site", "none") in ("cross-site", "same-site") and (
            scope["type"] == "websocket" or scope.get("method") not in ("GET", "HEAD")
        ):
            raise Problem(403, "origin", "pages of other origins may not call this service")

    async def _refuse(self, scope: Scope, receive: Receive, seen: _Seen, error: Exception) -> None:
        if seen.status:
            return  # it has begun to answer; the server closes the connection
        problem = problem_of(error)
        response = problem.response(scope["state"]["request_id"])
        if scope["type"] == "websocket":
            seen.status = problem.status
            if "websocket.http.response" in scope.get("extensions", {}):
                headers = [(name, value) for name, value in response.raw_headers if name != b"content-length"]
                start = {"type": "websocket.http.response.start", "status": problem.status, "headers": headers}
                await seen(start)
                await seen({"type": "websocket.http.response.body", "body": response.body})
            else:
                await seen({"type": "websocket.close", "code": 1008})
            return
        await response(scope, receive, seen)

    def _note(self, scope: Scope, seen: _Seen, seconds: float, error: Exception | None) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = "WS" if scope["type"] == "websocket" else scope["method"]
        method = method if method in METHODS else "OTHER"
        status = seen.status or CLIENT_GONE
        self._figures.answered(method, route, status, seconds)
        problem = None if error is None else problem_of(error)
        fields: dict[str, Any] = {
            "request": scope["state"]["request_id"],
            "method": method,
            "path": scope["path"][:LOGGED_CHARACTERS],
            "status": status,
            "milliseconds": round(1000 * seconds, 1),
            "caller": scope["state"].get("caller", ""),
            "address": scope["client"][0] if scope.get("client") else "",
        }
        if problem is not None:
            fields |= {"code": problem.code, "detail": problem.detail}
        unforeseen = problem is not None and problem.code == "internal"
        log.log(_level(route, status), "request", extra={"fields": fields}, exc_info=error if unforeseen else None)


def _level(route: str, status: int) -> int:
    if status == 500:
        return logging.ERROR
    return logging.DEBUG if route in WATCHED and status in (200, 503) else logging.INFO


WATCHED = ("/livez", "/readyz", "/metrics")  # routes that are asked every few seconds
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WS")
LOGGED_CHARACTERS = 200  # of a path


class _Seen:
    """What is sent, with its status noted and the headers of safety added."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id, self.status = send, request_id, 0

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SAFETY.items():
                headers.setdefault(name, value)
            headers["X-Request-Id"] = self._request_id
            if "server" in headers:
                del headers["server"]
        elif kind == "websocket.accept":
            self.status = 101
        await self._send(message)


def known_hosts(names: tuple[str, ...], host: str, own_name: str) -> Callable[[str], bool]:
    """Return what tells whether a Host header names this service: an address, this machine's name, or one given.

    An address cannot be another site's that points here: DNS rebinding needs a name.
    """
    own = own_name.lower()
    known = {"localhost", host.lower(), own, f"{own}.local", *(name.lower() for name in names)}

    def is_known(given: str) -> bool:
        name = _host_of(given)
        if name is None:
            return False
        try:
            ip_address(name)
        except ValueError:
            return name.lower().rstrip(".") in known
        return True

    return is_known


def _origin_of(header: str) -> tuple[str, str]:
    """Return scheme and host of an Origin header, ('', '') for what is none."""
    try:
        parts = urlsplit(header if header.isprintable() else "")
    except ValueError:  # as of "http://["
        return "", ""
    return parts.scheme, parts.netloc.lower()


def _host_of(header: str) -> str | None:
    """Return the host of a Host header, without its port; None for what is none."""
    if header.startswith("["):
        host, bracket, port = header[1:].partition("]")
        port = port[1:] if port.startswith(":") else port and "x"
        return host if bracket and (not port or port.isdigit()) else None
    host, _, port = header.partition(":")
    return host if host and (not port or port.isdigit()) else None
