"""HTTP for streams: one request, its redirects checked one by one, and a connection to the address that was checked.

SHOUTcast servers answer "ICY 200 OK"; that is read as HTTP/1.0.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from earmark.errors import MediaError
from earmark.streams.addresses import AddressRule
from earmark.text import printable

MOST_REDIRECTS = 3
REDIRECTS = (301, 302, 303, 307, 308)
STALL_SECONDS = 15.0  # seconds without a byte after which a connection is given up; servers send several times a second
CONNECT_SECONDS = 10.0
PORTS = {"http": 80, "https": 443}
USER_AGENT = "earmark"
READ_BYTES = 1 << 16  # most that one read returns


class Response:
    """An open answer: `headers` with names in small letters, and its body as it arrives."""

    def __init__(self, url: str, connection: _Connection, answer: http.client.HTTPResponse) -> None:
        self.url, self.status, self._connection, self._answer = url, answer.status, connection, answer
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in answer.getheaders()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read_some(self) -> bytes:
        """Return what has arrived, b"" at the end; raises OSError and http.client.HTTPException."""
        return self._answer.read1(READ_BYTES)

    def read_all(self, *, most_bytes: int) -> bytes:
        """Return the whole body; raises MediaError where it is larger."""
        parts, size = list[bytes](), 0
        while part := self.read_some():
            parts.append(part)
            size += len(part)
            if size > most_bytes:
                raise MediaError("too_large", f"{printable(self.url)} has more than {most_bytes:,} bytes")
        return b"".join(parts)

    def close(self) -> None:
        """End the connection, also under a reader in another thread."""
        if self._connection.opened is not None:
            with contextlib.suppress(OSError):
                self._connection.opened.shutdown(socket.SHUT_RDWR)
        self._answer.close()
        self._connection.close()


def request(
    url: str,
    rule: AddressRule,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    redirects: int = MOST_REDIRECTS,
) -> Response:
    """Return the answer to a request; raises MediaError for a URL that is refused or answered with an error."""
    for _ in range(redirects + 1):
        response = _once(url, rule, method, headers or {}, body)
        if response.status not in REDIRECTS or "location" not in response.headers:
            break
        response.close()
        url = urljoin(url, response.headers["location"])
    else:
        raise MediaError("unreadable", f"{printable(url)}: more than {redirects} redirects; give the last URL")
    if not 200 <= response.status < 300:
        response.close()
        raise MediaError("unreadable", f"{printable(url)} answers {response.status}; check the URL")
    return response


def _once(url: str, rule: AddressRule, method: str, headers: Mapping[str, str], body: bytes | None) -> Response:
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise MediaError("unreadable", f"{printable(url)} is no URL ({error})") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise MediaError("unreadable", f"{printable(url)}: only http:// and https:// can be opened; give such a URL")
    sent = {"User-Agent": USER_AGENT, "Accept": "*/*", "Connection": "close", **headers}
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        sent["Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
    connection = _Connection(parts.hostname, port, rule, is_secure=parts.scheme == "https")
    target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        connection.request(method, target, body=body, headers=sent)
        return Response(url, connection, connection.getresponse())
    except MediaError:
        connection.close()
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        connection.close()
        detail = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MediaError("unreadable", f"{printable(url)}: {printable(detail)}") from error


class _Connection(http.client.HTTPConnection):
    """A connection to an address that a rule allows, which is not looked up a second time."""

    def __init__(self, host: str, port: int, rule: AddressRule, *, is_secure: bool) -> None:
        super().__init__(host, port, timeout=STALL_SECONDS)
        self._rule, self._is_secure = rule, is_secure
        self.opened: socket.socket | None = None  # http.client lets go of it before the answer is read
        self.response_class = _IcyResponse

    def connect(self) -> None:
        """Connect to the first address that answers."""
        problem: OSError | None = None
        for family, address in self._rule.addresses(self.host, self.port):
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(CONNECT_SECONDS)
                sock.connect(address)
                if self._is_secure:
                    sock = ssl.create_default_context().wrap_socket(sock, server_hostname=self.host)
                sock.settimeout(STALL_SECONDS)
                self.sock = self.opened = sock
                return
            except OSError as error:
                sock.close()
                problem = error
        raise problem or OSError("no address")


class _IcyResponse(http.client.HTTPResponse):
    """An answer that may begin with "ICY"."""

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_AsHttp(self.fp))


class _AsHttp(io.RawIOBase):
    """A file whose first word "ICY" is read as "HTTP/1.0"."""

    def __init__(self, file: Any) -> None:
        self._file, self._ahead, self._is_new = file, b"", True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._is_new:
            self._is_new = False
            first = self._file.read(4)
            self._ahead = b"HTTP/1.0 " if first == b"ICY " else first
        part = self._ahead[: len(buffer)] or self._file.read1(len(buffer))
        self._ahead = self._ahead[len(part) :]
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
