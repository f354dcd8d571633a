"""`WS /v1/listen`."""

from __future__ import annotations

import contextlib
import io
import json
import time

import av
import numpy as np
import pytest
import soundfile
from tests.apps.server.conftest import problem_of
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from earmark.apps.server.logs import is_news
from earmark.apps.server.settings import Limits

PIECE_SECONDS = 0.1


def samples_of(clip):
    return soundfile.read(io.BytesIO(clip), dtype="int16")[0]


def pieces_of_pcm(clip):
    samples = samples_of(clip)
    size = round(48_000 * PIECE_SECONDS)
    return [samples[start : start + size].tobytes() for start in range(0, len(samples), size)]


def pieces_of_webm(clip):
    """Return what a MediaRecorder gives: WebM with Opus, cut anywhere."""
    file = io.BytesIO()
    with av.open(file, "w", format="webm") as written:
        stream = written.add_stream("libopus", rate=48_000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples_of(clip)[None, :], format="s16", layout="mono")
        frame.sample_rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            written.mux(packet)
    data, count = file.getvalue(), round(len(samples_of(clip)) / 48_000 / PIECE_SECONDS)
    return [data[len(data) * n // count : len(data) * (n + 1) // count] for n in range(count)]


def listened(service, query, pieces, *, pace=PIECE_SECONDS):
    """Send pieces as they would be recorded, and return [(event, seconds since the beginning)]."""
    with connect(f"ws://127.0.0.1:{service.port}/v1/listen?{query}", subprotocols=["earmark"]) as one:
        assert one.subprotocol == "earmark"
        began, events = time.monotonic(), []

        def take(timeout):
            try:
                events.append((json.loads(one.recv(timeout=timeout)), time.monotonic() - began))
            except TimeoutError:
                return False
            return True

        for number, piece in enumerate(pieces, start=1):
            while take(max(0.0, began + number * pace - time.monotonic())):
                pass
            one.send(piece)
        one.send('{"type": "end"}')
        while events[-1][0]["type"] != "ended":
            assert take(30)
        return events


@pytest.mark.parametrize(
    ("query", "pieces"), [("format=s16&rate=48000", pieces_of_pcm), ("format=webm", pieces_of_webm)]
)
def test_a_stream_is_found_locked_and_followed(service, clips, query, pieces):
    events = [event for event, _ in listened(service, query, pieces(clips("pulse", 5, 7)))]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "listening"
    assert kinds[-1] == "ended"
    found = next(event for event in events if event["type"] == "found")
    assert "Pulse" in found["track"]["title"]
    assert found["at"] <= 4
    locked = [event for event in events if event.get("locked")]
    assert locked
    for event in (found, *locked):
        assert event["position"] - event["at"] == pytest.approx(5.0, abs=0.05)
        assert event["speed"] == pytest.approx(1.0, abs=0.02)
        assert event["clock"] > 0
    assert [match["track"]["id"] for match in events[-1]["matches"]] == [found["id"]]


def test_the_second_screen_is_in_step(serve, clips):
    with serve() as own:
        (track,) = own.client.get("/v1/tracks?q=pulse").json()["tracks"]
        ranges = [
            {"start": 9.0, "end": 10.0, "payload": "one"},
            {"start": 10.0, "end": 11.0, "payload": {"text": "two"}},
        ]
        assert own.client.put(f"/v1/tracks/{track['id']}/ranges", json={"ranges": ranges}).status_code == 200
        events = listened(own, "format=s16&rate=48000", pieces_of_pcm(clips("pulse", 5, 7)))
    cues = [event for event, _ in events if event["type"] in ("enter", "exit")]
    assert [(one["type"], one["range"]["payload"]) for one in cues] == [
        ("enter", "one"),
        ("exit", "one"),
        ("enter", {"text": "two"}),
        ("exit", {"text": "two"}),
    ]
    for one, edge in zip(cues, (9.0, 10.0, 10.0, 11.0), strict=True):
        assert one["position"] == pytest.approx(edge, abs=0.25)


def test_what_is_not_known_is_listened_to_and_said_to_be_unknown(service, clips):
    events = [event for event, _ in listened(service, "format=s16", pieces_of_pcm(clips("forest", 3, 4)))]
    assert {event["type"] for event in events} == {"listening", "ended"}
    assert (events[-1]["matches"], events[-1]["reason"]) == ([], "unknown")


def refusal_of(service, query="format=s16", **headers):
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://127.0.0.1:{service.port}/v1/listen?{query}", additional_headers=headers),
    ):
        pass
    return refused.value.response.status_code, json.loads(refused.value.response.body)["code"]


def test_what_makes_no_sense_is_refused_before_it_begins(service):
    """Row S9: pages of other origins too."""
    assert refusal_of(service, "format=mp9") == (422, "invalid")
    assert refusal_of(service, "format=s16&rate=1") == (422, "invalid")
    assert refusal_of(service, "format=s16&other=1") == (422, "invalid")
    assert refusal_of(service, Origin="http://evil.example") == (403, "origin")
    assert refusal_of(service, Authorization="Bearer earmark_wrong") == (401, "wrong_key")


def test_a_refusal_is_one_line_of_the_log(service, caplog):
    caplog.set_level("INFO")
    assert refusal_of(service, "format=mp9") == (422, "invalid")
    end = time.monotonic() + 30
    while all(is_news(record) for record in caplog.records) and time.monotonic() < end:
        time.sleep(0.01)  # uvicorn's own line comes after the answer
    said = [record for record in caplog.records if record.name.startswith(("earmark", "uvicorn"))]
    assert [record.levelname for record in said if is_news(record) and record.levelname != "INFO"] == []
    assert any(not is_news(record) for record in said)


def test_a_proxy_that_passes_on_no_upgrade_is_told_so(service):
    answer = service.client.get("/v1/listen")
    assert (answer.status_code, problem_of(answer), answer.headers["upgrade"]) == (426, "no_websocket", "websocket")


def test_a_key_comes_as_a_protocol(serve):
    with serve(keys=[("phone", "identify")], anyone="") as guarded:
        assert refusal_of(guarded) == (401, "no_key")
        key = (guarded.settings.keys.parent / "phone").read_text()
        url = f"ws://127.0.0.1:{guarded.port}/v1/listen?format=s16"
        with connect(url, subprotocols=["earmark", f"key.{key}"]) as one:
            assert one.subprotocol == "earmark"
            assert json.loads(one.recv(timeout=10))["type"] == "listening"


@pytest.mark.parametrize(
    ("query", "sent", "code"),
    [
        ("format=webm", [b"no sound" * 5_000, '{"type": "end"}'], "unreadable"),
        ("format=s16", ["nonsense"], "message"),
        ("format=s16&rate=8000", [bytes(60_000)] * 100, "too_fast"),
    ],
)
def test_what_cannot_be_listened_to_ends_with_a_problem(service, query, sent, code):
    with connect(f"ws://127.0.0.1:{service.port}/v1/listen?{query}") as one:
        events = []
        with contextlib.suppress(ConnectionClosed):
            for message in sent:
                one.send(message)
        with contextlib.suppress(ConnectionClosed):
            while True:
                events.append(json.loads(one.recv(timeout=20)))
    assert events[-1]["problem"]["code"] == code


def test_a_huge_frame_closes_the_connection(service):
    with connect(f"ws://127.0.0.1:{service.port}/v1/listen?format=s16", max_size=None) as one:
        assert json.loads(one.recv(timeout=10))["type"] == "listening"
        with contextlib.suppress(ConnectionClosed):
            one.send(bytes(1 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            one.recv(timeout=10)
        assert closed.value.rcvd.code == 1009


def test_so_many_streams_and_no_more(serve):
    with serve(Limits(listeners=3, listeners_of_one=2)) as small:
        url = f"ws://127.0.0.1:{small.port}/v1/listen?format=s16"
        with connect(url) as first, connect(url) as second:
            for one in (first, second):
                assert json.loads(one.recv(timeout=10))["type"] == "listening"
            assert refusal_of(small) == (429, "too_many_streams")
        for _ in range(100):
            if not small.service.listeners.taken:
                break
            time.sleep(0.02)
        with connect(url) as again:
            assert json.loads(again.recv(timeout=10))["type"] == "listening"


def test_a_stream_of_anything_harms_nobody(service, clips):
    draw = np.random.default_rng(1)
    for _ in range(4):
        with connect(f"ws://127.0.0.1:{service.port}/v1/listen?format=webm") as one:
            head = pieces_of_webm(clips("pulse", 0, 1))[0]
            with contextlib.suppress(ConnectionClosed):
                for _ in range(20):
                    one.send(head + draw.bytes(2_000))
                one.send('{"type": "end"}')
                while True:
                    one.recv(timeout=20)
    assert service.client.post("/v1/identify", content=clips("pulse")).json()["matches"]
