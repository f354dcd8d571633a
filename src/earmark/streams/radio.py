"""Streams over HTTP: radio with or without ICY metadata, HLS, and playlists that name one. They reconnect for ever."""

from __future__ import annotations

import http.client
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from random import Random
from threading import Event, Thread
from urllib.parse import urljoin

from earmark.errors import MediaError
from earmark.extract.live import LiveDecoder
from earmark.streams.addresses import AddressRule
from earmark.streams.backoff import Backoff
from earmark.streams.hls import MOST_PLAYLIST_BYTES, hls_bytes, is_hls
from earmark.streams.http import Response, request
from earmark.streams.icy import IcyDemuxer, interval_of
from earmark.streams.items import Gap, Item, Sound, Title
from earmark.text import printable

PLAYLISTS = ("mpegurl", "scpls", "pls+xml")  # parts of the content types of playlists
PLAYLIST_NAMES = (".m3u", ".m3u8", ".pls")
MOST_PLAYLISTS = 3  # playlists that name one another
ASKED = {"Icy-MetaData": "1"}
FORMATS = {
    "audio/mpeg": "MP3",
    "audio/aac": "AAC",
    "audio/aacp": "AAC",
    "audio/ogg": "Ogg",
    "application/ogg": "Ogg",
    "audio/flac": "FLAC",
    "audio/wav": "WAV",
    "audio/x-wav": "WAV",
}
LONGEST_FACT = 200  # characters of what a server says of a stream


class RadioSource:
    """One station's stream."""

    is_live = True

    def __init__(
        self,
        url: str,
        *,
        rate: int,
        rule: AddressRule | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`rule`: which addresses the URL, and what it leads to, may name (default: public ones)."""
        self.name, self.rate = printable(url), rate
        self._url, self._rule, self._clock = url, rule or AddressRule(), clock
        self._backoff = backoff or Backoff(Random())
        self._decoder, self._stopped = LiveDecoder(), Event()
        self._response: Response | None = None  # that is being read
        self.facts: Mapping[str, str] = {}  # what the server says of the stream: `format`, `bitrate`, `name`

    def items(self) -> Iterator[Item]:
        """Yield sound and titles; between two connections, a gap that says why the first ended."""
        with closing(self._decoder):
            while not self._stopped.is_set():
                heard = 0
                try:
                    for item in self._connection():
                        heard += len(item.samples) if isinstance(item, Sound) else 0
                        yield item
                    reason = "the stream ended"
                except (MediaError, OSError, http.client.HTTPException) as error:
                    reason = _said(error)
                if self._stopped.is_set():
                    return
                self._backoff.heard(heard / self.rate)
                yield Gap(reason, self._clock())
                self._stopped.wait(self._backoff.next_seconds())

    def close(self) -> None:
        """End the connection and the decoder."""
        self._stopped.set()
        response = self._response
        if response is not None:
            response.close()
        self._decoder.close()

    def _connection(self) -> Iterator[Item]:
        """Yield what one connection gives; raises what ended it."""
        with ExitStack() as stack:
            parts = self._parts(stack)
            reading, writing = os.pipe()
            pump = _Pump(parts, writing)
            pump.start()
            stack.callback(pump.join)
            file = stack.enter_context(os.fdopen(reading, "rb", buffering=0))  # closed before: the pump may wait for it
            stack.callback(self._hang_up)
            blocks = stack.enter_context(closing(self._decoder.samples(file, rate=self.rate)))
            try:
                for block in blocks:
                    now = self._clock()
                    while pump.titles:
                        yield Title(pump.titles.popleft(), now)
                    yield Sound(block, now)
            except MediaError:
                if pump.problem is None:
                    raise
        if pump.problem is not None:
            raise pump.problem

    def _hang_up(self) -> None:
        if self._response is not None:
            self._response.close()

    def _note(self, response: Response) -> None:
        """Take note of the answer that is read now, which `close` ends."""
        self._response = response
        if self._stopped.is_set():
            response.close()

    def _parts(self, stack: ExitStack) -> Iterator[tuple[bytes, list[str]]]:
        """Connect, and return (sound, titles) as they arrive."""
        url = self._url
        for _ in range(MOST_PLAYLISTS):
            response = stack.enter_context(request(url, self._rule, headers=ASKED))
            self._note(response)
            if not _is_playlist(response):
                self.facts = _facts(response.headers)
                demuxer = IcyDemuxer(interval_of(response.headers.get("icy-metaint")))
                return (demuxer.push(part) for part in iter(response.read_some, b""))
            text = response.read_all(most_bytes=MOST_PLAYLIST_BYTES).decode("utf-8", "replace")
            if is_hls(text):
                self.facts = {"format": "HLS"}
                segments = hls_bytes(response.url, text, self._rule, self._stopped.wait, self._note)
                return ((part, []) for part in segments)
            url = urljoin(response.url, _first_entry(response.url, text))
        raise MediaError("unreadable", f"{self.name}: playlists that name one another; give that of the stream")


class _Pump(Thread):
    """Writes what arrives into a pipe, from which a decoder reads."""

    def __init__(self, parts: Iterator[tuple[bytes, list[str]]], writing: int) -> None:
        super().__init__(name="earmark-pump", daemon=True)
        self.titles = deque[str]()
        self.problem: Exception | None = None
        self._parts, self._writing = parts, writing

    def run(self) -> None:
        try:
            for sound, titles in self._parts:
                self.titles.extend(titles)
                waiting = memoryview(sound)
                while waiting:
                    waiting = waiting[os.write(self._writing, waiting) :]
        except BrokenPipeError:  # the decoder has ended, and says why
            pass
        except TimeoutError:
            self.problem = MediaError("timeout", "nothing arrived any more")
        except (MediaError, OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            # ValueError and AttributeError: of an answer that was closed under its reader
            self.problem = error if isinstance(error, MediaError) else MediaError("unreadable", _said(error))
        finally:
            os.close(self._writing)


def _facts(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what the head of an answer says of a stream, as far as it does."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    said = {
        "format": FORMATS.get(kind, kind.removeprefix("audio/")),
        "bitrate": headers.get("icy-br", "").partition(",")[0],
        "name": headers.get("icy-name", ""),
    }
    return {name: shown for name, text in said.items() if (shown := printable(text.strip())[:LONGEST_FACT])}


def _is_playlist(response: Response) -> bool:
    kind = response.headers.get("content-type", "").lower()
    path = response.url.partition("?")[0].lower()
    return any(part in kind for part in PLAYLISTS) or (path.endswith(PLAYLIST_NAMES) and kind != "audio/mpeg")


def _first_entry(url: str, text: str) -> str:
    """Return the first stream that a playlist of stations names."""
    for line in map(str.strip, text.splitlines()):
        name, equals, value = line.partition("=")
        if equals and name.lower().startswith("file"):
            return value.strip()
        if line and not line.startswith(("#", "[")) and not equals:
            return line
    raise MediaError("unreadable", f"{printable(url)} names no stream; give another playlist")


def _said(error: Exception) -> str:
    if isinstance(error, MediaError):
        return error.detail
    return printable(str(error)) or type(error).__name__
