"""Hosts, origins, names, headers, markup: rows S5 to S8 and S11."""

from __future__ import annotations

import itertools
import json
import random
import socket
from pathlib import Path

import pytest
from tests.apps.hostile import UPS
from tests.apps.server.conftest import problem_of

from earmark.apps.server.guard import known_hosts
from earmark.apps.server.page import FOLDER, KINDS

SECRETS = ("root:", "BEGIN", "SQLite", "import ")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:9", "127.0.0.1:8000", "[::1]:80", "192.168.0.7", "box", "BOX.local:1", "music.example"],
)
def test_own_names_and_addresses_are_known(host):
    assert known_hosts(("music.example",), "0.0.0.0", "box")(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "localhost.evil.example", "localhost:80@evil", "[::1", "[evil]", "127.0.0.1.nip.io", "a:b:c"],
)
def test_other_names_are_not(host):
    assert not known_hosts(("music.example",), "0.0.0.0", "box")(host)


def test_other_hosts_and_origins_are_refused(service):
    for headers, status, code in (
        ({"Host": "evil.example"}, 421, "host"),
        ({"Origin": "http://evil.example"}, 403, "origin"),
        ({"Origin": "null"}, 403, "origin"),
        ({"Origin": "http://["}, 403, "origin"),
        ({"Origin": f"https://127.0.0.1:{service.port}"}, 403, "origin"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "origin"),
    ):
        response = service.client.post("/v1/identify", content=b"x", headers=headers)
        assert (response.status_code, problem_of(response)) == (status, code)
    own = service.client.post("/v1/identify", content=b"x", headers={"Origin": service.url})
    assert problem_of(own) == "unreadable"
    assert "access-control-allow-origin" not in own.headers


def test_every_answer_has_the_headers_of_safety(service):
    for path in ("/", "/livez", "/nothing", "/page/main.js", "/v1/tracks"):
        headers = service.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers


def test_what_is_not_there_is_a_problem_document(service):
    assert problem_of(service.client.get("/nothing")) == "no_such_path"
    response = service.client.put("/livez")
    assert (problem_of(response), response.headers["allow"]) == ("method", "GET, HEAD")


def traversals(count):
    """Yield ways to ask for a file outside."""
    targets = [
        "etc/passwd",
        "../../../settings.py",
        "catalog.db",
        "C:/windows/win.ini",
        "keys.json",
        "%00",
        "proc/self/environ",
    ]
    roots = ["/page/", "/v1/tracks/", "/", "/page/vendor/", "/v1/tracks/x/ranges/"]
    draw = random.Random(1)
    every = list(itertools.product(roots, UPS, targets, (1, 4, 9)))
    draw.shuffle(every)
    for root, up, target, depth in itertools.islice(every, count):
        yield f"{root}{'/'.join([up] * depth)}/{target}"


def test_500_traversals_lead_nowhere(service):
    """Row S6, sent as they are: a client would tidy them up."""
    with socket.create_connection(("127.0.0.1", service.port)) as one:
        file = one.makefile("rb")
        for path in traversals(500):
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            status = int(file.readline().split()[1])
            headers = dict(line.decode().strip().lower().split(": ", 1) for line in iter(file.readline, b"\r\n"))
            body = file.read(int(headers["content-length"]))
            assert status in (400, 404, 422), path
            assert json.loads(body)["status"] == status
            assert not any(secret in body.decode() for secret in SECRETS)


def test_only_files_of_the_page_are_served(service):
    served = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert len(served) > 10
    for path in served:
        name = path.relative_to(FOLDER).as_posix()
        assert service.client.get(f"/page/{name}").status_code == (200 if path.suffix in KINDS else 404)
    assert service.client.get("/page/").status_code == 404


def test_a_long_range_header_costs_nothing(service):
    """Row S5."""
    ranges = ",".join(f"{n}-{n + 1}" for n in range(0, 3_000, 2))
    response = service.client.get("/page/main.js", headers={"Range": f"bytes={ranges}"})
    assert response.status_code == 200
    assert response.elapsed.total_seconds() < 5


def test_the_page_is_not_sent_again_when_it_is_known(service):
    first = service.client.get("/")
    assert first.headers["content-encoding"] == "gzip"
    again = service.client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_100_headers_that_would_split_lines_do_not(service, caplog):
    """Row S11: what cannot be in a header is refused; what can is one line of the log."""
    from earmark.apps.server.logs import JsonLines

    caplog.set_level("INFO", "earmark.server")
    odd = [
        "\x1b[31mred",
        "a\x00b",
        "a\u2028b".encode().decode("latin-1"),
        '{"level": "error"}',
        "%0d%0aSet-Cookie: x=1",
    ]
    for number, text in itertools.product(range(20), odd):
        request = f"GET /v1/tracks/%0a{number}?q=x HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {text}\r\n"
        request += "Connection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", service.port)) as one:
            one.sendall(request.encode("latin-1"))
            answer = b""
            while part := one.recv(1 << 16):
                answer += part
        assert answer.split()[1] in (b"404", b"400", b"422")
        assert b"Set-Cookie" not in answer
    lines = [JsonLines().format(record) for record in caplog.records]
    assert len(lines) >= 60
    assert all(json.loads(line)["event"] and line.isprintable() and line.isascii() for line in lines)


@pytest.mark.parametrize(
    "raw", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET /\xff HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_a_problem_too(service, raw):
    with socket.create_connection(("127.0.0.1", service.port)) as one:
        one.sendall(raw)
        answer = one.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "no_http"


@pytest.mark.parametrize("extra", ["", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n"])
def test_an_upgrade_that_is_no_handshake_is_a_problem_too(service, extra):
    head = "GET /v1/listen HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    with socket.create_connection(("127.0.0.1", service.port)) as one:
        one.sendall(f"{head}{extra}\r\n".encode())
        answer = one.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "no_handshake"


def test_figures_are_told_to_prometheus(service):
    service.client.get("/livez")
    text = service.client.get("/metrics").text
    assert "earmark_tracks 4.0" in text
    assert 'earmark_requests_total{method="GET",route="/livez",status="200"}' in text
    assert "127.0.0.1" not in text


def test_what_is_vendored_is_what_was_published():
    """The digests are those of the packages in npm's registry."""
    import base64
    import hashlib

    listed = dict(line.split("  ") for line in (FOLDER / "vendor" / "SHA384").read_text().splitlines())
    there = {path.name for path in (FOLDER / "vendor").glob("*.js")}
    assert set(listed) == there
    for name, digest in listed.items():
        content = (FOLDER / "vendor" / name).read_bytes()
        assert base64.b64encode(hashlib.sha384(content).digest()).decode() == digest


def test_nothing_of_the_page_comes_from_elsewhere():
    for path in [*FOLDER.glob("*.js"), *FOLDER.glob("*.css"), FOLDER / "index.html"]:
        text = path.read_text()
        for scheme in ("http://", "https://"):
            uses = [
                line
                for line in text.splitlines()
                if scheme in line and not any(word in line for word in ("localhost", "xmlns", "placeholder="))
            ]
            assert uses == [], Path(path).name
