"""Bodies of requests, read piece by piece: onto the disk or into memory, with limits that hold while bytes arrive."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from earmark.apps.server.problems import Problem
from earmark.apps.server.settings import Limits
from earmark.text import printable

MOST_PARTS = 9  # of a form: one file and eight fields
MOST_NAME_CHARACTERS = 255
MOST_PART_HEADER_BYTES = 8_192


SHARE_OF_ONE = 0.5  # of the room for bodies, for one caller


class Budget:
    """Bytes of all bodies that are on the disk."""

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0
        self._used_by: dict[str, int] = {}

    def take(self, caller: str, count: int) -> None:
        """Count bytes of a caller; raises Problem when there is no room for them."""
        own = self._used_by.get(caller, 0) + count
        if self.used + count > self.most or own > SHARE_OF_ONE * self.most:
            raise Problem(503, "busy", "too much is being sent at once; try again later", retry_after=5)
        self.used += count
        self._used_by[caller] = own

    def give_back(self, caller: str, count: int) -> None:
        """Count bytes that are gone."""
        self.used -= count
        self._used_by[caller] = self._used_by.get(caller, 0) - count
        if self._used_by[caller] <= 0:
            del self._used_by[caller]


@dataclass(slots=True)
class Upload:
    """A body on the disk."""

    file: BinaryIO
    path: str  # of the file, which has a name of chance
    name: str  # as the sender calls it; a name, never a path
    bytes: int


async def pieces(request: Request, limits: Limits, most: int) -> AsyncIterator[bytes]:
    """Yield the body; raises Problem when it is too large, or comes too slowly."""
    declared = request.headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    began, received = time.monotonic(), 0
    while True:
        allowed = limits.grace_seconds + received / limits.body_bytes_a_second
        left = began + allowed - time.monotonic()
        try:
            message = await asyncio.wait_for(request.receive(), max(left, 0.001))
        except TimeoutError:
            detail = f"{received:,} bytes in {time.monotonic() - began:.0f} s; send it faster"
            raise Problem(408, "too_slow", detail, headers={"Connection": "close"}) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        received += len(piece)
        if received > most:
            raise _too_large(most)
        if piece:
            yield piece
        if not message.get("more_body", False):
            return


async def read_document(request: Request, limits: Limits, most: int | None = None) -> bytes:
    """Return a small body."""
    body = bytearray()
    async for piece in pieces(request, limits, limits.document_bytes if most is None else most):
        body += piece
    return bytes(body)


@asynccontextmanager
async def received(request: Request, limits: Limits, budget: Budget, caller: str) -> AsyncIterator[Upload]:
    """Give a body that is raw, or the one file of a form, as a file that goes when it ends."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    with tempfile.NamedTemporaryFile(prefix="earmark-upload-") as file:
        upload = Upload(file, file.name, "", 0)  # type: ignore[arg-type]  # what tempfile gives is a file
        taking = _Form(upload, options) if kind == b"multipart/form-data" else None
        kept = 0
        try:
            async for piece in pieces(request, limits, limits.upload_bytes):
                budget.take(caller, len(piece))
                kept += len(piece)
                if taking is not None:
                    taking.write(piece)
                else:
                    _keep(upload, piece)
            if taking is not None:
                taking.finish()
            if not upload.bytes:
                raise Problem(422, "no_content", "an empty body; send the sound, or a form with a file of it")
            file.flush()
            file.seek(0)
            yield upload
        finally:
            budget.give_back(caller, kept)


class _Form:
    """Takes the first file of a form; fields are passed over."""

    def __init__(self, upload: Upload, options: dict[bytes, bytes]) -> None:
        boundary = options.get(b"boundary", b"")
        if not 1 <= len(boundary) <= 70:  # RFC 2046
            raise Problem(400, "form", "a form without a boundary; send one as browsers do, or the sound itself")
        self._upload, self._parts, self._ended = upload, 0, False
        self._taken, self._takes = False, False
        self._field, self._value, self._headers, self._header_bytes = b"", b"", dict[bytes, bytes](), 0
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def write(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise Problem(
                400, "form", printable(f"a form that cannot be read ({error}); send one as browsers do")
            ) from (error)

    def finish(self) -> None:
        if not self._ended:
            raise Problem(400, "form", "a form that breaks off; send it again")
        if not self._taken:
            raise Problem(422, "no_content", "a form without a file; add one with the sound")

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise Problem(413, "form", f"a form of more than {MOST_PARTS} parts; send one file")
        self._headers, self._header_bytes, self._field, self._value = {}, 0, b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]
        self._count(end - start)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._count(end - start)

    def _count(self, more: int) -> None:
        self._header_bytes += more
        if self._header_bytes > MOST_PART_HEADER_BYTES:
            raise Problem(431, "form", f"a part with a head of more than {MOST_PART_HEADER_BYTES:,} bytes")

    def _header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._takes = b"filename" in options and not self._taken
        if self._takes:
            self._taken = True
            self._upload.name = clean_name(options[b"filename"].decode("utf-8", "replace"))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._takes:
            _keep(self._upload, data[start:end])

    def _end(self) -> None:
        self._ended = True


def clean_name(name: str) -> str:
    """Return the last part of a file's name, safe to show."""
    last = printable(name.replace("\\", "/")).rsplit("/", 1)[-1].strip()
    return last[:MOST_NAME_CHARACTERS]


def _keep(upload: Upload, piece: bytes) -> None:
    try:
        upload.file.write(piece)
    except OSError as error:
        raise Problem(503, "disk_full", "there is no room for it here now; try again later", retry_after=60) from error
    upload.bytes += len(piece)


def _too_large(most: int) -> Problem:
    return Problem(
        413, "too_large", f"more than {most:,} bytes; send less, or a part of it", headers={"Connection": "close"}
    )
