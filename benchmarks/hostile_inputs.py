#!/usr/bin/env python3
"""Send hostile files to a service, and lead a station's source through hostile playlists: each has to be refused.

    python benchmarks/hostile_inputs.py CATALOG

The files are posted as questions and as recordings to add, to a service on a copy of CATALOG; each answer has to be a
problem document or "no match", and the service has to answer afterwards. The playlists come from a server that a
station's rule lets through by name; nothing else of this machine may be asked for. Exit status 1 where something fails.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

from earmark.streams.addresses import AddressRule
from earmark.streams.items import Gap, Sound
from earmark.streams.radio import RadioSource

RATE = 16_000  # Hz
NAME = "radio.example"  # host that the rule lets through


def files() -> dict[str, bytes]:
    """Return hostile files by what they are."""
    box = BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("song.mp3", bytes(50_000_000))
    form = struct.pack("<IHHIIHH", 16, 1, 2, 48_000, 192_000, 4, 16)
    header = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + form
    many = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    return {
        "an archive that unpacks to 50 MB": box.getvalue(),
        "zeros, packed twice": gzip.compress(gzip.compress(bytes(100_000_000))),
        "WAVE that declares 4 GB of data": header + b"data" + struct.pack("<I", 0xFFFFFFFF) + bytes(64),
        "a list for ffmpeg that names a file": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "HLS that names a file": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "XML of entities within entities": f'<!DOCTYPE x [<!ENTITY a0 "x">{many}]><svg>&a11;</svg>'.encode(),
        "MP4 with boxes within boxes": struct.pack(">I4s", 0x7FFFFFFF, b"moov") * 5_000,
        "a program": Path(sys.executable).resolve().read_bytes()[:500_000],
    }  # fmt: skip


def playlists(url: str) -> dict[str, tuple[str, str, str]]:
    """Return (content type, text, path that it is asked for by) of hostile playlists by what they do."""
    m3u, hls = "audio/x-mpegurl", "application/vnd.apple.mpegurl"
    port = url.rpartition(":")[2]

    def segments(name: str, head: str = "") -> str:
        return f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{head}#EXTINF:2,\n{name}\n#EXT-X-ENDLIST\n"

    return {
        "this machine": (m3u, f"http://127.0.0.1:{port}/secret\n", "/1.m3u"),
        "this machine, as one number": (m3u, f"http://2130706433:{port}/secret\n", "/2.m3u"),
        "this machine, in hexadecimal": (m3u, f"http://0x7f.1:{port}/secret\n", "/3.m3u"),
        "this machine, by IPv6": (m3u, f"http://[::ffff:127.0.0.1]:{port}/secret\n", "/4.m3u"),
        "this machine, by name": (m3u, f"http://localhost:{port}/secret\n", "/5.m3u"),
        "this machine, after a name": (m3u, f"http://{NAME}@127.0.0.1:{port}/secret\n", "/6.m3u"),
        "the address of a cloud's secrets": (m3u, "http://169.254.169.254/latest/meta-data/\n", "/7.m3u"),
        "a file": (m3u, "file:///etc/passwd\n", "/8.m3u"),
        "another protocol": ("audio/x-scpls", "[playlist]\nFile1=gopher://127.0.0.1:70/x\n", "/9.pls"),
        "itself": (m3u, f"{url}/10.m3u\n", "/10.m3u"),
        "HLS with segments of this machine": (hls, segments(f"http://127.0.0.1:{port}/secret"), "/11.m3u8"),
        "HLS with a segment that is a file": (hls, segments("file:///etc/passwd"), "/12.m3u8"),
    }


class Rule(AddressRule):
    """The public rule, but for one name, which is at this machine."""

    def addresses(self, host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
        """As of the public rule."""
        return [(socket.AF_INET, ("127.0.0.1", port))] if host == NAME else super().addresses(host, port)


@contextmanager
def answering(texts: dict[str, tuple[str, str]], asked: list[str]) -> Iterator[int]:
    """Serve (content type, text) by path, and give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            kind, text = texts.get(self.path, ("audio/mpeg", ""))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def playlists_refused() -> int:
    """Print how each playlist is refused, and return how many are not."""
    texts, asked, failed = dict[str, tuple[str, str]](), list[str](), 0
    with answering(texts, asked) as port:
        for does, (kind, text, path) in playlists(f"http://{NAME}:{port}").items():
            texts[path] = kind, text
            source, reason, heard = RadioSource(f"http://{NAME}:{port}{path}", rate=RATE, rule=Rule()), "", False
            for item in source.items():
                heard |= isinstance(item, Sound)
                if isinstance(item, Gap):
                    reason = item.reason
                    source.close()
            is_refused = bool(reason) and not heard and "/secret" not in asked
            failed += not is_refused
            print(f"{'refused' if is_refused else 'FAILED '}  a playlist that names {does}: {reason}", flush=True)
    return failed


def files_refused(port: int) -> int:
    """Print how each file is answered, and return how many answers are no problem documents."""
    failed = 0
    for what, content in files().items():
        for path in ("/v1/identify", "/v1/tracks"):
            status, kind, document = ask(port, "POST", path, content)
            is_problem = kind == "application/problem+json" and 400 <= status < 500 and bool(document.get("code"))
            is_refused = is_problem or (path == "/v1/identify" and document.get("matches") == [])
            failed += not is_refused
            said = f"{status} {document.get('code') or document.get('reason')}"
            print(f"{'refused' if is_refused else 'FAILED '}  {what} at {path}: {said}", flush=True)
    return failed + (ask(port, "GET", "/readyz")[0] != 200)


def ask(port: int, method: str, path: str, content: bytes | None = None) -> tuple[int, str, Any]:
    """Return (status, content type, document) of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, content)
    answer = connection.getresponse()
    body = answer.read()
    kind = answer.headers.get("content-type", "")
    connection.close()
    return answer.status, kind, json.loads(body) if "json" in kind else {}


@contextmanager
def served(catalog: Path) -> Iterator[int]:
    """Run a service, and give its port."""
    program = "import sys; from earmark.apps.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", "--catalog", str(catalog), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            port = int(process.stderr.readline().rpartition(":")[2].strip(" /\n"))
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield port
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    options = parser.parse_args()
    failed = playlists_refused()
    with tempfile.TemporaryDirectory() as folder:
        own = shutil.copytree(options.catalog, Path(folder) / "own.earmark")
        with served(own) as port:
            failed += files_refused(port)
    print(f"{failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
