"""Ogg Vorbis files whose headers come twice, as some editors write them: FFmpeg refuses them, other players do not.

Pages and their checksum: RFC 3533, section 6. Header packets: Vorbis I specification, section 4.2.1.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, cast

HEAD_BYTES = 1 << 20  # bytes at a file's beginning in which headers are looked for; pictures in tags take most of them
POLYNOMIAL = 0x04C11DB7  # polynomial of a page's checksum (RFC 3533, section 6)
HEADERS = 3  # packets of a Vorbis header: identification, comments, setup
NO_GRANULE = b"\xff" * 8  # place of a page on which no packet ends, or whose place is not known


@dataclass(frozen=True, slots=True)
class _Page:
    start: int  # byte of the file
    head: bytes  # the first 26 bytes
    lacing: bytes  # lengths of the parts of packets, at most 255 each
    body: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.head) + 1 + len(self.lacing) + len(self.body)

    def packets(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (lacing, bytes) of each packet, or of the part of it that is here."""
        lacing, at = b"", 0
        for value in self.lacing:
            lacing += bytes([value])
            if value < 255:
                yield lacing, self.body[at : at + sum(lacing)]
                lacing, at = b"", at + sum(lacing)
        if lacing:
            yield lacing, self.body[at:]


def without_repeated_headers(file: BinaryIO) -> BinaryIO | None:
    """Return the file with its headers once, and None where they do not come again on one page."""
    file.seek(0)
    beginning, seen = file.read(HEAD_BYTES), 0
    file.seek(0)
    for page in _pages(beginning):
        packets = list(page.packets())
        repeated = [_is_header(packet) for _, packet in packets]
        if seen >= HEADERS and not page.head[5] & 1:  # no packet goes on here
            if not any(repeated):
                return None
            kept = [packet for packet, is_header in zip(packets, repeated, strict=True) if not is_header]
            return cast(BinaryIO, _Spliced(file, beginning[: page.start] + _rewritten(page, kept), page.end))
        seen += sum(repeated)
    return None


class _Spliced(io.RawIOBase):
    """A file of which other bytes stand for the first ones."""

    def __init__(self, file: BinaryIO, beginning: bytes, replaced: int) -> None:
        self._file, self._beginning, self._replaced, self._at = file, beginning, replaced, 0

    def read(self, count: int = -1) -> bytes:
        if self._at < len(self._beginning):
            part = self._beginning[self._at :] if count < 0 else self._beginning[self._at : self._at + count]
        else:
            self._file.seek(self._at - len(self._beginning) + self._replaced)
            part = self._file.read(count)
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            offset += self._file.seek(0, os.SEEK_END) - self._replaced + len(self._beginning)
        self._at = max(offset + (self._at if whence == os.SEEK_CUR else 0), 0)
        return self._at

    def tell(self) -> int:
        return self._at


def _pages(beginning: bytes) -> Iterator[_Page]:
    at = 0
    while beginning[at : at + 4] == b"OggS" and at + 27 <= len(beginning):
        behind = at + 27 + beginning[at + 26]
        lacing = beginning[at + 27 : behind]
        page = _Page(at, beginning[at : at + 26], lacing, beginning[behind : behind + sum(lacing)])
        if len(page.body) < sum(lacing):
            return
        yield page
        at = page.end


def _is_header(packet: bytes) -> bool:
    return packet[1:7] == b"vorbis" and packet[0] in (1, 3, 5)


def _rewritten(page: _Page, packets: list[tuple[bytes, bytes]]) -> bytes:
    lacing, body = (b"".join(parts) for parts in (zip(*packets, strict=True) if packets else ((), ())))
    is_known = packets and int.from_bytes(page.head[6:14], "little", signed=True) >= 0
    place = page.head[6:14] if is_known else NO_GRANULE
    parts = [page.head[:6] + place + page.head[14:22], bytes(4), bytes([len(lacing)]) + lacing + body]
    parts[1] = _checksum(b"".join(parts)).to_bytes(4, "little")
    return b"".join(parts)


@cache
def _remainders() -> tuple[int, ...]:
    table = []
    for value in range(256):
        rest = value << 24
        for _ in range(8):
            rest = (rest << 1 ^ (POLYNOMIAL if rest & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(rest)
    return tuple(table)


def _checksum(content: bytes) -> int:
    table, rest = _remainders(), 0
    for value in content:
        rest = (rest << 8 & 0xFFFFFFFF) ^ table[rest >> 24 ^ value]
    return rest
