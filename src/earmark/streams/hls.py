"""HTTP Live Streaming (RFC 8216), sound alone: playlists are read here, segments are bytes for the decoder.

A variant of the lowest bandwidth is followed; every URL is checked like the first one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urljoin

from earmark.errors import MediaError
from earmark.streams.addresses import AddressRule
from earmark.streams.http import Response, request
from earmark.text import printable

MOST_PLAYLIST_BYTES = 1 << 20
MOST_VARIANTS = 3  # playlists that name other playlists, one in another
BEGIN_SEGMENTS = 3  # segments before the end at which one begins (RFC 8216, 6.3.3)
STALL_SECONDS = 60.0  # seconds without a new segment after which a stream is given up
ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)')


@dataclass(frozen=True, slots=True)
class Playlist:
    """A media playlist."""

    first: int  # sequence number of the first segment
    segments: tuple[str, ...]  # URLs
    target_seconds: float
    is_ended: bool
    header: str  # URL of what comes before the first segment; '' for nothing


def is_hls(text: str) -> bool:
    """Return whether a playlist is one of HLS, not a list of stations."""
    return text.startswith("#EXTM3U") and "#EXT-X-" in text


def hls_bytes(
    url: str, text: str, rule: AddressRule, wait: Callable[[float], bool], opened: Callable[[Response], object]
) -> Iterator[bytes]:
    """Yield the bytes of the segments as they are published; `wait(seconds)` returns whether to stop.

    `opened` gets each answer that is read, which another thread may close. Raises MediaError.
    """
    url, text = _media_playlist(url, text, rule)
    following: int | None = None
    header, idle = "", 0.0
    while True:
        playlist = parsed(url, text)
        if following is None:
            count = len(playlist.segments)
            following = playlist.first if playlist.is_ended else playlist.first + max(count - BEGIN_SEGMENTS, 0)
        following = max(following, playlist.first)  # what was missed is gone
        fresh = playlist.segments[following - playlist.first :]
        idle = 0.0 if fresh else idle
        for segment in fresh:
            if playlist.header != header:
                header = playlist.header
                yield from _content(header, rule, opened)
            yield from _content(segment, rule, opened)
            following += 1
        if playlist.is_ended:
            return
        pause = playlist.target_seconds if fresh else playlist.target_seconds / 2
        idle += pause
        if idle > STALL_SECONDS:
            raise MediaError("timeout", f"no new segment for {STALL_SECONDS:.0f} s")
        if wait(pause):
            return
        text = read_playlist(url, rule)


def read_playlist(url: str, rule: AddressRule) -> str:
    """Return the text of a playlist."""
    with request(url, rule) as response:
        return response.read_all(most_bytes=MOST_PLAYLIST_BYTES).decode("utf-8", "replace")


def parsed(url: str, text: str) -> Playlist:
    """Return a media playlist; raises MediaError for one that cannot be followed."""
    first, target, is_ended, header, segments = 0, 6.0, False, "", list[str]()
    for line in map(str.strip, text.splitlines()):
        name, _, value = line.partition(":")
        if name == "#EXT-X-MEDIA-SEQUENCE":
            first = _number(value)
        elif name == "#EXT-X-TARGETDURATION":
            target = min(max(float(_number(value)), 1.0), 60.0)
        elif name == "#EXT-X-ENDLIST":
            is_ended = True
        elif name == "#EXT-X-MAP":
            header = urljoin(url, _attributes(value).get("URI", ""))
        elif name == "#EXT-X-KEY" and _attributes(value).get("METHOD", "NONE") != "NONE":
            raise MediaError("unsupported", f"{printable(url)} is encrypted; give a stream that is not")
        elif line and not line.startswith("#"):
            segments.append(urljoin(url, line))
    return Playlist(first, tuple(segments), target, is_ended, header)


def _media_playlist(url: str, text: str, rule: AddressRule) -> tuple[str, str]:
    for _ in range(MOST_VARIANTS):
        if "#EXT-X-STREAM-INF" not in text:
            return url, text
        url = urljoin(url, _variant(url, text))
        text = read_playlist(url, rule)
    raise MediaError("unreadable", f"{printable(url)}: playlists that name one another; give that of the stream")


def _variant(url: str, text: str) -> str:
    """Return the URL of the variant of the lowest bandwidth."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [
        (_number(_attributes(line.partition(":")[2]).get("BANDWIDTH", "0")), following)
        for line, following in pairwise(lines)
        if line.startswith("#EXT-X-STREAM-INF") and not following.startswith("#")
    ]
    if not found:
        raise MediaError("unreadable", f"{printable(url)} names no stream; give another playlist")
    return min(found)[1]


def _content(url: str, rule: AddressRule, opened: Callable[[Response], object]) -> Iterator[bytes]:
    with request(url, rule) as response:
        opened(response)
        while part := response.read_some():
            yield part


def _attributes(text: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in ATTRIBUTE.findall(text)}


def _number(text: str) -> int:
    return int(text) if text.strip().isascii() and text.strip().isdigit() else 0
