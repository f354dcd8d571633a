"""Chained Ogg: files one after another in one, each with its own headers, as recordings of a station have them.

A link begins where a page with the flag "beginning of stream" follows a page without it (RFC 3533, sections 4 and 6).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO, cast

BLOCK_BYTES = 1 << 20  # bytes that are searched for pages at a time
MOST_LINKS = 10_000  # links of one file; a song a minute for a week
_MARK = b"OggS\0"  # what a page begins with: the capture pattern and version 0
_FLAGS_AT = 5  # byte of a page that holds its flags
_BEGINNING = 2  # flag of the first page of a stream


def links_of(file: BinaryIO) -> list[BinaryIO]:
    """Return the links of a chained Ogg file, each as a file of its own; [] where it is not chained."""
    file.seek(0)
    if file.read(len(_MARK)) != _MARK:
        file.seek(0)
        return []
    starts, was_beginning = list[int](), False
    for place, flags in _pages(file):
        if flags & _BEGINNING and not was_beginning and len(starts) < MOST_LINKS:
            starts.append(place)
        was_beginning = bool(flags & _BEGINNING)
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    if len(starts) < 2:
        return []
    return [cast(BinaryIO, _Part(file, first, last)) for first, last in pairwise([*starts, end])]


def _pages(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield (byte of the file, flags) of each page."""
    file.seek(0)
    held, at = file.read(BLOCK_BYTES), 0  # at: byte of the file at which what is held begins
    while True:
        place = held.find(_MARK)
        while 0 <= place < len(held) - _FLAGS_AT:
            yield at + place, held[place + _FLAGS_AT]
            place = held.find(_MARK, place + 1)
        more = file.read(BLOCK_BYTES)
        if not more:
            return
        rest = held[-_FLAGS_AT:]  # a mark whose flags are in the next block
        at += len(held) - len(rest)
        held = rest + more


class _Part(io.RawIOBase):
    """Bytes `start` to `end` of a file."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._start, self._end, self._at = file, start, end, 0

    def read(self, count: int = -1) -> bytes:
        room = max(self._end - self._start - self._at, 0)
        self._file.seek(self._start + self._at)
        part = self._file.read(room if count < 0 else min(count, room))
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end - self._start}[whence]
        self._at = max(origin + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at
