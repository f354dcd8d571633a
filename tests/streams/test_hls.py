"""HLS: segments in their order, whatever the playlist does meanwhile."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from earmark.streams.hls import parsed
from tests.streams.servers import Handler, Server, body, encoded
from tests.streams.test_radio import radio, reasons_of, seconds_of, until_gaps

KIND = "application/vnd.apple.mpegurl"


def playlist(first: int, count: int, *, ended: bool) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    for number in range(first, first + count):
        lines += ["#EXTINF:2.0,", f"part{number}.ts"]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else [])]).encode()


def serve_parts(server: Server, song: np.ndarray, count: int) -> None:
    for number in range(count):
        samples = song[number * 88_200 : (number + 1) * 88_200]
        server.answers[f"/part{number}.ts"] = body(encoded(samples, codec="aac", form="mpegts"), kind="video/mp2t")


def test_a_recording_is_heard_whole(server: Server, song: np.ndarray) -> None:
    serve_parts(server, song, 5)
    server.answers["/live.m3u8"] = body(playlist(0, 5, ended=True), kind=KIND)
    items = until_gaps(radio(f"{server.url}/live.m3u8"))
    assert seconds_of(items) == pytest.approx(10, abs=0.5)
    assert server.requested == ["/live.m3u8", *(f"/part{number}.ts" for number in range(5))]


def test_a_broadcast_is_followed_and_no_segment_comes_twice(server: Server, song: np.ndarray) -> None:
    serve_parts(server, song, 6)
    states = iter([playlist(0, 4, ended=False), playlist(1, 4, ended=False), playlist(2, 4, ended=True)])

    def live(handler: Handler) -> None:
        body(next(states), kind=KIND)(handler)

    server.answers["/live.m3u8"] = live
    source = radio(f"{server.url}/live.m3u8")
    source._stopped.wait = lambda timeout=None: False  # type: ignore[method-assign] # no pause between two looks
    until_gaps(source)
    parts = [path for path in server.requested if path.endswith(".ts")]
    assert parts == [f"/part{number}.ts" for number in range(1, 6)]


def test_of_several_variants_the_lightest_is_heard(server: Server, song: np.ndarray) -> None:
    serve_parts(server, song, 3)
    text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=128000\nhigh.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=48000\nlow.m3u8\n"
    server.answers["/all.m3u8"] = body(text.encode(), kind=KIND)
    server.answers["/low.m3u8"] = body(playlist(0, 3, ended=True), kind=KIND)
    assert seconds_of(until_gaps(radio(f"{server.url}/all.m3u8"))) == pytest.approx(6, abs=0.4)
    assert "/high.m3u8" not in server.requested


def test_an_encrypted_stream_says_so(server: Server) -> None:
    text = b'#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:2,\na.ts\n'
    server.answers["/live.m3u8"] = body(text, kind=KIND)
    assert "encrypted" in reasons_of(until_gaps(radio(f"{server.url}/live.m3u8")))[0]


def test_a_playlist_says_what_it_says() -> None:
    text = (
        '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI="head.mp4"\n#EXTINF:4,\n../a.m4s\n'
    )
    found = parsed("http://radio.example/x/live.m3u8", text)
    assert (found.first, found.target_seconds, found.is_ended) == (7, 4.0, False)
    assert (found.header, found.segments) == ("http://radio.example/x/head.mp4", ("http://radio.example/a.m4s",))


def test_a_segment_elsewhere_is_checked_too(server: Server) -> None:
    text = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    server.answers["/live.m3u8"] = body(text, kind=KIND)
    assert "only http" in reasons_of(until_gaps(radio(f"{server.url}/live.m3u8")))[0]


def test_closing_ends_a_wait_for_the_next_segment(server: Server, song: np.ndarray) -> None:
    serve_parts(server, song, 3)
    server.answers["/live.m3u8"] = body(playlist(0, 3, ended=False), kind=KIND)
    source = radio(f"{server.url}/live.m3u8")
    with closing(source):
        next(source.items())
    assert list(source.items()) == []
