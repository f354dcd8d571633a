"""AVI: chunks without sound, which stand for time in which there is none and which FFmpeg leaves out of its times.

Chunks and lists: Microsoft, AVI RIFF File Reference. A chunk of sound of variable rate is one frame of its codec.
"""

from __future__ import annotations

from typing import BinaryIO

MOST_CHUNKS = 10_000_000  # chunks that are walked through; a day has 5 M of sound and pictures
SAME_LENGTH = 0.01  # share by which the length of a tick and of a frame may differ
_LISTS = {b"RIFF": (b"AVI ", b"AVIX"), b"LIST": (b"movi", b"rec ")}  # lists in which sound lies


class EmptyChunks:
    """The time that empty chunks of one stream of an AVI file stand for, counted up to a byte of the file."""

    def __init__(self, file: BinaryIO, *, stream: int, tick_seconds: float) -> None:
        """`tick_seconds`: length of a frame of the stream, as its header has it."""
        self._file, self._name, self._tick_seconds = file, b"%02dwb" % stream, tick_seconds
        self._at = self._chunks = self._empty = self._walked = 0
        self._told_ticks = 0

    def seconds_before(self, place: int | None, ticks: int | None, frame_seconds: float) -> float:
        """Return the silence between the packet before and the one at byte `place`, which FFmpeg puts at `ticks`."""
        if place is None or ticks is None or abs(frame_seconds / self._tick_seconds - 1) > SAME_LENGTH:
            return 0.0  # a stream of constant rate, whose time is its bytes
        self._walk_to(place)
        late = min(self._empty, self._chunks - ticks)
        missing = max(late - self._told_ticks, 0)
        self._told_ticks += missing
        return missing * self._tick_seconds

    def _walk_to(self, place: int) -> None:
        """Count the stream's chunks before the one at a byte of the file."""
        here = self._file.tell()
        while self._at < place and self._walked < MOST_CHUNKS:
            self._file.seek(self._at)
            head = self._file.read(12)
            if len(head) < 8:
                break
            name, size = head[:4], int.from_bytes(head[4:8], "little")
            if head[8:12] in _LISTS.get(name, ()):
                self._at += 12
                continue
            behind = self._at + 8 + size + size % 2
            if behind > place:  # this is the one
                break
            self._at = behind
            self._walked += 1
            self._chunks += name == self._name
            self._empty += name == self._name and size == 0
        self._file.seek(here)
