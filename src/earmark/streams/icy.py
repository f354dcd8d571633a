"""ICY metadata: SHOUTcast and Icecast put a block of text after every `icy-metaint` bytes of sound.

A block is one byte, its length in 16 bytes, then `StreamTitle='...';` and zeros.
"""

from __future__ import annotations

import re

from earmark.text import printable

TITLE = re.compile(r"StreamTitle='(.*?)';?(?=[A-Za-z]+='|$)", re.DOTALL)  # titles have quotation marks too
BLOCK = re.compile(rb"(?:[A-Za-z]+='[^\x00]*';?)?\s*\x00*", re.DOTALL)


class IcyDemuxer:
    """Parts sound from metadata. Where a block is none, the interval was a lie, and all is sound from there on."""

    def __init__(self, interval: int) -> None:
        """`interval`: bytes of sound between two blocks; 0: there are none."""
        self._interval, self._left = interval, interval
        self._waiting = b""  # of a block that has not arrived whole

    def push(self, arrived: bytes) -> tuple[bytes, list[str]]:
        """Return (sound, titles) of the bytes that arrived."""
        if not self._interval:
            return arrived, []
        sound, titles = list[bytes](), list[str]()
        arrived, self._waiting = self._waiting + arrived, b""
        while arrived and self._interval:
            if self._left:
                sound.append(arrived[: self._left])
                self._left -= len(sound[-1])
                arrived = arrived[len(sound[-1]) :]
                continue
            length = 16 * arrived[0]
            block = arrived[1 : 1 + length]
            if len(block) < length:
                self._waiting = arrived
                return b"".join(sound), titles
            if not BLOCK.fullmatch(block):
                self._interval = 0
                break
            titles += _titles(block)
            arrived, self._left = arrived[1 + length :], self._interval
        return b"".join([*sound, arrived]), titles


def interval_of(text: str | None) -> int:
    """Return the interval that a header names; 0 for none, or what is no number."""
    return int(text) if text and text.isascii() and text.isdigit() and 0 < int(text) < 1 << 24 else 0


def _titles(block: bytes) -> list[str]:
    content = block.rstrip(b"\0")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return [title for one in TITLE.findall(text) if (title := printable(one).strip())]
