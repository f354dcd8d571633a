"""Radio over HTTP: sound arrives whatever the server does, and a connection that ends is made again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from earmark.streams.addresses import AddressRule
from earmark.streams.backoff import Backoff
from earmark.streams.items import Gap, Item, Sound, Title
from earmark.streams.radio import RadioSource
from tests.streams.servers import Handler, Server, body, encoded, icy, redirect

HERE = AddressRule(allows_private=True)
RATE = 16_000


class NoWait(Backoff):
    """Attempts that follow one another at once."""

    def next_seconds(self) -> float:
        super().next_seconds()
        return 0.0


def radio(url: str, rule: AddressRule = HERE) -> RadioSource:
    return RadioSource(url, rate=RATE, rule=rule, backoff=NoWait())


def until_gaps(source: RadioSource, count: int = 1) -> list[Item]:
    """Return what a source yields up to its `count`-th gap."""
    found = list[Item]()
    with closing(source):
        for item in source.items():
            found.append(item)
            if sum(isinstance(one, Gap) for one in found) == count:
                return found
    return found


def seconds_of(items: list[Item]) -> float:
    return sum(len(item.samples) for item in items if isinstance(item, Sound)) / RATE


def titles_of(items: list[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Title)]


def reasons_of(items: list[Item]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Gap)]


@pytest.mark.parametrize("form", ["libmp3lame mp3", "aac adts", "libopus ogg", "flac flac", "aac mpegts"])
def test_sound_of_every_format_of_radio_arrives(server: Server, song: np.ndarray, form: str) -> None:
    codec, container = form.split()
    rate = 48_000 if codec == "libopus" else 44_100
    server.answers["/live"] = body(encoded(song, rate=rate, codec=codec, form=container))
    items = until_gaps(radio(f"{server.url}/live"))
    assert seconds_of(items) == pytest.approx(12 * 44_100 / rate, abs=0.1)
    assert reasons_of(items) == ["the stream ended"]


@pytest.mark.parametrize("status_line", [b"", b"ICY 200 OK"])
def test_metadata_is_told_and_is_no_part_of_the_sound(server: Server, mp3: bytes, status_line: bytes) -> None:
    titles = ["Übermut - 'Quoted'; Song".encode(), "Caf\xe9".encode("latin-1")]
    server.answers["/live"] = icy(mp3, interval=8_192, titles=titles, status_line=status_line)
    server.answers["/plain"] = body(mp3)
    items, plain = until_gaps(radio(f"{server.url}/live")), until_gaps(radio(f"{server.url}/plain"))
    assert titles_of(items) == ["Übermut - 'Quoted'; Song", "Café"]
    assert np.array_equal(samples_of(items), samples_of(plain))
    assert server.headers_seen[0]["Icy-MetaData"] == "1"


def samples_of(items: list[Item]) -> np.ndarray:
    return np.concatenate([item.samples for item in items if isinstance(item, Sound)])


def test_a_server_that_lies_about_its_metadata_is_heard_all_the_same(server: Server, mp3: bytes) -> None:
    server.answers["/live"] = body(mp3, icy_metaint="4096")
    items = until_gaps(radio(f"{server.url}/live"))
    assert seconds_of(items) > 11.5
    assert titles_of(items) == []


def test_a_connection_that_ends_is_made_again(server: Server, mp3: bytes) -> None:
    server.answers["/live"] = body(mp3)
    items = until_gaps(radio(f"{server.url}/live"), 3)
    assert len(server.requested) == 3
    assert seconds_of(items) == pytest.approx(36, abs=0.3)


def test_a_server_that_is_not_there_and_one_that_refuses_are_tried_again(server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        items = until_gaps(radio(f"http://127.0.0.1:{unused.getsockname()[1]}/"), 2)
    assert all("refused" in reason for reason in reasons_of(items))
    server.answers["/gone"] = body(b"", status=404)
    assert all("answers 404" in reason for reason in reasons_of(until_gaps(radio(f"{server.url}/gone"), 2)))


def test_what_is_no_sound_is_said_and_tried_again(server: Server) -> None:
    server.answers["/page"] = body(b"<html>not found</html>" * 100, kind="text/html")
    assert all("no audio" in reason for reason in reasons_of(until_gaps(radio(f"{server.url}/page"), 2)))


def test_a_stream_whose_rate_changes_goes_on(server: Server, song: np.ndarray, mp3: bytes) -> None:
    other = encoded(song[: 4 * 44_100], rate=48_000)
    server.answers["/live"] = body(mp3 + other)
    items = until_gaps(radio(f"{server.url}/live"))
    assert seconds_of(items) == pytest.approx(12 + 4 * 44_100 / 48_000, abs=0.2)


def test_a_server_that_stalls_is_left(server: Server, mp3: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earmark.streams.http.STALL_SECONDS", 0.3)

    def stall(handler: Handler) -> None:
        body(mp3[: len(mp3) // 2])(handler)
        handler.wfile.flush()
        handler.rfile.read(1)  # until the client hangs up

    server.answers["/live"] = stall
    items = until_gaps(radio(f"{server.url}/live"))
    assert reasons_of(items) == ["nothing arrived any more"]
    assert seconds_of(items) == pytest.approx(6, abs=0.2)


def test_a_source_that_is_closed_while_it_waits_for_bytes_ends(server: Server, mp3: bytes) -> None:
    def stall(handler: Handler) -> None:
        body(mp3[: len(mp3) // 2])(handler)
        handler.rfile.read(1)  # until the client hangs up

    server.answers["/live"] = stall
    source = radio(f"{server.url}/live")
    items: Iterator[Item] = source.items()
    assert isinstance(next(items), Sound)
    source.close()
    assert not [item for item in items if isinstance(item, Gap)]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("audio/x-scpls", "[playlist]\nNumberOfEntries=1\nFile1={url}/live\nTitle1=One\n"),
        ("audio/x-mpegurl", "#EXTM3U\n#EXTINF:-1,One\n{url}/live\n"),
        ("audio/x-mpegurl", "live\n"),
    ],
)
def test_a_playlist_leads_to_its_stream(server: Server, mp3: bytes, kind: str, text: str) -> None:
    server.answers["/list"] = body(text.format(url=server.url).encode(), kind=kind)
    server.answers["/live"] = body(mp3)
    assert seconds_of(until_gaps(radio(f"{server.url}/list"))) == pytest.approx(12, abs=0.1)


def test_what_the_server_says_of_its_stream_is_told(server: Server, mp3: bytes) -> None:
    server.answers["/live"] = body(mp3, kind="audio/mpeg; charset=x", icy_name="One", icy_br="128,128")
    source = radio(f"{server.url}/live")
    until_gaps(source)
    assert source.facts == {"format": "MP3", "bitrate": "128", "name": "One"}


def test_redirects_are_followed_and_not_for_ever(server: Server, mp3: bytes) -> None:
    server.answers |= {"/a": redirect("/b"), "/b": redirect(f"{server.url}/live"), "/live": body(mp3)}
    assert seconds_of(until_gaps(radio(f"{server.url}/a"))) == pytest.approx(12, abs=0.1)
    server.answers["/round"] = redirect("/round")
    assert "more than 3 redirects" in reasons_of(until_gaps(radio(f"{server.url}/round")))[0]


def test_a_public_rule_reaches_nothing_here(server: Server, mp3: bytes) -> None:
    server.answers["/live"] = body(mp3)
    items = until_gaps(radio(f"{server.url}/live", AddressRule()))
    assert "no public address" in reasons_of(items)[0]
    assert server.requested == []
