"""Real servers on this machine: radio with ICY metadata, HLS, playlists, and a webhook's receiver."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import av
import numpy as np

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's `answers` say, by path."""

    server: Server
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.server.requested.append(self.path)
        self.server.headers_seen.append(dict(self.headers.items()))
        self.server.answers[self.path](self)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((dict(self.headers.items()), body))
        self.server.answers[self.path](self)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.requested: list[str] = []
        self.headers_seen: list[dict[str, str]] = []
        self.posted: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no error."""


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def body(content: bytes, *, kind: str = "audio/mpeg", status: int = 200, **headers: str) -> Answer:
    """Return what answers with bytes."""

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def redirect(url: str) -> Answer:
    return body(b"", status=302, Location=url)


def icy(content: bytes, *, interval: int, titles: list[bytes], status_line: bytes = b"") -> Answer:
    """Return what answers as SHOUTcast does: a title after every `interval` bytes, then empty blocks."""

    def answer(handler: Handler) -> None:
        if status_line:
            handler.wfile.write(status_line + b"\r\nicy-metaint: %d\r\ncontent-type: audio/mpeg\r\n\r\n" % interval)
        else:
            handler.send_response(200)
            handler.send_header("icy-metaint", str(interval))
            handler.end_headers()
        handler.wfile.write(with_metadata(content, interval, titles))

    return answer


def with_metadata(content: bytes, interval: int, titles: list[bytes]) -> bytes:
    parts, left = list[bytes](), list(titles)
    for start in range(0, len(content), interval):
        part = content[start : start + interval]
        parts.append(part)
        if len(part) == interval:
            text = b"StreamTitle='" + left.pop(0) + b"';" if left else b""
            padded = text + bytes(-len(text) % 16)
            parts.append(bytes([len(padded) // 16]) + padded)
    return b"".join(parts)


def encoded(samples: np.ndarray, *, rate: int = 44_100, codec: str = "libmp3lame", form: str = "mp3") -> bytes:
    """Return mono samples as a file of some format."""
    spool = io.BytesIO()
    with av.open(spool, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.clip(samples * 32_767, -32_768, 32_767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = rate
        context = stream.codec_context
        size = context.frame_size or 1_024
        converter = av.AudioResampler(format=context.format, layout="mono", rate=rate, frame_size=size)
        for part in [*converter.resample(frame), *converter.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return spool.getvalue()
