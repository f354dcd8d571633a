"""HTTP on a connection with deadlines: uvicorn waits for ever for a request's head, and for a client to read."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from earmark.apps.server.problems import MEDIA_TYPE, Problem
from earmark.apps.server.settings import Limits

MOST_HEAD_BYTES = 1 << 16  # bytes of a request's line and headers
IDLE_SECONDS = 5.0  # seconds between requests of a connection, as uvicorn's timeout_keep_alive
KEY_BYTES = 16  # bytes of a WebSocket's key, before base64 (RFC 6455, section 4.1)
READING_SECONDS = 30.0  # seconds in which a client has to read what fills the buffers


def protocol_with(limits: Limits) -> type[HttpToolsProtocol]:
    """Return the class of a connection with these limits."""

    class BoundProtocol(DeadlineProtocol):
        limits = Limits()

    BoundProtocol.limits = limits
    return BoundProtocol


class DeadlineProtocol(HttpToolsProtocol):
    """A connection that is closed when a head is late or too large, or when nobody reads."""

    limits: Limits
    _deadline: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head, unless there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._close_with(Problem(503, "busy", "too many connections; try again later", retry_after=5))
            return
        self._expect_head(self.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._forget_deadlines()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a head are counted, because the parser keeps them all."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            detail = f"the head has more than {MOST_HEAD_BYTES:,} bytes"
            self._close_with(Problem(431, "head_too_large", detail))

    def on_headers_complete(self) -> None:
        """Wait for the head no longer; the body has its own clock, in uploads.py."""
        self._in_head, self._in_body = False, True
        if self._deadline is not None:
            self._deadline.cancel()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect a head again, where the answer went out before the body had come."""
        self._in_body = False
        self._in_head = self.cycle is not None and self.cycle.response_complete
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.transport is not None and not self.transport.is_closing():
            self._in_head, self._head_bytes = not self._in_body, 0
            if self.cycle is not None and not self.cycle.response_complete:
                self._in_head = False  # a request that was sent ahead is at work already
                return
            self._expect_head(IDLE_SECONDS + self.limits.header_seconds)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; what is no handshake is refused here, because uvicorn would do so in plain text."""
        self._forget_deadlines()
        if not _is_handshake(self.scope["method"], self.scope["headers"]):
            detail = "no handshake of a WebSocket (RFC 6455); GET with Sec-WebSocket-Version: 13 and a key of 16 bytes"
            self._close_with(Problem(400, "no_handshake", detail))
            return
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        self._reading = self.loop.call_later(READING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        if self._reading is not None:
            self._reading.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._close_with(Problem(400, "no_http", msg))

    def _expect_head(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        if self._head_bytes and not self.transport.is_closing():
            detail = f"the head of the request took more than {self.limits.header_seconds:g} s"
            self._close_with(Problem(408, "too_slow", detail))
        else:
            self.transport.close()

    def _close_with(self, problem: Problem) -> None:
        document: dict[str, Any] = problem.document("00000000-0000-0000-0000-000000000000")
        body = json.dumps(document).encode()
        fields = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "connection": "close",
            **problem.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.transport.write(f"HTTP/1.1 {problem.status} Refused\r\n{head}\r\n".encode() + body)
        self.transport.close()

    def _forget_deadlines(self) -> None:
        for timer in (self._deadline, self._reading):
            if timer is not None:
                timer.cancel()


def _is_handshake(method: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    keys = [value for name, value in headers if name == b"sec-websocket-key"]
    versions = [value for name, value in headers if name == b"sec-websocket-version"]
    try:
        lengths = [len(base64.b64decode(key, validate=True)) for key in keys]
    except ValueError:
        return False
    return method == "GET" and versions == [b"13"] and lengths == [KEY_BYTES]
