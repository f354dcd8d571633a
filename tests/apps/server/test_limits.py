"""Limits that hold while bytes arrive: rows S1, S2, S4, S13 and S14 of what a service has to withstand."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.apps.server.conftest import problem_of

from earmark.apps.server.settings import Limits

TIGHT = Limits(
    upload_bytes=2_000_000,
    document_bytes=10_000,
    header_seconds=1.0,
    grace_seconds=1.0,
    waiting=6,
    waiting_of_one=4,
    requests_a_minute=1_000_000,
    connections=300,
)
HEAD = "POST /v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def tight(serve):
    with serve(TIGHT, workers=1) as one:
        yield one


def opened(tight):
    return socket.create_connection(("127.0.0.1", tight.port), timeout=20)


def answer_of(one):
    """Return the status and the document of an answer, read until the service closes the connection.

    Raises:
        ConnectionError: It closed with bytes of ours unread, which cuts the answer off: told by a reset, or, where
            the reset met a byte of ours on its way, by nothing at all.
    """
    data = b""
    while part := one.recv(1 << 16):
        data += part
    if not data:
        raise ConnectionError
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if body else None


def test_200_slow_connections_hold_nobody_up_and_are_closed(tight, clips):
    with contextlib.ExitStack() as stack:
        silent, heads, bodies = ([stack.enter_context(opened(tight)) for _ in range(67)] for _ in range(3))
        for one in heads:
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: 127")
        for one in bodies:
            one.sendall(f"{HEAD}Content-Length: 1000000\r\n\r\nRIFF".encode())
        assert tight.client.post("/v1/identify", content=clips("pulse", 5, 3)).json()["matches"]
        for _ in range(8):  # a drop now and then changes nothing
            for one in (*heads, *bodies):
                with contextlib.suppress(OSError):
                    one.sendall(b".")
            time.sleep(0.2)
        assert all(one.recv(1 << 16) == b"" for one in silent)
        answered = []
        for one in (*heads, *bodies):
            with contextlib.suppress(ConnectionError):
                answered.append(answer_of(one)[0])
        assert set(answered) == {408}
    assert tight.service.budget.used == 0


@pytest.mark.parametrize("form", ["declared", "lying", "chunked"])
def test_a_body_that_is_too_large_is_refused_while_it_comes(tight, form):
    with opened(tight) as one:
        most = {"declared": "Content-Length: 999999999999", "lying": "Content-Length: 2000001"}.get(form)
        one.sendall(f"{HEAD}{most or 'Transfer-Encoding: chunked'}\r\n\r\n".encode())
        piece = bytes(1 << 16)
        sent = 0
        try:
            while sent < 50_000_000 and form != "declared":
                one.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if form == "chunked" else piece)
                sent += len(piece)
        except OSError:
            pass
        assert sent < 20_000_000  # what was sent ahead, into the system's buffers
        try:
            status, document = answer_of(one)
        except ConnectionError:
            return
        assert (status, document["code"]) == (413, "too_large")


def test_documents_are_smaller_still(tight):
    (track,) = tight.client.get("/v1/tracks?limit=1").json()["tracks"]
    response = tight.client.patch(f"/v1/tracks/{track['id']}", content=b'{"title": "%b"}' % bytes(20_000))
    assert (response.status_code, problem_of(response)) == (413, "too_large")


FORMS = {
    "no boundary": ("multipart/form-data", b"x", 400),
    "a boundary that is too long": ("multipart/form-data; boundary=" + "b" * 9_999, b"x", 400),
    "garbage": ("multipart/form-data; boundary=b", b"\r\n" * 50_000, 400),
    "no file": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n',
        422,
    ),
    "it breaks off": (
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data; filename=x\r\n\r\nabc",
        400,
    ),
    "many parts": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 20_000,
        413,
    ),
    "a part with many headers": ("multipart/form-data; boundary=b", b"--b\r\n" + b"A: b\r\n" * 100_000, 400),
    "a part with a long header": ("multipart/form-data; boundary=b", b"--b\r\nA: " + b"b" * 1_000_000, 400),
}


@pytest.mark.parametrize("name", FORMS)
def test_tricks_with_forms_are_refused_at_little_cost(tight, name):
    kind, body, status = FORMS[name]
    began = time.thread_time()
    response = tight.client.post("/v1/identify", content=body, headers={"Content-Type": kind})
    assert (response.status_code, problem_of(response)) in ((status, "form"), (422, "no_content"))
    assert time.thread_time() - began < 5


def test_a_head_that_is_too_large_is_refused(tight):
    with opened(tight) as one:
        one.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        try:
            for _ in range(200):
                one.sendall(b"x" * 10_000)
        except OSError:
            return
        with contextlib.suppress(ConnectionResetError):
            assert answer_of(one)[0] == 431


def test_one_caller_gets_so_much_and_the_rest_is_told_to_wait(tight, clips):
    """Row S14: ten times as many as can be answered; what is accepted is answered, the others know when to come."""
    clip = clips("pulse", 0, 10)
    with ThreadPoolExecutor(40) as pool:
        responses = list(pool.map(lambda _: tight.client.post("/v1/identify", content=clip), range(40)))
    assert {response.status_code for response in responses} <= {200, 429, 503}
    answered = [response for response in responses if response.status_code == 200]
    refused = [response for response in responses if response.status_code != 200]
    assert len(answered) >= 5
    assert all(response.json()["matches"] for response in answered)
    assert refused
    assert all(int(response.headers["retry-after"]) >= 1 for response in refused)
    assert {problem_of(response) for response in refused} <= {"too_many_at_once", "busy"}
    assert tight.service.line.waiting == tight.service.line.at_work == tight.service.budget.used == 0


def test_requests_are_counted_by_the_minute(serve):
    with serve(Limits(requests_a_minute=5)) as slow:
        statuses = [slow.client.get("/v1/tracks").status_code for _ in range(8)]
        assert statuses.count(429) >= 3
        refused = slow.client.get("/v1/tracks")
        assert problem_of(refused) == "too_often"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert slow.client.get("/livez").status_code == 200
