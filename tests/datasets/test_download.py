"""Downloads from a real server on this machine, which breaks off where it is told to."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from earmark.datasets.download import download
from earmark.errors import EarmarkError

CONTENT = bytes(range(256)) * 10_000
SHA1 = hashlib.sha1(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        start = 0
        if server.ranges and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if self.path == "/absent":
            return self.send_error(404)
        if start >= len(CONTENT):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        stop = start + server.breaks.pop(0) if server.breaks else len(CONTENT)
        self.wfile.write(CONTENT[start:stop])
        return None

    def log_message(self, *_):
        """Be quiet."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.breaks, server.ranges = [], [], True
        server.url = f"http://127.0.0.1:{server.server_port}/file"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_file_arrives_whole(server, tmp_path):
    told = []
    path = download(server.url, tmp_path / "below" / "f", sha1=SHA1, progress=lambda *what: told.append(what))
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert download(server.url, path, sha1=SHA1) == path
    assert server.asked == [None]  # what is there is not asked for


def test_it_goes_on_where_the_connection_broke_off(server, tmp_path):
    server.breaks = [1_000_000, 500_000, 0]
    assert download(server.url, tmp_path / "f", sha1=SHA1, pause_seconds=0).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-", "bytes=1500000-"]


def test_another_run_goes_on_too(server, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT[:300_000])
    assert download(server.url, tmp_path / "f", sha1=SHA1).read_bytes() == CONTENT
    assert server.asked == ["bytes=300000-"]


def test_a_run_that_ended_before_the_check_needs_nothing_more(server, tmp_path):
    (tmp_path / "f.part").write_bytes(CONTENT)
    assert download(server.url, tmp_path / "f", sha1=SHA1).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.ranges = False
    (tmp_path / "f.part").write_bytes(CONTENT[:300_000])
    assert download(server.url, tmp_path / "f", sha1=SHA1).read_bytes() == CONTENT


def test_another_content_is_refused_and_thrown_away(server, tmp_path):
    with pytest.raises(EarmarkError, match=f"has the SHA-1 {SHA1} in place of 00"):
        download(server.url, tmp_path / "f", sha1="00")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_said_at_once(server, tmp_path):
    with pytest.raises(EarmarkError, match="404 Not Found; see whether the archive has moved"):
        download(server.url.replace("file", "absent"), tmp_path / "f", sha1=SHA1)
    assert len(server.asked) == 1


def test_it_gives_up_when_nothing_comes(server, tmp_path):
    server.breaks = [400_000, 0, 0, 0, 0, 0]
    with pytest.raises(EarmarkError, match="run again to go on at byte 400,000"):
        download(server.url, tmp_path / "f", sha1=SHA1, pause_seconds=0)
    assert (tmp_path / "f.part").stat().st_size == 400_000
