"""HEAD is answered as GET is, without the body (RFC 9110, section 9.3.2)."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Asks an application for GET where a client asks for HEAD, and keeps the body to itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or one WebSocket."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked: Scope = {**scope, "method": "GET"}
        exchange = _Exchange(send)
        await self._app(asked, exchange.receive, exchange.send)
        if "route" in asked:
            scope["route"] = asked["route"]  # for the log


class _Exchange:
    """A client that sends nothing and has gone once it has the head, so that what streams for ever ends."""

    def __init__(self, send: Send) -> None:
        self._send, self._answered, self._asked = send, asyncio.Event(), False

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._answered.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            self._answered.set()
